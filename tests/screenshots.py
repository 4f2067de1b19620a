"""Takes the screenshots in `deploy/screenshots/`: `python -m tests.screenshots [FOLDER]`.

Each page of a sandbox with made-up calls, light and dark, on a desk and on a phone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.reaper import Reaper
from tests.web.tour import DESK, PHONE, ROOT, browser, touring, visit, window


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with Reaper() as reaper, touring(reaper.folder) as tour, browser() as running:
        for place, size in (("desk", DESK), ("phone", PHONE)):
            for dark in (False, True):
                with window(running, size, dark=dark) as page:
                    for name, address in tour.pages().items():
                        visit(page, address)
                        shade = "dark" if dark else "light"
                        path = folder / f"{name}-{place}-{shade}.png"
                        page.screenshot(path=path)
                        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "deploy" / "screenshots")
