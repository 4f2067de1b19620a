"""`/held`: events that are tied to no call, by reason; assigned to their call, or dropped with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.errors import Rejected
from bridge.ledger.calls import held
from bridge.ledger.calls.held import HeldEvent, find_held
from bridge.ledger.calls.received import Received
from bridge.reports.call_row import masked
from bridge.reports.held_events import HeldGroup, can_be_assigned, grouped, suggestions
from bridge.reports.listener import delivery_view
from bridge.reports.masking import scrubbed
from bridge.web.answers import Refused
from bridge.web.callers import Person
from bridge.web.desk import Desk
from bridge.web.pages.forms import number_in, onward, read_form, reason_in
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in
from bridge.wording import counted

PLACE = "/held"
_MOST_READ = 3000
_SHOWN = 50
_MOST_NAMED = 500


@signed_in
async def listing(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    person: Person = request.state.person
    given = request.query_params
    wanted = {name: text for name in ("trigger", "reason", "other") if (text := given.get(name, "")[:300])}
    start = number_in(given, "from")

    def work() -> dict[str, Any]:
        read = list(islice(held.held_events(desk.ledger, other=bool(wanted.get("other"))), _MOST_READ))
        events = [event for event in read if _fits(event, wanted)]
        place = f"{PLACE}?{urlencode(wanted)}"
        return {
            "groups": [_group(group, desk, person, start=start, wanted=wanted) for group in grouped(events)],
            "total": len(events),
            "more": len(read) == _MOST_READ,
            "wanted": wanted,
            "triggers": sorted({event.trigger for event in read if event.trigger}),
            "others": desk.ledger.other_count(),
            "next": f"{place}&from={start + _SHOWN}"
            if wanted.get("reason") and len(events) > start + _SHOWN
            else None,
            "first": place if start else None,
            "said": _said(given),
        }

    return await show(request, "held.html", work)


@signed_in
async def one(request: Request) -> Response:
    """What came, and which call it may belong to."""
    desk: Desk = request.app.state.desk
    person: Person = request.state.person

    def work() -> dict[str, Any] | None:
        event = find_held(desk.ledger, request.path_params["fingerprint"])
        if event is None:
            return None
        explained = delivery_view(_as_received(event), desk.rules, hides_people=person.masked)
        found = suggestions(desk.ledger, desk.rules, event) if can_be_assigned(event) else []
        return {
            "event": _line(event, desk, person),
            "told": explained,
            "can_be_assigned": can_be_assigned(event),
            "suggestions": [
                {
                    **asdict(s),
                    "row": masked(s.row) if person.masked else s.row,
                    "place": _call_place(s.row.key),
                }
                for s in found
            ],
            "failed": request.query_params.get("failed", "")[:300],
        }

    missing = ("Not held any more", "It was assigned to its call, or dropped. The trail says which.")
    return await show(request, "held_event.html", work, missing=missing)


@signed_in
async def assign(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    fingerprint = request.path_params["fingerprint"]
    form = await read_form(request)
    named = form.get("call", "").strip()[:100]

    def work() -> str | None:
        event = find_held(desk.ledger, fingerprint)
        if event is None:
            raise _gone()
        record = desk.ledger.find(named)
        if record is None:
            return f"There is no call {named!r}: give its key, call id or uuid."
        try:
            held.assign(desk.ledger, event, record, desk.rules, who=request.state.person.name)
        except Rejected as error:
            return str(error)
        return None

    failed = await desk.run(work)
    if failed is not None:
        return onward(f"{PLACE}/{fingerprint}", failed=failed)
    return onward(PLACE, assigned=1)


@signed_in
async def drop_one(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    reason = reason_in(await read_form(request))

    def work() -> int:
        event = find_held(desk.ledger, request.path_params["fingerprint"])
        if event is None:
            raise _gone()
        return held.drop(desk.ledger, [event], who=request.state.person.name, reason=reason)

    return onward(PLACE, dropped=await desk.run(work))


@signed_in
async def drop(request: Request) -> Response:
    """Those that were ticked, or all of one reason."""
    desk: Desk = request.app.state.desk
    form = await read_form(request)
    reason = reason_in(form)

    def work() -> int:
        events = _chosen(desk, form)
        return held.drop(desk.ledger, events, who=request.state.person.name, reason=reason)

    return onward(PLACE, dropped=await desk.run(work))


def _chosen(desk: Desk, form: ImmutableMultiDict[str, str]) -> list[HeldEvent]:
    ticked = form.getlist("event")[:_MOST_NAMED]
    group = form.get("of", "")
    if ticked:
        found = (find_held(desk.ledger, fingerprint) for fingerprint in ticked)
        return [event for event in found if event is not None]
    if not group:
        raise Refused(400, "choice", "no events were chosen", "Tick some, or drop a whole group.")
    events = islice(held.held_events(desk.ledger, other=form.get("other") == "1"), _MOST_READ)
    return [event for event in events if event.reason == group][:_MOST_NAMED]


def _gone() -> Refused:
    return Refused(409, "gone", "it is not held any more", "Somebody assigned or dropped it. See the trail.")


def _fits(event: HeldEvent, wanted: Mapping[str, str]) -> bool:
    return wanted.get("trigger") in (None, event.trigger) and wanted.get("reason") in (None, event.reason)


def _group(
    group: HeldGroup, desk: Desk, person: Person, *, start: int, wanted: Mapping[str, str]
) -> dict[str, Any]:
    many = _SHOWN if "reason" in wanted else 5
    shown = group.events[start : start + many] if "reason" in wanted else group.events[:many]
    return {
        "reason": scrubbed(group.reason) if person.masked else group.reason,
        "of": group.reason,
        "do": group.do,
        "triggers": group.triggers,
        "count": len(group.events),
        "place": f"{PLACE}?{urlencode({**wanted, 'reason': group.reason})}",
        "events": [_line(event, desk, person) for event in shown],
    }


def _line(event: HeldEvent, desk: Desk, person: Person) -> dict[str, Any]:
    phone = event.number(desk.rules)
    return {
        "fingerprint": event.fingerprint,
        "place": f"{PLACE}/{quote(event.fingerprint)}",
        "trigger": event.trigger or "no event named",
        "can_be_assigned": can_be_assigned(event),
        "at": event.at,
        "number": (phone.masked if person.masked else phone.spoken) if phone else "",
        "reason": scrubbed(event.reason) if person.masked else event.reason,
    }


def _as_received(event: HeldEvent) -> Received:
    return Received(
        mark="", at=event.at, answer="held", fingerprint=event.fingerprint, trigger=event.trigger,
        body=event.body, call=None, reason=event.reason, signed=False, times=1,
    )  # fmt: skip


def _call_place(key: str) -> str:
    return f"/calls/{quote(key, safe=':')}"


def _said(given: Mapping[str, str]) -> str:
    if given.get("assigned") == "1":
        return "Assigned. The call is synced again now."
    return f"{counted(number_in(given, 'dropped'), 'held event')} dropped." if "dropped" in given else ""


ROUTES = [
    Route(PLACE, listing, methods=["GET"]),
    Route(f"{PLACE}/drop", drop, methods=["POST"]),
    Route(f"{PLACE}/{{fingerprint}}", one, methods=["GET"]),
    Route(f"{PLACE}/{{fingerprint}}/assign", assign, methods=["POST"]),
    Route(f"{PLACE}/{{fingerprint}}/drop", drop_one, methods=["POST"]),
]
