"""What two sets of choices make of one call: which differ, and what a sync can still change. Pure.

Choices have their bare names, as in a rule's `then`. Only what matters for the call counts: another name for
new customers changes nothing for a caller whom Kustomer had already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from operator import attrgetter
from typing import Any

from bridge.domain.call import Call
from bridge.domain.insight_choices import may_have_insights
from bridge.domain.outcome import Outcome
from bridge.domain.rules.choices import CHOICES, NOT_OF_CALLS
from bridge.domain.rules.model import WRITTEN_AS, Rules
from bridge.domain.rules.when import Caller

# Kinds of differences, as they are counted. `written`: the call is written, or is not.
WRITTEN, CUSTOMER, CONVERSATION, OWNER, NOTE, RECORDING = KINDS = (
    "written",
    "customer",
    "conversation",
    "owner",
    "note",
    "recording",
)
# Of `Rules`, what is no choice for a call; nor are fields that say where a choice comes from.
_NO_CHOICES = frozenset({"rules", "version", "region", "zone", "webhook_keys"}) | {
    choice.field for choice in CHOICES if choice.section in NOT_OF_CALLS
}
# Decide only whether a call is written, which is compared by what follows from them.
_DECIDE_WRITTEN = frozenset({"write", "write_internal", "write_withheld", "write_short"})
# Never looked at by the sync of a call that is written already.
_LIVE_ONLY = frozenset(
    {
        "transcode", "public_link", "link_days",
        "cue_card", "cue_card_conversations", "cue_card_unknown", "cue_card_tags",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of a call beside its events.

    Args:
        caller: whether Kustomer had the customer before; None: nobody has looked.
        candidates: how many customers have the number, as far as that was seen.
        assigned: a person chose the customer, which no rule changes.
        in_kustomer: its conversation is there.
        stored: its recording is in our storage.
    """

    call: Call
    caller: Caller | None = None
    candidates: int = 0
    assigned: bool = False
    in_kustomer: bool = False
    stored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The choices that differ: name -> its value, by the one rules and by the others.

    Args:
        kinds: what they are about.
        moved: kinds that a sync changes for a call that is in Kustomer.
        stays: names of those that no sync changes any more.
    """

    was: Mapping[str, Any]
    would: Mapping[str, Any]
    kinds: frozenset[str]
    moved: frozenset[str]
    stays: tuple[str, ...] = ()


def _always(case: Case, was: Rules, would: Rules) -> bool:
    return True


def _is_new_customer(case: Case, was: Rules, would: Rules) -> bool:
    return case.caller == "unknown" and not case.assigned


def _are_several(case: Case, was: Rules, would: Rules) -> bool:
    return case.candidates > 1 and not case.assigned


def _is_house(case: Case, was: Rules, would: Rules) -> bool:
    several = _are_several(case, was, would) and "house" in (was.several, would.several)
    return several or (_is_new_customer(case, was, would) and "house" in (was.unknown, would.unknown))


def _is_missed(case: Case, was: Rules, would: Rules) -> bool:
    return case.call.outcome in (Outcome.MISSED, Outcome.VOICEMAIL)


def _is_shared(case: Case, was: Rules, would: Rules) -> bool:
    pers = {was.per, would.per}
    return "customer" in pers or ("missed_caller" in pers and _is_missed(case, was, would))


def _is_snoozed(case: Case, was: Rules, would: Rules) -> bool:
    return "snoozed" in (was.status.get(case.call.outcome), would.status.get(case.call.outcome))


def _is_owned(case: Case, was: Rules, would: Rules) -> bool:
    return "none" not in (was.assign, would.assign)


def _is_missed_and_owned(case: Case, was: Rules, would: Rules) -> bool:
    return _is_missed(case, was, would) and _is_owned(case, was, would)


def _has_fields(case: Case, was: Rules, would: Rules) -> bool:
    return (was.fields_as, would.fields_as) != ("none", "none")


def _is_message(case: Case, was: Rules, would: Rules) -> bool:
    return "voice" in was.written_as and "voice" in would.written_as


def _has_insights(case: Case, was: Rules, would: Rules) -> bool:
    return may_have_insights(case.call)


def _has_transcript(case: Case, was: Rules, would: Rules) -> bool:
    return may_have_insights(case.call) or bool(case.call.transcript)


def _is_recorded(case: Case, was: Rules, would: Rules) -> bool:
    return bool(case.call.recorded)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """One field of `Rules`.

    Args:
        moves: a sync changes it for a call that is in Kustomer already, save what a person changed.
    """

    kind: str
    matters: Callable[[Case, Rules, Rules], bool] = _always
    moves: bool = False


_CHOICES: Mapping[str, _Choice] = {
    **dict.fromkeys(
        ("customer_name", "phone_type", "customer_tags", "locale", "customer_custom"),
        _Choice(kind=CUSTOMER, matters=_is_new_customer),
    ),
    "several": _Choice(kind=CUSTOMER, matters=_are_several),
    "unknown": _Choice(kind=CUSTOMER, matters=_is_new_customer),
    "house": _Choice(kind=CUSTOMER, matters=_is_house),
    "per": _Choice(kind=CONVERSATION, matters=_is_shared),
    "within_hours": _Choice(kind=CONVERSATION, matters=_is_shared),
    "snooze_hours": _Choice(kind=CONVERSATION, matters=_is_snoozed),
    "close_missed_on_contact": _Choice(kind=CONVERSATION, matters=_is_missed),
    "due_custom": _Choice(kind=CONVERSATION, matters=_is_missed, moves=True),
    **dict.fromkeys(
        ("name", "status", "tags", "call_tags", "sub_status", "priority", "brand", "queue", "custom"),
        _Choice(kind=CONVERSATION, moves=True),
    ),
    **dict.fromkeys(
        ("call_back_minutes", "open_hours", "holidays"), _Choice(kind=NOTE, matters=_is_missed, moves=True)
    ),
    "note_path": _Choice(kind=NOTE, moves=True),
    **dict.fromkeys(
        ("summary", "sentiment", "smart_notes", "topics", "talk_ratio", "details_link"),
        _Choice(kind=NOTE, matters=_has_insights, moves=True),
    ),
    "transcript": _Choice(kind=NOTE, matters=_has_transcript, moves=True),
    "fields_as": _Choice(kind=CONVERSATION, moves=True),
    "field_names": _Choice(kind=CONVERSATION, matters=_has_fields, moves=True),
    "language": _Choice(kind=NOTE, moves=True),
    "note_template": _Choice(kind=NOTE, moves=True),
    "klass": _Choice(kind=CONVERSATION, matters=_has_fields),
    "write_as": _Choice(kind=NOTE, moves=True),
    # Kustomer takes it with a new message only.
    "auto": _Choice(kind=NOTE, matters=_is_message),
    "assign": _Choice(kind=OWNER, moves=True),
    "team": _Choice(kind=OWNER, moves=True),
    "missed_owner": _Choice(kind=OWNER, matters=_is_missed_and_owned, moves=True),
    **dict.fromkeys(
        ("fallback_team", "agent_table", "agent_domains", "shared_accounts"),
        _Choice(kind=OWNER, matters=_is_owned, moves=True),
    ),
    "record": _Choice(kind=RECORDING, matters=_is_recorded, moves=True),
    "attach": _Choice(kind=RECORDING, matters=_is_recorded, moves=True),
    "largest_attachment": _Choice(kind=RECORDING, matters=_is_recorded, moves=True),
    "link": _Choice(kind=RECORDING, matters=_is_recorded, moves=True),
    "do_not_record": _Choice(kind=RECORDING, matters=_is_recorded),
}
# Customers whom other choices find are on no record.
_CANNOT_TELL = frozenset({"match", "search"})
_NAMES = tuple(
    field.name
    for field in fields(Rules)
    if field.compare and field.name not in _NO_CHOICES | _DECIDE_WRITTEN | _LIVE_ONLY | _CANNOT_TELL
)
# Field of `Rules` -> its name in a rule's `then`.
_BARE = {choice.field: choice.then for choice in CHOICES if choice.field}
_all_values = attrgetter(*_NAMES, *sorted(_DECIDE_WRITTEN))


def same_choices(was: Rules, would: Rules) -> bool:
    return bool(_all_values(was) == _all_values(would))


def not_written_for_customer(case: Case, rules: Rules) -> str:
    """Why the choice of customer keeps a call out, as far as that is on record; else empty."""
    if case.assigned:
        return ""
    if case.caller == "unknown" and rules.unknown == "skip":
        return 'the caller is no customer yet (customer.unknown = "skip")'
    if case.candidates > 1 and rules.several == "none":
        return f'{case.candidates} customers have the number: a person chooses (customer.several = "none")'
    return ""


def changes(case: Case, was: Rules, would: Rules) -> Changes | None:
    """What differs for a call that is written by both; None where nothing does."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    kinds, moved, stays = set(), set(), []
    for name in _NAMES:
        if getattr(was, name) == getattr(would, name):
            continue
        choice = _CHOICES.get(name, _Choice(kind=CONVERSATION))
        if not choice.matters(case, was, would):
            continue
        shown = "tags" if name == "call_tags" else _BARE.get(name, name)
        old, new = _shown(name, case.call, was), _shown(name, case.call, would)
        if old == new or shown in before:
            continue
        before[shown], after[shown] = old, new
        kinds.add(choice.kind)
        if not case.in_kustomer or (choice.moves and _adds(shown, old, new)):
            moved.add(choice.kind)
        else:
            stays.append(shown)
    if not kinds:
        return None
    return Changes(
        was=before, would=after, kinds=frozenset(kinds), moved=frozenset(moved), stays=tuple(stays)
    )


