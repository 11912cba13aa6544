"""The addresses of the scorecards."""

from __future__ import annotations

from django.urls import path

from chengshu.web.scores import ranking, scorecards

urlpatterns = [
    path("scores", scorecards.show, name="scores"),
    path("scores.csv", scorecards.table, {"form": "csv"}, name="scores_csv"),
    path("scores.xlsx", scorecards.table, {"form": "xlsx"}, name="scores_xlsx"),
    path("scores.pdf", scorecards.table, {"form": "pdf"}, name="scores_pdf"),
    path("scores/cases", scorecards.cases, name="scores_cases"),
    path("scores/ranking", ranking.show, name="ranking"),
]
