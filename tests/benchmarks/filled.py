"""How long a list of 50 calls takes whose events fill all there is room for.

    python -m tests.benchmarks.filled [--rounds N]

Run it in another checkout, or with PYTHONPATH, to compare. The first lists may have to read the events; those
that follow need not.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from uuid import UUID

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import STAGE_OF, Event, read_event
from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from bridge.reports.call_list import Cursor, Search, list_calls
from tests.reaper import Reaper

_CALLS, _EVENTS, _NOTES = 50, 25, "made up " * 600


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    with Reaper(), tempfile.TemporaryDirectory() as text:
        redis = EmbeddedRedis(Path(text), appendfsync="everysec")
        redis.start()
        with connect(redis.url) as client:
            ledger = Ledger(client)
            for number in range(1, _CALLS + 1):
                _fill(ledger, number)
            size = sum(client.memory_usage(name) or 0 for name in client.scan_iter(keys.events("*")))
            first = _listed(ledger)
            took = [_listed(ledger) for _ in range(given.rounds)]
        redis.stop()
    median, worst = statistics.median(took), max(took)
    print(  # noqa: T201
        f"{_CALLS} calls, {size / 1e6:.1f} MB of events: first list {first:.0f} ms, then {median:.1f} ms "
        f"(at most {worst:.1f})"
    )


def _fill(ledger: Ledger, number: int) -> None:
    for trigger in STAGE_OF:
        for nth in range(_EVENTS):
            body = {"call_id": number, "call_uuid": str(UUID(int=number)), "nth": nth, "notes": _NOTES}
            event = read_event(trigger, body, Rules())
            if isinstance(event, Event):
                ledger.record_event(event, body)


def _listed(ledger: Ledger) -> float:
    began = time.perf_counter()
    number, search = 0, Search(limit=_CALLS)
    while True:
        found = list_calls(ledger, Rules(), search)
        number += len(found["calls"])
        if number == _CALLS:
            break
        search = Search(limit=_CALLS - number, cursor=Cursor.read(found["next"]))
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
