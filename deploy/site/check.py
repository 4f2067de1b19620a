"""What the built pages load, and where their links lead: nothing from another host, and nowhere dead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser loads by itself; a link (`a`) is only followed by a person.
_LOADED = {
    "img": ("src", "srcset"), "script": ("src",), "link": ("href",), "iframe": ("src",), "source": ("src",),
    "video": ("src",), "audio": ("src",), "object": ("data",), "use": ("href",), "form": ("action",),
}  # fmt: skip
# A link that says something of the page, and is not loaded.
_SAYS = {"canonical", "author", "license", "search", "next", "prev", "index"}
# In a style sheet, or a style within a page.
_OF_STYLES = re.compile(r"(?:@import\s+|url\()(?:url\()?[\"']?((?:https?:)?//[^\"')]+)")


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and set(values.get("rel", "").split()) <= _SAYS:
            self.links.append(values.get("href", ""))
            return
        self.loaded += [values[name] for name in _LOADED.get(tag, ()) if name in values]


def faults(site: Path) -> Iterator[str]:
    """What is wrong with the pages in `site`, one line each."""
    pages = {path.resolve(): _Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for target in page.loaded:
            if not target.startswith(("data:", "#")) and (
                fault := _fault(target, path, pages, is_loaded=True)
            ):
                yield f"{name}: loads {target}: {fault}"
        for target in page.links:
            if not re.match(r"https?:|mailto:", target) and (fault := _fault(target, path, pages)):
                yield f"{name}: links to {target}: {fault}"
    for style in sorted([*site.rglob("*.css"), *site.rglob("*.html")]):
        for target in _OF_STYLES.findall(style.read_text("utf-8")):
            yield f"{style.relative_to(site)}: loads {target}: another host"


def _fault(target: str, path: Path, pages: dict[Path, _Page], *, is_loaded: bool = False) -> str | None:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return "another host"
    there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not there.is_file():
        return "is not there"
    if (
        not is_loaded
        and parts.fragment
        and there in pages
        and unquote(parts.fragment) not in pages[there].ids
    ):
        return "no such anchor"
    return None
