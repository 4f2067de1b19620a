"""A comparison of two rules in words, for screens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bridge.ledger.budgets.budget import Share
from bridge.reports.what_if import Difference, WhatIf
from bridge.wording import counted

_LONGEST_VALUE = 120
_KINDS = {
    "written": "written or not",
    "customer": "the customer",
    "conversation": "the conversation",
    "owner": "its owner",
    "note": "the note",
    "recording": "the recording",
}
_CANNOT_TELL = {
    "customer": "their records do not show how many customers have the number, or whether it was known",
    "path": "their records hold no call detail (groups, transfers, out of hours), which the rules need",
    "expired": "their webhooks are no longer kept",
}


def difference_lines(one: Difference) -> Iterator[str]:
    """`status: open -> done` for each choice."""
    for name in dict.fromkeys([*one.was, *one.would]):
        old, new = value_text(one.was, name), value_text(one.would, name)
        change = f"{old} -> {new}" if name in one.was and name in one.would else new or old
        yield f"{name}: {change}{' (not moved)' if name in one.stays else ''}"


def value_text(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return ""
    value = values[name]
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, list):
        text = ", ".join(map(str, value)) or "none"
    else:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    text = text if text not in ("", "None") else "none"
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def kind_lines(found: WhatIf) -> list[tuple[str, int]]:
    return [(_KINDS[kind], number) for kind, number in found.kinds.most_common()]


def summary_lines(found: WhatIf, shares: Mapping[str, Share]) -> Iterator[str]:
    """The counts and the cost."""
    yield f"{found.differing:,} of {counted(found.calls, 'call')} would differ."
    for words, number in kind_lines(found):
        yield f"  {number:>7,}  {words}"
    if found.differing:
        yield cost_text(found, shares)
    yield from remarks(found)


def cost_text(found: WhatIf, shares: Mapping[str, Share]) -> str:
    if not found.requests:
        return "Nothing of that can be brought up to date for these calls."
    parts = [counted(found.kustomer, "request") + " to Kustomer"]
    if found.cloudtalk:
        parts.append(f"{found.cloudtalk:,} to CloudTalk")
    minutes = found.minutes(shares)
    span = "less than a minute" if minutes < 1 else counted(-int(-minutes // 1), "minute")
    return f"To bring them up to date takes about {' and '.join(parts)}: {span} of the bridge's share."


def remarks(found: WhatIf) -> Iterator[str]:
    """What is not counted, or would not be done."""
    if found.stays:
        names = ", ".join(f"{name} ({number:,})" for name, number in found.stays.most_common())
        yield f"Not moved for calls that are in Kustomer already: {names}. New calls follow the new rules."
    for kind, number in found.cannot_tell.items():
        yield f"Not known for {counted(number, 'call')}: {_CANNOT_TELL[kind]}."
    if found.is_cut:
        yield "Not all calls were looked at: the time is long. Choose a shorter one."
