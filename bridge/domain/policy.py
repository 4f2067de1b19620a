"""A call and the rules become what Kustomer should hold: a customer, a conversation, a note or message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import Any
from zoneinfo import ZoneInfo

from bridge.domain.call import Call
from bridge.domain.conversation import conversation_choices
from bridge.domain.external_ids import external_ids, key_of, number_key, object_id
from bridge.domain.fields import field_values
from bridge.domain.files import AttachmentDraft, files_of, transcript_file
from bridge.domain.insight_choices import as_chosen
from bridge.domain.kustomer_texts.later import LaterTexts, later_texts
from bridge.domain.kustomer_texts.note import cut, length, says_all, title
from bridge.domain.kustomer_texts.recording import recording_state
from bridge.domain.kustomer_texts.tags import LONGEST_TAG, MOST_TAGS, in_kustomers_letters, tags_of_people
from bridge.domain.kustomer_texts.texts import texts_in
from bridge.domain.missed import Item, note_lines
from bridge.domain.note_body import note_body
from bridge.domain.outcome import Direction, Outcome, Status
from bridge.domain.phone import Kind
from bridge.domain.recording import NO_RECORDING, Recording
from bridge.domain.rules.model import Rules
from bridge.domain.template_fields import values_of
from bridge.domain.templates import render_line
from bridge.domain.voice import VoiceDraft, direction_of, meta_of

# Why a call waits that nobody hung up yet.
GOES_ON = "no webhook has reported the end of the call yet"
_LONGEST_NAME = 256
# Choices that decide whether a call is written.
_WHETHER = ("write", "write_internal", "write_withheld", "write_short")


class DetailWait(Enum):
    """How long we have waited for what the webhooks left out."""

    FRESH = auto()  # CloudTalk is being asked, and other webhooks may still come
    LATE = auto()  # waited long enough to write what is there, but CloudTalk may still answer
    GONE = auto()  # CloudTalk does not know the call: what the events say is all there will be


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerDraft:
    """The customer wanted: found by phone (E.164), else by external id.

    Args:
        name: as CloudTalk's contact has it.
        placeholder: the name to create it under where no contact tells one; it gives way to a contact's.
        house: the id of the customer of the rules for calls that have none.
    """

    phone: str | None
    external_id: str | None = None
    name: str | None = None
    placeholder: str = ""
    house: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationDraft:
    """The conversation wanted. Kustomer takes a sub-status and a snooze only of one that exists.

    Args:
        snooze_until: when a snoozed one wakes.
        began_at: when the call began.
        custom: attributes by name, as Kustomer takes them.
    """

    external_id: str
    name: str
    direction: str | None
    status: Status
    tags: tuple[str, ...]
    sub_status: str = ""
    snooze_until: datetime | None = None
    began_at: datetime | None = None
    priority: int | None = None
    brand: str = ""
    queue: str = ""
    custom: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteDraft:
    """The note wanted; `id` is 24 hex digits made from the external id, so that a repeat shows."""

    external_id: str
    id: str
    body: str
    # Makes what an earlier version sent where it meant the same; a note that is there is compared with it.
    former: Callable[[], str] = field(default=str, compare=False)
    # Of the second note, which says what is new once a person has edited this one.
    later: LaterTexts = field(default_factory=LaterTexts)

    @property
    def text(self) -> str:
        return self.body

    @property
    def former_body(self) -> str:
        return self.former()


@dataclass(frozen=True, slots=True, kw_only=True)
class KlassDraft:
    """The custom object (KObject) wanted: the call's values for reports.

    Args:
        klass: the name of its class in Kustomer.
        custom: attributes by name, as Kustomer takes them.
    """

    klass: str
    external_id: str
    title: str
    description: str
    custom: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Args: note, voice: what the call is written as; None where the rules do not want it."""

    customer: CustomerDraft
    conversation: ConversationDraft
    note: NoteDraft | None = None
    voice: VoiceDraft | None = None
    files: tuple[AttachmentDraft, ...] = ()
    klass: KlassDraft | None = None
    # Sentences about what Kustomer does not take.
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to write yet."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Nothing to write at all, by the rules; explained to whoever looks."""

    reason: str


