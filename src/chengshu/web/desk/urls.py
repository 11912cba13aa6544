"""The addresses of the desk: lists of cases, and one case."""

from __future__ import annotations

from django.urls import path

from chengshu.web.desk import board, case

urlpatterns = [
    path("desk", board.show, name="desk"),
    path("desk/move", board.move, name="desk_move"),
    path("cases/<number:number>", case.show, name="case"),
    path("cases/<number:number>/move", case.move, name="case_move"),
    path("cases/<number:number>/contact", case.show_contact, name="case_contact"),
]
