"""What people see who may see neither numbers nor names (READ_MASKED), or no raw bodies (the role `read`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bridge.domain.call import Call
from bridge.domain.phone import masked as masked_number

# A number in international writing, whoever's it is.
_INTERNATIONAL = re.compile(r"\+\d(?:[ ()./-]{0,2}\d){6,}")
_ADDRESS = re.compile(r"[^\s@:;,()]+@[^\s@:;,()]+")
_FEWEST_DIGITS = 6
# The agents that a rule names, in a line of `rules_explained`.
_OTHER_AGENTS = re.compile(r"(?<=: )agent is .*")
_SHORTEST_NAME = 2


def initial(name: str | None) -> str | None:
    """`Ada Example` -> `A…`."""
    return f"{name.strip()[:1]}…" if name else None


def scrubbed(text: str, *, names: Iterable[str | None] = (), numbers: Iterable[str | None] = ()) -> str:
    """A sentence of ours or of a service's without these names and numbers, and without any with a plus."""
    for number in numbers:
        digits = re.sub(r"\D", "", number or "")
        if len(digits) >= _FEWEST_DIGITS:
            spelled = r"[ ()./-]{0,2}".join(digits)
            text = re.sub(rf"\+?{spelled}", masked_number(digits), text)
    for name in names:
        if name and len(name.strip()) >= _SHORTEST_NAME:
            whole = rf"(?<!\w){re.escape(name.strip())}(?!\w)"
            text = re.sub(whole, initial(name) or "", text, flags=re.IGNORECASE)
    return _INTERNATIONAL.sub(lambda found: masked_number(found[0]), text)


def without_addresses(text: str) -> str:
    """`bo@example.com` -> `b…`."""
    return _ADDRESS.sub(lambda found: initial(found[0]) or "", text)


def without_raw_bodies(view: Mapping[str, Any]) -> dict[str, Any]:
    """One call as `reports.views.call_view` gives it, without what CloudTalk sent and answered."""
    return {
        **view,
        "events": [{**event, "body": None} for event in view["events"]],
        "observations": {name: {**seen, "body": None} for name, seen in view["observations"].items()},
    }


def masked_view(view: Mapping[str, Any], call: Call) -> dict[str, Any]:
    """One call as `reports.views.call_view` gives it, without numbers and names.

    What was sent to Kustomer goes as a whole: it is made of them.
    """
    numbers = [call.external.text] if call.external else []
    names = [call.contact_name, call.agent_name, *(one.name for one in call.participants)]

    def said(text: Any) -> Any:
        return scrubbed(text, names=names, numbers=numbers) if isinstance(text, str) else text

    found = {
        **without_raw_bodies(view),
        "reason": said(view["reason"]),
        "outputs": {name: {**output, "sent": None} for name, output in view["outputs"].items()},
        "jobs": [{**job, "error": said(job["error"])} for job in view["jobs"]],
        "timeline": [
            {**entry, "what": said(entry["what"]), "detail": said(entry["detail"])}
            for entry in view["timeline"]
        ],
    }
    if "contradictions" in view:
        found["contradictions"] = [said(text) for text in view["contradictions"]]
    if "explained" in view:
        judged = view["explained"]
        found["explained"] = {
            **judged,
            "rules": [said(_OTHER_AGENTS.sub("agent is another", line)) for line in judged["rules"]],
        }
    if "owner" in view:
        found["owner"] = {**view["owner"], "says": without_addresses(said(view["owner"]["says"]))}
    if "candidates" in view:
        found["candidates"] = [{**one, "name": initial(one.get("name"))} for one in view["candidates"]]
    return found
