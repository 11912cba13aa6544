from django.apps import AppConfig


class PlacesConfig(AppConfig):
    name = "chengshu.places"
    label = "places"
