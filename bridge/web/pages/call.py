"""`/calls/{key}`: what happened to one call, why, what is next, and what a person may do with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast, get_args
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.note import headline, sound_length
from bridge.domain.outputs import OUTPUTS, TEXTS
from bridge.domain.webhook.voice_agent import shown as shown_value
from bridge.errors import BridgeError, Rejected
from bridge.ledger import keys
from bridge.ledger.calls import by_hand
from bridge.ledger.calls.reading import noted_at
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.summary import CallEntry
from bridge.links import PLAYER, AppLinks
from bridge.reports.call_path import facts_in_words
from bridge.reports.call_row import masked, row_of
from bridge.reports.call_story import Action, story_of
from bridge.web.answers import Refused
from bridge.web.api.calls import view_for
from bridge.web.callers import Person
from bridge.web.desk import FORGET_WITHIN_S, Desk
from bridge.web.pages.call_rows import page_of
from bridge.web.pages.forms import onward, read_form, reason_in
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in
from bridge.web.pages.messages import place_of as place_of_message
from bridge.web.pages.rendering import message

if TYPE_CHECKING:
    from bridge.jobs.erasure import Erasure

_ABSENT = ("Call not found", "There is no call at this address. It may have been forgotten, or too long ago.")
# What is said after a form was sent; nothing of the address is shown.
_DONE: Mapping[str, str] = {
    "sync": "The call is being compared with Kustomer now.",
    "assign": "The call, and those of its number from now on, go to the customer you chose.",
    "look": "CloudTalk is asked again for what is not known of the call.",
    "park": "Its jobs are parked: nothing is tried until somebody runs them again.",
    "drop": "Nothing more is done for this call, unless something new comes.",
}
_BAD = ("failed", "parked", "contradiction", "not written", "gave up", "CloudTalk says")
_CAME = ("event ", "call details", "recording received", "found in", "received", "asked CloudTalk")


@signed_in
async def call(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    person: Person = request.state.person
    name = request.path_params["key"]
    if keys.is_message(name):
        # As lists of jobs and webhooks link to all that they name.
        return RedirectResponse(place_of_message(name), status_code=303)

    def work() -> dict[str, Any] | None:
        record = desk.ledger.find(name)
        if record is None:
            return None
        if record.forgotten:
            return {"forgotten": True, "key": record.key}
        view = view_for(desk, record, raw=person.operates, masked=person.masked)
        folded = record.call(desk.rules)
        noted = noted_at(desk.ledger, record.own_keys)
        links = request.app.state.app_links
        return {
            "forgotten": False,
            "done": _DONE.get(request.query_params.get("done", ""), ""),
            **_shown(desk, person, record, folded, view, next((at for at in noted if at), None), links),
        }

    return await show(request, "call.html", work, missing=_ABSENT)


def _shown(
    desk: Desk,
    person: Person,
    record: Record,
    folded: Call,
    view: Mapping[str, Any],
    noted: datetime | None,
    links: AppLinks,
) -> dict[str, Any]:
    row = row_of(CallEntry.of(record, folded), view["jobs"])
    row = masked(row) if person.masked else row
    after_s = (noted - folded.ended_at).total_seconds() if noted and folded.ended_at else None
    recording = record.recording(desk.rules, folded)
    place = f"{PLAYER}/{quote(record.key, safe=':')}"
    return {
        "key": record.key,
        "page": page_of(record.key),
        "title": headline(folded),
        "row": row,
        "view": view,
        "story": story_of(
            view, after_s=max(after_s, 0.0) if after_s is not None else None, sound=recording.sound
        ),
        "facts": _facts(row, folded, view["rules"], (view.get("owner") or {}).get("says")),
        "whose": _whose(view),
        "player": place if recording.speech or recording.original else None,
        "plays": recording.plays,
        "sound": recording.sound.name.lower().replace("_", " "),
        "links": links.of_call(
            call_id=folded.call_id,
            conversation_id=row.conversation_id,
            customer_id=(view["outputs"].get("customer") or {}).get("id"),
        ),
        "timeline": [_step(one) for one in view["timeline"]],
        "upcoming": [one for one in view["jobs"] if one["state"] != "parked"],
        "parked": [one for one in view["jobs"] if one["state"] == "parked"],
        "outputs": [
            (_output_title(name), one, "created" if one["created"] else "found there")
            for name, one in view["outputs"].items()
        ],
        "note": _note(view),
        "told_by": next((_output_title(one) for one in TEXTS if one in view["outputs"]), None),
        "asked": _asked(view),
        "bodies": _bodies(view) if person.operates else [],
    }


def _whose(view: Mapping[str, Any]) -> dict[str, Any]:
    """Why this customer, the others that share the number, and which it is."""
    why = str(view.get("customer_why", ""))
    written = view["outputs"].get("customer") or {}
    return {
        "why": f"{why[:1].upper()}{why[1:]}",
        "candidates": view.get("candidates", []),
        "taken": view.get("assigned") or written.get("id"),
    }


def _facts(row: Any, folded: Call, version: str | None, owner: str | None) -> list[tuple[str, Any]]:
    talked = sound_length(folded.talk_seconds) if folded.talk_seconds else ""
    return [
        ("Customer", row.customer_name),
        ("Number", row.number),
        ("Agent", row.agent_name),
        ("Owner", owner),
        ("Line", folded.line_name or (folded.internal.text if folded.internal else None)),
        ("Direction", row.direction),
        ("Outcome", row.outcome),
        ("Talked", talked),
        ("Call id", row.call_id),
        ("Uuid", row.uuid),
        ("Rules", version if version != "default" else None),
        ("Kind", facts_in_words(folded)),
    ]


def _step(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the timeline, with its colour and in a person's words."""
    what = str(entry["what"])
    kind = "bad" if what.startswith(_BAD) else "came" if what.startswith(_CAME) else "done"
    if what.startswith("event "):
        what = f"Webhook {what.removeprefix('event ')}"
    return {**entry, "what": f"{what[:1].upper()}{what[1:]}", "kind": kind}


