"""The sync job: make Kustomer match the plan for one call. The only writer to Kustomer; safe to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any
from uuid import UUID

from structlog.contextvars import bind_contextvars

from bridge.clients.kustomer import Conversation, Message, Note
from bridge.deps import Deps, JobResult
from bridge.domain.call import Call
from bridge.domain.external_ids import external_ids
from bridge.domain.insights import NO_ADDON
from bridge.domain.outputs import TEXTS
from bridge.domain.owners import Owner
from bridge.domain.policy import DetailWait, Plan, plan
from bridge.domain.recording import RecordingState
from bridge.domain.rules.model import Rules
from bridge.ledger.calls.joining import learn_uuid
from bridge.ledger.calls.record import Record, moment
from bridge.ledger.calls.record_fields import Field, State
from bridge.ledger.calls.summary import summary_field
from bridge.ledger.queue.claims import Claim
from bridge.sync.agent_names import learn_agent
from bridge.sync.asking import lacks_add_on
from bridge.sync.caller import learn_caller
from bridge.sync.contacts import tell_contact_of
from bridge.sync.cue_card import plan_cue_card
from bridge.sync.customers.look_up import CustomerLookUp
from bridge.sync.decide import Decision, Horizon, Later, Never, Write, decide, look_back
from bridge.sync.legs import Leg, leg_of
from bridge.sync.milestones import Milestones
from bridge.sync.missed import (
    Life,
    enter_contact,
    first_of_day,
    life_of,
    needs_own_note,
    settle,
    tell_the_next_of_day,
)
from bridge.sync.outputs.attachment import ensure_attachment, find_attachment
from bridge.sync.outputs.conversation import look_up
from bridge.sync.outputs.customer import NoCustomer
from bridge.sync.outputs.klass import ensure_klass, klass_again_s
from bridge.sync.outputs.later import write_later
from bridge.sync.outputs.note import NoteOutput, find_uuid
from bridge.sync.outputs.text import refuses_ids
from bridge.sync.outputs.voice import VoiceOutput, put_state_back
from bridge.sync.owners import owner_now, owner_of, with_agent
from bridge.sync.placing import OwnerOf, join, place_of
from bridge.sync.planning import plan_questions
from bridge.sync.refused import left_out_of
from bridge.sync.settling import QUIET
from bridge.sync.shared import Place, finish
from bridge.sync.write_log import WriteLog
from bridge.sync.writer import CallWriter, Fields

_NO_UUID = "CloudTalk gave no uuid, so we cannot check whether Kustomer already has this call"
_DETAILS_TO_COME = "details from CloudTalk are pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """What stays the same while one run decides and writes; the record may be read anew meanwhile.

    Args:
        call: as the record tells it, without names that come from elsewhere.
        look_up: who has the caller's number.
    """

    claim: Claim
    deps: Deps
    call: Call
    now: datetime
    look_up: CustomerLookUp


def sync(claim: Claim, deps: Deps) -> JobResult:
    """One run for one call."""
    record = deps.ledger.read_claimed(claim)
    if record.key != claim.key or record.forgotten:
        # This part has become part of another record, whose sync is due when this run ends.
        return JobResult()
    if record.call_id is not None:
        # Earlier lines may name it by its number.
        bind_contextvars(call_id=record.call_id)
    call = record.call(deps.rules)
    if deps.rules.names_agents:
        record = learn_agent(claim, deps, record, call)
        call = record.call(deps.rules)
    now = moment(claim.now_ms) or datetime.now(UTC)
    plan_cue_card(claim, deps, record, call, now)
    run = _Run(claim=claim, deps=deps, call=call, now=now, look_up=CustomerLookUp(deps=deps, call=call))
    quiet = QUIET if deps.debounced else timedelta()
    decision = decide(record, call, deps.rules, now, quiet=quiet)
    if decision.wants_caller:
        record = learn_caller(claim, run.look_up, record, decision.rules)
        decision = decide(record, call, deps.rules, now, quiet=quiet)
    plan_questions(claim, deps, record, call, decision, now)
    result = _carry_out(run, record, decision)
    if not result.fields:
        return result
    summary = summary_field(record, call, deps.rules, read_after_ms=claim.now_ms)
    return replace(result, fields={**result.fields, **summary})


def _carry_out(run: _Run, record: Record, decision: Decision) -> JobResult:
    match decision.then:
        case Later() as later:
            return _wait(record, later, run.now)
        case Never(reason=reason, until=until):
            enter_contact(run.claim, run.deps, record, run.call)
            return JobResult(
                again_in_ms=_ms(until, run.now),
                log=f"not written: {reason}",
                fields={
                    Field.STATE: State.SKIPPED,
                    Field.REASON: reason,
                    Field.RULES: decision.rules.version,
                },
            )
        case Write() as write:
            with leg_of(run.claim, run.deps, record, run.call, run.now) as leg:
                return _write(run, record, write, decision.rules, leg)


def _wait(record: Record, later: Later, now: datetime) -> JobResult:
    state = State.SYNCED if record.is_written else State.WAITING
    fields: dict[str, object] = {Field.STATE: state, Field.REASON: later.reason}
    if later.changing and record.changing_since is None:
        fields[Field.CHANGING_SINCE] = str(round(now.timestamp() * 1000))
    return JobResult(again_in_ms=_ms(later.until, now), fields=fields)


def _write(run: _Run, record: Record, write: Write, rules: Rules, leg: Leg | None) -> JobResult:
    """Args: rules: the choices for this call."""
    reach = run.deps.ledger.reach_soon()
    call = with_agent(run.call, run.deps)
    with life_of(run.claim, run.deps, record, call, rules) as life:
        horizon = look_back(record, run.call, reach(), run.now, rules.written_as)
        if horizon.wait:
            return _wait(record, horizon.wait, run.now)
        if isinstance(life, JobResult):
            return life
        tell_the_next_of_day(run.claim, run.deps, life, rules)
        writer = _writer(run, life.record, call, rules, horizon, leg)
        return _write_call(run, writer, life, call, write, horizon)


def _writer(
    run: _Run, record: Record, call: Call, rules: Rules, horizon: Horizon, leg: Leg | None
) -> CallWriter:
    return CallWriter(
        record=record,
        log=WriteLog(claim=run.claim, deps=run.deps, milestones=_milestones(record, call)),
        # Not the number in its events: one typed into a template is that of many calls.
        keys=external_ids(uuid=call.uuid, call_id=record.call_id),
        search_first=horizon.search_first,
        verify=record.verify_requested,
        rules=rules,
        look_up=run.look_up,
        leg=leg,
    )


def _write_call(
    run: _Run, writer: CallWriter, life: Life, call: Call, write: Write, horizon: Horizon
) -> JobResult:
    """One call, with what other calls of its number mean for it.

    Args:
        call: with names that come from elsewhere, too.
    """
    record, rules = writer.record, writer.rules
    want = _plan(run.deps, writer, life, call, write)
    if life.leader is not None and not needs_own_note(life, call):
        # The first call's note counts this one; a voice message stands for one call.
        want = replace(want, note=None)
        if want.voice is None:
            joined = join(writer, want, life)
            ensure_klass(writer, want.klass, conversation_id=joined.id, conversation_is_new=False)
            return _synced(writer, want, life, write, run.now)
    there = look_up(writer) if writer.may_be_written else None
    if there is None and writer.may_be_written and call.uuid is None and record.call_id is not None:
        ended = _known_under_its_uuid(run, record, record.call_id, want, horizon)
        if ended is not None:
            return ended
    try:
        is_whole = _write_all(writer, want, life, partial(owner_of, writer, run.call, rules), there)
    except NoCustomer as error:
        fields: dict[str, object] = {
            Field.STATE: State.SKIPPED,
            Field.REASON: str(error),
            Field.RULES: rules.version,
            Field.VERIFY: None,
        }
        return JobResult(log=f"not written: {error}", fields={**writer.log.also, **fields})
    if not is_whole:
        # The note should say something that was recorded meanwhile: this job is due again for it at once.
        return JobResult()
    settle(run.claim, run.deps, life)
    return _synced(writer, want, life, write, run.now)


def _plan(deps: Deps, writer: CallWriter, life: Life, call: Call, write: Write) -> Plan:
    rules, is_stored = writer.rules, write.recording.sound is RecordingState.STORED
    link = deps.link_to(writer.record.key, call, rules) if is_stored else ""
    want = plan(
        call,
        rules,
        write.patience,
        recording=write.recording,
        link=link,
        item=life.item,
        first_of_day=first_of_day(life, rules),
    )
    assert isinstance(want, Plan)  # noqa: S101  # decided from the same facts; an agent's name changes nothing
    return want


def _milestones(record: Record, call: Call) -> Milestones:
    ended_at_ms = None if call.ended_at is None else round(call.ended_at.timestamp() * 1000)
    return Milestones(record=record, ended_at_ms=ended_at_ms)


def _synced(writer: CallWriter, want: Plan, life: Life, write: Write, now: datetime) -> JobResult:
    late = [_DETAILS_TO_COME] if write.patience is DetailWait.LATE else []
    said = [life.says] if life.says else []
    owner = owner_now(writer) or Owner()
    part = [writer.leg.says] if writer.leg is not None else []
    no_add_on = [NO_ADDON] if lacks_add_on(writer.record) else []
    left_out = (*want.left_out, *left_out_of(writer), *owner.left_out, *no_add_on)
    reason = "; ".join([*late, *said, *part, *left_out])
    return JobResult(
        again_in_ms=_soonest(_ms(write.until, now), owner.again_s, klass_again_s(writer, now)),
        fields={
            Field.STATE: State.SYNCED,
            Field.SYNCED_AT: "now",
            Field.CHANGING_SINCE: None,
            Field.REASON: reason,
            Field.RULES: writer.rules.version,
            Field.VERIFY: None,
            **writer.log.also,
            **life.fields,
            **tell_contact_of(writer),
        },
        counters=("calls:recovered",) if _is_recovered(writer.log.deps, writer.record) else (),
    )


def _soonest(ms: int | None, *again_s: float | None) -> int | None:
    times = [ms, *(None if one is None else int(one * 1000) for one in again_s)]
    return min((one for one in times if one is not None), default=None)


def _write_all(
    writer: CallWriter,
    want: Plan,
    life: Life,
    owner: OwnerOf,
    there: Conversation | None,
) -> bool:
    """Bring customer, conversation, recording and what tells of the call up to date, in that order.

    The conversation's state comes last: rules of Kustomer's own that wait for it find everything else there,
    and an inbound message would open it again.

    Args:
        owner: whose it is, by the customer's id.
        there: the conversation that a ledger which was lost wrote.

    Returns:
        False where the rest is left to the run that follows.
    """
    place = place_of(writer, want, life, owner, there)
    texts = _texts(writer, want, life, place)
    if not writer.record.is_written and _recording_was_announced(writer):
        return False
    files = _files(writer, want, place, texts)
    if files is None:
        return False
    for text in texts:
        output = replace(text, attachments=files)
        written, is_new = writer.ensure(output)
        if isinstance(output, NoteOutput) and not is_new:
            write_later(writer, output, written)
    ensure_klass(writer, want.klass, conversation_id=place.written.id, conversation_is_new=place.is_new)
    put_state_back(writer, place)
    if place.output is not None:
        writer.update(replace(place.output, current=life.conversation), place.written)
    if place.is_shared:
        finish(writer, place, want.conversation)
    return True


def _texts(writer: CallWriter, want: Plan, life: Life, place: Place) -> list[NoteOutput | VoiceOutput]:
    """What tells people of the call, in the order in which it is written."""
    texts: list[NoteOutput | VoiceOutput] = []
    common: dict[str, Any] = {
        "writer": writer,
        "conversation_id": place.written.id,
        "conversation_is_new": place.is_new,
        "conversation": place.read or life.conversation,
    }
    if want.note is not None:
        current = life.text if isinstance(life.text, Note) else None
        no_ids = refuses_ids(writer, NoteOutput.name)
        texts.append(NoteOutput(draft=want.note, current=current, refuses_ids=no_ids, **common))
    if want.voice is not None:
        current_message = life.text if isinstance(life.text, Message) else None
        made_as = str(place.written.sent.get("status", "")) if place.is_new else ""
        no_ids = refuses_ids(writer, VoiceOutput.name)
        voice = VoiceOutput(
            draft=want.voice, current=current_message, made_as=made_as, refuses_ids=no_ids, **common
        )
        texts.append(voice)
    return texts


def _files(
    writer: CallWriter, want: Plan, place: Place, texts: Sequence[NoteOutput | VoiceOutput]
) -> list[Fields] | None:
    """How the texts refer to the call's files, each uploaded once; None where Kustomer refuses one."""
    files: list[Fields] = []
    # Each is read once, however many files a ledger that was lost may have attached to it.
    readers = [cache(text.there) for text in texts]
    for wanted in want.files:
        lost = (writer.search_first or writer.verify) and wanted.output not in writer.record.outputs
        there = (read() for read in readers) if lost and not place.is_new else ()
        found = (find_attachment(writer, one, wanted) for one in there)
        attachment = next(filter(None, found), None) or ensure_attachment(writer, wanted)
        if attachment is None:
            return None
        files.append(attachment)
    return files


