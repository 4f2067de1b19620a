"""The chaos run with options of the rules on: `--options all`, or some of voice,insights,messages.

Each says what the rules file has, what the day tells beside its calls, and what Kustomer should hold then.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.checking import Held, Verdict
    from tests.chaos.days import Day, Expected

Document = Mapping[str, Any]

_RULES = {
    # Both, so that the same calls are told in notes and in messages.
    "voice": '[write]\nas = "both"\n',
    "insights": '[insights]\nsummary = true\nsentiment = true\nsmart_notes = true\ntranscript = "file"\n',
    # On by default.
    "messages": "[messages]\nwrite = true\n",
}
OPTIONS = tuple(_RULES)
# Text messages for each call of the day.
_MESSAGES_A_CALL = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One text message that Kustomer should hold. `call`: the number of a call of about its time."""

    call: int
    id: str
    phone: str
    direction: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What CloudTalk's AI says of one call. `file`: name of its transcript, where the note cannot hold it."""

    summary: str
    spoken: str
    file: str | None = None


def read_options(text: str) -> frozenset[str]:
    """`all`, or names with commas between."""
    if text == "all":
        return frozenset(OPTIONS)
    names = frozenset(name for name in text.split(",") if name)
    if names - set(OPTIONS):
        raise argparse.ArgumentTypeError(f"{text!r} is not `all`, or some of {','.join(OPTIONS)}")
    return names


def rules_of(options: Collection[str]) -> str:
    """The rules file."""
    return "\n".join(["version = 2", *(text for name, text in _RULES.items() if name in options)])


def add_texts(day: Day, *, seed: int, began: datetime, duration_s: float) -> None:
    """Text messages of the day's callers, told late, repeated and out of order as its calls are."""
    from tests.chaos.days import LATEST_S, LINES, Delivery

    chance = random.Random(f"texts {seed}")
    callers = [(number, call) for number, call in enumerate(day.calls) if call.phone]
    for n in range(int(len(callers) * _MESSAGES_A_CALL)):
        number, call = chance.choice(callers)
        at_s = duration_s * number / max(1, len(day.calls))
        assert call.phone is not None
        outgoing = chance.random() < 0.3
        one = Text(
            call=number,
            id=f"msg-{seed}-{n}",
            phone=call.phone,
            direction="out" if outgoing else "in",
            text=f"Where is parcel {n}?",
        )
        day.texts.append(one)
        body = {
            "message_id": one.id,
            "external_number": call.phone[1:],
            "internal_number": chance.choice(LINES)[1:],
            "text": one.text,
            "sent_at": (began + timedelta(seconds=at_s)).isoformat(),
            # A number that nobody calls from would have no name else.
            "contact_name": sorted(day.names[call.phone])[0],
        }
        late_s = chance.uniform(0, LATEST_S) if chance.random() < 0.15 else chance.uniform(0, 1.5)
        for copy in range(chance.choices((1, 2, chance.randint(3, 10)), (80, 15, 5))[0]):
            told_s = at_s + late_s + (chance.expovariate(1 / 6) if copy else 0)
            trigger = "message-sent" if outgoing else "message-received"
            day.deliveries.append(
                Delivery(at_s=min(duration_s, told_s), call=number, trigger=trigger, body=body, ends=False)
            )
    day.deliveries.sort(key=lambda one: one.at_s)


def add_insights(day: Day, *, seed: int, duration_s: float) -> None:
    """CloudTalk's AI says something of each call in which somebody spoke, and tells so of half of them."""
    from tests.chaos.days import LATEST_S, Delivery

    chance = random.Random(f"insights {seed}")
    for number, call in enumerate(day.calls):
        if not (call.talked or call.kind == "voicemail"):
            continue
        is_long = chance.random() < 0.1
        said = Said(
            summary=f"Summary of call {call.call_id}.",
            spoken=f"Talk of call {call.call_id}.",
            file=f"transcript-{call.call_id}.txt" if is_long else None,
        )
        day.said[number] = said
        told = {
            "summary": said.summary,
            "segments": [
                ("agent", said.spoken),
                *(("contact", f"Sentence {n} of it.") for n in range(400 * is_long)),
            ],
            "ready_after": int(chance.random() < 0.08),
        }
        ends_s = [one.at_s for one in day.upstream if one.call == number]
        for one in day.upstream:
            if one.call == number:
                one.fields["insights"] = told
        if chance.random() < 0.5:
            body: dict[str, Any] = {"call_id": str(call.call_id), "call_uuid": str(call.uuid)}
            if chance.random() < 0.5:
                body["summary"] = said.summary
            for _ in range(chance.choices((1, 3), (85, 15))[0]):
                at_s = min(duration_s, max(ends_s) + chance.uniform(1, LATEST_S))
                day.deliveries.append(
                    Delivery(at_s=at_s, call=number, trigger="insights-ready", body=body, ends=False)
                )
    day.deliveries.sort(key=lambda one: one.at_s)


