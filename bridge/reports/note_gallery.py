"""Notes as they look in Kustomer, for the handbook: kinds of calls in several languages, made by the code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.languages import Language
from bridge.domain.missed import CallerCall, Item, Kind
from bridge.domain.outcome import Direction, Stage
from bridge.domain.path import Step
from bridge.domain.phone import Kind as PhoneKind
from bridge.domain.phone import Phone
from bridge.domain.policy import DetailWait, Plan, plan
from bridge.domain.recording import Recording, RecordingState, Stored
from bridge.domain.rules.model import Rules

_AT = datetime(2026, 3, 2, 9, 23, tzinfo=UTC)
_ANSWERED = Call(
    uuid=UUID("5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11"),
    call_id=1000000110,
    stage=Stage.ENDED,
    external=Phone(PhoneKind.E164, "+441632960304"),
    internal=Phone(PhoneKind.E164, "+15550100101"),
    line_name="Support",
    direction=Direction.INCOMING,
    agent_id=400101,
    agent_name="Bo Example",
    contact_name="Ada Example",
    started_at=_AT,
    answered_at=_AT + timedelta(seconds=14),
    ended_at=_AT + timedelta(seconds=111),
    talk_seconds=97,
    wait_seconds=14,
    tags=("Billing", "VIP"),
    rating=4,
    recorded=True,
    notes="Wants the March invoice again.",
    path=(
        Step(kind="menu", option="2"),
        Step(kind="queue", name="Billing", wait_seconds=14, answered=True),
        Step(kind="agent", name="Cy Example", answered=False, reason="not_picked_up"),
        Step(kind="agent", name="Bo Example", answered=True, talk_seconds=97),
    ),
)
_MISSED = replace(
    _ANSWERED, talk_seconds=0, answered_at=None, agent_id=None, agent_name=None, recorded=False, notes=None,
    tags=(), rating=None, wait_seconds=31, ended_at=_AT + timedelta(seconds=31), path=(),
)  # fmt: skip
_VOICEMAIL = replace(_MISSED, is_voicemail=True, recorded=True)
_SOUND = Recording(
    sound=RecordingState.STORED,
    seconds=23,
    original=Stored(name="x.wav", content_type="audio/wav", size=400_000, sha256="0"),
)
_ITEM = Item(
    leader="a",
    misses=(
        CallerCall(key="a", kind=Kind.MISS, started_at=_AT),
        CallerCall(key="b", kind=Kind.MISS, started_at=_AT + timedelta(minutes=7)),
    ),
    contacts=(
        CallerCall(
            key="c", kind=Kind.CONTACT, started_at=_AT + timedelta(minutes=40), named="1000000117",
            direction=Direction.OUTGOING, agent="Bo Example",
        ),
    ),
)  # fmt: skip
_LANGUAGES: tuple[tuple[Language, str], ...] = (("en", "English"), ("de", "German"), ("es", "Spanish"))
_KINDS = (
    ("Answered, with `path = true`", _ANSWERED, replace(_SOUND, seconds=97), None),
    ("Missed twice, then called back", _MISSED, Recording(sound=RecordingState.NONE), _ITEM),
    ("Voicemail, with `call_back_minutes = 60`", _VOICEMAIL, _SOUND, None),
)


def gallery() -> str:
    """As Markdown."""
    return "\n\n".join(_shown())


def _shown() -> Iterator[str]:
    for kind, call, recording, item in _KINDS:
        for language, name in _LANGUAGES:
            rules = Rules(
                language=language, note_path=True, call_back_minutes=60, zone="Europe/Berlin", open_hours=None
            )
            want = plan(call, rules, DetailWait.LATE, recording=recording, item=item)
            assert isinstance(want, Plan)  # noqa: S101  # these calls are written
            assert want.note is not None  # noqa: S101
            yield f"{kind}, in {name}; the conversation is named *{want.conversation.name}*:"
            yield "\n".join(f"    {line}".rstrip() for line in want.note.body.split("\n"))
