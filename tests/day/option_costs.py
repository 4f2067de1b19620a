"""What each option costs beside the choices of `costs.py`: mostly calls of a caller whom Kustomer knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bridge.domain.fields import definition
from tests.day.trying import FIRST_ID, LINE, PHONE, Row, Try

_FIRST_UUID = str(UUID(int=1, version=4))


def _rules(text: str) -> str:
    return f"version = 2\n{text}\n"


def _with_company(one: Try) -> None:
    customer = one.customer(company=one.sandbox.kustomer.add_company("Example Ltd"))
    one.sandbox.kustomer.add_conversation(customer, name="March invoice")


def _customer_and_call(one: Try) -> None:
    one.customer()
    one.call()


# -- what changes after the call


def _changed(one: Try, *, times: int = 1) -> None:
    """An agent changes the call's tags so many times, and its rating, within ten seconds."""
    for n in range(times):
        one.sandbox.cloudtalk.add_call(**{**one.calls[0], "tags": [f"tag {one.step()}"], "rating": n + 1})
        one.bridge.receive("call-modified", {"call_id": str(FIRST_ID), "call_uuid": _FIRST_UUID})
        one.bridge.run_jobs_for(2)
    # In small steps: it asks CloudTalk once the changes have settled, and writes with the answer.
    one.bridge.run_jobs_for(5)


def _edited(one: Try) -> None:
    one.call()
    (note,) = one.sandbox.kustomer.notes
    one.bridge.deps.kustomer.notes.update(note["id"], {"body": "Edited by a person."})


def _edited_and_changed(one: Try) -> None:
    _edited(one)
    _changed(one)


# -- messages


def _message(one: Try) -> None:
    number = one.step()
    data = {"id": f"msg-{number}", "channel": "sms", "body": "Is my parcel on its way?"}
    at = datetime.now(UTC) - timedelta(seconds=30)
    body: dict[str, Any] = {
        "event_id": f"evt_{number}",
        "type": "message.received",
        "version": "v1",
        "occurred_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "company_id": 100123,
        "data": {**data, "external_number": PHONE, "internal_number": {"number_e164": LINE}},
    }
    one.bridge.receive(None, body)
    one.settle()


def _customer_and_message(one: Try) -> None:
    one.customer()
    _message(one)


# -- the cue card


def _rings(one: Try) -> None:
    """A further call rings, and nothing more happens."""
    number = one.step()
    uuid = str(UUID(int=1000 + number, version=4))
    one.sandbox.cloudtalk.add_call(
        id=FIRST_ID + 500 + number, uuid=uuid, external_number=PHONE, in_progress=True
    )
    told = {"call_uuid": uuid, "external_number": PHONE, "internal_number": LINE, "direction": "incoming"}
    one.bridge.receive("call-started", {"event": "call_started", **told})
    one.bridge.run_jobs_for(5)


# -- insights

_INSIGHTS = ("summary", "sentiment", "smart_notes", "topics", "talk_ratio", "details_link")


def _insights(*names: str, transcript: str = "") -> str:
    lines = [f"{name} = true" for name in names]
    return _rules(
        "\n".join(["[insights]", *lines, *([f'transcript = "{transcript}"'] if transcript else [])])
    )


def _with_a_long_talk(one: Try) -> None:
    one.customer()
    one.insights = {
        "segments": [("agent", f"Sentence {n} of a long talk about an invoice.") for n in range(400)]
    }


# -- contacts

_CONTACT = 1400000104
_TO_KUSTOMER = _rules("[contacts]\nto_kustomer = true")
_TO_CLOUDTALK = _rules("[contacts]\nto_cloudtalk = true\ncreate = true")


def _with_contact(one: Try) -> None:
    one.customer()
    numbers = [{"public_number": PHONE}]
    one.sandbox.cloudtalk.add_contact(
        id=_CONTACT, name="Ada Example", ContactNumber=numbers, ContactEmail=[{"email": "ada@example.com"}]
    )


def _contact_alone(one: Try) -> None:
    one.sandbox.cloudtalk.add_contact(
        id=_CONTACT, name="Ada Example", ContactNumber=[{"public_number": PHONE}]
    )


def _contact_changes(one: Try) -> None:
    """Three changes within seconds, as somebody who edits it makes."""
    for _ in range(3):
        one.bridge.receive("contact-updated", {"event": "contact_updated", "contact_id": str(_CONTACT)})
    one.bridge.run_jobs_for(30, step_s=5)


def _contact_carried_over(one: Try) -> None:
    _with_contact(one)
    _contact_changes(one)


def _call_and_its_contact(one: Try) -> None:
    one.call(contact_id=str(_CONTACT))
    one.bridge.run_jobs_for(10, step_s=2)


def _contact_that_called(one: Try) -> None:
    _with_contact(one)
    _call_and_its_contact(one)


def _call_without_a_contact(one: Try) -> None:
    one.call(contact_id="", contact_name="")
    one.bridge.run_jobs_for(10, step_s=2)


_CARD = _rules("[cue_card]\nshow = true")
_FIELDS = 'outcome = "outcomeStr", talk_s = "talkNum"'


def _with_attributes(one: Try) -> None:
    one.sandbox.kustomer.read_as(custom_attributes=["outcomeStr", "talkNum", "queueStr"])
    one.customer()