# -- what Kustomer should hold


def is_of_texts(key: str) -> bool:
    """Whether a conversation has this key because it holds a number's text messages."""
    return key.startswith("cloudtalk:messages:")


def check_options(day: Day, held: Held, verdict: Verdict, options: Collection[str]) -> None:
    """Add what is lost, duplicated or wrong of what the options have the bridge write."""
    keys = Counter(str(one["attributes"].get("externalId")) for one in held.messages)
    verdict.duplicated += [f"{count} messages with the key {key}" for key, count in keys.items() if count > 1]
    left = {str(one["attributes"].get("externalId")): one for one in held.messages}
    if "voice" in options:
        _check_voice(day, held, left, verdict)
    _check_said(day, held, verdict)
    _check_texts(day.texts, held, left, verdict)
    verdict.wrong += [f"a message of no call and no text: {key}" for key in left]


def _check_voice(day: Day, held: Held, left: dict[str, Document], verdict: Verdict) -> None:
    notes = {str(one["attributes"].get("externalId")): one for one in held.notes}
    for call in day.calls:
        key = f"cloudtalk:call:{call.uuid}"
        message, note = left.pop(f"{key}:voice", None), notes.get(f"{key}:note")
        if message is not None and not call.written:
            verdict.wrong.append(f"call {call.call_id}: its voice message was not to be written")
        elif message is None and call.written:
            verdict.lost.append(f"call {call.call_id}: no voice message")
        elif message is not None and note is not None:
            verdict.wrong += [f"call {call.call_id}: {one}" for one in _of_voice(call, message, note)]


def _of_voice(call: Expected, message: Document, note: Document) -> Iterator[str]:
    shown = message["attributes"]
    wanted = {"channel": "voice", "direction": call.direction}
    for name, value in wanted.items():
        if shown.get(name) != value:
            yield f"its voice message's {name} is {shown.get(name)!r}, not {value!r}"
    if call.started_at is not None and _time(shown.get("sentAt")) != call.started_at:
        yield f"its voice message was sent at {shown.get('sentAt')}, not {call.started_at.isoformat()}"
    if _linked(message, "conversation") != _linked(note, "conversation"):
        yield "its voice message is in another conversation than its note"
    if _files(message) != _files(note):
        yield f"its voice message has the files {_files(message)}, its note {_files(note)}"


def _check_said(day: Day, held: Held, verdict: Verdict) -> None:
    notes = {str(one["attributes"].get("externalId")): one for one in held.notes}
    for number, said in day.said.items():
        call = day.calls[number]
        note = notes.get(f"cloudtalk:call:{call.uuid}:note")
        if note is None or not any(line.startswith("CloudTalk call:") for line in call.lines):
            # Lost, or not to be written; or known by its uuid alone, by which nothing can be asked.
            continue
        lines = str(note["attributes"]["body"]).splitlines()
        for what in (said.summary, said.spoken):
            count = sum(line.startswith("> ") and line.endswith(what) for line in lines)
            if count != 1:
                verdict.wrong.append(f"call {call.call_id}: its note says {count} times {what!r}")


def _check_texts(texts: Sequence[Text], held: Held, left: dict[str, Document], verdict: Verdict) -> None:
    phones = {
        one["id"]: {str(phone["phone"]) for phone in one["attributes"]["phones"]} for one in held.customers
    }
    threads = {str(one["attributes"].get("externalId")): one for one in held.conversations}
    for text in texts:
        message, thread = left.pop(f"cloudtalk:message:{text.id}", None), threads.get(_thread(text.phone))
        if message is None or thread is None:
            verdict.lost.append(f"text {text.id}: no {'conversation' if thread is None else 'message'}")
            continue
        shown = message["attributes"]
        said = (shown.get("channel"), shown.get("direction"), shown.get("preview"))
        if said != ("sms", text.direction, text.text):
            verdict.wrong.append(f"text {text.id}: Kustomer shows {said}")
        if _linked(message, "conversation") != {thread["id"]}:
            verdict.wrong.append(f"text {text.id}: it is in another conversation than its number's")
        owner = thread["relationships"]["customer"]["data"]["id"]
        if text.phone not in phones.get(owner, set()):
            verdict.wrong.append(f"text {text.id}: its conversation is another customer's")
    wanted = {_thread(text.phone) for text in texts}
    verdict.wrong += [
        f"a conversation of no text: {key}" for key in threads if is_of_texts(key) and key not in wanted
    ]


def _thread(phone: str) -> str:
    return f"cloudtalk:messages:{phone}"


def _linked(one: Document, name: str) -> set[str]:
    data = one["relationships"].get(name, {}).get("data") or []
    return {item["id"] for item in (data if isinstance(data, list) else [data])}


def _files(one: Document) -> set[str]:
    return _linked(one, "attachments")


def _time(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
