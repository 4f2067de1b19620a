"""Histograms that all processes share: counts in one hash of Redis, written with what happens anyway.

A field is `NAME|LABELS|N`, how many values fell in the N-th bucket, or `NAME|LABELS|ms`, the sum of all.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.keys import LANE_NAMES, Lane

# Upper ends of the buckets, in seconds; one more has no end.
EDGES: Mapping[str, Sequence[float]] = {
    "end_to_note": (1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 900, 3600),
    "end_to_recording": (2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600),
    "call_back": (60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400, 259_200),
    "ring_to_card": (0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30),
    "upstream": (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    "job_wait": (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """The values of one series: how many in each bucket, and their sum in seconds."""

    buckets: tuple[int, ...]
    sum_s: float
    # Number of a bucket -> the last value in it that a trace tells more about: (trace, seconds, at).
    traces: Mapping[int, tuple[str, float, float]]


def fields_of(name: str, seconds: float, *labels: str) -> tuple[str, str, int]:
    """The two fields that one value adds to: by one, and by so many milliseconds."""
    seconds = max(0.0, seconds)
    series = f"{name}|{':'.join(labels)}"
    return f"{series}|{bisect_left(EDGES[name], seconds)}", f"{series}|ms", round(seconds * 1000)


def job_wait(lane: Lane, seconds: float) -> list[tuple[str, int]]:
    """What to add to the histogram of waiting times: field and number."""
    bucket, total, ms = fields_of("job_wait", seconds, LANE_NAMES[lane])
    return [(bucket, 1), (total, ms)]


@dataclass(frozen=True, slots=True)
class Milestone:
    """Something that happens to a call once, and is counted once, however often it is repeated.

    Attributes:
        mark: names it in the call's record.
        since_ms: counted is the time since then; None: it is only counted.
        took_ms: the time to count, where it did not end just now.
        name: of the histogram or the counter.
    """

    mark: str
    name: str
    since_ms: int | None = None
    took_ms: int | None = None


def milestones_for_script(milestones: Sequence[Milestone], trace: str) -> str:
    """The arguments for keep.lua; empty where there is nothing to count."""
    if not milestones:
        return ""
    return json.dumps(
        [
            {
                "mark": one.mark,
                "name": one.name,
                "trace": trace,
                **({} if one.since_ms is None else {"since": one.since_ms, "edges": EDGES[one.name]}),
                **({} if one.took_ms is None else {"took": one.took_ms, "edges": EDGES[one.name]}),
            }
            for one in milestones
        ]
    )


@boundary("measures.read")
def read_measures(client: redis.Redis) -> dict[str, dict[tuple[str, ...], Measured]]:
    """All of them, by name and labels."""
    found = cast(Mapping[str, str], client.hgetall(keys.MEASURES))
    raw: dict[str, dict[tuple[str, ...], dict[str, str]]] = {name: {} for name in EDGES}
    for field, text in found.items():
        name, labels, what = field.split("|", 2)
        if name in raw:
            raw[name].setdefault(tuple(labels.split(":")) if labels else (), {})[what] = text
    return {
        name: {labels: _measured(len(EDGES[name]) + 1, values) for labels, values in series.items()}
        for name, series in raw.items()
    }


def _measured(buckets: int, values: Mapping[str, str]) -> Measured:
    traces: dict[int, tuple[str, float, float]] = {}
    for number in range(buckets):
        if text := values.get(f"trace:{number}"):
            trace, seconds, at = cast(list[Any], json.loads(text))
            traces[number] = (str(trace), float(seconds), float(at))
    counts = tuple(int(values.get(str(number), 0)) for number in range(buckets))
    return Measured(counts, int(values.get("ms", 0)) / 1000, traces)
