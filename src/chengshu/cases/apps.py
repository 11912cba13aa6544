from django.apps import AppConfig


class CasesConfig(AppConfig):
    name = "chengshu.cases"
    label = "cases"
