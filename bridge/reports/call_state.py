"""Where a call stands, and why, from what its last sync said and what its jobs are at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast, get_args

State = Literal["waiting", "synced", "behind", "skipped", "parked"]
STATES: tuple[State, ...] = get_args(State)

# As `bridge.ledger.queue.job_states` tells it: kind, state, attempts, cause, error.
Job = Mapping[str, Any]


def state_of(*, stored: str | None, ended: bool, jobs: Sequence[Job]) -> State:
    """Where a call stands.

    Args:
        stored: what the last sync said (waiting, synced or skipped), if one ran, or that a person dropped it.
        ended: as far as we know; before that nothing is to be written, so nothing is behind.
    """
    if any(job["state"] == "parked" for job in jobs):
        return "parked"
    if ended and any(
        job["kind"] == "sync" and (job["state"] in ("running", "due") or job["attempts"] > 0) for job in jobs
    ):
        return "behind"
    if stored == "dropped":
        return "skipped"
    if stored in ("waiting", "synced", "skipped"):
        return cast(State, stored)
    return "behind" if ended else "waiting"


def reason_of(state: State, stored: str | None, jobs: Sequence[Job]) -> str | None:
    """Why it stands there: the error of the job that is in the way, else what the last sync said."""
    if state in ("parked", "behind"):
        for job in jobs:
            if (job["state"] == "parked" or (state == "behind" and job["kind"] == "sync")) and (
                text := job.get("error") or job.get("cause")
            ):
                return f"{job['kind']}: {text}"
    return stored or None
