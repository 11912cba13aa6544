"""The addresses of the pages."""

from __future__ import annotations

from django.urls import path, register_converter

from chengshu.web import (
    accounts,
    case,
    cockpit,
    desk,
    evidence,
    field,
    follow,
    health,
    home,
    maps,
    notices,
    report,
    rules,
    scores,
)


class NumberConverter:
    """A case's number or id; anything else is no address, and so never reaches the database."""

    regex = "[A-Za-z0-9-]{1,60}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(NumberConverter, "number")

urlpatterns = [
    path("", home.show, name="home"),
    path("report", report.new, name="report"),
    path("report/done", report.done, name="reported"),
    path("follow", follow.ask, name="follow"),
    path("follow/<number:number>", follow.show, name="followed"),
    path("mine", follow.mine, name="mine"),
    path("login", accounts.sign_in, name="login"),
    path("logout", accounts.sign_out, name="logout"),
    path("register", accounts.register, name="register"),
    path("account", accounts.account, name="account"),
    path("account/password", accounts.change_password, name="password"),
    path("account/tokens", accounts.make_token, name="token_make"),
    path("account/tokens/revoke", accounts.revoke_token, name="token_revoke"),
    path("post", accounts.choose_post, name="post"),
    path("language", accounts.choose_language, name="language"),
    path("city", accounts.choose_city, name="city"),
    path("desk", desk.show, name="desk"),
    path("desk/move", desk.move, name="desk_move"),
    path("cases/<number:number>", case.show, name="case"),
    path("cases/<number:number>/move", case.move, name="case_move"),
    path("cases/<number:number>/contact", case.show_contact, name="case_contact"),
    path("cases/<number:number>/evidence/<uuid:id>", evidence.show, name="evidence"),
    path("field", field.show, name="field"),
    path("cockpit", cockpit.show, name="cockpit"),
    path("rules", rules.show, name="rules"),
    path("rules/edit", rules.edit, name="rules_edit"),
    path("rules/restore", rules.restore, name="rules_restore"),
    path("scores", scores.show, name="scores"),
    path("scores.csv", scores.table, name="scores_csv"),
    path("scores/cases", scores.cases, name="scores_cases"),
    path("notices", notices.show, name="notices"),
    path("notices/read", notices.read, name="notices_read"),
    path("map/boundaries.json", maps.boundaries, name="boundaries"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.numbers, name="metrics"),
]
