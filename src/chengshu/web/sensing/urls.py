"""The addresses of sensing's pages."""

from __future__ import annotations

from django.urls import path

from chengshu.web.sensing import quarantine, sources, wizard

urlpatterns = [
    path("sources", sources.show, name="sources"),
    path("sources/new", wizard.new, name="source_new"),
    path("sources/one", sources.show_one, name="source"),
    path("sources/act", sources.act, name="source_act"),
    path("quarantine", quarantine.show, name="quarantine"),
    path("quarantine/act", quarantine.act, name="quarantine_act"),
]
