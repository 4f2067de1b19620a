"""What is wrong, as a table: facts -> problems. Pure, and the only list of problems: `callbridge status`, the
first page and notifications take their words from here.

Those of the services and of files are in modules of their own (`service_problems`, `file_problems`). Each
problem has a heading in deploy/runbook.md; a test compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bridge.reports import file_problems, service_problems
from bridge.reports.problem import Problem, span
from bridge.reports.problem_facts import Facts
from bridge.wording import counted

# So many webhooks refused, and none accepted between. Strangers are refused too, but rarely so often.
REFUSED_IN_A_ROW = 5
# Redis' memory: full enough to act, and the lower mark that ends it.
MEMORY_FULL, MEMORY_ROOM = 0.9, 0.8
# A disk is nearly full below this many bytes, or this part of it where that is less than the larger bound.
DISK_FREE_BYTES, DISK_FREE_PART, DISK_FREE_MOST = 500_000_000, 0.05, 5_000_000_000
# How much more has to be free before it counts as mended.
_DISK_ROOM = 1.2


def find_problems(facts: Facts) -> list[Problem]:
    """Everything that is wrong, what to see to first before what may follow from it."""
    return [problem for rule in _RULES for problem in rule(facts)]


def _processes(facts: Facts) -> Iterator[Problem]:
    does = {
        "web": "webhooks and pages are not answered",
        "worker": "no call is written to Kustomer",
        "clock": "calls without a webhook are not looked for",
    }
    for kind, count in facts.running.items():
        if not count:
            yield Problem(
                name=f"no-{kind}",
                kind=f"no-{kind}",
                severity="warning" if kind == "clock" else "failure",
                says=f"no {kind} runs, so {does[kind]}",
                do=f"start `callbridge {kind}`",
                page="/",
                well=f"a {kind} runs again",
                needs_a_person=True,
            )


def _live_late(facts: Facts) -> Iterator[Problem]:
    if facts.live_late:
        are = "is" if facts.live_late == 1 else "are"
        yield Problem(
            name="live-late",
            kind="live-late",
            severity="failure",
            says=f"{counted(facts.live_late, 'live call')} {are} late, one by {span(facts.live_late_s)}",
            do="see what they wait for on the first page, or in `callbridge calls ls`",
            page="/",
            well="live calls are written in time again",
        )


def _parked(facts: Facts) -> Iterator[Problem]:
    if facts.parked:
        are = "is" if facts.parked == 1 else "are"
        yield Problem(
            name="parked",
            kind="parked",
            severity="warning",
            says=f"{counted(facts.parked, 'job')} {are} parked",
            do="callbridge parked ls",
            page="/parked",
            well="no job is parked any more",
            level=facts.parked,
            needs_a_person=True,
        )


def _calls_missing(facts: Facts) -> Iterator[Problem]:
    if facts.calls_missing:
        are = "is" if facts.calls_missing == 1 else "are"
        yield Problem(
            name="calls-missing",
            kind="calls-missing",
            severity="warning",
            says=f"{counted(facts.calls_missing, 'call')} of CloudTalk's list {are} missing in Kustomer",
            do="`callbridge audit --since 24h` lists them with the reason",
            page="/audit",
            well="no call is missing in Kustomer any more",
        )


def _refused(facts: Facts) -> Iterator[Problem]:
    if facts.refused >= REFUSED_IN_A_ROW:
        cause = f" ({facts.refused_cause})" if facts.refused_cause else ""
        yield Problem(
            name="webhooks-refused",
            kind="webhooks-refused",
            severity="failure",
            says=f"the last {facts.refused:,} webhooks were refused{cause}, and none was accepted since",
            do="compare the header in CloudTalk's templates with WEBHOOK_TOKENS; `/refused` lists the causes",
            page="/refused",
            well="webhooks are accepted again",
        )


def _no_webhook(facts: Facts) -> Iterator[Problem]:
    silent = facts.silent_s is not None and facts.silent_s >= facts.silent_after_s
    if silent or facts.unannounced:
        says = (
            "CloudTalk lists calls, but sends no webhooks for them"
            if facts.unannounced
            else f"no webhook has arrived for {span(facts.silent_s or 0)} of opening hours"
        )
        yield Problem(
            name="no-webhook",
            kind="no-webhook",
            severity="failure",
            says=says,
            do="check that CloudTalk's workflows are on and reach this address (`callbridge templates`)",
            page="/setup",
            well="webhooks arrive again",
        )


def _redis(facts: Facts) -> Iterator[Problem]:
    if facts.server.not_durable:
        yield Problem(
            name="redis-not-durable",
            kind="redis-not-durable",
            severity="warning",
            says=f"Redis may lose accepted calls: {facts.server.not_durable}",
            do="`callbridge doctor` says which setting of Redis to change",
            page="/",
            well="Redis keeps calls safely again",
        )
    used, is_told = facts.server.used, "redis-full" in facts.active
    if used is not None and used >= (MEMORY_ROOM if is_told else MEMORY_FULL):
        yield Problem(
            name="redis-full",
            kind="redis-full",
            severity="failure",
            says=f"Redis uses {used:.0%} of its memory; once it is full, webhooks are answered 503",
            do="raise its maxmemory, or lower EVENT_RETENTION_DAYS",
            page="/",
            well="Redis has enough memory again",
        )


def _disks(facts: Facts) -> Iterator[Problem]:
    for disk in facts.disks:
        least = max(DISK_FREE_BYTES, min(disk.total * DISK_FREE_PART, DISK_FREE_MOST))
        # Of a small disk, a half is not nearly full.
        least = min(least, disk.total * 0.2)
        name = f"disk-full:{disk.host}"
        if disk.free < least * (_DISK_ROOM if name in facts.active else 1):
            yield Problem(
                name=name,
                kind="disk-full",
                severity="failure",
                says=f"a disk of {disk.host} is nearly full: {disk.free / 1e6:,.0f} MB are free",
                do="free some space; without it Redis and recordings cannot be written",
                page="/",
                well=f"the disk of {disk.host} has room again",
            )


def _storage(facts: Facts) -> Iterator[Problem]:
    if facts.storage_failing:
        yield Problem(
            name="storage-failing",
            kind="storage-failing",
            severity="failure",
            says=f"recordings cannot be stored: {facts.storage_failing}",
            do="check RECORDINGS_URL, its keys and its space; the jobs are retried",
            page="/",
            well="recordings are stored again",
        )


def _synthetic(facts: Facts) -> Iterator[Problem]:
    if facts.synthetic_late_s > 0:
        yield Problem(
            name="synthetic-late",
            kind="synthetic-late",
            severity="failure",
            says=f"the synthetic call is late: {facts.synthetic_says}",
            do="real calls are probably late too: see the first page",
            page="/",
            well="the synthetic call reaches Kustomer in time again",
        )


# Causes before what follows from them.
_RULES: tuple[Callable[[Facts], Iterator[Problem]], ...] = (
    _processes,
    service_problems.paused,
    service_problems.budget_closed,
    _refused,
    _no_webhook,
    _redis,
    _disks,
    _storage,
    service_problems.search_refused,
    service_problems.klass_refused,
    service_problems.add_on_missing,
    file_problems.rules_file,
    file_problems.secrets_and_accounts,
    file_problems.encryption_key,
    _live_late,
    _parked,
    _calls_missing,
    _synthetic,
)


def redis_unavailable(why: str, do: str) -> Problem:
    """The one problem that no fact in Redis shows."""
    return Problem(
        name="redis-unavailable",
        kind="redis-unavailable",
        severity="failure",
        says=f"{why}, so webhooks cannot be stored",
        do=do,
        page="/",
        well="Redis accepts webhooks again",
        needs_a_person=True,
    )
