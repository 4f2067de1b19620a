"""Ask CloudTalk's AI about a call: each insight that the rules want and no webhook brought, by one request.

Answers of one run go on record together, so that one update of the note says all of them. What is not there
(404) is asked for again at growing distances; without the add-on (403) nobody asks for an hour.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from bridge.deps import Deps, JobResult
from bridge.domain.call import Call
from bridge.domain.insight_choices import file_text, lacks_file
from bridge.domain.insights import (
    NEVER,
    NO_ADDON,
    TRANSCRIPT,
    TextFile,
    Transcript,
    in_order,
    keep_answer,
    keep_transcript,
)
from bridge.domain.kustomer_texts.insights import transcript_text
from bridge.domain.kustomer_texts.texts import texts_in
from bridge.domain.rules.model import Rules
from bridge.errors import Busy, NotThereYet, RateLimited, Rejected, Transient, Unauthorized
from bridge.jobs.looking import ask
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.keys import Lane
from bridge.ledger.queue.claims import Claim
from bridge.logs import get_logger
from bridge.storage.contract import CONTENT_TYPES, name_of
from bridge.sync.asking import insights_due

log = get_logger(__name__)

# Retries of a 404: 5 s after the first, then 10, 20, 40 ..., eight requests in all.
_FIRST_PAUSE_S, _MOST_ASKS = 5, 8
# For all calls together: without the add-on one request an hour finds out whether it is there by now.
_LEFT_ALONE_S = 3600
# Where nothing is asked any more, such as by other rules, nobody is told for longer.
_REMEMBERED_S = 6 * 3600
_AT_ONCE_MS = 500


class _NoAddOn(Exception):
    """Nobody asks until then, ms since 1970."""

    def __init__(self, until_ms: int) -> None:
        super().__init__()
        self.until_ms = until_ms


def fetch_insights(claim: Claim, deps: Deps) -> JobResult:
    """One run for one call. What it learns goes on record; the sync then writes it."""
    record = deps.ledger.read_claimed(claim)
    call = record.call(deps.rules)
    run = _Run.of(claim, deps, record, call)
    due = insights_due(record, call, run.rules)
    try:
        if lacks_file(call, run.rules):
            run.keep_told_transcript()
        for name, at in due.items():
            if run.is_due(at):
                run.ask(name)
    except (RateLimited, Busy):
        # The rest comes shortly, and one update of the note then says all.
        run.save()
        raise
    except Transient:
        run.publish()
        raise
    run.publish()
    return run.result(due)


@dataclass(slots=True, kw_only=True)
class _Run:
    """
    Args:
        rules: the choices for this call.
        tried: name -> what was asked in vain: `n` times, last `asked_at`, to be asked `again_at` (ms since
            1970); `waits` where the call has waited for the add-on.
        answers: name -> what came and is not on record yet.
        gone: name -> what is given up in this run.
    """

    claim: Claim
    deps: Deps
    record: Record
    call: Call
    rules: Rules
    tried: dict[str, dict[str, Any]]
    answers: dict[str, Any]
    gone: dict[str, dict[str, Any]] = field(default_factory=dict)
    says: list[str] = field(default_factory=list)
    waits_newly: bool = False

    @classmethod
    def of(cls, claim: Claim, deps: Deps, record: Record, call: Call) -> _Run:
        asked = record.asked_insights
        return cls(
            claim=claim,
            deps=deps,
            record=record,
            call=call,
            rules=record.rules_for(call, deps.rules),
            tried=dict(asked.get("tried", {})),
            answers=dict(asked.get("answers", {})),
        )

    def is_due(self, at: datetime) -> bool:
        """Also what is due a moment later: one run for it all, and none that comes a millisecond early."""
        return at.timestamp() * 1000 <= self.claim.now_ms + _AT_ONCE_MS

    def ask(self, name: str) -> None:
        """Ask for one insight, unless the add-on is known to be missing.

        Raises:
            Transient: no answer, or not now.
        """
        try:
            self.answers[name] = self._answer(name)
        except NotThereYet:
            self._ask_later(name)
        except _NoAddOn as missing:
            self._wait_for_add_on(name, missing.until_ms)
        except Rejected as error:
            self._give_up(name, f"CloudTalk refused the question ({error.status})")
        else:
            self.tried.pop(name, None)
            self.says.append(name)

    def _answer(self, name: str) -> Any:
        """
        Raises:
            _NoAddOn: this request said so, or one within the last hour.
        """
        memory = self.deps.ledger.memory
        known = memory.add_on()
        if known.get("there"):
            return self._sent(name, known)
        self._check_add_on(known)
        # Whether it is there, one job finds out for all.
        with self.deps.ledger.lock(
            self.claim, "insights-add-on", busy="another job asks CloudTalk's AI first"
        ):
            known = memory.add_on()
            self._check_add_on(known)
            return self._sent(name, known)

    def _check_add_on(self, known: Mapping[str, Any]) -> None:
        until_ms = int(known.get("missing_until_ms", 0))
        if self.claim.now_ms < until_ms:
            raise _NoAddOn(until_ms)

    def _sent(self, name: str, known: Mapping[str, Any]) -> Any:
        memory, call_id = self.deps.ledger.memory, self.call.call_id
        assert call_id is not None  # noqa: S101 - insights_due looked
        insights = self.deps.cloudtalk.insights
        try:
            if name == TRANSCRIPT:
                found = self._asked(partial(insights.transcript, call_id))
                kept: Any = self._keep(found)
            else:
                kept = keep_answer(name, self._asked(partial(insights.get, call_id, name)))
        except Unauthorized as error:
            if error.status != 403:
                raise
            until_ms = self.deps.ledger.now_ms() + _LEFT_ALONE_S * 1000
            memory.keep_add_on({"missing_until_ms": until_ms}, for_s=_REMEMBERED_S)
            if "missing_until_ms" not in known:
                log.warning(
                    "the CloudTalk account has no Conversation Intelligence; one request an hour finds out "
                    "whether it is there by now",
                    status=error.status,
                )
            raise _NoAddOn(until_ms) from error
        except NotThereYet:
            self._add_on_is_there(known)
            raise
        self._add_on_is_there(known)
        return kept

    def _asked(self, question: Any) -> Any:
        return ask(self.claim, self.deps, self.record, self.call, question)

    def _add_on_is_there(self, known: Mapping[str, Any]) -> None:
        if not known.get("there"):
            self.deps.ledger.memory.keep_add_on({"there": True}, for_s=_LEFT_ALONE_S)

    def _ask_later(self, name: str) -> None:
        """Not there, or not there yet: ask again at growing distances, and give up visibly."""
        asks = int(self.tried.get(name, {}).get("n", 0)) + 1
        # One that is known from the list alone is old: its insights are there, or never will be.
        is_old = self.record.listed and not self.record.events
        if asks >= _MOST_ASKS or is_old:
            self._give_up(name, NEVER)
            return
        pause_ms = _FIRST_PAUSE_S * 2 ** (asks - 1) * 1000
        self.tried[name] = self._tried_now(asks, self.claim.now_ms + pause_ms)

    def _wait_for_add_on(self, name: str, until_ms: int) -> None:
        """Once for each call; what was not there an hour later is given up."""
        before = self.tried.get(name, {})
        if before.get("waits"):
            self._give_up(name, NO_ADDON)
            return
        self.waits_newly = True
        self.tried[name] = {**self._tried_now(int(before.get("n", 0)), until_ms), "waits": True}

    def _tried_now(self, asks: int, again_at_ms: int) -> dict[str, Any]:
        return {"n": asks, "asked_at": self.claim.now_ms, "again_at": again_at_ms}

    def _give_up(self, name: str, why: str) -> None:
        self.tried.pop(name, None)
        self.gone[name] = {"reason": why, "at": self.claim.now_ms}

    # -- the transcript as a file

    def keep_told_transcript(self) -> None:
        """One that came by webhook, as a file."""
        file = self._stored(self.call.transcript or "")
        self.answers[TRANSCRIPT] = {"segments": [], "file": asdict(file)}

    def _keep(self, transcript: Transcript) -> dict[str, Any]:
        has_text = bool(transcript.segments) and self.rules.transcript == "file"
        file = (
            self._stored(transcript_text(transcript, self.call, texts_in(self.rules.language)))
            if has_text
            else None
        )
        return keep_transcript(transcript, file)

    def _stored(self, text: str) -> TextFile:
        storage, content = self.deps.open_storage(), file_text(text)
        first = min((event.at for event in self.record.events), default=datetime.now(UTC))
        name = name_of(replace(self.call, started_at=self.call.started_at or first), "txt")
        # One of a run that ended before it could say so, or of a text that has grown.
        storage.delete(name)
        storage.write(name, [content], content_type=CONTENT_TYPES["txt"])
        return TextFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())

    # -- what becomes of it

    def save(self) -> None:
        """Keep what came and what was tried, for the run that goes on from here."""
        asked = {"tried": self.tried, "answers": self.answers}
        self.deps.ledger.keep(self.claim, {Field.INSIGHTS: asked if self.tried or self.answers else None})

    def publish(self) -> None:
        """Put answers on record, and what was given up; the sync of the call is due then."""
        before = {name: seen.body for name, seen in self.record.observations.items()}
        # First what must not be asked again, should this be cut short.
        self.save()
        if self.gone:
            self._observe("insights_gone", {**before.get("insights_gone", {}), **self.gone})
        if self.answers:
            self._observe("insights", {**before.get("insights", {}), **self.answers})
            self._forget_file()
            self.answers = {}
            self.save()
        elif self.waits_newly:
            # So that the call says why it has none.
            self.deps.ledger.schedule("sync", self.record.key, in_ms=0, under=self.claim)

    def _observe(self, name: str, body: Mapping[str, Any]) -> None:
        self.deps.ledger.record_observation(
            name,
            body,
            uuid=self.record.uuid,
            call_id=self.call.call_id,
            asked_at_ms=self.claim.now_ms,
            lane=self.record.lane(Lane.INSIGHTS),
        )

    def _forget_file(self) -> None:
        """Forgotten on request while it was asked about: its file goes too."""
        file = (self.answers.get(TRANSCRIPT) or {}).get("file")
        if file and self.deps.ledger.read(self.claim.key).forgotten:
            self.deps.open_storage().delete(file["name"])

    def result(self, due: Mapping[str, datetime]) -> JobResult:
        """Again when the next of those is due that are left."""
        later_ms = [int(tried["again_at"]) for name, tried in self.tried.items() if name in due]
        later_ms += [
            round(at.timestamp() * 1000)
            for name, at in due.items()
            if name not in self.tried and not self.is_due(at)
        ]
        again_in_ms = max(0, min(later_ms) - self.deps.ledger.now_ms()) if later_ms else None
        return JobResult(again_in_ms=again_in_ms, log=self._says())

    def _says(self) -> str:
        # Others may have been asked for at another time.
        absent = [name for name, one in self.tried.items() if one["asked_at"] == self.claim.now_ms]
        said = [f"CloudTalk's AI answered {', '.join(in_order(self.says))}"] if self.says else []
        said += [
            f"CloudTalk's AI: {name} given up, {one['reason']}" for name, one in sorted(self.gone.items())
        ]
        if self.waits_newly:
            said.append(f"{NO_ADDON}: asked again in an hour at most")
        elif absent and not self.says:
            said.append(f"CloudTalk's AI has no {', '.join(in_order(absent))} (yet)")
        return "; ".join(said)
