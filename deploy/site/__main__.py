"""The steps of `deploy/site/build`, which prepares the tools that this needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.site.check import faults
from deploy.site.navigation import PAGES
from deploy.site.stage import stage

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def main(out: Path) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        staged, built = Path(folder) / "docs", Path(folder) / "site"
        stage(ROOT, staged)
        shutil.copytree(HERE / "assets", staged / "_static")
        shutil.copyfile(HERE / "conf.py", staged / "conf.py")
        # A warning is a dead link, a dead anchor or a page outside of the navigation.
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-j", "auto"]
        if subprocess.run([*command, staged, built], check=False).returncode:
            return 1
        shutil.rmtree(built / ".doctrees", ignore_errors=True)
        found = list(faults(built))
        for fault in found:
            print(f"deploy/site/build: {fault}", file=sys.stderr)  # noqa: T201
        if found:
            return 1
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(built, out)
    took_s = time.monotonic() - began
    print(f"deploy/site/build: {len(PAGES)} pages in {out}, in {took_s:.0f} s; open {out}/index.html")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
