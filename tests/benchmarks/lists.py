"""How long lists of calls and searches take with ten thousand, a hundred thousand and a million calls.

    python -m tests.benchmarks.lists [--calls N,N,…] [--rounds N]

Calls are made as the ledger keeps them: each goes through `learn.lua`, and its record gets the fields that a
sync writes. The index is then built as the clock does it, and `callbridge web` is asked over HTTP, each
question in turn. The time is that to the first byte of the answer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event
from bridge.ledger import keys, scripts
from bridge.ledger.calls.learning import Retention, learn_event
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.calls.summary import Summary, reading_mark
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.ledger.search.index import CallIndex
from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.attacks import Site, web_process
from tests.chaos.house import TOKEN
from tests.reaper import Reaper

_AT_ONCE = 500
_AGENTS = [(400101 + n, f"Agent{n} Sample") for n in range(40)]
_REASONS = ["", "", "", "", "", "", "", "internal call", "number withheld", "recording not available"]
_QUESTIONS = {
    "newest 50": "",
    "newest 200": "limit=200",
    "digits, the end of a number": "q=304304",
    "digits, anywhere": "q=29604",
    "digits that nobody has": "q=999999999",
    "whole number": "q=" + quote("+441632960304"),
    "call id": "q=1000300001",
    "beginning of a uuid": "q=5b0c7f0e",
    "customer's name": "q=example+777",
    "name that nobody has": "q=zzyzx",
    "reason": "q=withheld",
    "agent": "agent=agent7+sample",
    "agent that nobody is": "agent=nobody",
    "state=skipped": "state=skipped",
    "state=parked": "state=parked",
    "state=behind": "state=behind",
    "state=waiting": "state=waiting",
    "outcome and direction": "outcome=missed&direction=outgoing",
    "a day long ago": "q=2026-03-02",
    "a month, agent, outcome": "since=2026-03-01&until=2026-04-01&agent=400107&outcome=missed",
    "digits and a state": "q=1632960&state=skipped",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", default="10000,100000,1000000")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    sizes = [int(text) for text in given.calls.split(",")]
    result: dict[str, list[str]] = {}
    with Reaper(), tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        redis = EmbeddedRedis(Path(text), appendfsync="everysec")
        redis.start()
        stack.callback(redis.stop)
        made = 0
        for size in sizes:
            with connect(redis.url, timeout_s=60) as client:
                ledger = Ledger(client)
                before = _memory(ledger)
                began = time.monotonic()
                for start in range(made, size, _AT_ONCE):
                    _make(ledger, range(start, min(size, start + _AT_ONCE)))
                print(f"{size} calls, made in {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
                began, records = time.monotonic(), _memory(ledger)
                while not CallIndex(ledger, Rules()).keep(within_s=10):
                    pass
                took, indexed = time.monotonic() - began, _memory(ledger)
                _park(ledger)
            result.setdefault("index built, s", []).append(f"{took:.0f}")
            result.setdefault("record, bytes", []).append(f"{(records - before) / (size - made):.0f}")
            per_call = (indexed - records) / (size - made)
            result.setdefault("summary and index, bytes a call", []).append(f"{per_call:.0f}")
            with tempfile.TemporaryDirectory() as own, ExitStack() as running:
                site = web_process(running, Path(own), redis.url, OPS_TOKEN=TOKEN, LOG_LEVEL="ERROR")
                for name, ms, worst in _asked(site, given.rounds):
                    result.setdefault(name, []).append(f"{ms:.0f} ({worst:.0f})")
                    print(f"{size} {name}: {ms:.0f} ms, at most {worst:.0f}", flush=True)  # noqa: T201
                result.setdefault("web, resident MB", []).append(f"{site.resident_mb:.0f}")
            made = size
    print("| first byte, median (and worst) ms | " + " | ".join(map(str, sizes)) + " |")  # noqa: T201
    print("|---|" + "---|" * len(sizes))  # noqa: T201
    for name, values in result.items():
        print(f"| {name} | " + " | ".join(values) + " |")  # noqa: T201


def _asked(site: Site, rounds: int) -> Iterator[tuple[str, float, float]]:
    for name, query in _QUESTIONS.items():
        took = []
        for _ in range(rounds):
            connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
            began = time.perf_counter()
            connection.request("GET", f"/api/calls?{query}", headers={"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            took.append((time.perf_counter() - began) * 1000)
            body = json.loads(answer.read())
            if answer.status != 200:
                raise SystemExit(f"{name}: {answer.status} {body}")
            connection.close()
        print(f"{name}: {len(body['calls'])} calls{', and more' if body['next'] else ''}")  # noqa: T201
        yield name, statistics.median(took), max(took)


def _memory(ledger: Ledger) -> int:
    return int(ledger.redis.info("memory")["used_memory"])


def _make(ledger: Ledger, numbers: range) -> None:
    """Calls that ended and were synced; the newest last."""
    pipe = ledger.redis.pipeline(transaction=False)
    ledger.redis.script_load(scripts.source("learn"))
    made = [(number, *_call(number)) for number in numbers]
    for _, body, result in made:
        event = Event(
            trigger="call-ended",
            fingerprint=f"{int(body['call_id']):032x}",
            uuid=UUID(str(result.uuid)),
            call_id=result.call_id,
        )
        names, arguments = learn_event(event, body, Retention())
        pipe.evalsha(scripts.sha("learn"), len(names), *names, *arguments)
    pipe.execute()
    of = [f"uuid:{body['call_uuid']}" for _, body, _ in made]
    scores = ledger.redis.zmscore(keys.CALLS, of)
    for key, score, (number, _, result) in zip(of, scores, made, strict=True):
        reason = random.Random(number).choice(_REASONS)
        state = "skipped" if reason in ("internal call", "number withheld") else "synced"
        fields: dict[Any, Any] = {
            Field.STATE: state,
            Field.REASON: reason,
            Field.SYNCED_AT: 1_790_000_000_000 + number,
            Field.ROW: result.text(reading_mark(Rules()), int(score or 0)),
        }
        if state == "synced":
            for name in ("customer", "conversation", "note"):
                sent = {"name": "Call from Ada Example", "channel": "voice", "number": number}
                fields[f"out:{name}"] = json.dumps({"id": f"{number:024x}", "sent": sent, "created": True})
        pipe.hset(keys.record(key), mapping=fields)
        pipe.hdel(keys.JOBS, f"sync|{key}")
        pipe.zrem(keys.QUEUE_KEYS[0], f"sync|{key}")
    pipe.execute()
    _check(ledger, of[0], made[0][2])


def _check(ledger: Ledger, key: str, result: Summary) -> None:
    """What was kept as the call's summary is what a sync would make of its record."""
    record = ledger.read(key)
    if Summary.of(record, record.call(Rules())) != result:
        raise SystemExit(f"{key}: {result} is not its summary")


