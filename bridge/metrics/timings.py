"""Times that a process measures itself."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence

from bridge.metrics.family import Buckets, Labels


class Timings:
    """A histogram in this process's memory. One thread writes; others may read meanwhile.

    Args:
        edges: upper ends of the buckets, in seconds.
    """

    def __init__(self, edges: Sequence[float]) -> None:
        self._edges = edges
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}
        self._exemplars: dict[Labels, dict[int, tuple[str, float, float]]] = {}

    def add(self, seconds: float, *labels: str, trace: str = "") -> None:
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * (len(self._edges) + 1)
            self._sums[labels] = 0.0
        bucket = bisect_left(self._edges, seconds)
        counts[bucket] += 1
        self._sums[labels] += seconds
        if trace:
            self._exemplars.setdefault(labels, {})[bucket] = (trace, seconds, time.time())

    def values(self) -> dict[Labels, Buckets]:
        return {
            labels: Buckets(list(counts), self._sums[labels], dict(self._exemplars.get(labels, {})))
            for labels, counts in list(self._counts.items())
        }
