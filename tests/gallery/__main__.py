"""Makes `deploy/gallery.md` and its pictures: `python -m tests.gallery [SCENE ...]`.

With names of scenes, only their pictures are taken; the page is always written whole.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection
from functools import partial
from pathlib import Path

import structlog
from playwright.sync_api import Browser

from bridge.ledger.connect import connect
from bridge.local.embedded import EmbeddedRedis
from tests.gallery.page import PICTURES, section, whole
from tests.gallery.scenes import SCENES, Scene
from tests.gallery.stage import Stage
from tests.reaper import Reaper
from tests.web.tour import ROOT, browser, visit, window

_SIZE = (1280, 860)
_PLACE = {"kustomer": "section.customer", "cloudtalk": "section[aria-labelledby=cards]"}

# The sandbox makes other ids each time; pictures of what did not change should not change.
_ALWAYS_THE_SAME = """for (const one of document.querySelectorAll(".uuid"))
    one.textContent = one.textContent.replace(/^[0-9a-f]{24}$/, "5f0e0000000000000000c001")"""


def main(names: Collection[str]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with Reaper() as reaper, browser() as running:
        server = EmbeddedRedis(reaper.folder / "redis", appendfsync="everysec")
        server.start()
        try:
            client = connect(server.url)
            sections = []
            for scene in SCENES:
                is_wanted = not names or scene.name in names
                sections.append(section(client, scene, partial(_take, running) if is_wanted else None))
            client.close()
        finally:
            server.stop()
    (ROOT / "deploy" / "gallery.md").write_text(whole(sections), "utf-8")


def _take(running: Browser, scene: Scene, on: Stage) -> None:
    path = ROOT / "deploy" / PICTURES / f"gallery-{scene.name}.png"
    service = on.sandbox.kustomer if scene.of == "kustomer" else on.sandbox.cloudtalk
    with window(running, _SIZE) as page:
        visit(page, service.url)
        if not scene.objects:
            page.add_style_tag(content=".object { display: none }")
        page.evaluate(_ALWAYS_THE_SAME)
        page.locator(_PLACE[scene.of]).first.screenshot(path=path)
    sys.stdout.write(f"{path.relative_to(ROOT)}: {_kib(path)} KiB\n")


def _kib(path: Path) -> int:
    return path.stat().st_size // 1024


if __name__ == "__main__":
    main(sys.argv[1:])
