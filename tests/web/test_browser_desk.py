"""A dispatcher's and an operator's morning in a real browser: by keyboard, in both languages, two at once, and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests import running
from tests.web import axe
from tests.web.browsing import PHONE, Site
from tests.web.conftest import photo

pytestmark = [pytest.mark.browser, pytest.mark.slow]
_serial = count(1)


def reported(title: str) -> str:
    """The number of a new case of this title, in the handler's district."""
    new = {"title": title, "type": "env.exposed_rubbish", "place_text": "文三路90号"}
    with running.city().client(running.token("operator", "operator")) as client:
        return str(client.post("/api/cases", new).json()["number"])


def title() -> str:
    """A title that no other test has."""
    return f"键盘试验{next(_serial)}号井盖"


@contextmanager
def desk(site: Site, username: str, language: str = "zh-hans") -> Iterator[Page]:
    """The desk of somebody who chose a language as people do."""
    with site.page(username) as page:
        if language == "en":
            page.get_by_role("button", name="English").click()
            expect(page.locator("html")).to_have_attribute("lang", "en")
        yield page


def test_the_list_that_is_saved_is_the_one_filtered_now(site: Site) -> None:
    with desk(site, "shift") as page:
        page.goto("/desk?view=open")
        page.select_option("#order", "severity")
        page.wait_for_url(re.compile("order=severity"))
        page.locator("details.save summary").click()
        page.fill("#view-name", "最急的在前")
        page.locator("details.save form button.btn-primary").click()
        page.wait_for_url(re.compile("saved="))
        assert "order=severity" in page.url
        expect(page.locator("h1")).to_have_text("最急的在前")
        page.locator("details.save summary").click()
        page.locator("details.save form[action*=delete] button").click()
        expect(page.locator(".alert-success")).to_be_visible()
    assert not site.complaints


def here(page: Page) -> str:
    return str(page.evaluate("location.pathname + location.search"))


@pytest.mark.parametrize(("language", "accept"), [("zh-hans", "受理"), ("en", "Accept")])
def test_a_morning_by_keyboard_only(site: Site, language: str, accept: str) -> None:
    name = title()
    number = reported(name)
    with desk(site, "operator", language) as page:
        page.goto("/desk?view=open&order=new")
        page.keyboard.press("/")
        page.keyboard.type(number[-6:])
        expect(page.locator("tr[data-row]")).to_have_count(1)
        expect(page).to_have_url(re.compile(f"q={number[-6:]}"))
        page.evaluate("document.activeElement.blur()")
        listed = here(page)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/cases/{number}")  # its load, too: the keys are bound
        page.keyboard.press(".")
        page.keyboard.type(accept)
        expect(page.locator("#palette li").first).to_contain_text(accept)
        page.keyboard.press("Enter")
        expect(page.locator("#palette")).to_be_hidden()
        page.keyboard.press("Enter")
        expect(page.locator(".alert-success")).to_contain_text(accept)
        page.wait_for_load_state()
        page.keyboard.press("z")
        expect(page.locator("li[aria-current=step]")).to_have_text(re.compile("上报|Reported"))
        page.wait_for_load_state()
        page.keyboard.press("m")
        page.keyboard.press("Enter")
        expect(page.locator("li[aria-current=step]")).to_have_text(re.compile("受理|Accepted"))
        page.wait_for_load_state()
        page.keyboard.press("u")
        page.wait_for_url(re.compile("/desk"))
        assert here(page) == listed
    assert not site.complaints


