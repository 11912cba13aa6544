"""How soon a slow phone shows the first screen of the public pages: real Chromium, CPU and network slowed down."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.city import City, temporary_home
from benchmarks.results import Result, quantile

CHROMIUM = os.environ.get("CHENGSHU_CHROMIUM") or shutil.which("chromium") or ""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]
PAGES = ("/", "/report", "/follow", "/near", "/statistics", "/help")
PHONE = {"width": 390, "height": 844}
TIMES = 5  # cold visits of each page; a context of its own each, so that nothing is kept
CPU = 4  # times slower than this machine
LINE = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 0.75e6 / 8,
}  # ms; bytes/s
GOAL = 1000.0  # milliseconds
PAINTED = """() => new Promise(done => new PerformanceObserver(list => {
  const first = performance.getEntriesByName("first-contentful-paint")[0];
  done([first ? first.startTime : 0, Math.max(...list.getEntries().map(entry => entry.startTime))]);
}).observe({type: "largest-contentful-paint", buffered: true}))"""


def first_screen() -> list[Result]:
    """First and largest contentful paint of the public pages, on a first visit: median and worst of some."""
    with temporary_home() as home, _browser() as browser:
        city = City(home=home, packs="hangzhou")
        city.start()
        try:
            _visit(browser, city.url + "/")  # the server's own first answer is not what a visitor waits for
            return [_result(path, [_visit(browser, city.url + path) for _ in range(TIMES)]) for path in PAGES]
        finally:
            city.stop()


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM or None, args=FLAGS)
        yield browser
        browser.close()


def _visit(browser: Browser, url: str) -> tuple[float, float]:
    """First and largest contentful paint in milliseconds since the navigation began."""
    context = browser.new_context(viewport=PHONE, is_mobile=True, locale="zh-CN")  # type: ignore[arg-type]
    page = context.new_page()
    _slow_down(page)
    page.goto(url, wait_until="load")
    first, largest = page.evaluate(PAINTED)
    context.close()
    return float(first), float(largest)


def _slow_down(page: Page) -> None:
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.emulateNetworkConditions", LINE)
    wire.send("Emulation.setCPUThrottlingRate", {"rate": CPU})


def _result(path: str, paints: list[tuple[float, float]]) -> Result:
    largest = [paint[1] for paint in paints]
    median = quantile(largest, 0.5)
    return Result(
        name="first_screen", value=median, unit="ms", n=len(paints), compared_to=f"{GOAL:.0f} ms", ratio=median / GOAL,
        details={
            "page": path, "what": "largest contentful paint", "worst": max(largest),
            "first_contentful_paint": quantile([paint[0] for paint in paints], 0.5),
            "cpu_slowdown": CPU, "latency_ms": LINE["latency"], "mbit_s": 1.6,
        },
    )  # fmt: skip
