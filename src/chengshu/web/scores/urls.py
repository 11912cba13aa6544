"""The addresses of the scorecards."""

from __future__ import annotations

from django.urls import path

from chengshu.web.scores import scorecards

urlpatterns = [
    path("scores", scorecards.show, name="scores"),
    path("scores.csv", scorecards.table, name="scores_csv"),
    path("scores/cases", scorecards.cases, name="scores_cases"),
]