def test_several_cases_by_keyboard_looked_at_moved_and_taken_back(site: Site) -> None:
    name = title()
    for _ in range(3):
        reported(name)
    with desk(site, "operator") as page:
        page.goto(f"/desk?view=all&q={name}")
        for key in "jxjx":
            page.keyboard.press(key)
        expect(page.locator("[data-bulk-count]")).to_have_text("2")
        page.keyboard.press(".")
        page.keyboard.type("受理")
        expect(page.locator("#palette li").first).to_contain_text("受理")
        page.keyboard.press("Enter")
        expect(page.locator("[data-foreseen]")).to_contain_text("2 件可办")
        page.locator("[data-bulk] button.btn-primary").click()
        expect(page.locator(".alert-success")).to_contain_text("受理")
        expect(page.locator("tr[data-row]", has_text="受理")).to_have_count(2)
        page.wait_for_load_state()
        page.keyboard.press("z")
        expect(page.locator("form.undo")).to_have_count(0)
        expect(page.locator("tr[data-row] .tag-open", has_text="上报")).to_have_count(3)
    assert not site.complaints


def test_a_saved_view_stays_and_says_how_many(site: Site) -> None:
    name = title()
    reported(name)
    with desk(site, "operator") as page:
        page.goto(f"/desk?view=open&q={name}")
        page.get_by_text("保存此列表").click()
        page.fill("#view-name", "井盖")
        page.locator("form[action='/desk/views'] button[type=submit]").click()
        tab = page.locator(".views a.is-own", has_text="井盖")
        expect(tab.locator(".n")).to_have_text("1")
        page.goto("/desk?view=all")
        tab.click()
        expect(page.locator("h1")).to_have_text("井盖")
        expect(page.locator("tr[data-row]")).to_have_count(1)
        page.get_by_text("保存此列表").click()
        page.get_by_role("button", name="删除").click()
        expect(page.locator(".views a.is-own")).to_have_count(0)


def test_columns_are_chosen_by_keyboard_and_a_telephone_keeps_its_own(site: Site) -> None:
    name = title()
    reported(name)
    with desk(site, "operator") as page:
        page.goto(f"/desk?view=all&q={name}")
        page.locator("summary", has_text="显示列").focus()
        page.keyboard.press("Enter")
        assert axe.findings(page) == []
        page.focus("[name=column][value=state]")
        page.keyboard.press("Space")
        page.focus("[name=column][value=moved]")
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        expect(page.locator("table.cases thead")).to_contain_text("最近办理")
        expect(page.locator("table.cases thead")).not_to_contain_text("状态")
        expect(page.locator("tr[data-row] .tag-open")).to_be_hidden()
        page.set_viewport_size(PHONE)
        expect(page.locator("tr[data-row] .tag-open")).to_be_visible()
        page.set_viewport_size({"width": 1280, "height": 800})
        page.locator("summary", has_text="显示列").click()
        page.get_by_role("button", name="恢复默认列").click()
        expect(page.locator("table.cases thead")).to_contain_text("状态")
    assert not site.complaints


def test_what_is_new_is_told_and_nothing_moves(site: Site) -> None:
    name = title()
    number = reported(name)
    with desk(site, "operator") as page:
        page.goto(f"/desk?view=all&q={name}")
        page.keyboard.press("j")
        page.keyboard.press("x")
        reported(name)
        with site.page("shift") as other:
            other.goto(f"/cases/{number}")
            other.locator('form:has(input[value="accept"]) button[type=submit]').first.click()
            expect(other.locator(".alert-success")).to_be_visible()
        page.evaluate("document.body.dispatchEvent(new CustomEvent('live:case'))")
        expect(page.locator("[data-news]")).to_contain_text("1 件新案件")
        expect(page.locator("tr.is-changed")).to_have_count(1)
        expect(page.locator("tr[data-row]")).to_have_count(1)
        expect(page.locator("tr[data-row] input[name=case]")).to_be_checked()
        page.keyboard.press("r")
        expect(page.locator("tr[data-row]")).to_have_count(2)


def test_two_people_at_one_case(site: Site) -> None:
    number = reported(title())
    with site.page("operator") as first, site.page("shift") as second:
        first.goto(f"/cases/{number}")
        form = first.locator('form:has(input[name=move][value="reject"])')
        form.locator("xpath=..").locator("summary").click()
        form.locator("textarea").fill("不在受理范围")
        second.goto(f"/cases/{number}")
        second.locator('form:has(input[value="accept"]) button[type=submit]').first.click()
        expect(second.locator(".alert-success")).to_be_visible()
        form.locator("button[type=submit]").first.click()
        expect(first.locator(".since")).to_contain_text("演示·值班长")
        expect(first.locator('form:has(input[value="reject"]) textarea')).to_have_value("不在受理范围")


