"""No page keeps anybody out: axe-core finds no serious or critical fault, light and dark, desk and phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.web.browser import NEEDS_CHROMIUM
from tests.web.tour import DESK, PHONE, Tour, browser, touring, visit, window

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    NEEDS_CHROMIUM,
]
_GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    with touring(Path(tmp_path_factory.mktemp("tour"))) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_axe_finds_no_serious_fault_on_any_page(
    tour: Tour, chromium: Browser, size: tuple[int, int], dark: bool
) -> None:
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    found: list[str] = []
    axe = Axe()
    with window(chromium, size, dark=dark) as page:
        for name, address in tour.pages().items():
            visit(page, address)
            for one in axe.run(page).response["violations"]:
                if one["impact"] in _GRAVE:
                    found += [f"{name}: {one['id']}: {node['html'][:200]}" for node in one["nodes"]]
            if (wide := page.evaluate("document.documentElement.scrollWidth")) > size[0]:
                found.append(f"{name}: {wide} px wide in a window of {size[0]}")

    assert found == []


def test_every_page_can_be_read_without_scripts(tour: Tour, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    for name, address in tour.pages().items():
        page.goto(address)
        assert page.locator("h1").first.is_visible(), name
    context.close()