def _asked(view: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What an AI voice agent asked out of the caller."""
    agent = view.get("voice_agent") or {}
    name = [("Answered by", agent["name"])] if agent.get("name") else []
    return [*name, *((one["name"], shown_value(one["value"])) for one in agent.get("fields", ()))]


def _output_title(name: str) -> str:
    return OUTPUTS[name].title if name in OUTPUTS else name.capitalize()


def _note(view: Mapping[str, Any]) -> str | None:
    """What Kustomer tells people of the call: the note, without one the voice message."""
    name = next((one for one in TEXTS if one in view["outputs"]), None)
    sent = view["outputs"][name].get("sent") or {} if name else {}
    return sent.get(OUTPUTS[name].text) if name else None


def _bodies(view: Mapping[str, Any]) -> Sequence[tuple[str, str | None, str]]:
    """What came and what was answered, as it came: name, when, text."""
    found = [(f"Webhook {one['trigger']}", one["received_at"], one["body"]) for one in view["events"]]
    found += [(f"CloudTalk: {name}", one["at"], one["body"]) for name, one in view["observations"].items()]
    return [
        (name, at, json.dumps(body, indent=2, ensure_ascii=False))
        for name, at, body in found
        if body is not None
    ]


@signed_in
async def act(request: Request) -> Response:
    """A button of the page was pressed."""
    desk: Desk = request.app.state.desk
    person: Person = request.state.person
    name, action = request.path_params["key"], cast(Action, request.url.path.rpartition("/")[2])
    form = await read_form(request)
    reason = reason_in(form) if action in ("park", "drop") else ""
    customer_id = _customer_in(form) if action == "assign" else ""
    if action == "forget":
        return await _forget(request, name, person.name)

    def work() -> Record | None:
        record = desk.ledger.find(name)
        if record is not None:
            _do(desk, record, action, who=person.name, reason=reason, customer_id=customer_id)
        return record

    try:
        record = await desk.run(work)
    except Rejected as error:
        return message(request, 409, "Not now", str(error), link=(page_of(name), "Back to the call"))
    if record is None:
        return message(request, 404, *_ABSENT)
    return onward(page_of(record.key), done=action)


def _customer_in(form: Mapping[str, str]) -> str:
    """
    Raises:
        Refused: it is no id.
    """
    customer_id = form.get("customer_id", "").strip().lower()
    if not re.fullmatch("[0-9a-f]{24}", customer_id):
        text = "Go back, and take the 24 letters and digits at the end of the customer's address in Kustomer."
        raise Refused(400, "customer", "this is no id of a Kustomer customer", text)
    return customer_id


def _do(desk: Desk, record: Record, action: Action, *, who: str, reason: str, customer_id: str) -> None:
    if action == "assign":
        number = record.call(desk.rules).external
        by_hand.assign(desk.ledger, record, customer_id, number=number, who=who)
    elif action == "sync":
        by_hand.sync_again(desk.ledger, record, who=who)
    elif action == "look":
        by_hand.look_again(desk.ledger, record, who=who)
    elif action == "park":
        by_hand.park(desk.ledger, record, who=who, reason=reason)
    elif action == "drop":
        by_hand.drop(desk.ledger, record, who=who, reason=reason)


async def _forget(request: Request, name: str, who: str) -> Response:
    """Erase all that is kept of the call here; it may take longer than other answers."""
    desk: Desk = request.app.state.desk

    def work() -> list[str] | None:
        record = desk.ledger.find(name)
        if record is None or record.forgotten:
            return None
        erasure: Erasure = request.app.state.erasure(who=who)
        return erasure.of_call(record).lines()

    try:
        lines = await desk.run(work, within_s=FORGET_WITHIN_S)
    except BridgeError as error:
        text = f"{error} Nothing is lost by trying again."
        return message(request, 503, "Not erased yet", text, link=(page_of(name), "Back to the call"))
    if lines is None:
        return message(request, 404, *_ABSENT)
    return message(request, 200, "The call is forgotten", " ".join(lines), link=("/calls", "All calls"))


ROUTES = [
    Route("/calls/{key}", call, methods=["GET"]),
    *(Route(f"/calls/{{key}}/{action}", act, methods=["POST"], name=action) for action in get_args(Action)),
]
