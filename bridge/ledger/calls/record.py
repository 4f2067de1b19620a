"""What the ledger holds of one call, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from bridge.domain.call import Call, fold
from bridge.domain.call_list_item import read_listed
from bridge.domain.detail import Detail, read_detail
from bridge.domain.insights import ANNOUNCED_BY, NO_INSIGHTS, Insights, read_insights, still_gone
from bridge.domain.outcome import Stage
from bridge.domain.outputs import TEXTS
from bridge.domain.owners import Owner, needs_path
from bridge.domain.recording import Recording, read_recording
from bridge.domain.rules.model import Rules
from bridge.domain.rules.when import Caller
from bridge.domain.webhook.events import Event, read_event
from bridge.domain.webhook.values import read_call_id, read_flag
from bridge.ledger.calls.record_fields import Family, Field, State
from bridge.ledger.keys import Lane


def moment(ms: float | str | None) -> datetime | None:
    """Milliseconds since 1970, as scripts count, as a point in time."""
    return None if ms is None else datetime.fromtimestamp(float(ms) / 1000, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptEvent:
    """One delivery as it came, and how often it came."""

    fingerprint: str
    trigger: str
    body: Mapping[str, Any]
    at: datetime
    last_at: datetime
    times: int
    signed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What we learnt by asking."""

    name: str
    body: Mapping[str, Any]
    asked_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One thing written to Kustomer: its id there, and the fields last sent."""

    id: str
    sent: Mapping[str, Any]
    created: bool = False
    # What Kustomer showed after our last write, of fields that it shows in another form than they are sent.
    shown: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Everything kept about one call, both parts of it where it came under both ids."""

    key: str
    uuid: UUID | None = None
    call_id: int | None = None
    events: tuple[KeptEvent, ...] = ()
    observations: Mapping[str, Observation] = field(default_factory=dict)
    outputs: Mapping[str, Written] = field(default_factory=dict)
    # Creations begun and not known to have ended: name -> the fields sent.
    intents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    # Changes of what is there, begun and not known to have ended: name -> the fields sent.
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    log: tuple[Mapping[str, Any], ...] = ()
    # When something was last learnt of it, under either id, ms since 1970.
    learnt_ms: int = 0
    # The events as they were read last, with the rules: a run asks for them several times.
    _read: list[tuple[Rules, tuple[Event, ...]]] = field(
        init=False, default_factory=list, repr=False, compare=False
    )

    @property
    def own_keys(self) -> tuple[str, ...]:
        """Its key; where two records were joined, that of the other one, too."""
        joined = self.key.startswith("uuid:") and self.call_id is not None
        return (self.key, f"id:{self.call_id}") if joined else (self.key,)

    @property
    def exists(self) -> bool:
        return bool(self.fields or self.events)

    @property
    def is_written(self) -> bool:
        """Whether Kustomer has something that tells people of the call."""
        return any(name in self.outputs for name in TEXTS)

    @property
    def forgotten(self) -> bool:
        """Removed on request; only that is kept."""
        return Field.FORGOTTEN in self.fields

    @property
    def heard_at(self) -> datetime | None:
        """When the first webhook or answer about it came."""
        return moment(self.fields.get(Field.FIRST_AT))

    @property
    def contested(self) -> bool:
        """Two events say of one number that it is theirs, and CloudTalk has not said yet whose it is."""
        return Field.CONTESTED in self.fields

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What events said of its ids that cannot be true together, and what became of it."""
        said = []
        if rival := self.fields.get(Field.RIVAL):
            settled = "asking CloudTalk which is right" if self.contested else "it belongs to this call"
            said.append(f"an event also gave call {self.call_id} the uuid {rival}: {settled}")
        if other := self.fields.get(Field.CONFLICT):
            said.append(f"an event says that this is call {other}, but that id belongs to another call")
        if other := self.fields.get(Field.UNTIED):
            said.append(f"an event said that this is call {other}, but that is another call")
        return tuple(said)

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many events of a trigger came beyond those that are kept."""
        return {name: int(n) for name, n in Family.LEFT_OUT.of(self.fields).items() if ":" not in name}

    @property
    def state(self) -> State | None:
        """What the last sync said, or a person; None before the first."""
        text = self.fields.get(Field.STATE)
        return next((state for state in State if state == text), None)

    @property
    def reason(self) -> str | None:
        return self.fields.get(Field.REASON)

    @property
    def rules_version(self) -> str | None:
        """Of the rules by which it was written or kept out; None before that."""
        return self.fields.get(Field.RULES)

    @property
    def caller(self) -> Caller | None:
        """Whether Kustomer had the customer before this call; None: nobody has looked."""
        text = self.fields.get(Field.CALLER)
        return cast(Caller, text) if text in ("known", "unknown") else None

    @property
    def synced_at(self) -> datetime | None:
        return moment(self.fields.get(Field.SYNCED_AT) or None)

    @property
    def changing_since(self) -> datetime | None:
        """When the first of the changes was seen that wait until no more follow."""
        return moment(self.fields.get(Field.CHANGING_SINCE) or None)

    @property
    def customer_why(self) -> str:
        """Why this customer was taken, or none; empty where only one has the number."""
        return self.fields.get(Field.CUSTOMER_WHY, "")

    @property
    def owner(self) -> Owner | None:
        """To whom its conversation was given, and why; None where the rules give it to nobody."""
        text = self.fields.get(Field.OWNER)
        return Owner.read(json.loads(text)) if text else None

    @property
    def candidates(self) -> list[dict[str, str | None]]:
        """Customers that share the number: id and name of each."""
        return cast(list[dict[str, str | None]], json.loads(self.fields.get(Field.CANDIDATES) or "[]"))

    @property
    def assigned(self) -> str | None:
        """Id of the customer that a person chose for it."""
        return self.fields.get(Field.ASSIGNED)

    @property
    def is_assigned_anew(self) -> bool:
        """Whether a person chose a customer, and the call is not that customer's yet."""
        return self.assigned is not None and self.assigned != self.moved_to

    @property
    def moved_to(self) -> str | None:
        """Id of the customer to whom its conversation was moved for that."""
        return self.fields.get(Field.MOVED)

    @property
    def asking(self) -> str | None:
        """The kind of the job that asks CloudTalk about it."""
        return self.fields.get(Field.ASKING)

    @property
    def asking_since_ms(self) -> int | None:
        """Since when CloudTalk was asked in vain."""
        return self._number(Field.ASKING_SINCE)

    @property
    def looked_at_ms(self) -> int:
        """When the list was read in which it was looked for last."""
        return self._number(Field.LOOKED_AT) or 0

    @property
    def recording_asks(self) -> int | None:
        """How often its recording was asked for in vain; None: not yet, or given up."""
        return self._number(Field.RECORDING_ASKS)

    @property
    def recording_since_ms(self) -> int | None:
        return self._number(Field.RECORDING_SINCE)

    def _number(self, name: Field) -> int | None:
        text = self.fields.get(name)
        return None if text is None else int(text)

    @property
    def verify_requested(self) -> bool:
        """Asked to be run again, or restored: what it says of Kustomer may be out of date."""
        return self.fields.get(Field.VERIFY) == "1"

    @property
    def listed(self) -> bool:
        """Known from CloudTalk's list alone; a lost ledger may have received the webhook, and written."""
        return "listed" in self.observations

    def lane(self, usual: Lane) -> Lane:
        """The lane of its jobs: a call known only from the list does not delay live ones."""
        return Lane.BACKFILL if self.listed and not self.events else usual

    def read_events(self, rules: Rules) -> list[Event]:
        """The events, read anew: a mended parser can be run over yesterday's calls.

        What CloudTalk's list says stands in for those that never came: for all of them, or for the one that
        would have told the end. Where they told it the list is left out, as the two may differ by a second.
        """
        for known, events in self._read:
            # The choices for one call read webhooks as the file's do.
            if known is rules or _read_alike(known, rules):
                return list(events)
        found = self._read_events(rules)
        self._read[:] = [(rules, tuple(found))]
        return found

    def _read_events(self, rules: Rules) -> list[Event]:
        read = (_event_of(kept, rules) for kept in self.events)
        events = [event for event in read if event is not None]
        if any(event.stage is Stage.ENDED for event in events):
            return events
        kept = self.observations.get("listed")
        listed = read_listed(kept.body, region=rules.region) if kept is not None else None
        if kept is None or listed is None or (events and listed.ended_at is None):
            return events
        return [*events, listed.as_event(kept.at)]

    def read_detail(self, rules: Rules) -> Detail | None:
        kept = self.observations.get("detail")
        if kept is None:
            return None
        return read_detail(kept.body, asked_at=kept.asked_at, region=rules.region)

    @property
    def recording_announced_at(self) -> datetime | None:
        """When CloudTalk last said that there is a recording."""
        return max((e.last_at for e in self.events if e.trigger == "recording-uploaded"), default=None)

    @property
    def insights_announced(self) -> Mapping[str, datetime]:
        """Name of an insight -> when CloudTalk last said that it is ready."""
        found: dict[str, datetime] = {}
        for event in self.events:
            for name in ANNOUNCED_BY.get(event.trigger, ()):
                found[name] = max(found.get(name, event.last_at), event.last_at)
        return found

    @property
    def asked_insights(self) -> Mapping[str, Any]:
        """What was asked of CloudTalk's AI (`jobs/insights.py` writes and reads it)."""
        return cast(Mapping[str, Any], json.loads(self.fields.get(Field.INSIGHTS) or "{}"))

    @property
    def insights(self) -> Insights:
        """What CloudTalk's AI answered about the call."""
        answers, gone = self.observations.get("insights"), self.observations.get("insights_gone")
        if answers is None and gone is None:
            return NO_INSIGHTS
        return read_insights(
            answers.body if answers else {},
            gone=still_gone(gone.body, self.insights_announced) if gone else None,
            refused_file=self.fields.get(Family.REFUSED.field("transcript"), ""),
        )

    def agent_of(self, agent_id: int | None) -> Mapping[str, Any] | None:
        """What CloudTalk's list said of the agent with this number; None where it was not asked."""
        text = self.fields.get(Field.AGENT)
        if text is None or agent_id is None:
            return None
        kept: Mapping[str, Any] = json.loads(text)
        return kept if kept.get("id") == agent_id else None

    def rules_for(self, call: Call, rules: Rules) -> Rules:
        """The choices for this call."""
        return rules.for_call(call, self.caller)

    def recording(self, rules: Rules, call: Call) -> Recording:
        """What is known of the call's recording."""
        rules = self.rules_for(call, rules)
        stored, gone = self.observations.get("recording"), self.observations.get("recording_gone")
        announced_at = self.recording_announced_at
        if gone is not None and announced_at is not None and announced_at > gone.at:
            # Announced anew since CloudTalk said that it had none.
            gone = None
        return read_recording(
            call,
            rules,
            stored=stored.body if stored else None,
            gone=gone.body if gone else None,
            refused=self.fields.get(Family.REFUSED.field("attachment"), ""),
        )

    def call(self, rules: Rules) -> Call:
        """The call that events and observations make."""
        call = fold(
            self.read_events(rules),
            self.read_detail(rules),
            needs_path=lambda call: rules.needs_path(call) or needs_path(call, rules),
        )
        # Ids learnt on the way (one part found the other) count as told; another call's number does not.
        others = {self.fields.get(Field.CONFLICT), self.fields.get(Field.UNTIED)}
        told_id = None if str(call.call_id) in others else call.call_id
        agent = self.agent_of(call.agent_id) or {}
        return replace(
            call,
            uuid=self.uuid if self.uuid is not None else call.uuid,
            call_id=self.call_id if self.call_id is not None else told_id,
            agent_name=call.agent_name or agent.get("name"),
            agent_email=call.agent_email or agent.get("email"),
            wants_detail=call.wants_detail or self.contested,
            # The list reports a recording whose webhook never came.
            legs=self._legs(call),
            insights=self.insights,
            recorded=call.recorded or read_flag(self._listed_body.get("recorded")) or call.recorded,
        )

    def _legs(self, call: Call) -> tuple[int, ...]:
        """What the list means by `transferred_from` is not documented: a call, an agent or a number."""
        first = read_call_id(self._listed_body.get("transferred_from"))
        return call.legs if first is None else tuple(sorted({*call.legs, first} - {self.call_id or 0}))

    @property
    def _listed_body(self) -> Mapping[str, Any]:
        kept = self.observations.get("listed")
        return kept.body if kept is not None else {}


def _event_of(kept: KeptEvent, rules: Rules) -> Event | None:
    """None: it tells of no call by the rules in force."""
    event = read_event(kept.trigger or None, kept.body, rules, received_at=kept.last_at)
    if not isinstance(event, Event):
        return None
    return replace(event, signed=True) if kept.signed else event


def _read_alike(one: Rules, other: Rules) -> bool:
    return one.region == other.region and one.webhook_keys == other.webhook_keys
