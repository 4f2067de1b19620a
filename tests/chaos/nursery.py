"""Starts `callbridge` processes by forking one that has imported everything, as fast as they are killed.

Importing takes a second or more of a processor; with a kill every other second on two processors nothing else
would get done. The children are processes like any other: own pid, own connections, own memory.

`python -m tests.chaos.nursery` reads one JSON object a line and answers with one number: `start` gives the
pid, `end` sends a signal and gives the exit code. It ends with its input, and its children with it.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.chaos import stepped


def _start(wanted: Mapping[str, Any]) -> int:
    from bridge.local.supervisor import dying_with_parent

    tie = dying_with_parent()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        from bridge.commands import main

        tie()
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for ours, theirs in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(ours, theirs)
        os.environ.clear()
        os.environ.update(wanted["environ"])
        stepped.follow(Path(wanted["clock"]))
        code = main([wanted["command"]])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        # Not the parent's way out: its buffers and handlers are not ours.
        os._exit(code)


def _serve() -> None:
    for line in sys.stdin:
        wanted = json.loads(line)
        if wanted["do"] == "start":
            answer = _start(wanted)
        else:
            os.kill(wanted["pid"], wanted["signal"])
            answer = os.waitstatus_to_exitcode(os.waitpid(wanted["pid"], 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    stepped.patch_clock()
    # What the commands would import when they run.

    import workers.clock
    import workers.main  # noqa: F401

    gc.freeze()
    _serve()
