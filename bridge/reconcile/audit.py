"""Read both ends of a span, CloudTalk's calls and Kustomer's conversations, and tell what does not match."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any
from uuid import UUID

from bridge.clients.kustomer import Conversation
from bridge.clients.kustomer.resources import InConversation
from bridge.deps import Deps
from bridge.domain.call_list_item import ListedCall
from bridge.domain.external_ids import OUR_PREFIX, external_ids, key_of, later_key
from bridge.domain.outputs import OUTPUTS, TEXTS
from bridge.domain.recording import RecordingState, attachment_of, may_record
from bridge.domain.synthetic import is_synthetic
from bridge.domain.webhook.values import read_call_id, read_time, read_uuid
from bridge.errors import NotThereYet
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.jobs.detail import UUID_KEPT_S
from bridge.jobs.recording import EXPIRED
from bridge.ledger.calls.call_status import CallState, CallStatus, call_statuses
from bridge.ledger.calls.comparison import keep_calls_missing
from bridge.ledger.calls.record import Record
from bridge.reconcile.compare import Span, ask_page, compare, read_list
from bridge.sync.legs import LEG_OF
from bridge.sync.missed import JOINED
from bridge.sync.shared import SHARED
from bridge.wording import counted

# A conversation may be older or younger than its call by the two services' clocks.
_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(slots=True, kw_only=True)
class Findings:
    """What does not match. Items are plain objects: ids, and why."""

    calls: int = 0
    missing: list[dict[str, Any]] = field(default_factory=list)
    duplicated: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[dict[str, Any]] = field(default_factory=list)
    recordings_missing: list[dict[str, Any]] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.missing or self.duplicated or self.unknown or self.recordings_missing)

    def as_json(self, span: Span) -> dict[str, Any]:
        return {"since": span.since.isoformat(), "until": span.until.isoformat(), **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A call that should be in Kustomer, with its uuid where it could be learnt."""

    call: ListedCall
    standing: CallStatus
    uuid: UUID | None

    @property
    def keys(self) -> tuple[str, ...]:
        """The external ids that its conversation may have, the proper one first."""
        return external_ids(uuid=self.uuid, call_id=self.call.call_id)

    def as_entry(self, **more: Any) -> dict[str, Any]:
        started = self.call.started_at
        return {
            "call_id": self.call.call_id,
            "uuid": str(self.uuid) if self.uuid else None,
            "started_at": started.isoformat() if started else None,
            **more,
        }


