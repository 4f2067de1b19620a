"""The comparison that `/rules/try` shows: past calls under other rules, beside those in force."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from bridge.domain.moments import read_moment
from bridge.domain.rules.file import read_rules_bytes
from bridge.errors import WrongUse
from bridge.reports.what_if import Difference, WhatIf
from bridge.reports.what_if_in_words import cost_text, kind_lines, remarks, value_text
from bridge.settings import Settings
from bridge.web.desk import Desk
from bridge.wiring import shares

_MOST_CALLS = 50_000
_MOST_SHOWN = 200
_MOST_MISTAKES = 20


def compared(desk: Desk, settings: Settings, text: str, since: str, *, within_s: float) -> Mapping[str, Any]:
    """What the template shows of it.

    Args:
        text: of a file of rules, as it came in a form.
        since: how far back, as a person writes it.
        within_s: how long calls are read.
    """
    # As browsers send the lines of a text.
    found = read_rules_bytes(text.replace("\r\n", "\n").encode())
    if found.wrong:
        lines = [one.at("line").removeprefix("line:") for one in found.wrong]
        return {"mistakes": lines[:_MOST_MISTAKES], "more_mistakes": max(0, len(lines) - _MOST_MISTAKES)}
    now = datetime.now(UTC)
    try:
        began = read_moment("since", since, now=now, zone=settings.time_zone)
    except WrongUse as error:
        return {"wrong": str(error)}
    if began >= now:
        return {"wrong": "since: must be in the past"}
    would = found.rules.placed(region=settings.phone_region, zone=settings.time_zone)
    trial = WhatIf(
        ledger=desk.ledger,
        was=desk.rules,
        would=would,
        since=began,
        until=now,
        now=now,
        ends=time.monotonic() + within_s,
        most=_MOST_CALLS,
    )
    rows: list[dict[str, Any]] = []
    for one in trial:
        if len(rows) < _MOST_SHOWN:
            rows.append(_row(one))
    return {
        "trial": trial,
        "rows": rows,
        "kinds": kind_lines(trial),
        "cost": cost_text(trial, shares(settings)) if trial.differing else "",
        "remarks": [*remarks(trial)],
        "file": str(settings.callbridge_rules or ""),
    }


def _row(one: Difference) -> dict[str, Any]:
    return {
        "call": one.call_id or one.uuid or one.key,
        "place": f"/calls/{quote(one.key, safe=':')}",
        "started": one.started_at,
        "changes": [
            (name, value_text(one.was, name), value_text(one.would, name), name in one.stays)
            for name in dict.fromkeys([*one.was, *one.would])
        ],
    }
