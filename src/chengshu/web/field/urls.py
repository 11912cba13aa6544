"""The addresses of the field: the same tasks on a phone, and what makes it an app."""

from __future__ import annotations

from django.urls import path

from chengshu.web.field import app, job, jobs, patrol, sync

urlpatterns = [
    path("field", jobs.show, name="field"),
    path("field/app.webmanifest", app.manifest, name="field_manifest"),
    path("field/worker.js", app.worker, name="field_worker"),
    path("field/offline", app.offline, name="field_offline"),
    path("field/sync", sync.sync, name="field_sync"),
    path("field/report", patrol.new, name="field_report"),
    path("field/<number:number>", job.show, name="field_job"),
    path("field/<number:number>/move", job.move, name="field_move"),
    path("field/<number:number>/contact", job.show_contact, name="field_contact"),
]
