"""What becomes slower as records become more: 10,000, 100,000 and a million calls in one Redis.

    python -m tests.benchmarks.growth [--to N] [--rounds N]

One call with a recording is taken in, written to the sandbox, and packed; its record is then copied inside
of Redis, under other ids and numbers, until there are so many. `--to 5000000` needs 40 GB. Each size is then
measured in the same way, in time of the processors (Redis's, and the bridge's), as a machine has other work:
read the ratios to the smallest.
"""

from __future__ import annotations

import argparse
import http.client
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID

import redis

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import keys
from bridge.ledger.calls.packing import pack_calls
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.ledger.search.index import CallIndex
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.benchmarks.attacks import web_process
from tests.benchmarks.report import Row, say
from tests.chaos.house import TOKEN
from tests.reaper import Reaper
from tests.support import Bridge

_ENDED = "made_up__call_ended__recommended_template_answered"
_RECORDED = "made_up__recording_uploaded__recommended_template"
_UUID, _NUMBER, _PHONE = "2dae93e6-ac4e-4a1d-97be-aa3ef7aeb468", "1000000110", "+441632960304"
# Flat, for us: a fifth more, while records become a hundred times as many.
_FLAT, _MOST_BYTES = 1.2, 3000
_BEFORE, _FRESH, _AFTER = (
    "bytes a record before its sync",
    "bytes of its keys after it, with recording",
    "bytes a record once it is quiet, with recording",
)
_AT_ONCE = 1000
# In one turn.
_EVENTS, _CLAIMS = 100, 20
_PAGES = {
    "/calls": "/calls",
    "/api/calls": "/api/calls",
    "/api/calls, a search by number": "/api/calls?q=" + quote("+15550100007"),
    "/api/calls, a search by name": "/api/calls?q=example",
    "/metrics": "/metrics",
}

# Copies the record under other ids: KEYS of the template's parts; ARGV what is replaced wherever it stands in
# them (uuid, number, phone, time), from which number on, and how many copies.
_COPY = """
local old, first, count = {ARGV[1], ARGV[2], ARGV[3], ARGV[4]}, tonumber(ARGV[5]), tonumber(ARGV[6])

-- A text as pieces, with the place in `old` of what stands between them.
local function pieces_of(text)
  local pieces, from = {}, 1
  while true do
    local at, which
    for n, one in ipairs(old) do
      local found = string.find(text, one, from, true)
      if found and (not at or found < at) then at, which = found, n end
    end
    pieces[#pieces + 1] = string.sub(text, from, at and at - 1)
    if not at then return pieces end
    pieces[#pieces + 1] = which
    from = at + #old[which]
  end
end

local parts = {}
for n, name in ipairs(KEYS) do
  local changes, flat = {}, redis.call('TYPE', name).ok == 'hash' and redis.call('HGETALL', name) or {}
  for i = 1, #flat, 2 do
    local field, value = pieces_of(flat[i]), pieces_of(flat[i + 1])
    if #field > 1 or #value > 1 then changes[#changes + 1] = {flat[i], field, value} end
  end
  parts[n] = {name, pieces_of(name), changes}
end
for nth = first, first + count - 1 do
  local uuid = string.format('%08x-0000-4000-8000-%012x', (nth * 2654435761) % 4294967296, nth)
  local at = string.format('%.0f', old[4] - 1000 * (5000000 - nth))
  local new = {uuid, string.format('%.0f', 3000000000 + nth), string.format('+1555%07d', nth % 10000000), at}
  local function copied(pieces)
    if #pieces == 1 then return pieces[1] end
    local texts = {}
    for i, one in ipairs(pieces) do texts[i] = i % 2 == 1 and one or new[one] end
    return table.concat(texts)
  end
  for _, part in ipairs(parts) do
    local name = copied(part[2])
    redis.call('COPY', part[1], name)
    for _, change in ipairs(part[3]) do
      if #change[2] > 1 then redis.call('HDEL', name, change[1]) end
      redis.call('HSET', name, copied(change[2]), copied(change[3]))
    end
  end
  redis.call('ZADD', '{callbridge}:calls', at, 'uuid:' .. uuid)
end
"""


