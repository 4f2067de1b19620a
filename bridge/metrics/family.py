"""One family of series, and its lines.

prometheus_client takes about 18 us a line (measured), which for 2,000 lines a second would be 4 % of a web
process. Most series stay at 0 for ever, so their lines are made once. Tests read the result with
prometheus_client's two parsers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

Kind = Literal["counter", "gauge", "histogram", "info"]
Labels = tuple[str, ...]
# Series -> value. A histogram's values are `Buckets`.
Values = Mapping[Labels, float]

GLOBAL = "Global: "
# Values of labels come from our own code, and services' status codes. This is against a fault in that.
MOST_SERIES = 400
_LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True)
class Buckets:
    """How many values fell in each bucket (not cumulated), and their sum.

    Attributes:
        exemplars: number of a bucket -> (trace id, value, when).
    """

    counts: Sequence[int]
    total: float
    exemplars: Mapping[int, tuple[str, float, float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Family:
    """
    Attributes:
        name: without the `_total` or `_info` that its samples have.
        labels: each label, and those of its values that are shown at 0 from the start.
        zeros: the series at 0 from the start, where they are not all combinations.
        edges: upper ends of a histogram's buckets.
    """

    name: str
    kind: Kind
    help: str
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    zeros: Sequence[Labels] | None = None
    edges: Sequence[float] = ()
    _made: dict[object, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_global(self) -> bool:
        return self.name.startswith("callbridge_ledger_") or self.help.startswith("Global:")

    @property
    def sample_name(self) -> str:
        """As most of its samples are called."""
        return self.name + {"counter": "_total", "info": "_info"}.get(self.kind, "")

    @property
    def names(self) -> tuple[str, ...]:
        """Of all its samples."""
        if self.kind != "histogram":
            return (self.sample_name,)
        return tuple(f"{self.name}_{end}" for end in ("bucket", "sum", "count"))

    def at_zero(self) -> Sequence[Labels]:
        return list(product(*self.labels.values())) if self.zeros is None else self.zeros

    def text(self, values: Mapping[Labels, float | Buckets], *, openmetrics: bool) -> str:
        """Its help, its type, and a line for each series."""
        return self._head(openmetrics) + "".join(self._lines(self._bounded(values), openmetrics))

    def _head(self, openmetrics: bool) -> str:
        name = self.name if openmetrics else self.sample_name
        kind = "gauge" if self.kind == "info" and not openmetrics else self.kind
        said = self.help.replace("\\", r"\\").replace("\n", r"\n")
        return f"# HELP {name} {said}\n# TYPE {name} {kind}\n"

    def _bounded(self, values: Mapping[Labels, float | Buckets]) -> Mapping[Labels, float | Buckets]:
        if len(values) <= MOST_SERIES:
            return values
        return dict(sorted(values.items())[:MOST_SERIES])

    def _lines(self, values: Mapping[Labels, float | Buckets], openmetrics: bool) -> Iterator[str]:
        zeros = self._made.get("zeros")
        if zeros is None:
            zeros = self._made["zeros"] = "".join(map(self._zero, self.at_zero()))
        if not values:
            yield zeros
            return
        for labels in dict.fromkeys((*self.at_zero(), *sorted(values))):
            value = values.get(labels)
            if value is None:
                yield self._zero(labels)
            elif isinstance(value, Buckets):
                yield from self._histogram(labels, value, openmetrics)
            else:
                yield f"{self._series(labels)} {float(value)!r}\n"

    def _zero(self, labels: Labels) -> str:
        text = self._made.get(labels)
        if text is None:
            if self.kind == "histogram":
                text = "".join(self._histogram(labels, Buckets([0] * (len(self.edges) + 1), 0.0), False))
            else:
                text = f"{self._series(labels)} 0.0\n"
            self._made[labels] = text
        return text

    def _histogram(self, labels: Labels, value: Buckets, openmetrics: bool) -> Iterator[str]:
        seen = 0
        for number, edge in enumerate((*self.edges, float("inf"))):
            seen += value.counts[number]
            end = "+Inf" if edge == float("inf") else repr(float(edge))
            line = f"{self.name}_bucket{self._braces(labels, end)} {float(seen)!r}"
            if openmetrics and number in value.exemplars:
                trace, seconds, at = value.exemplars[number]
                line += f' # {{trace_id="{_escaped(trace)}"}} {seconds!r} {at!r}'
            yield line + "\n"
        yield f"{self.name}_count{self._braces(labels)} {float(seen)!r}\n"
        yield f"{self.name}_sum{self._braces(labels)} {float(value.total)!r}\n"

    def _series(self, labels: Labels) -> str:
        key = ("series", labels)
        text = self._made.get(key)
        if text is None:
            text = f"{self.sample_name}{self._braces(labels)}"
            if len(self._made) < 2 * MOST_SERIES:
                self._made[key] = text
        return text

    def _braces(self, labels: Iterable[str], end: str = "") -> str:
        pairs = [f'{name}="{_escaped(value)}"' for name, value in zip(self.labels, labels, strict=True)]
        if end:
            pairs.append(f'le="{end}"')
        return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value[:_LONGEST_LABEL].replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