class Audit:
    """One look at both ends; reads only."""

    def __init__(
        self,
        deps: Deps,
        span: Span,
        patience: BudgetWaiter,
        *,
        says: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Args: says: called with what is done now."""
        self._deps, self._span, self._patience, self._says = deps, span, patience, says
        self.expected: dict[int, Expected] = {}
        # Not missing: a person decided.
        self.dropped: list[CallStatus] = []
        # Every call that CloudTalk listed, of a day around the span too.
        self._listed: dict[int, ListedCall] = {}
        self._uuids: dict[int, UUID | None] = {}
        # Those among the listed, and not expected, whose uuid is not on record; None: not looked at so far.
        self._others: list[ListedCall] | None = None

    def look(self, now: datetime) -> Findings:
        """What does not match; also kept as the number of missing calls."""
        findings = Findings(calls=self._read_calls(now))
        self._says("reading Kustomer's conversations")
        there = self._read_conversations()
        for place, one in enumerate(self.expected.values(), 1):
            self._says(f"checking call {place:,} of {len(self.expected):,}")
            items = [item for key in one.keys for item in there.pop(key, ())]
            self._check(one, items or self._asked(one), findings)
        # What is left is of no call that should be there.
        findings.unknown = [
            {"conversation_id": item.id, "external_id": key, "created_at": item.fields.get("createdAt")}
            for key, items in there.items()
            for item in items
            if self._is_unknown(key, item)
        ]
        findings.duplicated += [
            {"external_id": key, "conversations": [item.id for item in items]}
            for key, items in there.items()
            if len(items) > 1
        ]
        keep_calls_missing(self._deps.ledger, len(findings.missing))
        self._deps.ledger.keep_facts(last_audit_at=now.timestamp(), calls_duplicated=len(findings.duplicated))
        return findings

    # -- CloudTalk's end

    def _read_calls(self, now: datetime) -> int:
        """Which calls Kustomer should have; answers how many there are in all."""
        ledger, rules, seen = self._deps.ledger, self._deps.rules, 0
        for calls in read_list(self._page, self._span):
            new = {call.call_id: call for call in calls if call.call_id not in self._listed}
            self._listed.update(new)
            found = compare(ledger, rules, new.values(), self._span, now)
            seen += found.calls
            self._says(f"reading CloudTalk's call list, {counted(seen, 'call')} so far")
            self.dropped += found.dropped
            for number, standing in found.known.items():
                if new[number].settled(now) and _to_be_written(standing):
                    self._expect(new[number], standing, standing.uuid)
            for number, uuid in found.new_uuids.items():
                self._expect(new[number], CallStatus(call_id=number), uuid)
            for number, call in found.missing.items():
                self._expect(call, CallStatus(call_id=number), None)
        return seen

    def _expect(self, call: ListedCall, standing: CallStatus, uuid: UUID | None) -> None:
        uuid = uuid or self._uuid_of(call.call_id)
        self.expected[call.call_id] = Expected(call=call, standing=standing, uuid=uuid)

    def _uuid_of(self, number: int) -> UUID | None:
        """Costs a request for a call that the ledger does not know; kept for a day."""
        if number not in self._uuids:
            name = f"uuid-of:{number}"
            known = read_uuid(self._deps.ledger.memory.cached(name))
            if known is None:
                try:
                    body = self._patience.ask(lambda: self._deps.cloudtalk.calls.detail(number))
                    known = read_uuid(body.get("uuid"))
                except NotThereYet:
                    known = None
                if known is not None:
                    self._deps.ledger.memory.cache(name, str(known), for_s=UUID_KEPT_S)
            self._uuids[number] = known
        return self._uuids[number]

    # -- Kustomer's end

    def _read_conversations(self) -> dict[str, list[Conversation]]:
        """Conversations of ours made since the span began, by external id.

        Read from the latest back. Whether that is the latest made or the latest changed is not
        documented; a page on which nothing was changed since is the last of interest in either order.
        """
        found: dict[str, dict[str, Conversation]] = {}
        number, more, since = 1, True, self._span.since - _CLOCKS_DIFFER
        while more:
            page = self._patience.ask(partial(self._deps.kustomer.conversations.latest, number))
            for item in page.items:
                key = str(item.fields.get("externalId") or "")
                # Pages shift while conversations are made: one may come twice.
                if key.startswith(OUR_PREFIX):
                    found.setdefault(key, {})[item.id] = item
            more = page.next_page is not None and any(_touched(item, since) for item in page.items)
            number += 1
        return {key: list(items.values()) for key, items in found.items()}

    def _check(self, one: Expected, items: Sequence[Conversation], findings: Findings) -> None:
        """Compare one call with the conversations under any of its keys."""
        if not items:
            findings.missing.append(one.as_entry(why=_why_missing(one)))
            return
        wants_sound = bool(one.call.recorded) and self._wants_attachment(one)
        names = self._texts(one, items)
        if len(items) == 1 and not wants_sound and all(_count(items[0], name) == 1 for name in names):
            return
        texts = {name: self._texts_of(name, items, one) for name in names}
        ours = {name: first for name, (first, _) in texts.items()}
        if len(items) > 1 or any(len(found) > 1 for found in ours.values()):
            ids = {f"{name}s": [text.id for text in found] for name, found in ours.items()}
            findings.duplicated.append(one.as_entry(conversations=[item.id for item in items], **ids))
        lacking = [name for name in names if not ours[name]]
        if lacking == ["note"] and self._has_joined(one):
            return
        if lacking:
            why = f"its conversation has no {' and no '.join(OUTPUTS[one].title.lower() for one in lacking)}"
            findings.missing.append(one.as_entry(conversation_id=items[0].id, why=why))
        elif wants_sound and not any(text.attachments for found in texts.values() for text in chain(*found)):
            first = {f"{name}_id": found[0].id for name, found in ours.items()}
            findings.recordings_missing.append(
                one.as_entry(conversation_id=items[0].id, **first, why=self._why_silent(one))
            )

    def _texts(self, one: Expected, items: Sequence[Conversation]) -> Sequence[str]:
        """What should tell of the call: what is on record, else what the rules want."""
        rules = self._deps.rules
        if not rules.writes_messages and len(items) == 1 and _count(items[0], "note") == 1:
            return ("note",)
        record = self._record(one)
        written = [name for name in TEXTS if name in record.outputs]
        return written or record.rules_for(record.call(rules), rules).written_as

    def _has_joined(self, one: Expected) -> bool:
        """Whether it is a further missed call of its caller, which the note of the first one counts."""
        outputs = self._record(one).outputs
        return "note" not in outputs and "conversation" in outputs and JOINED in outputs["conversation"].sent

    def _asked(self, one: Expected) -> list[Conversation]:
        """Not among the latest: perhaps it shares another call's, or the list had it elsewhere."""
        written = self._record(one).outputs.get("conversation")
        if written is not None and {LEG_OF, SHARED, JOINED} & written.sent.keys():
            shared = self._patience.ask(lambda: self._deps.kustomer.conversations.get(written.id))
            return [shared] if shared is not None else []
        ask = self._deps.kustomer.conversations.by_external_id
        answers = [self._patience.ask(partial(ask, key)) for key in one.keys]
        return [found for found in answers if found is not None]

    def _texts_of(
        self, name: str, items: Sequence[Conversation], one: Expected
    ) -> tuple[list[InConversation], list[InConversation]]:
        """The call's note or message (or, by mistake, several), and the second note of an edited one."""
        kustomer = self._deps.kustomer
        every: Callable[..., Iterator[InConversation]] = (
            kustomer.notes.every if name == "note" else kustomer.messages.every
        )
        found: list[InConversation] = []
        for item in items:
            found += self._patience.ask(partial(_listed, every, item.id))
        first = {key_of(name, key) for key in one.keys}
        second = {*map(later_key, first)}
        return (
            [text for text in found if text.external_id in first],
            [text for text in found if text.external_id in second],
        )

    def _wants_attachment(self, one: Expected) -> bool:
        """Whether the rules, and what is known of the recording, let one expect it at the note."""
        record = self._record(one)
        call = record.call(self._deps.rules)
        rules = record.rules_for(call, self._deps.rules)
        if rules.attach == "never" or not may_record(call, rules):
            return False
        recording = record.recording(rules, call)
        if recording.sound is RecordingState.STORED:
            return attachment_of(recording, rules) is not None
        return not (recording.sound is RecordingState.GONE and recording.reason == EXPIRED)

    def _why_silent(self, one: Expected) -> str:
        record = self._record(one)
        if "attachment" in record.outputs:
            return "was attached, and is no longer on the note"
        if record.recording(self._deps.rules, record.call(self._deps.rules)).sound is RecordingState.NONE:
            return "known only from CloudTalk's list"
        return "not fetched yet" if one.standing.recording_due else "not fetched, or not attached"

    def _record(self, one: Expected) -> Record:
        return self._deps.ledger.read(one.standing.key)

    # -- both

    def _is_unknown(self, key: str, item: Conversation) -> bool:
        """Whether no call belongs to a conversation of this span."""
        made = read_time(item.fields.get("createdAt"))
        if made is None or not self._span.since <= made < self._span.until:
            return False
        uuid = read_uuid(key.removeprefix(OUR_PREFIX))
        if is_synthetic(uuid):
            return False
        if uuid is None:
            return read_call_id(key.removeprefix(f"{OUR_PREFIX}id:")) not in self._listed
        record = self._deps.ledger.read(f"uuid:{uuid}")
        if record.exists:
            started = record.call(self._deps.rules).started_at
            listed = record.call_id in self._listed
            return not listed and started is not None and self._span.since <= started < self._span.until
        return all(self._uuid_of(number) != uuid for number in self._unexplained(made))

    def _unexplained(self, made: datetime) -> Iterator[int]:
        """Listed calls whose uuid is not known, those nearest before the conversation first."""
        if self._others is None:
            others = [call for number, call in self._listed.items() if number not in self.expected]
            known = call_statuses(self._deps.ledger, [call.call_id for call in others])
            self._others = [call for call in others if known[call.call_id].uuid is None]
        long_ago = datetime.min.replace(tzinfo=UTC)
        nearest = sorted(self._others, key=lambda call: abs(made - (call.started_at or long_ago)))
        yield from (call.call_id for call in nearest)

    def _page(self, span: Span, number: int) -> Any:
        return self._patience.ask(lambda: ask_page(self._deps, span, number))


def _listed(every: Callable[..., Iterator[InConversation]], conversation_id: str) -> list[InConversation]:
    return list(every(conversation_id=conversation_id))


def _count(item: Conversation, name: str) -> object:
    """How many of them a conversation says that it has."""
    return item.fields.get(OUTPUTS[name].counted_as)


def _to_be_written(standing: CallStatus) -> bool:
    """Not one that was forgotten on request, dropped by a person, or kept out by its webhooks."""
    if standing.stands is CallState.SKIPPED:
        # Only the list has it, and its uuid could not be had.
        return standing.listed and standing.uuid is None
    return standing.stands not in (CallState.FORGOTTEN, CallState.DROPPED)


def _why_missing(one: Expected) -> str:
    if one.standing.conversation_id is not None:
        return f"written as {one.standing.conversation_id}, since deleted or merged"
    if one.standing.stands is CallState.PARKED:
        return f"failed: {one.standing.reason}"
    if one.standing.stands is CallState.UNKNOWN:
        return "no webhook came" if one.uuid else "no webhook came, and CloudTalk gave no uuid"
    return one.standing.reason or "in progress"


def _touched(item: Conversation, since: datetime) -> bool:
    times = (read_time(item.fields.get(name)) for name in ("createdAt", "updatedAt"))
    known_times = [at for at in times if at is not None]
    return not known_times or max(known_times) >= since