def test_a_note_begun_is_still_there_after_the_page_was_left(site: Site) -> None:
    number = reported(title())
    with site.page("operator") as page:
        page.goto(f"/cases/{number}")
        note = page.locator('form:has(input[name=move][value="note"]) textarea')
        note.locator("xpath=ancestor::details").locator("summary").click()
        note.fill("已联系反映人")
        page.reload()
        expect(note).to_have_value("已联系反映人")
        note.locator("xpath=ancestor::form").locator("button[type=submit]").first.click()
        expect(page.locator(".alert-success")).to_be_visible()
        page.reload()
        expect(page.locator('form:has(input[name=move][value="note"]) textarea')).to_have_value("")


def test_evidence_in_full_by_keyboard_and_what_has_to_do_with_it(site: Site, tmp_path: Path) -> None:
    number = reported(title())
    files = [tmp_path / f"{colour}.jpg" for colour in ("red", "blue")]
    for file in files:
        file.write_bytes(photo(file.stem))
    with site.page("operator") as page:
        page.goto(f"/cases/{number}")
        form = page.locator('form:has(input[name=move][value="attach"])')
        form.locator("xpath=..").locator("summary").click()
        form.locator("input[type=file]").set_input_files([str(file) for file in files])
        form.locator("button[type=submit]").first.click()
        expect(page.locator(".alert-success")).to_be_visible()
        page.locator("a[data-picture]").first.click()
        viewer = page.locator("#viewer")
        expect(viewer.locator("[data-about]")).to_contain_text("1/2")
        page.keyboard.press("ArrowRight")
        expect(viewer.locator("[data-about]")).to_contain_text("2/2")
        page.keyboard.press("r")
        expect(viewer.locator("img.is-turned-1")).to_be_visible()
        page.keyboard.press("Escape")
        expect(viewer).to_be_hidden()
        page.locator(".kindred").scroll_into_view_if_needed()
        expect(page.locator(".kindred a[href$='/related']")).to_have_count(0)
    assert not site.complaints


def test_paper_shows_the_work_order_and_nothing_else(site: Site, tmp_path: Path) -> None:
    number = reported(title())
    with site.page("operator") as page:
        page.goto(f"/cases/{number}/print")
        page.emulate_media(media="print")
        expect(page.locator(".sheet h1")).to_be_visible()
        for hidden in (".top", "footer", ".no-print"):
            expect(page.locator(hidden).first).to_be_hidden()
        page.screenshot(path=str(tmp_path / "sheet.png"))
        assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) == 1
        page.goto("/desk/print?view=open")
        expect(page.locator(".listed tbody tr").first).to_be_visible()


def test_the_desk_fits_a_phone(site: Site) -> None:
    number = reported(title())
    with site.page("operator", viewport=PHONE) as page:
        for path in ("/desk?view=open", f"/cases/{number}", f"/cases/{number}/print", "/desk/print?view=open"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path


def test_a_telephone_stands_in_no_address(site: Site) -> None:
    with desk(site, "operator") as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/desk?view=all")
        page.locator("#q").press_sequentially("13812345678", delay=60)
        box = page.locator("[data-telephone] input[name=telephone]")
        expect(box).to_have_value("13812345678")
        page.keyboard.press("Enter")  # means the form that is offered now; the next one sends it
        expect(page.locator("[data-telephone] button")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_text("138****5678")).to_be_visible()
        page.keyboard.press("Control+k")
        page.locator("#palette input[role=combobox]").press_sequentially("13812345678", delay=60)
        expect(page.locator("#palette [role=option]")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page.get_by_text("138****5678")).to_be_visible()
        assert not [address for address in asked if "1381234" in address]
