"""Make Kustomer hold what the plan for a call says. The only writer to Kustomer; safe to run at any time."""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.domain.plan import (
    Patience,
    Plan,
    Skip,
    Wait,
    external_ids,
    plan,
)
from bridge.domain.recording import Sound
from bridge.jobs.asking import asking, note_waits_until, usual_wait_ms
from bridge.jobs.deps import Deps, End
from bridge.jobs.detail import learn_uuid
from bridge.jobs.finding import find_uuid
from bridge.jobs.people import user_of, with_agent
from bridge.jobs.refused import left_out_of
from bridge.jobs.scribe import Scribe
from bridge.jobs.writing import Pen
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Claim
from bridge.ledger.record import moment

_CAME_BACK = "Redis was started anew: requests of before, whose leases it may have forgotten, end first"
_NO_UUID = "CloudTalk lists it and tells no uuid: whether Kustomer has it already cannot be found out"


def sync(claim: Claim, deps: Deps) -> End:
    """One run for one call."""
    record = deps.ledger.read(claim.key)
    if record.key != claim.key or record.forgotten:
        # This part has become part of another record, whose sync is due when this run ends.
        return End()
    call = record.call(deps.rules)
    now = moment(claim.now_ms) or datetime.now(UTC)
    ask = asking(record, call, deps.rules, now)
    planned = record.fields.get("asking")
    if planned and (planned != ask.job if ask.job else not call.wants_detail):
        # The webhooks have told since what it was for, or the number, by which another job asks.
        deps.ledger.cancel(planned, record.key, under=claim)
        deps.ledger.keep(claim, {"asking": None})
    if ask.job and ask.at:
        deps.ledger.keep(claim, {"asking": ask.job})
        in_ms, lane = _ms(ask.at, now), record.lane(Lane.LIVE)
        deps.ledger.schedule(ask.job, record.key, in_ms=in_ms, lane=lane, under=claim)

    recording = record.recording(deps.rules, call)
    want = plan(call, deps.rules, ask.patience)
    if isinstance(want, Plan):
        if recording.sound is Sound.COMING and call.call_id is not None and "rec:asks" not in record.fields:
            wait_ms = usual_wait_ms(record, call, deps.ledger.memory.usual_delay_s(), now)
            lane, told_at = record.lane(Lane.RECORDING), record.recording_announced_at
            deps.ledger.schedule(
                "recording", record.key, in_ms=wait_ms, lane=lane, told_at=told_at, under=claim
            )
        call = with_agent(call, deps)
        link = deps.link_to(record.key, call) if recording.sound is Sound.STORED else ""
        want = plan(call, deps.rules, ask.patience, recording=recording, link=link)
        coming_until = note_waits_until(record, recording)
        if coming_until is not None and now < coming_until:
            # It is usually here within a second or two, and one write of the note then says it all.
            state = "synced" if "note" in record.outputs else "waiting"
            deps.ledger.keep(claim, {"state": state, "reason": "the recording is on its way"})
            return End(again_in_ms=_ms(coming_until, now))
    match want:
        case Wait(reason=reason):
            state = "synced" if "note" in record.outputs else "waiting"
            deps.ledger.keep(claim, {"state": state, "reason": reason})
            return End(again_in_ms=_ms(ask.until, now) if ask.until else None)
        case Skip(reason=reason):
            deps.ledger.keep(claim, {"state": "skipped", "reason": reason})
            return End(again_in_ms=_ms(ask.until, now) if ask.until else None, log=f"not written: {reason}")
        case Plan():
            # Calls are written once they have ended: what ended in the time that it remembers no other ledger
            # wrote, and neither did this one without knowing.
            told_last = call.ended_at or call.started_at
            reach = deps.ledger.reach()
            before_us = told_last is None or told_last < reach.since
            if before_us and reach.rests_until and now < reach.rests_until and "note" not in record.outputs:
                deps.ledger.keep(claim, {"state": "waiting", "reason": _CAME_BACK})
                return End(again_in_ms=_ms(reach.rests_until, now))
            # What webhooks did not tell may have been told to a ledger that lost its last moments.
            old = before_us or record.listed
            pen = Pen(claim=claim, deps=deps)
            # Not the number that its events tell: one typed into a template is that of many calls.
            keys = external_ids(uuid=call.uuid, call_id=record.call_id)
            scribe = Scribe(record=record, pen=pen, deps=deps, keys=keys, old=old, verify=record.must_look)
            number = record.call_id
            if call.uuid is None and number is not None and scribe.may_be_there and not scribe.is_there():
                # Whoever wrote it may have known its uuid. One that is another call's already does not join.
                uuid = find_uuid(number, want.customer, deps.kustomer)
                if uuid is not None and deps.ledger.read(f"uuid:{uuid}").call_id in (None, number):
                    learn_uuid(claim, deps, record, uuid, number, "uuid_in_note", {"uuid": str(uuid)})
                    return End(again_in_ms=0, log="found its uuid in its note")
                if before_us and record.listed:
                    deps.ledger.keep(claim, {"state": "skipped", "reason": _NO_UUID})
                    return End(log=f"not written: {_NO_UUID}")
            if not scribe.write(want, user_of(call, deps)):
                # Something was learnt that the note should say: this job is due again for it at once.
                return End()
            late = ["details from CloudTalk are still to come"] if ask.patience is Patience.LATE else []
            reason = "; ".join([*late, *want.left_out, *left_out_of(record, pen)])
            done = {"state": "synced", "synced_at": str(deps.ledger.now_ms()), "reason": reason, "look": None}
            deps.ledger.keep(claim, done)
            if record.listed and not record.events and "synced_at" not in record.fields:
                written = deps.ledger.read(claim.key).outputs
                if any(written[name].created for name in ("conversation", "note")):
                    deps.ledger.count("calls:recovered")
            return End(again_in_ms=_ms(ask.until, now) if ask.until else None)


def _ms(at: datetime, now: datetime) -> int:
    return max(0, int((at - now).total_seconds() * 1000))
