from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "chengshu.web"
    label = "web"
