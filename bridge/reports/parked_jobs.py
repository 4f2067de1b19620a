"""Parked jobs for people: grouped by cause with what to do, and what running them again takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.ledger.budgets.budget import Budget
from bridge.ledger.queue.parked import Parked
from bridge.ledger.queue.replay_runs import PHASES, REST_AT_ONCE

# Cause -> what it means, and what to do before the jobs are run again.
_ADVICE: Mapping[str, tuple[str, str]] = {
    "Unauthorized": (
        "The service refuses the API key, or the key lacks a role",
        "Give the key what is missing (the set-up page names it), then replay.",
    ),
    "Rejected": (
        "The service refuses the data",
        "Read the reason, correct it where it comes from, then replay. Drop what nobody needs.",
    ),
    "TooLarge": ("A file is too large for the service", "Raise the limit or drop the jobs."),
    "Unavailable": (
        "The service did not answer for a day",
        "Check that it is up again, then replay.",
    ),
    "RateLimited": ("The service had no room for a day", "Raise the share of the budget, then replay."),
    "NotThereYet": (
        "CloudTalk does not have it, also after many tries",
        "Look the call up in CloudTalk. If it is there, replay; else drop.",
    ),
    "MaybeDone": (
        "A request may have been done, and must not be repeated blindly",
        "Look in the service whether it was done. Replay looks before it writes.",
    ),
    "NeedsAPerson": ("A person has to decide", "Open the call: it says what there is to decide."),
    "crashed": (
        "The job ended its worker, five times",
        "Look in the workers' log, and report it. Replay one job to see whether the cause is gone.",
    ),
    "fault": (
        "A fault in the bridge",
        "Look in the workers' log, and report it. Replay after the next upgrade.",
    ),
    "unknown": (
        "This version does not know the job",
        "Upgrade all processes to the same version, then replay.",
    ),
}
_OTHER = ("The job failed for good", "Read the reason, repair the cause, then replay.")
# Requests of one job that has all to do: to CloudTalk, to Kustomer. A sync looks for conversation and
# customer, makes both and the note, and attaches the recording, as `bridge.reconcile.backfill` counts them;
# after a recording, or what detail tells, a sync follows.
_REQUESTS = {
    "sync": (1, 10), "recording": (2, 4), "detail": (1, 10), "identify": (2, 10), "message": (0, 5),
    "sms": (1, 0), "contact": (4, 5), "insights": (7, 4),
}  # fmt: skip
_OTHER_REQUESTS = (1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedGroup:
    """All parked jobs of one cause.

    Args:
        errors: one job of each reason, the most frequent first, with how often it was given.
        oldest: since when the first of them waits, as ISO 8601.
    """

    cause: str
    means: str
    do: str
    count: int
    kinds: Mapping[str, int]
    errors: Sequence[tuple[Parked, int]]
    oldest: str | None


def grouped(jobs: Iterable[Parked]) -> list[ParkedGroup]:
    """By cause, the largest group first."""
    by_cause: dict[str, list[Parked]] = {}
    for job in jobs:
        by_cause.setdefault(job.cause or "unknown", []).append(job)
    groups = [_group(cause, found) for cause, found in by_cause.items()]
    return sorted(groups, key=lambda group: (-group.count, group.cause))


def _group(cause: str, jobs: Sequence[Parked]) -> ParkedGroup:
    means, do = _ADVICE.get(cause, _OTHER)
    counts, sample = Counter(job.error for job in jobs), {job.error: job for job in jobs}
    return ParkedGroup(
        cause=cause,
        means=means,
        do=do,
        count=len(jobs),
        kinds=dict(Counter(job.kind for job in jobs).most_common()),
        errors=[(sample[error], many) for error, many in counts.most_common(3)],
        oldest=min((job.since for job in jobs if job.since), default=None),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What running jobs again takes, where each has all to do.

    Args:
        phases: how many jobs each phase has.
        requests: by service.
        minutes: with the shares of the budgets to themselves.
    """

    jobs: int
    kinds: Mapping[str, int]
    phases: Sequence[int]
    requests: Mapping[str, int]
    minutes: int


def effort_of(jobs: Sequence[Parked], budgets: Iterable[Budget]) -> Effort:
    kinds = Counter(job.kind for job in jobs)
    sums = [
        sum(number * _REQUESTS.get(kind, _OTHER_REQUESTS)[place] for kind, number in kinds.items())
        for place in (0, 1)
    ]
    requests = dict(zip(("cloudtalk", "kustomer"), sums, strict=True))
    seconds = max(
        (requests.get(budget.service, 0) / budget.share * budget.window_s for budget in budgets), default=0.0
    )
    return Effort(
        jobs=len(jobs),
        kinds=dict(kinds.most_common()),
        phases=_phases(len(jobs)),
        requests=requests,
        minutes=max(1, round(seconds / 60)) if jobs else 0,
    )


def _phases(many: int) -> list[int]:
    sizes: list[int] = []
    while many > 0:
        size = PHASES[len(sizes)] if len(sizes) < len(PHASES) else REST_AT_ONCE
        sizes.append(min(size, many))
        many -= sizes[-1]
    return sizes
