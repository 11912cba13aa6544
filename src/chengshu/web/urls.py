"""The addresses of the pages: those of the rooms, and what they share."""

from __future__ import annotations

from django.urls import include, path, register_converter

from chengshu.web import evidence, health


class NumberConverter:
    """A case's number or id; anything else is no address, and so never reaches the database."""

    regex = "[A-Za-z0-9-]{1,60}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(NumberConverter, "number")

ROOMS = ("portal", "account", "desk", "field", "cockpit", "scores", "admin", "help", "things")

urlpatterns = [
    *(path("", include(f"chengshu.web.{room}.urls")) for room in ROOMS),
    path("sensing/", include("chengshu.web.sensing.urls")),
    path("cases/<number:number>/evidence/<uuid:id>", evidence.show, name="evidence"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.numbers, name="metrics"),
]