def _with_a_class(one: Try) -> None:
    one.sandbox.kustomer.define_klass(definition("call", {}))
    one.customer()


def _with_an_object(one: Try) -> None:
    _with_a_class(one)
    one.call()


OPTIONS: tuple[Row, ...] = (
    Row(what="later: tags and rating change, once or often within seconds", before=Try.call, then=_changed),
    Row(
        what="later: five changes within ten seconds",
        before=Try.call,
        then=lambda one: _changed(one, times=5),
    ),
    Row(what="later: the same, where a person edited the note", before=_edited, then=_changed),
    Row(what="later: again, with a second note there", before=_edited_and_changed, then=_changed),
    Row(what="`path`: a known caller", rules=_rules("[write]\npath = true"), before=Try.customer),
    Row(
        what='`as = "voice_message"`: a known caller',
        rules=_rules('[write]\nas = "voice_message"'),
        before=Try.customer,
    ),
    Row(
        what='`as = "voice_message"`: a known caller\'s missed call',
        rules=_rules('[write]\nas = "voice_message"'),
        before=Try.customer,
        then=Try.miss,
    ),
    Row(
        what='`as = "voice_message"` with a recording: a known caller',
        rules=_rules('[write]\nas = "voice_message"'),
        before=Try.customer,
        then=lambda one: one.call(recorded=True),
    ),
    Row(what='`as = "both"`: a known caller', rules=_rules('[write]\nas = "both"'), before=Try.customer),
    Row(
        what='`as = "both"` with a recording: a known caller',
        rules=_rules('[write]\nas = "both"'),
        before=Try.customer,
        then=lambda one: one.call(recorded=True),
    ),
    Row(
        what='`per = "customer"`: the first call of a known caller',
        rules=_rules('[conversation]\nper = "customer"'),
        before=Try.customer,
    ),
    Row(
        what='`per = "customer"`: a further call',
        rules=_rules('[conversation]\nper = "customer"'),
        before=_customer_and_call,
    ),
    Row(
        what='`[fields] as = "conversation"`: a known caller',
        rules=_rules(f'[fields]\nas = "conversation"\nnames = {{ {_FIELDS} }}'),
        before=_with_attributes,
    ),
    Row(
        what='`[fields] as = "conversation"` with the queue: a known caller',
        rules=_rules(f'[fields]\nas = "conversation"\nnames = {{ {_FIELDS}, queue = "queueStr" }}'),
        before=_with_attributes,
    ),
    Row(
        what='`[fields] as = "klass"`: a known caller',
        rules=_rules('[fields]\nas = "klass"'),
        before=_with_a_class,
    ),
    Row(
        what='`[fields] as = "klass"`: tags and rating change later',
        rules=_rules('[fields]\nas = "klass"'),
        before=_with_an_object,
        then=_changed,
    ),
    *(
        Row(what=f"`[insights] {name}`: a known caller", rules=_insights(name), before=Try.customer)
        for name in _INSIGHTS
    ),
    Row(
        what='`[insights] transcript = "note"`: a known caller',
        rules=_insights(transcript="note"),
        before=Try.customer,
    ),
    Row(
        what='`[insights] transcript = "file"`, longer than the note holds: a known caller',
        rules=_insights(transcript="file"),
        before=_with_a_long_talk,
    ),
    Row(
        what="`[insights]` with all of these: a known caller",
        rules=_insights(*_INSIGHTS, transcript="file"),
        before=_with_a_long_talk,
    ),
    Row(what="`[messages]`: the first text message of a known number", before=Try.customer, then=_message),
    Row(what="`[messages]`: a further one", before=_customer_and_message, then=_message),
    Row(
        what="`[contacts] to_kustomer`: a new contact makes its customer",
        rules=_TO_KUSTOMER,
        before=_contact_alone,
        then=_contact_changes,
    ),
    Row(
        what="`[contacts] to_kustomer`: three changes of a contact whose customer is known by the number",
        rules=_TO_KUSTOMER,
        before=_with_contact,
        then=_contact_changes,
    ),
    Row(
        what="`[contacts] to_kustomer`: again, with nothing new for Kustomer",
        rules=_TO_KUSTOMER,
        before=_contact_carried_over,
        then=_contact_changes,
    ),
    Row(
        what="`[contacts] to_cloudtalk`: the first call of a contact with a name, of a known caller",
        rules=_TO_CLOUDTALK,
        before=_with_contact,
        then=_call_and_its_contact,
    ),
    Row(
        what="`[contacts] to_cloudtalk`: a further call of it",
        rules=_TO_CLOUDTALK,
        before=_contact_that_called,
        then=_call_and_its_contact,
    ),
    Row(
        what="`[contacts] create`: a call of a known caller who is no contact",
        rules=_TO_CLOUDTALK,
        before=Try.customer,
        then=_call_without_a_contact,
    ),
    Row(
        what="`[cue_card]`: a call rings, of a caller whom Kustomer knows",
        rules=_CARD,
        before=Try.customer,
        then=_rings,
    ),
    Row(
        what="`[cue_card]`: the same, with a company and an open conversation",
        rules=_CARD,
        before=_with_company,
        then=_rings,
    ),
)
