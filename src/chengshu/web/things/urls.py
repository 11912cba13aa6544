"""The addresses of the pages about things that sense."""

from __future__ import annotations

from django.urls import path

from chengshu.web.things import register, thing, vitals

urlpatterns = [
    path("things", vitals.show, name="vitals"),
    path("things/register", register.show, name="things"),
    path("things/act", register.act, name="things_act"),
    path("things/<int:id>", thing.show, name="thing"),
    path("things/<int:id>/act", thing.act, name="thing_act"),
]
