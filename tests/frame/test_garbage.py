"""What the garbage collector looks through in a process that works."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc
from bridge.garbage import leave_out_what_is_loaded
kept = [[] for _ in range(1000)]
leave_out_what_is_loaded()
assert gc.get_freeze_count() > 1000
assert not any(one is kept for one in gc.get_objects())
assert gc.isenabled()
later = []
assert any(one is later for one in gc.get_objects())
"""


def test_collections_pass_over_what_was_loaded_and_look_through_what_comes_later() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
