"""axe-core in a page of the browser: what people with other eyes, hands or tools would stumble over."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async ([rules, impacts]) => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"];
  const runOnly = rules.length ? {type: "rule", values: rules} : {type: "tag", values: tags};
  const {violations} = await axe.run(document, {runOnly, resultTypes: ["violations"], elementRef: false});
  const why = n => (n.any[0] ?? n.all[0] ?? n.none[0])?.message ?? "";
  return violations.filter(v => impacts.includes(v.impact)).flatMap(v => v.nodes.map(
    n => `${v.id} (${v.impact}): ${n.target.join(" ")}: ${n.html.slice(0, 120)}: ${why(n)}`));
}"""


@cache
def _source() -> str:
    return AXE.read_text(encoding="utf-8")


def findings(page: Page, *rules: str) -> list[str]:
    """The serious and critical findings of axe on a page as it stands, by all rules of WCAG 2.1 A and AA or by these."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_source() + "; undefined")  # by the debugger: the policy of the page admits no foreign script
    found: list[str] = page.evaluate(RUN, [list(rules), ["serious", "critical"]])
    return found
