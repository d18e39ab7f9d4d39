"""The report's page, parsed for tests."""

from __future__ import annotations

import html.parser

from proxytune.contract.folders import Folders


class Page(html.parser.HTMLParser):
    """Every element with its attributes, and all text outside of style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._style = tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(folders: Folders) -> Page:
    return Page((folders.model / "index.html").read_text())
