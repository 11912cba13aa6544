"""The addresses of the cockpit: the city now, the lists behind its numbers, the brief and the handover."""

from __future__ import annotations

from django.urls import path

from chengshu.web.cockpit import brief, cases, handover, lines, map, overview, scenes

urlpatterns = [
    path("cockpit", overview.show, name="cockpit"),
    path("cockpit/wall", overview.wall, name="wall"),
    path("cockpit/cases", cases.show, name="cockpit_cases"),
    path("cockpit/act", cases.act, name="cockpit_act"),
    path("cockpit/line/<slug:name>", lines.show, name="cockpit_line"),
    path("cockpit/scenes", scenes.show, name="cockpit_scenes"),
    path("cockpit/scenes/<slug:scene>/<slug:indicator>", scenes.line, name="cockpit_scene"),
    path("cockpit/map.json", map.show, name="cockpit_map"),
    path("cockpit/brief", brief.show, name="brief"),
    path("cockpit/handover", handover.show, name="handover"),
    path("cockpit/handover/note", handover.note, name="handover_note"),
    path("cockpit/handover/sign", handover.sign, name="handover_sign"),
    path("cockpit/handover/<int:id>", handover.record, name="handover_record"),
    path("cockpit/handover/<int:id>/take", handover.take, name="handover_take"),
]
