"""A run over time, as SVG: deliveries taken and notes written per second, and marks where faults struck."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.chaos.faults import Fault
    from tests.chaos.run import Outcome

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 960, 300, 46, 58, 30
_BUCKETS = 120
_PLOT_W, _PLOT_H = _WIDTH - _LEFT - 12, _HEIGHT - _TOP - _BOTTOM
_BASE = _TOP + _PLOT_H
_TAKEN, _WRITTEN, _KILL, _SERVICE, _STEP, _STOPPED = (
    "#1565c0", "#2e7d32", "#c62828", "#ef6c00", "#6a1b9a", "#607d8b",
)  # fmt: skip
_LEGEND = {
    "deliveries taken per second": _TAKEN,
    "notes written per second": _WRITTEN,
    "kills (dashed: Redis)": _KILL,
    "faults of the services": _SERVICE,
    "clock steps": _STEP,
    "a worker stopped": _STOPPED,
}


def draw(outcome: Outcome) -> str:
    """The whole picture."""
    ends = [at for at in (*outcome.taken, *outcome.verdict.settled_at.values()) if at is not None]
    span_s = max(outcome.duration_s, max(ends, default=0.0) - outcome.began_at)
    width_s = span_s / _BUCKETS
    taken = _per_second((at for at in outcome.taken if at is not None), outcome.began_at, width_s)
    written = _per_second(outcome.verdict.written_at.values(), outcome.began_at, width_s)
    top = max(*taken, *written, 1.0)
    legend = "; ".join(f'<tspan fill="{color}">{text}</tspan>' for text, color in _LEGEND.items())
    ticks = [span_s * n / 6 for n in range(7)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
            *_marks(outcome.struck, span_s),
            f'<path stroke="#555" fill="none" d="M{_LEFT} {_TOP}V{_BASE}h{_PLOT_W}"/>',
            _line(taken, top, _TAKEN),
            _line(written, top, _WRITTEN),
            f'<text x="{_LEFT}" y="18">{legend}</text>',
            f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{top:.0f}</text>',
            f'<text x="{_LEFT - 6}" y="{_BASE}" text-anchor="end">0</text>',
            *(
                f'<text x="{_x(at_s, span_s)}" y="{_HEIGHT - 8}" text-anchor="middle">{at_s:.0f} s</text>'
                for at_s in ticks
            ),
            "</svg>",
            "",
        ]
    )


def _x(at_s: float, span_s: float) -> int:
    return round(_LEFT + _PLOT_W * at_s / span_s)


def _marks(struck: Iterable[Fault], span_s: float) -> list[str]:
    """One path a colour, with one stroke for all faults of a pixel: an hour has thousands."""
    strokes: dict[tuple[str, int, int], set[int]] = {}
    boxes: list[str] = []
    stopped: dict[str, int] = {}
    for fault in struck:
        x = _x(fault.at_s, span_s)
        if fault.kind == "freeze":
            stopped[fault.target] = x
            continue
        if fault.kind == "thaw":
            since = stopped.pop(fault.target, x)
            boxes.append(f'<rect x="{since}" y="{_TOP}" width="{max(1, x - since)}" height="{_PLOT_H}"/>')
            continue
        row = (
            (_KILL, _TOP, _BASE)
            if fault.target == "redis"
            else (_KILL, _BASE + 2, _BASE + 10)
            if fault.kind == "kill"
            else (_STEP, _BASE + 26, _BASE + 34)
            if fault.kind == "clock step"
            else (_SERVICE, _BASE + 14, _BASE + 22)
        )
        strokes.setdefault(row, set()).add(x)
    lines = [f'<g fill="{_STOPPED}" opacity="0.2">{"".join(boxes)}</g>']
    for (color, begin, end), found in strokes.items():
        path = "".join(f"M{x} {begin}V{end}" for x in sorted(found))
        dash = ' stroke-dasharray="4 3"' if begin == _TOP else ""
        lines.append(f'<path stroke="{color}"{dash} d="{path}"/>')
    return lines


def _line(values: list[float], top: float, color: str) -> str:
    points = " ".join(
        f"{round(_LEFT + _PLOT_W * (n + 0.5) / _BUCKETS)},{_BASE - _PLOT_H * value / top:.1f}"
        for n, value in enumerate(values)
    )
    return f'<polyline fill="none" stroke="{color}" stroke-width="1.5" points="{points}"/>'


def _per_second(times: Iterable[float], began_at: float, width_s: float) -> list[float]:
    counts = [0] * _BUCKETS
    for at in times:
        counts[min(_BUCKETS - 1, max(0, int((at - began_at) / width_s)))] += 1
    return [count / width_s for count in counts]
