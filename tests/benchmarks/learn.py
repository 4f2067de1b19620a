"""What keeping an event costs Redis: microseconds of its processor, beside the same job with dramatiq.

    python -m tests.benchmarks.learn [--rounds N] [--events N] [CHECKOUT...]

Only Redis works in it: the commands are made beforehand. The bridge's go out sixteen at a time, as webhooks
share a connection; in a storm, one command keeps as many events as a web process sends at once. dramatiq's go
out one by one, as its client sends them: a SET that recognises a repeat, then the enqueue. Further checkouts
(`git worktree add /tmp/before COMMIT`) keep the same events with their own script and arguments, in turns on
the same server: what a change costs.
"""

from __future__ import annotations

import argparse
import os
import pickle
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from bridge.ledger.pipelined import SENT_AT_ONCE
from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.learn_events import IN_A_STORM
from tests.benchmarks.report import Row, say
from tests.reaper import Reaper

HERE = Path(__file__).parents[2]
_EVENTS = Path(__file__).parent / "learn_events.py"
_OURS, _PEER, _SAME_JOB = "this checkout", "dramatiq", "SET and enqueue"
_AT_ONCE = 16
_BODY = '{"event": "call_ended", "call_id": "1", "notes": "' + "x" * 250 + '"}'

Command = tuple[Any, ...]
# What was measured -> what is done -> us an event, one number a round.
Took = dict[str, dict[str, list[float]]]


def run(short: bool) -> list[Row]:
    took = measure([HERE], rounds=5 if short else 11, events=1000)
    peer = took[_PEER][_SAME_JOB]
    chart = "Redis CPU an event"
    rows = [Row(what=f"dramatiq: {_SAME_JOB}", value=statistics.median(peer), unit="us", chart=chart)]
    for shape, us in took[_OURS].items():
        against = f"{shape}, against dramatiq"
        rows += [
            Row(what=shape, value=statistics.median(us), unit="us", chart=chart),
            Row(
                what=against,
                value=_ratio(us, peer),
                unit="x",
                less_is_better=True,
                at_most=0.4 if shape.endswith(IN_A_STORM) else None,
                guard=True,
            ),
        ]
    return rows


def measure(checkouts: Sequence[Path], *, rounds: int, events: int) -> Took:
    with Reaper() as reaper:
        server = EmbeddedRedis(reaper.folder / "redis", appendfsync="everysec")
        server.start()
        client = redis.Redis.from_url(server.url)
        took: Took = {}
        try:
            for number in range(rounds):
                for at, folder in enumerate(checkouts):
                    client.flushall()
                    name = _OURS if at == 0 else f"{at} {folder}"
                    text, shapes = _shapes(folder, number, events)
                    client.script_load(text)
                    own = took.setdefault(name, {shape: [] for shape in shapes})
                    for shape, commands in shapes.items():
                        own[shape].append(_us(client, commands, at_once=_AT_ONCE) / events)
                client.flushall()
                peer = took.setdefault(_PEER, {_SAME_JOB: []})
                commands = _same_job(server.url, events)
                peer[_SAME_JOB].append(_us(client, commands, at_once=1) / events)
        finally:
            client.close()
            server.stop()
        return took


def _shapes(folder: Path, number: int, events: int) -> tuple[str, dict[str, list[Command]]]:
    """The script of a checkout, and for each kind of event the commands, in the order in which they go."""
    made = subprocess.run(
        [sys.executable, _EVENTS, str(number), str(events), str(SENT_AT_ONCE)],
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return cast(tuple[str, dict[str, list[Command]]], pickle.loads(made.stdout))  # noqa: S301  # our own


def _same_job(url: str, events: int) -> list[Command]:
    """What `peers/starlette_dramatiq.py` sends to Redis for webhooks; dramatiq's is caught on its way."""
    broker: Any = RedisBroker(url=url, middleware=[])  # type: ignore[no-untyped-call]
    broker.declare_queue("default")

    def enqueue(key: str) -> None:
        broker.enqueue(
            dramatiq.Message(queue_name="default", actor_name="work", args=(key,), kwargs={}, options={})
        )

    # The first one loads its script, and asks for a limit.
    enqueue("")
    sent: list[Command] = []
    broker.client.evalsha = lambda *command: sent.append(("EVALSHA", *command))
    for number in range(events):
        key = f"event:call_ended:{number}"
        sent.append(("SET", key, _BODY, "NX", "EX", 30 * 86_400))
        enqueue(key)
    del broker.client.evalsha
    broker.close()
    assert len(sent) == 2 * events
    return sent


def _us(client: redis.Redis, commands: Sequence[Command], *, at_once: int) -> float:
    """Microseconds of Redis's processor for all of them."""
    ask = cast(Any, client)
    before = _cpu_us(client)
    for first in range(0, len(commands), at_once):
        if at_once == 1:
            ask.execute_command(*commands[first])
            continue
        pipe = ask.pipeline(transaction=False)
        for command in commands[first : first + at_once]:
            pipe.execute_command(*command)
        pipe.execute()
    return _cpu_us(client) - before


def _cpu_us(client: redis.Redis) -> float:
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"]) * 1e6


def _ratio(mine: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(one / other for one, other in zip(mine, theirs, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkouts", nargs="*", type=Path, metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--events", type=int, default=1000)
    given = parser.parse_args()
    took = measure([HERE, *given.checkouts], rounds=given.rounds, events=given.events)
    peer = took[_PEER][_SAME_JOB]
    for name, shapes in took.items():
        say(name)
        for shape, us in shapes.items():
            ratio = f"{_ratio(us, peer):5.2f} of dramatiq"
            say(f"    {shape:24} {statistics.median(us):6.1f} us (least {min(us):5.1f})   {ratio}")


if __name__ == "__main__":
    main()
