"""One write to Kustomer, exactly once: record the intent, write, record the id.

A crash or a lost reply leaves an intent without an id; the next run finds it and searches before it writes.
A write that Kustomer certainly did not carry out (refused, or never sent) takes the intent back. For an
update the record also keeps what was sent: comparing that with Kustomer shows whether it was carried out, and
which values are ours and which a person wrote since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from bridge.clients.last_check import checked_at_last
from bridge.deps import Deps
from bridge.errors import NotSent, Permanent, RateLimited
from bridge.ledger.calls.record import Written
from bridge.ledger.calls.record_fields import Family
from bridge.ledger.measures import Milestone
from bridge.ledger.queue.claims import Claim
from bridge.ledger.sharing import flush
from bridge.logs import get_logger
from bridge.sync.milestones import Milestones

log = get_logger(__name__)

T = TypeVar("T")
Done = Literal["created", "found", "updated"]


@dataclass(slots=True, kw_only=True)
class WriteLog:
    """Writes under one claim."""

    claim: Claim
    deps: Deps
    milestones: Milestones | None = None
    # What this run has noted so far, see `note`.
    noted: dict[str, str | None] = field(default_factory=dict)
    # Fields of the record to be written with whatever is written next.
    also: dict[str, object] = field(default_factory=dict)
    # What Kustomer showed of an output after our last write, see `Written.shown`.
    shown: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    # See `learned`; as of the last write that was answered.
    _learned: bool | None = None

    def _keep(
        self, fields: Mapping[str, object], *, note: str = "", milestones: Sequence[Milestone] = ()
    ) -> None:
        fields = {**fields, **self.also}
        self.also.clear()
        self.deps.ledger.keep_soon(
            self.claim, fields, note=note, milestones=milestones, then=self._has_learned
        )

    def _has_learned(self, learned: bool) -> None:
        self._learned = learned

    @property
    def learned(self) -> bool | None:
        """Whether something was learned about the call since this run began, by its last write.

        None: nothing was written yet.
        """
        flush()
        return self._learned

    def flush(self) -> None:
        """Write what waits for the next write."""
        if self.also:
            self._keep({})

    def create(self, name: str, sent: Mapping[str, Any], send: Callable[[], str]) -> str:
        """Create one thing in Kustomer and record its id.

        Args:
            name: of the output.
            sent: the fields, kept so that a later plan can be compared with them.
            send: makes the request and returns the id.

        Raises:
            Conflict: it exists; the intent stays, so that a later run searches as well.
        """
        self.begin(name, sent)
        try:
            made = self.while_ours(send)
        except (Permanent, RateLimited, NotSent):
            self._keep({Family.INTENT.field(name): None})
            raise
        self.keep(name, made, sent, done="created", created=True)
        return made

    def begin(self, name: str, sent: Mapping[str, Any]) -> None:
        """Record the intent; raises LeaseLost where the job is no longer ours."""
        self._keep({Family.INTENT.field(name): dict(sent)})

    def keep(
        self, name: str, id_: str, sent: Mapping[str, Any], *, done: Done, created: bool = False
    ) -> None:
        """Record the id of what is there now, and the fields it was last sent.

        Args:
            done: for whoever reads what happened to the call.
            created: whether the bridge made it, in this run or an earlier one.
        """
        reached = self.milestones.reached(name, sent, done=done, created=created) if self.milestones else []
        log.info("written to kustomer", output=name, done=done, id=id_, call=self.claim.key)
        self._keep(
            {
                Family.OUTPUT.field(name): self._as_kept(name, id_, sent, created=created),
                Family.INTENT.field(name): None,
                Family.CHANGE.field(name): None,
            },
            note=f"{name} {done}",
            milestones=reached,
        )

    def _as_kept(self, name: str, id_: str, sent: Mapping[str, Any], *, created: bool) -> dict[str, Any]:
        shown = self.shown.get(name)
        kept = {"id": id_, "sent": dict(sent), "created": created}
        return {**kept, "shown": dict(shown)} if shown else kept

    def note(self, name: str, text: str | None, *, says: str = "") -> None:
        """Record something about the call that later runs have to know; None removes it.

        Args:
            says: for whoever reads what happened to the call.
        """
        self._keep({name: text}, note=says)
        self.noted[name] = text

    def forget(self, name: str) -> None:
        gone = (Family.OUTPUT, Family.INTENT, Family.CHANGE)
        self._keep({family.field(name): None for family in gone})

    def update(self, name: str, known: Written, changed: Mapping[str, Any], send: Callable[[], None]) -> None:
        """Send a change that may be repeated without harm, only while the job is ours.

        Args:
            known: what is there now, see `last_sent`.
            changed: the fields that a person may change as well.
        """
        kept = self._as_kept(name, known.id, known.sent, created=known.created)
        begun = {Family.OUTPUT.field(name): kept, Family.CHANGE.field(name): dict(changed)}
        self._keep(begun)
        try:
            self.while_ours(send)
        except (Permanent, RateLimited, NotSent):
            self._keep({Family.CHANGE.field(name): None})
            raise

    def repeat(self, send: Callable[[], None]) -> None:
        """Send what may be repeated without harm, with nothing to compare later, only while ours."""
        self._keep({})
        flush()
        self.while_ours(send)

    def while_ours(self, send: Callable[[], T]) -> T:
        """Send under the lease, which is checked once more right before the body goes out."""

        def check() -> None:
            # As a rule all went out with the request for a place in the budget.
            flush()
            self.deps.still_ours(self.claim)

        self.deps.still_ours(self.claim)
        with checked_at_last(check):
            return send()


def last_sent(known: Written, begun: Mapping[str, Any], there: Mapping[str, Any]) -> Written:
    """What we sent last, including a change whose reply was lost, if it was carried out.

    Otherwise our own text of before would be taken for a person's, and never updated again.

    Args:
        begun: the change that is not known to have ended; empty where there is none.
        there: what the service has now.
    """
    carried_out = {name: value for name, value in begun.items() if there.get(name) == value}
    return replace(known, sent={**known.sent, **carried_out})
