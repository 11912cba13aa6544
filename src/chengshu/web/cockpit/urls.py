"""The addresses of the cockpit: the city now."""

from __future__ import annotations

from django.urls import path

from chengshu.web.cockpit import overview

urlpatterns = [
    path("cockpit", overview.show, name="cockpit"),
]
