"""Ask CloudTalk about one call: `detail` by its number, `identify` where only its uuid is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from bridge.deps import Deps, JobResult
from bridge.domain.call import Call
from bridge.domain.phone import Kind
from bridge.domain.webhook.values import read_uuid
from bridge.errors import NotThereYet
from bridge.jobs.looking import (
    ALL_LOOKS,
    LIST_LOOKS,
    Seen,
    ask,
    heard_at,
    is_asked_slowly,
    is_confirmed,
    newest_of,
    seen_of,
)
from bridge.ledger.budgets.requesters import looking
from bridge.ledger.calls.joining import learn_uuid
from bridge.ledger.calls.learning import ASKED
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.keys import Lane
from bridge.ledger.queue.claims import Claim

# How long CloudTalk may say "not there (yet)" before we write what we have, and keep asking slowly.
_GIVE_UP_AFTER = timedelta(seconds=12)
_ASK_SLOWLY_FOR = timedelta(hours=24)
# Each candidate costs a request out of a small budget.
_MOST_CANDIDATES = 5
UUID_KEPT_S = 86_400
_FIRST_BEAT_MS = 300_000


def ask_detail(claim: Claim, deps: Deps) -> JobResult:
    """Call detail of a call whose number is known; its answer joins the number with the uuid."""
    record = deps.ledger.read_claimed(claim)
    call = record.call(deps.rules)
    if not call.wants_detail:
        return JobResult()
    if call.call_id is None:
        return _identify(claim, deps, record, call)
    try:
        missed = record.asking_since_ms is not None
        body = ask(
            claim, deps, record, call, partial(deps.cloudtalk.calls.detail, call.call_id), missed=missed
        )
        uuid = read_uuid(body.get("uuid"))
        if record.contested and uuid is not None:
            learn_uuid(deps.ledger, claim, record, uuid, call.call_id, "identity", {"uuid": str(uuid)})
            if uuid != record.uuid:
                return JobResult(log="CloudTalk says that its id belongs to another call")
        if not call.ended and not body.get("status"):
            raise NotThereYet(f"CloudTalk does not say that call {call.call_id} has ended")
    except NotThereYet as error:
        return _not_yet(claim, deps, record, error)
    deps.ledger.keep(claim, {Field.ASKING_SINCE: None})
    learn_uuid(deps.ledger, claim, record, uuid or record.uuid, call.call_id, "detail", body)
    return JobResult(log="asked CloudTalk for call details")


def identify(claim: Claim, deps: Deps) -> JobResult:
    """Find the number of a call that is known by its uuid only."""
    record = deps.ledger.read_claimed(claim)
    call = record.call(deps.rules)
    if not call.wants_detail:
        return JobResult()
    if call.call_id is not None:
        # The other part of the record turned up meanwhile.
        return ask_detail(claim, deps)
    return _identify(claim, deps, record, call)


def _identify(claim: Claim, deps: Deps, record: Record, call: Call) -> JobResult:
    """There is no look-up by uuid: list by number and time, ask for each candidate until the uuid fits."""
    try:
        for call_id in _candidates(claim, deps, record, call):
            with looking(ALL_LOOKS - LIST_LOOKS) as look:
                body = deps.cloudtalk.calls.detail(call_id)
                uuid = read_uuid(body.get("uuid"))
                look.found = uuid == call.uuid
            if uuid is not None:
                deps.ledger.memory.cache(f"uuid-of:{call_id}", str(uuid), for_s=UUID_KEPT_S)
            if uuid == call.uuid:
                deps.ledger.keep(claim, {Field.ASKING_SINCE: None})
                deps.ledger.record_observation(
                    "detail",
                    body,
                    uuid=call.uuid,
                    call_id=call_id,
                    asked_at_ms=claim.now_ms,
                    sure=ASKED,
                )
                return JobResult(log="found the call in CloudTalk's list")
        raise NotThereYet("no call in CloudTalk's list matches (yet)")
    except NotThereYet as error:
        return _not_yet(claim, deps, record, error)


def _candidates(claim: Claim, deps: Deps, record: Record, call: Call) -> Iterator[int]:
    """Numbers of calls that may be this one."""
    if call.external is None or call.external.kind is not Kind.E164:
        return
    around = heard_at(record, call)
    newest = newest_of(claim, deps, record, call)
    yield from _nearest(deps, call, newest or [], around)
    if newest is None or is_asked_slowly(record):
        yield from _nearest(deps, call, _listed_then(deps, call, around), around)


def _nearest(deps: Deps, call: Call, listed: Iterable[Seen], around: datetime) -> list[int]:
    """Of what fits: calls that are known as no other one first, then the closest in time."""
    last = datetime.max.replace(tzinfo=UTC)
    near = sorted(
        (item for item in listed if item.fits(call)), key=lambda item: abs((item.started_at or last) - around)
    )
    free: list[int] = []
    others: list[int] = []
    for item in near:
        if len(free) == _MOST_CANDIDATES:
            break
        if deps.ledger.memory.cached(f"uuid-of:{item.call_id}") not in (None, str(call.uuid)):
            continue
        other = deps.ledger.read(f"id:{item.call_id}")
        if other.uuid is None or other.uuid == call.uuid:
            free.append(item.call_id)
        elif not is_confirmed(other):
            # Somebody said that its number goes with that uuid, which need not be true.
            others.append(item.call_id)
    return (free + others)[:_MOST_CANDIDATES]


def _listed_then(deps: Deps, call: Call, around: datetime) -> list[Seen]:
    """The calls with the customer's number of days ago; each look costs requests of its own."""
    day = timedelta(days=1)
    text = call.external.text if call.external is not None else ""
    # Whether the filter wants the plus is not documented: the items themselves come without it.
    for number in (text.removeprefix("+"), text):
        with looking(ALL_LOOKS - LIST_LOOKS):
            listed = deps.cloudtalk.calls.all_between(
                external=number, since=around - day, until=around + day, region=deps.rules.region
            )
            found = [fitting for item in listed if (fitting := seen_of(item)).fits(call)]
        if found:
            return found
    return []


def _not_yet(claim: Claim, deps: Deps, record: Record, error: NotThereYet) -> JobResult:
    """Try again shortly; after a while say that CloudTalk does not know the call, and ask slowly."""
    since_ms = claim.now_ms if record.asking_since_ms is None else record.asking_since_ms
    waited = timedelta(milliseconds=claim.now_ms - since_ms)
    if waited < _GIVE_UP_AFTER:
        deps.ledger.keep(claim, {Field.ASKING_SINCE: str(since_ms)})
        raise error
    if "detail_gone" not in record.observations:
        uuid: UUID | None = record.uuid
        deps.ledger.record_observation(
            "detail_gone",
            {"reason": str(error)},
            uuid=uuid,
            call_id=record.call_id,
            asked_at_ms=claim.now_ms,
            lane=record.lane(Lane.LIVE),
        )
    if waited >= _ASK_SLOWLY_FOR:
        deps.ledger.keep(claim, {Field.ASKING_SINCE: None})
        return JobResult(log=f"gave up: {error}")
    # Each time as long again as it has been asked slowly so far: an outage before that is no reason to wait.
    gone = record.observations.get("detail_gone")
    slowly_ms = 0 if gone is None else claim.now_ms - gone.asked_at.timestamp() * 1000
    return JobResult(again_in_ms=int(max(_FIRST_BEAT_MS, slowly_ms)), log=str(error))
