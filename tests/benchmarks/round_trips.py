"""Redis round trips of each kind of call, by name.

    python -m tests.benchmarks.round_trips

One thread plays the worker. Each time that it sends something to Redis and waits for the answer counts as
one, however many commands that is; names are those of the boundaries (`bridge/boundary.py`), joined by `+`.
That jobs are handed out is counted. What a process does on a beat, whatever calls there are (leases renewed,
a look at the due set that finds nothing), is not. `tests/workers/test_round_trips.py` has the limits.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import redis

from bridge import boundary, logs
from bridge.ledger.connect import connect
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.benchmarks.report import Row
from tests.support import Bridge, ended

NUMBER = 1000000500


class RoundTrips:
    """What a client sends to Redis, counted by boundary; no other connection of the process is."""

    def __init__(self, client: redis.Redis) -> None:
        """Args: client: has no connection yet."""
        self.seen: list[str] = []
        self._on = False
        seen = self.seen
        kind = client.connection_pool.connection_class

        def send_packed_command(connection: Any, command: Any, check_health: bool = True) -> None:
            if self._on and not getattr(connection, "is_greeting", False):
                seen.append(boundary.current() or "(no name)")
            kind.send_packed_command(connection, command, check_health)

        def on_connect_check_health(connection: Any, *args: Any, **more: Any) -> None:
            # What redis-py says of itself on a new connection.
            connection.is_greeting = True
            kind.on_connect_check_health(connection, *args, **more)
            connection.is_greeting = False

        methods = {
            "send_packed_command": send_packed_command,
            "on_connect_check_health": on_connect_check_health,
        }
        client.connection_pool.connection_class = type("Counted", (kind,), methods)

    def of(self, run: Callable[[], object]) -> list[str]:
        """Those of the worker while this runs, in order."""
        self.seen.clear()
        self._on = True
        run()
        self._on = False
        return list(self.seen)


Journey = Callable[[Bridge, RunningSandbox, RoundTrips], list[str]]


def unrecorded(bridge: Bridge, sandbox: RunningSandbox, trips: RoundTrips) -> list[str]:
    """Known to Kustomer and to the bridge: the second call of a customer."""
    _first_call(bridge)
    bridge.receive("call-ended", ended())
    return trips.of(bridge.run_jobs)


def missed(bridge: Bridge, sandbox: RunningSandbox, trips: RoundTrips) -> list[str]:
    _first_call(bridge)
    nobody: dict[str, Any] = dict.fromkeys(("answered_at", "agent_id", "agent_first_name", "agent_last_name"))
    bridge.receive("call-ended", ended(**nobody, talking_time="0"))
    return trips.of(bridge.run_jobs)


def new_customer(bridge: Bridge, sandbox: RunningSandbox, trips: RoundTrips) -> list[str]:
    """Kustomer is asked who has the number, and nobody has."""
    _first_call(bridge)
    bridge.receive("call-ended", ended(external_number="+441632960399"))
    return trips.of(bridge.run_jobs)


def recorded(bridge: Bridge, sandbox: RunningSandbox, trips: RoundTrips) -> list[str]:
    """Its end and its recording are told one after the other, before a worker looks."""
    return _recorded(bridge, sandbox, trips, [("call-ended", "recording-uploaded")])


def recorded_one_by_one(bridge: Bridge, sandbox: RunningSandbox, trips: RoundTrips) -> list[str]:
    """Each webhook comes when the work that the last one made is done."""
    triggers = ("call-ringing", "call-answered", "call-ended", "recording-uploaded")
    return _recorded(bridge, sandbox, trips, [(trigger,) for trigger in triggers])


def _recorded(
    bridge: Bridge, sandbox: RunningSandbox, trips: RoundTrips, webhooks: Sequence[Sequence[str]]
) -> list[str]:
    """Until the recording is attached to the note."""
    _first_call(bridge)
    known = ended()
    same = {name: known[name] for name in ("external_number", "internal_number", "started_at")}
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=known["call_uuid"], recorded=True, talking_time=12, **same)
    found = []
    for together in webhooks:
        for trigger in together:
            body = {**ended(), "event": trigger.replace("-", "_"), **dict.fromkeys(_LATER.get(trigger, ()))}
            bridge.receive(trigger, {name: value for name, value in body.items() if value is not None})
        for _ in range(8):
            # What becomes due in a few seconds: the recording that is not there yet.
            found += trips.of(bridge.run_jobs)
            bridge.let_pass(5)
    assert [item for item in sandbox.kustomer.attachments if item["referenced"]]
    return found


# What a webhook does not know yet.
_AT_THE_END = ("ended_at", "talking_time", "tags", "notes")
_LATER = {"call-ringing": (*_AT_THE_END, "answered_at", "waiting_time"), "call-answered": _AT_THE_END}


JOURNEYS: Mapping[str, Journey] = {
    "unrecorded": unrecorded,
    "missed": missed,
    "new customer": new_customer,
    "recorded": recorded,
    "recorded, one by one": recorded_one_by_one,
}


def _first_call(bridge: Bridge) -> None:
    """A worker that has run before: its connection is there, the customer is known."""
    bridge.receive("call-ended", ended(call_id=NUMBER - 1, uuid="11111111-2222-4333-8444-555555555499"))
    bridge.run_jobs()


def measure(url: str) -> dict[str, list[str]]:
    """Journey -> its round trips in order."""
    found = {}
    for name, journey in JOURNEYS.items():
        client = connect(url)
        trips = RoundTrips(client)
        client.flushall()
        with RunningSandbox() as sandbox:
            found[name] = _of_the_call(journey(Bridge(client, sandbox), sandbox, trips))
        client.close()
    return found


def _of_the_call(trips: list[str]) -> list[str]:
    """Without looks at the due set that handed out nothing: an idle worker makes them, too."""
    return [
        trip
        for trip, following in zip(trips, [*trips[1:], ""], strict=True)
        if trip != "ledger.dispatch" or following == "ledger.claim"
    ]


# Of the whole journey, with its recording.
GOALS = {"recorded": 20}


def run(short: bool) -> list[Row]:
    """For `python -m tests.benchmarks`."""
    logs.configure(level="ERROR")
    return [
        Row(
            what=f"Redis round trips, {name}",
            value=len(trips),
            at_most=GOALS.get(name),
            guard=True,
            less_is_better=True,
        )
        for name, trips in _measured().items()
    ]


def _measured() -> dict[str, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedRedis(Path(folder), appendfsync="everysec")
        server.start()
        found = measure(server.url)
        server.stop()
    return found


def main() -> None:
    logs.configure(level="ERROR")
    for name, trips in _measured().items():
        counted = ", ".join(f"{trip} {n}" if n > 1 else trip for trip, n in Counter(trips).items())
        print(f"{name:22}{len(trips):4}  {counted}")  # noqa: T201
        if "--order" in sys.argv:
            print("\n".join(f"    {trip}" for trip in trips))  # noqa: T201


if __name__ == "__main__":
    main()
