"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class SensingConfig(AppConfig):
    name = "chengshu.sensing"