def policy(call: Call, rules: Rules, patience: DetailWait = DetailWait.FRESH) -> CustomerDraft | Wait | Skip:
    """Whose customer record the call belongs to, or why the call is not written yet, or not at all."""
    if call.outcome is Outcome.INTERNAL and not rules.write_internal:
        return Skip(reason="internal call (write.internal is off)")
    if not call.ended:
        if patience is DetailWait.GONE:
            return Skip(reason="no webhook reported its end, and CloudTalk does not know the call")
        return Wait(reason=GOES_ON)
    if call.wants_detail and patience is DetailWait.FRESH:
        return Wait(reason="waiting for call details from CloudTalk")
    if not rules.write:
        return Skip(reason=f"{rules.origin_of('write')} not to write it")
    if call.uuid is None and patience is not DetailWait.GONE:
        return Wait(reason="waiting for CloudTalk to give the call's uuid")
    return _customer_or_skip(call, rules, patience)


def _customer_or_skip(call: Call, rules: Rules, patience: DetailWait) -> CustomerDraft | Wait | Skip:
    customer = customer_of(call, rules)
    if isinstance(customer, CustomerDraft):
        return customer
    if call.external is None and patience is not DetailWait.GONE and call.wants_detail:
        return Wait(reason="waiting for CloudTalk to give the customer's number")
    return Skip(reason=customer)


def plan(
    call: Call,
    rules: Rules,
    patience: DetailWait = DetailWait.FRESH,
    *,
    recording: Recording = NO_RECORDING,
    link: str = "",
    item: Item | None = None,
    first_of_day: bool | None = None,
) -> Plan | Wait | Skip:
    """What Kustomer should hold for this call, or why nothing.

    Args:
        link: where people can play the recording, for a note that cannot have it attached.
        item: of a missed call, the further ones that joined it and the calls that followed.
        first_of_day: whether it is the first call of its number that day; None: not known.
    """
    customer = policy(call, rules, patience)
    if not isinstance(customer, CustomerDraft):
        return customer
    external_id = external_ids(uuid=call.uuid, call_id=call.call_id)[0]
    call = as_chosen(call, rules)
    tags, left_out = _tags(call, rules)
    # No promise of more, once CloudTalk has said that there is no more.
    settled = replace(call, wants_detail=False) if patience is DetailWait.GONE else call
    settled = settled if rules.note_path else settled.without_path()
    life = note_lines(call, rules, item)
    texts = texts_in(rules.language)
    sound = recording_state(recording, rules, link, texts)
    transcript = transcript_file(settled)
    made = note_body(settled, rules, texts, sound, life, transcript.name if transcript else "")
    fits = transcript is None or says_all(made.body, settled, texts)
    note = NoteDraft(
        external_id=key_of("note", external_id),
        id=object_id(key_of("note", external_id)),
        body=made.body,
        former=made.former,
        later=later_texts(call, texts),
    )
    return Plan(
        customer=customer,
        conversation=ConversationDraft(
            external_id=external_id,
            name=_named(rules.name, call, rules, sound=sound),
            direction=_DIRECTION.get(call.direction) if call.direction else None,
            tags=tags,
            began_at=call.started_at or call.ended_at,
            **conversation_choices(call, rules, item, first_of_day=first_of_day),
        ),
        note=note if "note" in rules.written_as else None,
        voice=_voice(call, rules, external_id, note) if "voice" in rules.written_as else None,
        files=tuple(files_of(call, recording, rules, None if fits else transcript)),
        klass=_klass(call, rules, external_id, first_of_day),
        left_out=(*left_out, *made.left_out),
    )


def kept_out(call: Call, rules: Rules) -> str:
    """Why the rules say not to write a call of which the list alone tells.

    Args:
        call: with what the list says of it (`ListedCall.as_call`).
    Returns:
        Empty when the rules do not say so, or when that depends on more.
    """
    want = plan(call, rules.for_call(call), DetailWait.GONE)
    if not isinstance(want, Skip) or any(rules.is_open(choice, call) for choice in _WHETHER):
        return ""
    return want.reason


def _klass(call: Call, rules: Rules, external_id: str, first_of_day: bool | None) -> KlassDraft | None:
    if rules.fields_as != "klass":
        return None
    number = f"CloudTalk call {call.call_id}" if call.call_id is not None else "CloudTalk call"
    return KlassDraft(
        klass=rules.klass,
        external_id=key_of("klass", external_id),
        title=_with_its_time(_named(rules.name, call, rules), call, rules),
        description=number,
        custom=field_values(call, rules.field_names, zone=rules.zone, first_of_day=first_of_day),
    )


