"""Pictures of the main pages for README and docs, taken from a running city.

    python tools/screenshots.py [--url http://127.0.0.1:8000] [--password WORD] [--out docs/images]

The password is that of the demo accounts, by default the one kept in CHENGSHU_HOME. Needs a Chromium: CHENGSHU_CHROMIUM or on PATH.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture: file name, who looks, at which address, on which screen (CSS pixels)."""

    name: str
    path: str
    account: str | None = None
    size: tuple[int, int] = (1440, 900)
    follow: str | None = None  # a link to click first
    language: str = "zh-hans"


PHONE = (390, 844)
SHOTS = (
    Shot(name="desk", path="/desk", account="dispatcher"),
    Shot(name="case", path="/desk", account="bos-dispatcher", follow="a[href^='/cases/']"),
    Shot(name="case-zh", path="/desk", account="dispatcher", follow="a[href^='/cases/']"),
    Shot(name="cockpit", path="/cockpit", account="shift"),
    Shot(name="wall", path="/cockpit/wall", account="leader", size=(1920, 1080)),
    Shot(name="handover", path="/cockpit/handover", account="bos-shift"),
    Shot(name="scorecards", path="/scores", account="bos-supervisor"),
    Shot(name="ranking", path="/scores/ranking", account="supervisor"),
    Shot(name="rules", path="/rules", account="admin"),
    Shot(name="moves", path="/admin/moves", account="admin"),
    Shot(name="field", path="/field", account="handler", size=PHONE),
    Shot(name="field-job", path="/field", account="handler", size=PHONE, follow="a[href^='/field/HZ']"),
    Shot(name="report", path="/report", size=PHONE),
    Shot(name="statistics", path="/statistics", size=PHONE),
)


def sign_in(page: Page, url: str, account: str, password: str) -> None:
    page.goto(f"{url}/login")
    page.fill("input[name=username]", account)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda address: "/login" not in address)
    if page.locator("form#tour").count():  # it would lie over the picture
        with page.expect_response("**/help/tour/seen"):
            page.keyboard.press("Escape")


def take(browser: Browser, shot: Shot, url: str, password: str, out: Path) -> None:
    width, height = shot.size
    context = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN", is_mobile=width < 600)
    page = context.new_page()
    if shot.account:
        sign_in(page, url, shot.account, password)
    page.goto(url + shot.path)
    if shot.follow:
        page.locator(shot.follow).first.click()
        page.wait_for_load_state("load")
    page.wait_for_timeout(800)  # maps draw after they are loaded
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.quantize(128).save(out / f"{shot.name}.png", optimize=True)  # a third of the size, and as clear
    context.close()
    print(out / f"{shot.name}.png")


def main() -> None:
    home = Path(os.environ.get("CHENGSHU_HOME", ".chengshu"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--password")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    password = options.password or (home / "demo_password").read_text(encoding="utf-8").strip()
    options.out.mkdir(parents=True, exist_ok=True)
    program = os.environ.get("CHENGSHU_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for shot in SHOTS:
            if options.only in ("", shot.name):
                take(browser, shot, options.url, password, options.out)


if __name__ == "__main__":
    main()
