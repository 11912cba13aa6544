"""What a browser would send of a form."""

from __future__ import annotations

from html.parser import HTMLParser

from django.test import Client


def values(client: Client, address: str) -> dict[str, str]:
    """What a browser would send of the first form of a page that asks for a reason."""
    return form_of(client.get(address).content.decode())


def form_of(page: str) -> dict[str, str]:
    forms = _Forms()
    forms.feed(page)
    return next(form for form in forms.found if "why" in form)


class _Forms(HTMLParser):
    """The fields of all forms of a page, as they stand."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []
        self._area = self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append({})
        elif tag == "input" and self.found and own.get("name") not in {None, "csrfmiddlewaretoken"}:
            if own.get("type") != "checkbox" or "checked" in own:
                self.found[-1][own["name"]] = own.get("value", "")
        elif tag == "textarea" and self.found:
            self._area = own["name"]
            self.found[-1][self._area] = ""
        elif tag == "select" and self.found:
            self._select = own["name"]
        elif tag == "option" and self._select and ("selected" in own or self._select not in self.found[-1]):
            self.found[-1][self._select] = own.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.found[-1][self._area] += data
