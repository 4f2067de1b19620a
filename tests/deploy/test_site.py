"""The site of the documents: each has its place, what is dead is refused, and a browser needs no server."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.site.check import faults
from deploy.site.navigation import NAVIGATION, PAGES
from deploy.site.stage import stage
from tests.web.browser import NEEDS_CHROMIUM, Tab, browsing

ROOT = Path(__file__).parents[2]


def test_every_document_has_one_place_in_the_navigation() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "deploy").glob("*.md")]
    documents += [ROOT / folder / "README.md" for folder in ("bridge", "workers")]

    assert {str(path.relative_to(ROOT)) for path in documents} <= set(PAGES), (
        "deploy/site/navigation.py needs a line for each new page"
    )
    assert len(PAGES) == len(set(PAGES))
    assert all((ROOT / name).is_file() for name in PAGES)


def test_the_pages_are_staged_with_what_they_show(tmp_path: Path) -> None:
    stage(ROOT, tmp_path)

    pictures = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", (tmp_path / "deploy" / "gallery.md").read_text())
    assert len(pictures) > 5
    assert all((tmp_path / "deploy" / picture).is_file() for picture in pictures)
    assert "(monitoring" not in (tmp_path / "deploy" / "watch.md").read_text()
    home = (tmp_path / "index.md").read_text()
    assert all(f":caption: {caption}\n" in home for caption in NAVIGATION)


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="gone.html">x</a>', "links to gone.html: is not there"),
        ('<a href="#gone">x</a>', "links to #gone: no such anchor"),
        ('<a href="https://example.com/">x</a>', None),
        ('<a href="#here">x</a><p id="here">', None),
        ('<img src="https://example.com/a.png">', "loads https://example.com/a.png: another host"),
        ('<script src="//cdn.example.com/a.js"></script>', "loads //cdn.example.com/a.js: another host"),
        ('<link rel="stylesheet" href="https://example.com/a.css">', "loads https://example.com/a.css"),
        ('<style>p { background: url("https://example.com/a.png") }</style>', "loads https://example.com/a.png"),
        ('<img src="gone.png">', "loads gone.png: is not there"),
    ],
)  # fmt: skip
def test_what_is_dead_or_loaded_from_elsewhere_is_a_fault(
    tmp_path: Path, html: str, fault: str | None
) -> None:
    (tmp_path / "page.html").write_text(html)

    found = list(faults(tmp_path))

    assert len(found) == (fault is not None)
    assert fault is None or fault in found[0]


def test_a_style_sheet_that_loads_a_font_from_elsewhere_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "site.css").write_text("@import url(https://fonts.example.com/css);")

    assert list(faults(tmp_path)) == ["site.css: loads https://fonts.example.com/css: another host"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "built"
    built = subprocess.run(
        ["deploy/site/build", out], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    if "CI" not in os.environ and not (ROOT / "dist" / "site-tools" / "stamp").exists():
        pytest.skip("the tools of the site cannot be installed here")
    assert built.returncode == 0, built.stderr
    return out


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browsing() as open_tab:
        yield open_tab()


@pytest.mark.slow
@NEEDS_CHROMIUM
def test_the_search_finds_pages_in_a_folder_that_no_server_serves(site: Path, tab: Tab) -> None:
    tab.open(f"{site.as_uri()}/search.html?q=appendfsync")

    # They appear one after the other.
    tab.until("[...document.querySelectorAll('#search-results li a')].some(one => one.innerText === 'Redis')")


@pytest.mark.slow
@NEEDS_CHROMIUM
def test_no_page_loads_anything_from_another_host(site: Path, tab: Tab) -> None:
    for name in ("index.html", "deploy/gallery.html", "deploy/README.html", "search.html"):
        tab.open(f"{site.as_uri()}/{name}")

        loaded = tab.look("performance.getEntriesByType('resource').map(one => one.name)")
        assert [one for one in loaded if not one.startswith(("file:", "data:"))] == []
