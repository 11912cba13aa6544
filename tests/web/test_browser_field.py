"""A day on a phone: the jobs, their order, one act after the other, in rain and sun, in both languages."""

from __future__ import annotations

import io
import re
import urllib.request
from urllib.parse import urljoin

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.web import axe
from tests.web.browsing import PHONE, Site
from tests.web.fieldwork import HERE, go, handle, honest, job, left, open_job, phone, steps

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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
    with phone(site, language=language) as page:
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
    assert not honest(site)
