"""What a phone keeps while it has no network: acts wait, happen once and in their order, and nothing is lost."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.sync_api import Route, expect

from tests.web.browsing import Site, leave_tour, sign_in
from tests.web.fieldwork import HERE, go, handle, honest, job, left, move, open_job, phone, steps, until, waiting

pytestmark = [pytest.mark.browser, pytest.mark.slow]
_KEPT = "async () => (await caches.keys()).filter((name) => name.startsWith('field-day:'))"


def test_an_act_without_a_network_waits_and_happens_once(site: Site, picture: str) -> None:
    case = job("地下车库噪声")
    with phone(site) as page:
        open_job(page, case)
        page.context.set_offline(True)
        handle(page, "已劝离，现场安静", picture)
        left(page, case)
        expect(waiting(page)).to_have_text("待发送（1）")
        go(page, "/field")
        expect(page.locator("[data-kept-says]")).to_be_visible()
        expect(waiting(page)).to_have_text("待发送（1）")
        expect(page.locator(f"[data-job='{case['number']}'] [data-queued]")).to_contain_text("待发送")
        open_job(page, case)
        expect(page.locator("section.act.is-main form")).to_be_hidden()
        assert steps(case).count("handle") == 0
        page.context.set_offline(False)
        expect(page.locator("[data-queue]")).to_be_hidden(timeout=20_000)
    assert steps(case).count("handle") == 1
    with site.page("supervisor") as page:
        go(page, f"/cases/{case['number']}")
        expect(page.locator(".timeline .pictures img")).to_have_count(1)
    assert not honest(site)


def test_a_lost_answer_doubles_nothing(site: Site) -> None:
    case = job("楼道噪声")
    lost: list[int] = []

    def lose(route: Route) -> None:
        if not lost:
            lost.append(route.fetch().status)
            return route.abort()
        return route.continue_()

    with phone(site) as page:
        open_job(page, case)
        page.context.route("**/field/sync", lose)
        handle(page, "已处理")
        page.wait_for_url(re.compile("/field(?!.*" + case["number"] + ")"))
        until(lambda: not page.locator("[data-queue]").is_visible(), page)
    assert lost == [200]
    assert steps(case).count("handle") == 1
    assert not honest(site)


def test_two_acts_on_one_case_go_in_their_order(site: Site) -> None:
    case = job("工地夜间噪声", received=False)
    with phone(site) as page:
        open_job(page, case)
        page.context.set_offline(True)
        page.locator("form[data-act=receive] .act-go").click()
        expect(page.locator("[data-act-card=receive] .queued")).to_be_visible()
        page.on("dialog", lambda dialog: dialog.accept())
        page.locator("[data-queue] summary").click()
        page.locator("[data-item-drop]").click()  # a slip: the form is there again
        page.locator("form[data-act=receive] .act-go").click()
        expect(page.locator("[data-act-card=receive] .queued")).to_be_visible()
        go(page)
        handle(page, "已停工")
        left(page, case)
        expect(waiting(page)).to_have_text("待发送（2）")
        page.context.set_offline(False)
        expect(page.locator("[data-queue]")).to_be_hidden(timeout=20_000)
        expect(page.locator("[data-kept-says]")).to_be_hidden(timeout=20_000)  # the list was read anew
    assert steps(case)[-2:] == ["receive", "handle"]
    assert not honest(site)


def test_a_case_that_moved_on_is_told_of_before_the_act_is_made(site: Site) -> None:
    case = job("广场舞噪声")
    with phone(site) as page:
        open_job(page, case)
        page.context.set_offline(True)
        handle(page, "已协调音量")
        left(page, case)
        move("shift", case, "urge")
        page.context.set_offline(False)
        item = page.locator(f".queue li[data-state=moved]:has-text('{case['number']}')")
        expect(item).to_contain_text("催办", timeout=20_000)
        expect(item).to_contain_text("已协调音量")
        assert "handle" not in steps(case)
        item.locator("[data-item-again]").click()
        expect(page.locator("[data-queue]")).to_be_hidden()
    assert steps(case)[-1] == "handle"
    assert not honest(site)


def test_what_is_refused_keeps_its_content_until_it_is_thrown_away(site: Site) -> None:
    case = job("空调外机噪声")
    with phone(site) as page:
        open_job(page, case)
        page.context.set_offline(True)
        handle(page, "已上门调解")
        left(page, case)
        move("dispatcher", case, "redispatch", unit="330106-HW", note="属住建部门")
        page.context.set_offline(False)
        item = page.locator(f".queue li[data-state=refused]:has-text('{case['number']}')")
        expect(item).to_contain_text("已上门调解", timeout=20_000)
        go(page)
        expect(item).to_be_visible()
        page.on("dialog", lambda dialog: dialog.accept())
        item.locator("[data-item-drop]").click()
        expect(page.locator("[data-queue]")).to_be_hidden()
    assert "handle" not in steps(case)
    assert not honest(site)


def test_what_was_not_taken_is_put_back_into_its_form(site: Site, picture: str) -> None:
    case = job("KTV噪声")
    with phone(site) as page:
        open_job(page, case)
        move("shift", case, "urge")  # the page does not know it
        handle(page, "已要求停业整改", picture)
        form = page.locator("section.act.is-main form[data-act=handle]")
        expect(form.locator("[data-act-error]")).to_contain_text("催办")
        expect(form.locator("textarea")).to_have_value("已要求停业整改")
        expect(form.locator("[data-previews] figure")).to_have_count(1)
        form.locator(".act-go").click()
        page.wait_for_url(re.compile("/field(?!.*" + case["number"] + ")"))
        expect(page.locator(".alert-success")).to_contain_text("KTV噪声")
        expect(page.locator("[data-queue]")).to_be_hidden()
    assert steps(case)[-1] == "handle"
    assert not honest(site)


def test_signing_out_empties_what_was_kept_and_speaks_of_what_was_not_sent(site: Site) -> None:
    case = job("酒吧噪声")
    said: list[str] = []
    with phone(site) as page:
        open_job(page, case)
        until(lambda: bool(page.evaluate(_KEPT)), page)
        page.context.set_offline(True)
        handle(page, "已约谈")
        left(page, case)
        page.context.route("**/field/sync", lambda route: route.abort())
        page.context.set_offline(False)
        go(page, "/desk")
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.accept())[1])
        page.locator("[data-tour=person] summary").click()
        page.locator("form[data-sign-out] button").click()
        page.wait_for_url("**/")
        until(lambda: page.evaluate(_KEPT) == [], page)
        assert "1" in said[0]
        sign_in(page, "metro")
        leave_tour(page)
        go(page, "/field")
        expect(page.locator("[data-queue]")).to_be_hidden()
        assert case["title"] not in page.content()
        page.context.unroute("**/field/sync")
        page.locator("header [data-tour=person] summary").click()
        page.locator("form[data-sign-out] button").click()
        page.wait_for_url("**/")
        sign_in(page, "handler")
        leave_tour(page)
        go(page, "/field")
        expect(page.locator("[data-queue]")).to_be_hidden(timeout=20_000)
        until(lambda: steps(case)[-1] == "handle", page)
    assert not honest(site)


def test_pages_of_another_day_or_person_are_not_kept(site: Site) -> None:
    with phone(site) as page:
        for name in (
            "field-day:1-1:2000-01-01",
            "field-day:999-999:" + page.evaluate("new Date().toLocaleDateString('sv')"),
        ):
            page.evaluate("name => caches.open(name)", name)
        go(page, "/account")
        until(lambda: all("999" not in name and "2000" not in name for name in page.evaluate(_KEPT)), page)
        assert len(page.evaluate(_KEPT)) == 1
    assert not honest(site)


def test_a_page_that_is_not_kept_says_so_and_jobs_are_taken_along(site: Site) -> None:
    opened, taken = job("隧道噪声"), job("桥下噪声")
    with phone(site) as page:
        open_job(page, opened)
        go(page, "/field")
        page.context.set_offline(True)
        go(page, f"/field/{taken['number']}")
        expect(page.locator("h1")).to_contain_text("没有网络")
        page.context.set_offline(False)
        go(page, "/field")
        page.locator("[data-take]").click()
        expect(page.locator("[data-take]")).to_contain_text("已带上")
        page.context.set_offline(True)
        open_job(page, taken)
        expect(page.locator("h1")).to_contain_text("桥下噪声")
    assert not honest(site)


def test_a_report_from_patrol_without_a_network(site: Site, picture: str) -> None:
    title = f"巡查发现{secrets.token_hex(3)}"
    with phone(site, "grid", geolocation=HERE, permissions=["geolocation"]) as page:
        go(page, "/field/report")
        expect(page.locator("[data-here]")).to_contain_text("12 米")
        go(page)
        page.context.set_offline(True)
        page.set_input_files("#evidence", picture)
        page.select_option("#type", "env.exposed_rubbish")
        page.fill("#title", title)
        page.fill("#place", "保俶路2号")
        page.locator(".act-go").click()
        expect(waiting(page)).to_have_text("待发送（1）")
        expect(page.locator("#title")).to_have_value("")
        expect(page.locator("#type")).to_have_value("env.exposed_rubbish")  # the next one is often of the same kind
        go(page)
        expect(waiting(page)).to_have_text("待发送（1）")
        page.context.set_offline(False)
        expect(page.locator("[data-queue]")).to_be_hidden(timeout=20_000)
        go(page, "/field")
        found = page.locator("[data-job]").filter(has_text=title)
        expect(found).to_have_count(1)
        found.locator("h2 a").click()
        expect(page.locator(".pictures img")).to_have_count(1)
        expect(page.locator("section.act.is-main h2")).to_have_text("自处置")
    assert not honest(site)
