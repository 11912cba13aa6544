"""The addresses of the field: the same tasks on a phone."""

from __future__ import annotations

from django.urls import path

from chengshu.web.field import jobs

urlpatterns = [
    path("field", jobs.show, name="field"),
]