def _call(number: int) -> tuple[dict[str, Any], Summary]:
    """The body of its webhook, and its summary."""
    chance = random.Random(number)
    agent_id, agent = chance.choice(_AGENTS)
    started = datetime.fromtimestamp(1_772_323_200 + number * 20, UTC)
    talk_s = chance.randrange(10, 900) if chance.random() < 0.7 else 0
    result = Summary(
        uuid=str(UUID(int=chance.getrandbits(128))),
        call_id=1_000_300_000 + number,
        ended=True,
        direction="outgoing" if chance.random() < 0.3 else "incoming",
        outcome="answered" if talk_s else "missed",
        number=f"+44163296{chance.randrange(10_000):04d}"
        if chance.random() < 0.05
        else f"+1{chance.randrange(201, 989)}555{chance.randrange(10_000):04d}",
        customer_name=f"Ada Example {chance.randrange(50_000)}",
        agent_id=agent_id,
        agent_name=agent,
        started_at=started,
        ended_at=started + timedelta(seconds=111),
        when=started,
    )
    body = {
        "event": "call_ended",
        "call_id": str(result.call_id),
        "call_uuid": result.uuid,
        "external_number": result.number,
        "internal_number": "+15550100101",
        "direction": result.direction,
        "agent_id": str(agent_id),
        "agent_first_name": agent.split()[0],
        "agent_last_name": agent.split()[1],
        "contact_name": result.customer_name,
        "talking_time": str(talk_s),
        "started_at": started.isoformat(),
        "ended_at": (started + timedelta(seconds=111)).isoformat(),
    }
    return body, result


def _park(ledger: Ledger) -> None:
    """A few of the oldest and of the newest."""
    for key, _ in [*ledger.recent(count=20), *ledger.redis.zrange(keys.CALLS, 0, 20, withscores=True)]:
        ledger.schedule("sync", str(key), in_ms=0)
        claim = ledger.claim("sync", str(key))
        if claim is not None:
            ledger.park(claim, cause="Rejected", error="no such customer")


if __name__ == "__main__":
    main()