def _with_its_time(name: str, call: Call, rules: Rules) -> str:
    """So that two calls of one caller differ in a list."""
    began = call.started_at or call.ended_at
    if began is None:
        return name
    texts, local = texts_in(rules.language), began.astimezone(ZoneInfo(rules.zone))
    time = f", {texts.day(local)}, {local:%H:%M}"
    return f"{cut(name, _LONGEST_NAME - length(time), texts)}{time}"


def _voice(call: Call, rules: Rules, external_id: str, note: NoteDraft) -> VoiceDraft:
    """With the text of the note; beside a note with the call's title alone, as the note says the rest."""
    texts = texts_in(rules.language)
    short = cut(title(call, texts), _LONGEST_NAME, texts)
    return VoiceDraft(
        external_id=key_of("voice", external_id),
        id=object_id(key_of("voice", external_id)),
        direction=direction_of(call),
        sent_at=call.started_at or call.ended_at,
        preview=short if "note" in rules.written_as else note.body,
        meta=meta_of(call),
        auto=rules.auto,
    )


def customer_of(call: Call, rules: Rules) -> CustomerDraft | str:
    """Who the customer is, or the reason why there is none to write."""
    phone = call.external
    if call.outcome is Outcome.INTERNAL:
        return CustomerDraft(phone=None, external_id="cloudtalk:internal", name="Internal calls")
    if phone is None:
        return "the webhook contained no customer number"
    match phone.kind:
        case Kind.E164:
            name, placeholder = _names(call, rules)
            return CustomerDraft(phone=phone.text, name=name, placeholder=placeholder)
        case Kind.WITHHELD if rules.write_withheld:
            house = rules.house if rules.unknown == "house" else ""
            return CustomerDraft(
                phone=None, external_id="cloudtalk:withheld", name="Number withheld", house=house
            )
        case Kind.WITHHELD:
            return "the caller withheld the number (write.withheld is off)"
        case _ if rules.write_short:
            name, placeholder = _names(call, rules)
            return CustomerDraft(
                phone=None,
                external_id=number_key(phone.text),
                name=name,
                placeholder=placeholder or phone.text,
            )
        case _:
            return f"cannot be called back: {phone.masked} (write.short is off)"


def _names(call: Call, rules: Rules) -> tuple[str | None, str]:
    """The name that CloudTalk's contact gives a customer, and the one for want of it.

    A template that does not name the caller is for those without a contact.
    """
    own = cut(call.contact_name, _LONGEST_NAME) if call.contact_name else None
    if not rules.customer_name:
        return own, ""
    placeholder = _named(rules.customer_name, replace(call, contact_name=None), rules, otherwise="")
    named = _named(rules.customer_name, call, rules, otherwise=own or "") if own else None
    return own if named == placeholder else named, placeholder


def _named(template: str, call: Call, rules: Rules, *, sound: str = "", otherwise: str | None = None) -> str:
    """A name by the operator's template, without one the title of the call."""
    texts = texts_in(rules.language)
    built_in = title(call, texts)
    if not template:
        return cut(built_in, _LONGEST_NAME, texts)
    values = values_of(call, title=built_in, zone=rules.zone, recording=sound, texts=texts)
    named = render_line(template, values, built_in if otherwise is None else otherwise)
    return cut(named, _LONGEST_NAME, texts)


_DIRECTION = {Direction.INCOMING: "in", Direction.OUTGOING: "out"}


def _tags(call: Call, rules: Rules) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tags to write, and what is to be said of those that are left out."""
    ours = [in_kustomers_letters(tag)[:LONGEST_TAG].strip() for tag in rules.tags]
    theirs, left_out = tags_of_people(call.tags if rules.call_tags else ())
    tags = list(dict.fromkeys(tag for tag in (*ours, *theirs) if tag))
    if tags[MOST_TAGS:]:
        left_out.append(f"tags left out, Kustomer accepts {MOST_TAGS}: {', '.join(tags[MOST_TAGS:])}")
    return tuple(sorted(tags[:MOST_TAGS])), tuple(left_out)
