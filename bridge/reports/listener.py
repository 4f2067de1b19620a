"""The newest deliveries, variable by variable: for the set-up page and `callbridge listen`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import read_values
from bridge.domain.webhook.explaining import IMPERSONAL, Variable, explain
from bridge.ledger.calls.received import Received
from bridge.reports.views import HIDDEN, without_links


def delivery_view(one: Received, rules: Rules, *, hides_people: bool = False) -> dict[str, Any]:
    """One delivery as JSON.

    Args:
        hides_people: for those who may not see callers: no names, texts or numbers.
    """
    variables, lacks = explain(one.trigger, without_links(one.body), rules)
    masked = ""
    if hides_people:
        _, event = read_values(one.body, rules)
        masked = event.external.masked if event.external else ""
    return {
        "mark": one.mark,
        "received_at": one.at.isoformat(),
        "trigger": one.trigger,
        "answer": one.answer,
        "reason": one.reason,
        "call": one.call,
        "signed": one.signed,
        "times": one.times,
        "fingerprint": one.fingerprint,
        "variables": [_shown(line, masked) if hides_people else _told(line) for line in variables],
        "missing": [asdict(lack) for lack in lacks],
    }


def _told(line: Variable) -> dict[str, str]:
    found = asdict(line)
    del found["canonical"]
    return found


def _shown(line: Variable, masked: str) -> dict[str, str]:
    """The same without what tells of a person. An unknown name may hold anything."""
    shown = _told(line)
    if line.canonical in IMPERSONAL or line.state == "empty":
        return shown
    if line.canonical == "external_number" and line.state == "read":
        return {**shown, "value": masked, "means": masked}
    return {**shown, "value": HIDDEN, "means": HIDDEN if line.means else ""}


def as_lines(shown: dict[str, Any]) -> Iterator[str]:
    """A delivery's variables as a terminal shows them."""
    width = max((len(line["name"]) for line in shown["variables"]), default=0)
    for line in shown["variables"]:
        yield f"  {line['name']:<{width}}  {_understood(line)}"
    for lack in shown["missing"]:
        kind = "missing" if lack["needed"] else "not sent"
        yield f"  {kind}: {lack['name']} ({lack['says']})"


def _understood(line: dict[str, str]) -> str:
    value = line["value"] or '""'
    if line["state"] == "read" and line["field"]:
        means = f" = {line['means']}" if line["means"] and line["means"] != line["value"] else ""
        text = f"{value}  -> {line['field']}{means}"
        return f"{text}  ({line['says']})" if line["says"] else text
    mark = "!" if line["state"] in ("unknown", "unreadable") else "-"
    return f"{value}  {mark} {line['says']}"
