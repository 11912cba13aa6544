from django.apps import AppConfig


class BrainConfig(AppConfig):
    name = "chengshu.brain"
    label = "brain"
