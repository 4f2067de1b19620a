"""What Python's garbage collector looks through in a process that runs for long."""

from __future__ import annotations

import gc

# Objects made until the youngest are looked through; Python's own is 700. A job or a request makes thousands,
# nearly all of which go without a collection.
_YOUNGEST = 20_000


def leave_out_what_is_loaded() -> None:
    """Have collections pass over all that was made so far: modules, settings, clients. They stay anyway.

    To be called when a process has started, before its work: each full collection would look through all of
    it again, while calls wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNGEST, 10, 10)
