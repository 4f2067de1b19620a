"""Show the agents whose phone rings who calls, according to Kustomer: at most one card a call.

A card that comes late is useless, so a job of its own shows it and never waits for a person: it ends with a
line on the call's record. A card whose reply was lost is not sent again. One that was refused as "no such
active call" is, after 1, 2, 4 and 8 seconds: CloudTalk may not know a call in its first seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from bridge.clients.kustomer import Conversation, Customer
from bridge.deps import Deps, JobResult
from bridge.domain.call import Call
from bridge.domain.choosing import choose
from bridge.domain.cue_card import (
    Caller,
    CueCard,
    OpenConversation,
    card_of_caller,
    card_of_nobody,
    card_of_several,
)
from bridge.domain.kustomer_texts.texts import texts_in
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.values import read_time, read_whole
from bridge.errors import (
    BridgeError,
    Disconnected,
    LeaseLost,
    NotSent,
    NotThereYet,
    Permanent,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from bridge.ledger.calls.record import Record, moment
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.measures import Milestone
from bridge.ledger.queue.claims import Claim
from bridge.sync.cue_card import OF_USE_FOR, CardState, KeptCard, card_of, is_of_use, newest_ring
from bridge.sync.customers.look_up import Found, candidates
from bridge.sync.write_log import WriteLog

_FIRST_PAUSE_MS = 1000
# After so long nothing more is asked for: the card goes out with what is known.
_ENOUGH_S = 1.0
# How long a right that the key lacks is not tried again: each try costs CloudTalk or Kustomer two requests.
_REFUSED_FOR_S = 600
_CARDS_REFUSED = "cloudtalk:no-cue-cards"
_COMPANIES_REFUSED = "kustomer:no-companies"
# The most that Kustomer gives in one page; their order is not documented.
_PAGE = {"page": "1", "pageSize": "100"}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
# In place of a card: why there is none.
_NOT_KNOWN = "no cue card: the caller is not in Kustomer"
_RULES = "no cue card: the rules want none for this caller"
_TOO_LATE = "no cue card: the call no longer rings"


def show_cue_card(claim: Claim, deps: Deps) -> JobResult:
    """One run for one call."""
    record = deps.ledger.read_claimed(claim)
    if record.key != claim.key or record.forgotten:
        return JobResult()
    run = _Run(claim=claim, deps=deps, record=record, call=record.call(deps.rules), kept=card_of(record))
    if run.kept.state is CardState.SENDING:
        return run.ends(CardState.UNSURE, "cue card sent, its reply was lost: not sent again")
    if run.kept.state not in (CardState.TRYING, CardState.INACTIVE):
        return JobResult()
    return run.show()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    claim: Claim
    deps: Deps
    record: Record
    call: Call
    kept: KeptCard
    began: float = field(default_factory=time.monotonic)

    def show(self) -> JobResult:
        if not is_of_use(self.record, self.call, self.now):
            return self.ends(CardState.INACTIVE, _TOO_LATE)
        if self.deps.ledger.memory.cached(_CARDS_REFUSED):
            return self.ends(CardState.NONE, "no cue card: CloudTalk refuses cue cards to the API key")
        try:
            card = CueCard(**self.kept.card) if self.kept.card else self._card()
        except (NotThereYet, RateLimited, LeaseLost):
            raise
        except Unavailable as error:
            return self._again(f"cue card waits: {error}", self.kept)
        if isinstance(card, str):
            return self.ends(CardState.NONE, card)
        return self._send(card)

    @property
    def now(self) -> datetime:
        return moment(self.claim.now_ms) or datetime.now(UTC)

    @property
    def _is_late(self) -> bool:
        """A slow Kustomer: the name alone, now, is worth more than all of it after somebody picked up."""
        return time.monotonic() - self.began > _ENOUGH_S

    def _send(self, card: CueCard) -> JobResult:
        """Send it once, under an intent that says so."""
        fresh = self.deps.ledger.read(self.claim.key, number=self.claim.number)
        if fresh.call(self.deps.rules).ended:
            return self.ends(CardState.NONE, "no cue card: the call has ended")
        log = WriteLog(claim=self.claim, deps=self.deps)
        tried = self._tried(card)
        log.note(Field.CUE_CARD, replace(tried, state=CardState.SENDING).as_text())
        assert self.call.uuid is not None  # noqa: S101 - planned for a call with one
        send = partial(self.deps.cloudtalk.cue_cards.show, self.call.uuid, **asdict(card))
        try:
            log.while_ours(send)
        except NotThereYet as error:
            return self._again(f"cue card not shown yet: {error}", tried)
        except (RateLimited, NotSent) as error:
            # Surely not shown: what was written down before is so again.
            log.note(Field.CUE_CARD, replace(tried, tries=self.kept.tries).as_text())
            if isinstance(error, RateLimited):
                raise
            return self._again(f"cue card waits: {error}", tried)
        except (Permanent, Disconnected) as error:
            if isinstance(error, Unauthorized):
                self.deps.ledger.memory.cache(_CARDS_REFUSED, True, for_s=_REFUSED_FOR_S)
            return self.ends(CardState.NONE, f"no cue card: {error}")
        except Unavailable as error:
            return self.ends(CardState.UNSURE, f"cue card sent, not sent again: {error}")
        return self._shown_now()

    def _shown_now(self) -> JobResult:
        """Its record, which counts how long it took."""
        ring = newest_ring(self.record)
        since_ms = None if ring is None else round(ring.at.timestamp() * 1000)
        milestone = Milestone("cue_card", "ring_to_card", since_ms)
        result = self.ends(CardState.SHOWN, "cue card shown")
        self.deps.ledger.keep(self.claim, result.fields, note=result.log, milestones=[milestone])
        return JobResult()

    def _tried(self, card: CueCard) -> KeptCard:
        ring = newest_ring(self.record)
        return KeptCard(
            state=CardState.TRYING,
            tries=self.kept.tries + 1,
            ring=ring.fingerprint if ring else "",
            card=asdict(card),
        )

    def _again(self, says: str, tried: KeptCard) -> JobResult:
        """Try again in a while, if a card is of use then."""
        tries = max(tried.tries, self.kept.tries + 1)
        pause_ms = _FIRST_PAUSE_MS * 2 ** (tries - 1)
        ring = newest_ring(self.record)
        left_ms = 0 if ring is None else _left_ms(ring.at, self.now)
        if pause_ms > left_ms:
            return self.ends(CardState.INACTIVE, f"{says}; given up")
        kept = replace(tried, state=CardState.TRYING, tries=tries)
        return JobResult(again_in_ms=pause_ms, log=says, fields={Field.CUE_CARD: kept.as_text()})

    def ends(self, state: CardState, says: str) -> JobResult:
        """No more tries, unless the phone of another agent rings later. The texts are not kept."""
        ring = newest_ring(self.record)
        kept = KeptCard(state=state, tries=self.kept.tries, ring=ring.fingerprint if ring else "")
        return JobResult(log=says, fields={Field.CUE_CARD: kept.as_text()})

    # -- who calls

    def _card(self) -> CueCard | str:
        """The card; else why there is none."""
        found = self._customers()
        rules = self.deps.rules.for_call(self.call, "known" if found else "unknown")
        if not rules.cue_card:
            return _RULES
        number, texts = self._number, texts_in(rules.language)
        if not found:
            if not rules.cue_card_unknown:
                return _NOT_KNOWN
            return card_of_nobody(name=self.call.contact_name or "", number=number, texts=texts)
        choice = choose(
            candidates(Found(customers=tuple(found)), self.deps, with_conversations=False),
            rules.several,
            house="",
            same="this number",
        )
        customer = next((one for one in found if one.id == choice.id), None)
        if customer is None:
            links = self.deps.app_links
            names = [(_name_of(one), links.customer(one.id)) for one in found]
            return card_of_several(names, number=number, texts=texts)
        caller = self._caller(customer, rules)
        names_of_tags = rules.cue_card_tags
        return card_of_caller(caller, number=number, texts=texts, zone=rules.zone, tag_names=names_of_tags)

    @property
    def _number(self) -> str:
        return self.call.external.text if self.call.external else ""

    def _customers(self) -> list[Customer]:
        """The one who is remembered for the number, or who was chosen for it; else all who have it."""
        customers = self.deps.kustomer.customers
        remembered = self.deps.ledger.memory.customer_of(self._number)
        there = customers.get(remembered.id) if remembered else None
        if there is not None and not there.fields.get("deleted"):
            return [there]
        return [one for one in customers.all_by_phone(self._number) if not one.fields.get("deleted")]

    def _caller(self, customer: Customer, rules: Rules) -> Caller:
        number = _open_conversations(customer)
        conversations: list[Conversation] = []
        if number != 0 and rules.cue_card_conversations and not self._is_late:
            conversations = self._conversations(customer.id)
        link = self.deps.app_links.customer(customer.id)
        return Caller(
            name=_name_of(customer),
            company=self._company(customer),
            tags=[tag for tag in customer.fields.get("tags") or [] if isinstance(tag, str)],
            open_conversations=number,
            conversations=[self._shown(one) for one in conversations[: rules.cue_card_conversations]],
            last_contact_at=_last_contact(customer, conversations),
            link=link or self._own_page(),
            in_kustomer=bool(link),
        )

    def _conversations(self, customer_id: str) -> list[Conversation]:
        """Those that are not done, the latest first; none where the key may not read them."""
        try:
            page = self.deps.kustomer.conversations.page(_PAGE, customer_id=customer_id)
        except Permanent:
            return []
        found = [one for one in page.items if one.fields.get("status") in ("open", "snoozed")]
        return sorted(found, key=lambda one: _changed_at(one) or _LONG_AGO, reverse=True)

    def _company(self, customer: Customer) -> str:
        """Its name. The bridge needs no right to read companies otherwise, so it may be missing."""
        company_id, memory = customer.company_id, self.deps.ledger.memory
        if company_id is None or self._is_late or memory.cached(_COMPANIES_REFUSED):
            return ""
        try:
            company = self.deps.kustomer.companies.get(company_id)
        except LeaseLost:
            raise
        except BridgeError as error:
            if isinstance(error, Unauthorized):
                memory.cache(_COMPANIES_REFUSED, True, for_s=_REFUSED_FOR_S)
            return ""
        return _text(company.fields.get("name")) if company else ""

    def _shown(self, one: Conversation) -> OpenConversation:
        return OpenConversation(
            name=_text(one.fields.get("name")),
            is_snoozed=one.fields.get("status") == "snoozed",
            changed_at=_changed_at(one),
            link=self.deps.app_links.conversation(one.id),
        )

    def _own_page(self) -> str:
        url = self.deps.public_url
        return f"{url}/calls/{quote(self.record.key, safe=':')}" if url else ""


def _left_ms(since: datetime, now: datetime) -> float:
    return (OF_USE_FOR - (now - since)).total_seconds() * 1000


def _name_of(customer: Customer) -> str:
    return _text(customer.name) or _text(customer.fields.get("displayName"))


def _open_conversations(customer: Customer) -> int | None:
    """How many are not done; None where Kustomer does not say."""
    counts = customer.fields.get("conversationCounts")
    if not isinstance(counts, Mapping):
        return None
    numbers = [read_whole(counts.get(name)) for name in ("open", "snoozed")]
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _changed_at(one: Conversation) -> datetime | None:
    return read_time(one.fields.get("updatedAt")) or read_time(one.fields.get("createdAt"))


def _last_contact(customer: Customer, conversations: list[Conversation]) -> datetime | None:
    """The latest of what Kustomer tells; its own activity counts only where nothing else is known."""
    fields: Mapping[str, Any] = customer.fields
    told = [fields.get("lastCustomerActivityAt")]
    for name in ("lastMessageIn", "lastMessageOut"):
        message = fields.get(name)
        told.append(message.get("sentAt") if isinstance(message, Mapping) else None)
    told += [one.fields.get("createdAt") for one in conversations]
    times = [at for at in map(read_time, told) if at is not None]
    return max(times, default=None) or read_time(fields.get("lastActivityAt"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
