from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    name = "chengshu.evaluation"
    label = "evaluation"
