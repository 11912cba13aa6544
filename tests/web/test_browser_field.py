"""A handler's and a grid worker's day on a phone: in the rain, in a basement without a network, in both languages."""

from __future__ import annotations

import io
import re
import secrets
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import pytest
from PIL import Image
from playwright.sync_api import Error, Page, Route, expect

from tests import running
from tests.web import axe
from tests.web.test_browser import Site, browser_of_all, leave_tour, picture, site

__all__ = ["browser_of_all", "picture", "site"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]
PHONE = {"width": 390, "height": 844}
UNIT = "330106-CGJ"
HERE = {"latitude": 30.2755, "longitude": 120.1312, "accuracy": 12.0}
POSTS = {
    "operator": "operator",
    "shift": "shift_leader",
    "dispatcher": "dispatcher",
    "handler": "handler",
    "supervisor": "supervisor",
}
LOST = re.compile(r"ERR_INTERNET_DISCONNECTED|ERR_FAILED|ERR_ABORTED|Failed to fetch|/field/sync.*(409|422|404)")
KEPT = "async () => (await caches.keys()).filter((name) => name.startsWith('field-day:'))"


def post(username: str, address: str, body: dict[str, Any]) -> Any:
    """What somebody does at the desk, over the API."""
    with running.city().client(running.token(username, POSTS[username])) as client:
        answer = client.post(address, body)
    assert answer.status < 300, answer.body
    return answer.json()


def move(username: str, case: dict[str, Any], code: str, **needs: str) -> None:
    post(username, f"/api/cases/{case['id']}/moves", {"move": code, **needs})


def job(title: str, *, received: bool = True, **more: Any) -> dict[str, Any]:
    """A case that lies with the handler's unit."""
    new = {"type": "appeal.noise_social", "title": title, "division": "330106", "place_text": "文三路90号", **more}
    case: dict[str, Any] = post("operator", "/api/cases", {**new, "key": secrets.token_hex(8)})
    for username, code, needs in (
        ("operator", "accept", {}),
        ("shift", "register", {}),
        ("dispatcher", "dispatch", {"unit": UNIT}),
    ):
        move(username, case, code, **needs)
    if received:
        move("handler", case, "receive")
    return case


def steps(case: dict[str, Any]) -> list[str]:
    """The codes of the moves made in a case, in their order."""
    with running.city().client(running.token("supervisor", "supervisor")) as client:
        story = client.get(f"/api/cases/{case['number']}/story").json()
    return [step["move"]["code"] for step in story["steps"]]


def go(page: Page, path: str = "") -> None:
    """Open an address, or the page anew. The app may be doing so itself, when something was sent: then once more."""
    for _try in range(3):
        try:
            if path:
                page.goto(path)
            else:
                page.reload()
        except Error:
            page.wait_for_timeout(500)
        else:
            return
    raise AssertionError(f"the page {path or page.url} does not come")


def left(page: Page, case: dict[str, Any]) -> None:
    """Wait until the page of a job has gone, and what comes after it is there."""
    page.wait_for_url(lambda url: case["number"] not in url)


@contextmanager
def phone(site: Site, username: str = "handler", **more: Any) -> Iterator[Page]:
    """A telephone on which the app has been opened once: its worker is at work."""
    with site.page(username, viewport=PHONE, has_touch=True, is_mobile=True, **more) as page:
        go(page, "/field")
        until(lambda: bool(page.evaluate("navigator.serviceWorker.controller !== null")), page)
        go(page)
        yield page
        page.context.set_offline(False)


def honest(site: Site) -> list[str]:
    """What the browser complained of, but for the network that a test had taken away."""
    return [said for said in site.complaints if not LOST.search(said)]


def waiting(page: Page) -> Any:
    return page.locator("[data-queue-count]")


def open_job(page: Page, case: dict[str, Any]) -> None:
    go(page, f"/field/{case['number']}")
    expect(page.locator("[data-job-page]")).to_be_visible()