def run(short: bool) -> list[Row]:
    sizes = [1_000, 10_000] if short else [10_000, 100_000]
    found = measure(sizes, rounds=5 if short else 9)
    rows = [
        Row(
            what=f"{what}: {size:,} calls against {sizes[0]:,}",
            value=many / few,
            unit="x",
            at_most=_FLAT,
            less_is_better=True,
        )
        for size, steps in found.ms.items()
        for what, (few, many) in steps.items()
    ]
    return [
        *rows,
        Row(what=_BEFORE, value=found.bytes[_BEFORE], unit="B"),
        Row(what=_FRESH, value=found.bytes[_FRESH], unit="B"),
        Row(what=_AFTER, value=found.bytes[_AFTER], unit="B", at_most=_MOST_BYTES, less_is_better=True),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    Attributes:
        ms: size -> step -> ms of the processors, with the fewest records and with so many.
        bytes: what -> bytes a record.
    """

    ms: dict[int, dict[str, tuple[float, float]]]
    bytes: dict[str, float]


def measure(sizes: list[int], *, rounds: int) -> Found:
    """Each size beside the smallest, which stays as it is: both take turns, step by step."""
    with Reaper() as reaper, ExitStack() as stack:
        few, many = (_side(stack, reaper.folder / name) for name in ("few", "many"))
        few.growth.fill(sizes[0])
        found: dict[int, dict[str, tuple[float, float]]] = {}
        for size in sizes[1:]:
            began = time.monotonic()
            many.growth.fill(size)
            say(f"{size:,} calls, made in {time.monotonic() - began:.0f} s")
            found[size] = _in_turns(few, many, rounds)
            for what, (base, value) in found[size].items():
                say(f"{what}: {base:.2f} and {value:.2f} ms, {value / base:.2f}")
        return Found(ms=found, bytes=few.growth.bytes)


@dataclass(frozen=True, slots=True)
class Side:
    """One Redis, and what works with it."""

    growth: Growth
    port: int
    redis: Cpu
    all: Cpu


def _side(stack: ExitStack, folder: Path) -> Side:
    sandbox = stack.enter_context(RunningSandbox(sample=True))
    # It is memory that is filled here, not the disk.
    server = EmbeddedRedis(folder / "redis", appendfsync="everysec")
    server.start()
    stack.callback(server.stop)
    client = stack.enter_context(connect(server.url, timeout_s=60))
    client.config_set("appendonly", "no")
    growth = Growth(client, sandbox, folder)
    own = folder / "web"
    own.mkdir()
    site = web_process(stack, own, server.url, OPS_TOKEN=TOKEN, LOG_LEVEL="ERROR")
    assert server.pid is not None
    return Side(growth, site.port, Cpu(server.pid, own=True), Cpu(server.pid, site.pid, own=False))


def _in_turns(few: Side, many: Side, rounds: int) -> dict[str, tuple[float, float]]:
    """The first turn is left out: what it reads is kept for the others."""
    taken: dict[str, tuple[list[float], list[float]]] = {}
    sides = [(0, few), (1, many)]
    for _ in range(rounds + 1):
        sides.reverse()
        for n, side in sides:
            for what, ms in _turn(side).items():
                taken.setdefault(what, ([], []))[n].append(ms)
    return {what: (min(base[1:]), min(values[1:])) for what, (base, values) in taken.items()}


def _turn(side: Side) -> dict[str, float]:
    """Each step once; the ms that one takes."""
    steps = side.growth.turn(side.redis)
    return steps | {what: side.all.of(partial(_ask, side.port, path)) for what, path in _PAGES.items()}


class Growth:
    """One Redis that is filled, and what is done with it at each size."""

    def __init__(self, client: redis.Redis, sandbox: RunningSandbox, folder: Path) -> None:
        self.redis = client
        self.ledger = Ledger(client)
        self.bridge = Bridge(client, sandbox, data_dir=folder / "data")
        self.bytes: dict[str, float] = {}
        self._copy = client.register_script(_COPY)
        self._made = self._new = 0
        empty = self._memory()
        self._ingest(500)
        self.bytes[_BEFORE] = (self._memory() - empty) / 500
        self._drop_jobs()
        self.bridge.receive_payload(_ENDED)
        self.bridge.run_jobs()
        self.bridge.receive_payload(_RECORDED)
        self.bridge.run_jobs()
        parts = [
            of(part)
            for part in (f"uuid:{_UUID}", f"id:{_NUMBER}")
            for of in (keys.record, keys.events, keys.log)
        ]
        self.bytes[_FRESH] = self._bytes_of([*parts, keys.caller(_PHONE)])
        # As the clock does ten minutes after the last news of a call.
        pack_calls(self.ledger, [f"uuid:{_UUID}"])
        self._template = [name for name in [*parts, keys.caller(_PHONE)] if client.exists(name)]
        # When it was learnt last; its row for lists names that as well.
        self._template_at = f"{client.zscore(keys.CALLS, f'uuid:{_UUID}'):.0f}"

    def fill(self, size: int) -> None:
        before, made = self._memory(), self._made
        for first in range(self._made, size, _AT_ONCE):
            count = min(_AT_ONCE, size - first)
            self._copy(keys=self._template, args=[_UUID, _NUMBER, _PHONE, self._template_at, first, count])
        self._made = size
        each = (self._memory() - before) / (size - made)
        self.bytes.setdefault(_AFTER, each)
        while not CallIndex(self.ledger, Rules()).keep(within_s=10):
            pass

    def turn(self, cpu: Cpu) -> dict[str, float]:
        self._ingest(1)
        sync = cpu.of(self.bridge.run_jobs)
        ingest = cpu.of(lambda: self._ingest(_EVENTS)) / _EVENTS
        claim = cpu.of(lambda: self._claims(_CLAIMS)) / _CLAIMS
        self._drop_jobs()
        return {"one event": ingest, "claim and read": claim, "one sync": sync}

    def _ingest(self, count: int) -> None:
        for _ in range(count):
            self._new += 1
            body = {
                "event": "call_ended",
                "call_id": str(2_000_000_000 + self._new),
                "call_uuid": str(UUID(int=(4 << 76) | (8 << 60) | self._new)),
                "external_number": f"+1555011{self._new % 10_000:04d}",
                "internal_number": "+15550100101",
                "direction": "incoming",
                "agent_id": "400101",
                "contact_name": f"Ada Example {self._new}",
                "talking_time": "97",
                "started_at": "2026-03-02T09:00:00Z",
                "ended_at": "2026-03-02T09:02:00Z",
            }
            event = read_event("call-ended", body, Rules())
            assert isinstance(event, Event)
            self.ledger.record_event(event, body)

    def _claims(self, count: int) -> None:
        for _ in range(count):
            _, names = self.ledger.dispatch(1)
            kind, key = keys.split_job(names[0])
            claim = self.ledger.claim(kind, key)
            assert claim is not None
            assert self.ledger.read(key).exists
            self.ledger.complete(claim)

    def _drop_jobs(self) -> None:
        for name in self.redis.hkeys(keys.JOBS):
            self.redis.delete(*keys.QUEUE_KEYS[:12])
            self.redis.hdel(keys.JOBS, name)

    def _bytes_of(self, names: list[str]) -> float:
        return sum(self.redis.memory_usage(name, samples=0) or 0 for name in names)

    def _memory(self) -> int:
        return int(cast(Any, self.redis.info("memory"))["used_memory"])


class Cpu:
    """Milliseconds of the processor that this process and others, named by their ids, have used so far."""

    def __init__(self, *pids: int, own: bool) -> None:
        self._pids, self._own = pids, own

    def ms(self) -> float:
        used = sum(_cpu_ms(pid) for pid in self._pids)
        return used + (time.process_time() * 1000 if self._own else 0)

    def of(self, work: Callable[[], Any]) -> float:
        before = self.ms()
        work()
        return self.ms() - before


def _cpu_ms(pid: int) -> float:
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e6


def _ask(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200, f"{path}: {answer.status}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    sizes = [size for size in (10_000, 100_000, 1_000_000) if size < given.to]
    found = measure([*sizes, given.to], rounds=given.rounds)
    say(
        f"| ms of CPU, with {sizes[0]:,} and with more | "
        + " | ".join(f"{size:,}" for size in found.ms)
        + " |"
    )
    say("|---|" + "---|" * len(found.ms))
    for what in next(iter(found.ms.values())):
        pairs = [steps[what] for steps in found.ms.values()]
        cells = (f"{few:.2f}, {many:.2f} ({many / few:.2f})" for few, many in pairs)
        say(f"| {what} | " + " | ".join(cells) + " |")
    for what, value in found.bytes.items():
        say(f"{what}: {value:,.0f}")


if __name__ == "__main__":
    main()
