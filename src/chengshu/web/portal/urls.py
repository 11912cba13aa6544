"""The addresses of the public pages."""

from __future__ import annotations

from django.urls import path

from chengshu.web.portal import follow, home, maps, near, report, statistics

urlpatterns = [
    path("", home.show, name="home"),
    path("report", report.new, name="report"),
    path("report/done", report.done, name="reported"),
    path("follow", follow.ask, name="follow"),
    path("follow/<number:number>", follow.show, name="followed"),
    path("mine", follow.mine, name="mine"),
    path("near", near.show, name="near"),
    path("statistics", statistics.show, name="statistics"),
    path("statistics.csv", statistics.as_csv, name="statistics_csv"),
    path("map/boundaries.json", maps.boundaries, name="boundaries"),
]