def handle(page: Page, note: str, picture: str = "") -> None:
    """Fill the form of the main act and send it."""
    form = page.locator("section.act.is-main form[data-act=handle]:visible")
    if picture:
        form.locator("input[type=file]").set_input_files(picture)
        expect(form.locator("[data-previews] figure")).to_have_count(1)
    form.locator("textarea").fill(note)
    form.locator(".act-go").click()


def until(found: Callable[[], bool], page: Page) -> None:
    for _ in range(60):
        if found():
            return
        page.wait_for_timeout(250)
    raise AssertionError("it did not happen")


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


def test_the_next_job_comes_up(site: Site) -> None:
    with phone(site) as page:
        first, second = job("菜场噪声一"), job("菜场噪声二")
        go(page, "/field")
        listed = page.locator("[data-job]").evaluate_all("all => all.map(job => job.dataset.job)")
        after = listed[(listed.index(first["number"]) + 1) % len(listed)]
        open_job(page, first)
        handle(page, "已处理")
        page.wait_for_url(f"**/field/{after}")
        assert second["number"] in listed
    assert not honest(site)


def test_signing_out_empties_what_was_kept_and_speaks_of_what_was_not_sent(site: Site) -> None:
    case = job("酒吧噪声")
    said: list[str] = []
    with phone(site) as page:
        open_job(page, case)
        until(lambda: bool(page.evaluate(KEPT)), page)
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
        until(lambda: page.evaluate(KEPT) == [], page)
        assert "1" in said[0]
        sign_in(page, "metro")
        go(page, "/field")
        expect(page.locator("[data-queue]")).to_be_hidden()
        assert case["title"] not in page.content()
        page.context.unroute("**/field/sync")
        page.locator("header [data-tour=person] summary").click()
        page.locator("form[data-sign-out] button").click()
        page.wait_for_url("**/")
        sign_in(page, "handler")
        go(page, "/field")
        expect(page.locator("[data-queue]")).to_be_hidden(timeout=20_000)
        until(lambda: steps(case)[-1] == "handle", page)
    assert not honest(site)


def sign_in(page: Page, username: str) -> None:
    from benchmarks.city import PASSWORD

    go(page, "/login")
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    page.wait_for_url(re.compile("/field"))
    leave_tour(page)


def test_pages_of_another_day_or_person_are_not_kept(site: Site) -> None:
    with phone(site) as page:
        for name in (
            "field-day:1-1:2000-01-01",
            "field-day:999-999:" + page.evaluate("new Date().toLocaleDateString('sv')"),
        ):
            page.evaluate("name => caches.open(name)", name)
        go(page, "/account")
        until(lambda: all("999" not in name and "2000" not in name for name in page.evaluate(KEPT)), page)
        assert len(page.evaluate(KEPT)) == 1
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


def test_jobs_along_a_route_from_where_one_stands(site: Site) -> None:
    far, near = job("最远的一处", lon=120.20, lat=30.30), job("最近的一处", lon=120.1313, lat=30.2760)
    nowhere = job("没有坐标的一处")
    with phone(site, geolocation=HERE, permissions=["geolocation"]) as page:
        go(page, "/field")
        page.locator("[data-order-by=route]").click()
        expect(page.locator("[data-order-says]")).to_contain_text("公里")
        numbers = page.locator("[data-job]").evaluate_all("all => all.map(job => job.dataset.job)")
        assert numbers.index(near["number"]) < numbers.index(far["number"]) < numbers.index(nowhere["number"])
        assert numbers[0] == near["number"]
        first = page.locator("[data-job]").first
        expect(first.locator("[data-stop]")).to_have_text("1")
        expect(first.locator("[data-far]")).to_contain_text("60 米")
        page.locator(".jobs-map summary").click()
        stop = page.locator(f".map-stop[href='/field/{near['number']}']")
        expect(stop).to_have_text("1", timeout=30_000)
        page.locator("[data-order-by=due]").click()
        expect(first.locator("[data-stop]")).to_be_hidden()
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


