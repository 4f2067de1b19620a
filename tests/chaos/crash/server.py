"""Makes processes that may be killed: has everything imported, and forks one when it is told to.

Lines of JSON come in, one goes out for each: `{"journey", "times", "environ", "trace", "target"}` starts a
process and is answered with its `{"pid"}`; `{"look": pid}` with whether it is over, `{"wait": pid}` with how
it ended.
`{"rehearse": journey, …}` goes before. `python -m tests.chaos.crash.server FD`: a listening socket for those
that are web processes, so that a client can connect before they are up.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

import uvicorn

from bridge import logs
from bridge.clients.http import make_client
from bridge.ledger.scripted import LEASE_MS
from bridge.local.supervisor import dying_with_parent
from bridge.settings import Settings
from bridge.web.app import create_app
from tests.chaos.crash import one_call
from tests.chaos.crash.hand import Hand
from tests.chaos.crash.journeys import JOURNEYS
from tests.chaos.crash.watch import Point, Watch

# Making one reads the system's certificates; it opens nothing until it is used.
_CLIENT = make_client()


def main() -> None:
    listening = socket.socket(fileno=int(sys.argv[1]))
    dying = dying_with_parent()
    # To standard error: what is logged is not part of the talk over standard output.
    logs.configure()
    for line in sys.stdin:
        result = json.loads(line)
        if "rehearse" in result:
            _rehearse(result)
            # Fewer pages to copy for each process.
            gc.freeze()
            _say({})
            continue
        if "wait" in result:
            _, status = os.waitpid(result["wait"], 0)
            _say({"exit": os.waitstatus_to_exitcode(status)})
            continue
        if "look" in result:
            ended = os.waitid(os.P_PID, result["look"], os.WEXITED | os.WNOHANG | os.WNOWAIT)
            _say({"over": ended is not None})
            continue
        child = os.fork()
        if child == 0:
            dying()
            _live(result, listening)
        _say({"pid": child})


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _rehearse(result: dict[str, Any]) -> None:
    """Live through something once here, so that what is imported and read late is there in every process."""
    one_call.move(result["times"])
    settings = Settings.from_env(result["environ"], dotenv=None)
    _serving(settings).config.load()
    with make_client() as client:
        hand = Hand(settings, client, Watch(Path(result["trace"]), None), lease_ms=LEASE_MS)
        JOURNEYS[result["rehearse"]].run(hand)
        hand.ledger.redis.close()


def _serving(settings: Settings) -> uvicorn.Server:
    app = create_app(settings)
    protocol = app.state.traffic.protocol()
    return uvicorn.Server(uvicorn.Config(app, loop="uvloop", http=protocol, log_config=None))


def _live(result: dict[str, Any], listening: socket.socket) -> None:
    """The life of one process; never returns."""
    # Nothing that a library prints is part of that talk, either.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        watch = Watch(Path(result["trace"]), Point(**result["target"]) if result["target"] else None)
        watch.install()
        one_call.move(result["times"])
        settings = Settings.from_env(result["environ"], dotenv=None)
        if result["journey"] is None:
            _serving(settings).run(sockets=[listening])
        else:
            journey = JOURNEYS[result["journey"]]
            settings = settings.model_copy(update={"rules": journey.rules})
            journey.run(Hand(settings, _CLIENT, watch, lease_ms=journey.lease_ms))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
