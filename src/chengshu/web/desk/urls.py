"""The addresses of the desk: lists of cases, and one case."""

from __future__ import annotations

from django.urls import path

from chengshu.web.desk import board, bulk, case, columns, palette, paper, saved

urlpatterns = [
    path("desk", board.show, name="desk"),
    path("desk/counts", board.counts, name="desk_counts"),
    path("desk/telephone", board.by_telephone, name="desk_telephone"),
    path("desk/preview", bulk.preview, name="desk_preview"),
    path("desk/move", bulk.move, name="desk_move"),
    path("desk/undo", bulk.undo, name="desk_undo"),
    path("desk/views", saved.save, name="desk_views"),
    path("desk/views/<int:id>/delete", saved.drop, name="desk_view_delete"),
    path("desk/columns", columns.choose, name="desk_columns"),
    path("desk/palette", palette.show, name="desk_palette"),
    path("desk/print", paper.table, name="desk_print"),
    path("cases/<number:number>", case.show, name="case"),
    path("cases/<number:number>/print", paper.sheet, name="case_print"),
    path("cases/<number:number>/related", case.show_kindred, name="case_related"),
    path("cases/<number:number>/move", case.move, name="case_move"),
    path("cases/<number:number>/contact", case.show_contact, name="case_contact"),
]
