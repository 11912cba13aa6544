"""The addresses of administration."""

from __future__ import annotations

from django.urls import path

from chengshu.web.admin import rules

urlpatterns = [
    path("rules", rules.show, name="rules"),
    path("rules/edit", rules.edit, name="rules_edit"),
    path("rules/restore", rules.restore, name="rules_restore"),
]