def _recording_was_announced(writer: CallWriter) -> bool:
    """Whether a recording was announced since this run began: then one note can say both."""
    record, deps = writer.record, writer.log.deps
    if writer.log.learned is False:
        return False
    if record.recording(deps.rules, record.call(deps.rules)).sound is not RecordingState.NONE:
        return False
    fresh = deps.ledger.read(record.key)
    return fresh.recording(deps.rules, fresh.call(deps.rules)).sound is RecordingState.COMING


def _known_under_its_uuid(
    run: _Run, record: Record, number: int, want: Plan, horizon: Horizon
) -> JobResult | None:
    """For a call whose uuid is not known: another ledger may have written it under its uuid.

    Returns:
        How this run ends, where the uuid was found in our note, or where nobody can tell; None: write it.
    """
    claim, deps = run.claim, run.deps
    uuid = find_uuid(number, want.customer, deps.kustomer, record.rules_for(run.call, deps.rules))
    if uuid is not None and _is_free(deps, uuid, number):
        learn_uuid(deps.ledger, claim, record, uuid, number, "uuid_in_note", {"uuid": str(uuid)})
        return JobResult(again_in_ms=0, log="uuid found in its note")
    if horizon.before_us and record.listed:
        return JobResult(
            log=f"not written: {_NO_UUID}", fields={Field.STATE: State.SKIPPED, Field.REASON: _NO_UUID}
        )
    return None


def _is_free(deps: Deps, uuid: UUID, number: int) -> bool:
    """A uuid that is another call's already does not join the two."""
    return deps.ledger.read(f"uuid:{uuid}").call_id in (None, number)


def _is_recovered(deps: Deps, record: Record) -> bool:
    """Whether this wrote a call known only from CloudTalk's list that was not in Kustomer."""
    if not record.listed or record.events or record.synced_at is not None:
        return False
    written = deps.ledger.read(record.key).outputs
    return any(name in written and written[name].created for name in ("conversation", *TEXTS))


def _ms(at: datetime | None, now: datetime) -> int | None:
    return None if at is None else max(0, int((at - now).total_seconds() * 1000))
