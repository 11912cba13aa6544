from django.apps import AppConfig


class PartiesConfig(AppConfig):
    name = "chengshu.parties"
    label = "parties"