def conversation_of(call: Call, rules: Rules) -> dict[str, Any]:
    """What a call would be written with that is not written so far: the choices that people look at first."""
    found = {"status": rules.status[call.outcome], "tags": _tags(call, rules), "assign": rules.assign}
    return {name: value for name, value in found.items() if value and value != "none"}


def cannot_tell(was: Rules, would: Rules) -> bool:
    """Whether some choice differs whose effect no record shows: which customers are found."""
    return was.searches != would.searches or was.match != would.match


def _adds(name: str, old: Any, new: Any) -> bool:
    """A sync adds tags, attachments, notes and messages; it takes none away."""
    if name == "tags":
        return not set(new) <= set(old)
    if name == "as":
        return not set(WRITTEN_AS[new]) <= set(WRITTEN_AS[old])
    # Nor does it empty a field, or give a conversation to nobody.
    return bool(new) and new not in ("never", "off", "none")


def _shown(name: str, call: Call, rules: Rules) -> Any:
    if name == "status":
        return rules.status[call.outcome]
    if name in ("tags", "call_tags"):
        return _tags(call, rules)
    if name == "largest_attachment":
        return rules.largest_attachment / 1_000_000
    if name == "note_template":
        # Without one a sync writes the built-in note.
        return rules.note_template or "built-in"
    if name == "open_hours":
        return rules.open_hours.text if rules.open_hours else ""
    return _plain(getattr(rules, name))


def _tags(call: Call, rules: Rules) -> list[str]:
    return sorted({*rules.tags, *(call.tags if rules.call_tags else ())})


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, frozenset | tuple | list):
        found = [_plain(one) for one in value]
        return sorted(found) if isinstance(value, frozenset) else found
    return value.isoformat() if isinstance(value, date) else value
