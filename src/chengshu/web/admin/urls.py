"""The addresses of administration."""

from __future__ import annotations

from django.urls import path

from chengshu.web.admin import (
    accounts,
    audits,
    calendars,
    changes,
    departments,
    escalation,
    home,
    lives,
    notice_words,
    pack,
    parameters,
    rules,
    types,
)

urlpatterns = [
    path("admin", home.show, name="admin"),
    path("admin/departments", departments.show, name="admin_departments"),
    path("admin/departments/one", departments.show_one, name="admin_department"),
    path("admin/departments/save", departments.send, name="admin_department_save"),
    path("admin/types", types.show, name="admin_types"),
    path("admin/types/one", types.show_one, name="admin_type"),
    path("admin/types/save", types.send, name="admin_type_save"),
    path("admin/moves", lives.show, name="admin_moves"),
    path("admin/calendar", calendars.show, name="admin_calendar"),
    path("admin/calendar/save", calendars.send, name="admin_calendar_save"),
    path("admin/parameters", parameters.show, name="admin_parameters"),
    path("admin/parameters/save", parameters.send, name="admin_parameters_save"),
    path("admin/escalation", escalation.show, name="admin_escalation"),
    path("admin/escalation/save", escalation.send, name="admin_escalation_save"),
    path("admin/notices", notice_words.show, name="admin_notices"),
    path("admin/notices/save", notice_words.send, name="admin_notices_save"),
    path("admin/accounts", accounts.show, name="admin_accounts"),
    path("admin/accounts/new", accounts.new, name="admin_account_new"),
    path("admin/accounts/one", accounts.show_one, name="admin_account"),
    path("admin/accounts/act", accounts.act, name="admin_account_act"),
    path("admin/approvals", accounts.approvals, name="admin_approvals"),
    path("admin/approvals/decide", accounts.decide, name="admin_decide"),
    path("admin/pack", pack.show, name="admin_pack"),
    path("admin/pack/download", pack.download, name="admin_pack_download"),
    path("admin/pack/send", pack.send, name="admin_pack_send"),
    path("admin/pack/plan", pack.plan, name="admin_plan"),
    path("admin/changes", changes.show, name="admin_changes"),
    path("admin/changes/one", changes.show_one, name="admin_change"),
    path("admin/audit", audits.show, name="admin_audit"),
    path("admin/audit.csv", audits.as_csv, name="admin_audit_csv"),
    path("welcome", accounts.welcome, name="welcome"),
    path("rules", rules.show, name="rules"),
    path("rules/edit", rules.edit, name="rules_edit"),
    path("rules/restore", rules.restore, name="rules_restore"),
]
