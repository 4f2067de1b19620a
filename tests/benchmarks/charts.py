"""Bar charts as small SVG files, readable on a light and on a dark page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from tests.benchmarks.report import Row

_WIDTH, _LABEL, _BAR, _LINE = 720, 290, 340, 26
_COLOURS = {True: "#2e8b57", False: "#c0392b", None: "#4a7ebb"}
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="#808080">\n'
)


def file_name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + ".svg"


def bars(title: str, rows: Sequence[Row]) -> str:
    """One bar a row, from 0; a thin line is the goal. Green reached its goal, red did not, blue has none."""
    values = [limit for row in rows for limit in (row.value, row.at_least, row.at_most) if limit is not None]
    most = max(0.0, *values) or 1.0
    height = _LINE * (len(rows) + 1) + 8
    parts = [
        _HEAD.format(width=_WIDTH, height=height),
        f'<text x="4" y="17" font-weight="bold" font-size="13">{escape(title)}</text>\n',
    ]
    for number, row in enumerate(rows, 1):
        top = number * _LINE + 4
        width = max(1.0, _BAR * max(0.0, row.value) / most)
        parts.append(
            f'<text x="{_LABEL - 6}" y="{top + 14}" text-anchor="end">{escape(row.what)}</text>\n'
            f'<rect x="{_LABEL}" y="{top}" width="{width:.1f}" height="18" fill="{_COLOURS[row.reached]}"/>\n'
            f'<text x="{_LABEL + width + 6:.1f}" y="{top + 14}">{escape(row.value_text)}</text>\n'
        )
        for limit in (row.at_least, row.at_most):
            if limit is not None:
                at = _LABEL + _BAR * limit / most
                parts.append(
                    f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top - 3}" y2="{top + 21}" '
                    'stroke="#808080" stroke-width="2"/>\n'
                )
    return "".join([*parts, "</svg>\n"])
