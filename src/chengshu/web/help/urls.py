"""The addresses of help."""

from __future__ import annotations

from django.urls import path

from chengshu.web.help import views

urlpatterns = [
    path("help", views.index, name="help"),
    path("help/glossary", views.words_of_trade, name="glossary"),
    path("help/words.json", views.words_for_scripts, name="help_words"),
    path("help/tour/seen", views.seen, name="tour_seen"),
    path("help/tour/again", views.again, name="tour_again"),
    path("help/pages/<slug:name>", views.one, name="help_page"),
]