def test_a_report_with_a_network_opens_the_new_case(site: Site, picture: str) -> None:
    with phone(site, "grid") as page:
        go(page, "/field/report")
        page.locator(".act-go").click()
        expect(page.locator("[data-act-error]")).to_contain_text("请选择问题类型")
        page.set_input_files("#evidence", picture)
        page.select_option("#type", "env.exposed_rubbish")
        page.fill("#place", "保俶路4号")
        page.locator(".act-go").click()
        page.wait_for_url(re.compile(r"/field/HZ-"))
        expect(page.locator("h1")).to_have_text("暴露垃圾")
        expect(page.locator("[data-queue]")).to_be_hidden()
    assert not honest(site)


def test_all_of_it_without_a_script(site: Site, picture: str) -> None:
    case = job("无脚本噪声", received=False)
    with site.page("handler", viewport=PHONE, java_script_enabled=False) as page:
        go(page, f"/field/{case['number']}")
        page.locator("form[data-act=receive] .act-go").click()
        page.wait_for_url(f"**/field/{case['number']}")
        form = page.locator("form[data-act=handle]")
        form.locator("textarea").fill("已处理完毕")
        form.locator("input[type=file]").set_input_files(picture)
        form.locator(".act-go").click()
        expect(page.locator(".alert-success")).to_be_visible()
    assert steps(case)[-2:] == ["receive", "handle"]


def test_it_can_be_installed(site: Site) -> None:
    with phone(site) as page:
        wire = page.context.new_cdp_session(page)
        told = wire.send("Page.getAppManifest")
        assert told["errors"] == []
        assert told["url"].endswith("/field/app.webmanifest")
        missing = {each["errorId"] for each in wire.send("Page.getInstallabilityErrors")["installabilityErrors"]}
        assert missing <= {"in-incognito"}
        manifest = page.evaluate("url => fetch(url).then(answer => answer.json())", told["url"])
        for icon in manifest["icons"]:
            with urllib.request.urlopen(urljoin(site.url, icon["src"]), timeout=10) as answer:
                drawn = Image.open(io.BytesIO(answer.read()))
            assert "x".join(map(str, drawn.size)) == icon["sizes"]
            corner = drawn.convert("RGBA").getpixel((0, 0))
            assert corner == ((18, 48, 79, 255) if icon["purpose"] == "maskable" else (0, 0, 0, 0))
    assert not honest(site)


SMALL = """() => [...document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")]
  .filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.closest(".maplibregl-map"))
  .map((one) => [one.outerHTML.slice(0, 100), one.getBoundingClientRect()])
  .filter(([, box]) => box.left >= 0 && box.width && (box.height < 43.9 || box.width < 43.9))
  .map(([html, box]) => `${html} ${box.width}x${box.height}`)"""


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_a_wet_thumb_and_bright_sun(site: Site, language: str) -> None:
    case, other = job("日光下的噪声", lon=120.13, lat=30.27), job("另一处噪声", received=False, lon=120.14, lat=30.28)
    with phone(site) as page:
        chosen(page, language)
        for path in ("/field", f"/field/{case['number']}", f"/field/{other['number']}", "/field/report"):
            go(page, path)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
            assert page.evaluate(SMALL) == [], path
            assert axe.findings(page, "color-contrast-enhanced") == [], path
            assert axe.findings(page) == [], path
        page.context.set_offline(True)
        open_job(page, case)
        handle(page, "quiet now")
        left(page, case)
        page.locator("[data-queue] summary").click()
        assert page.evaluate(SMALL) == []
        assert axe.findings(page) == [] and axe.findings(page, "color-contrast-enhanced") == []
        page.context.set_offline(False)
        expect(page.locator("[data-queue]")).to_be_hidden(timeout=20_000)
        chosen(page, "zh-hans")
    assert not honest(site)


def chosen(page: Page, language: str) -> None:
    """Choose a language as people do."""
    go(page, "/field")
    button = page.locator(f"form button[name=language][value={language}]")
    if button.count():
        button.click()
        page.wait_for_load_state()
