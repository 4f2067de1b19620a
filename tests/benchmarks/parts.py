"""The parts of `python -m tests.benchmarks`, in the order in which they run and are shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One module with `run`.

    Args:
        name: the module's.
        section: the heading of its figures in RESULTS.md.
        about: what it does, for the reader of its figures.
        short: it is part of `--short`, the form for CI.
        within_s: it is ended, and counts as failed, after that time.
    """

    name: str
    section: str
    about: str
    short: bool = False
    within_s: int = 400


INGEST = "Taking webhooks in"
WORKERS = "Workers"
BUDGETS = "Budgets of the two services"
GROWTH = "Growth"
RECORDINGS = "Recordings"
START = "Start"

PARTS = (
    Part(
        name="side_by_side",
        section=INGEST,
        about="The same job done durably by each, in one process on one core, in turns.",
        short=True,
        # The first run installs the others.
        within_s=600,
    ),
    Part(
        name="acceptance",
        section=INGEST,
        about="What a stronger promise costs: `appendfsync always`, `ACCEPT_AFTER=disk`, the journal.",
        short=True,
    ),
    Part(
        name="learn",
        section=INGEST,
        about="What one event costs Redis's processor, beside what dramatiq sends for the same job.",
        short=True,
    ),
    Part(
        name="processes",
        section=INGEST,
        about="1, 2 and 4 web processes before one Redis; a thousand calls that go to all four at once.",
    ),
    Part(
        name="redis_away",
        section=INGEST,
        about="Redis frozen and killed for a second and a half at a time, while eight senders go on.",
    ),
    Part(
        name="accounts",
        section=WORKERS,
        about="1,000 accounts with 50 calls a minute in all, and one at 500 a minute beside them, in turns.",
        short=True,
        within_s=600,
    ),
    Part(
        name="concurrency",
        section=WORKERS,
        about="A backlog of unrecorded calls, four requests of 50 ms each; the budgets are wide open.",
        short=True,
    ),
    Part(
        name="workers_side_by_side",
        section=WORKERS,
        about="The same four requests of 50 ms a call by each, one process on one core, in turns.",
        within_s=400,
    ),
    Part(
        name="pickup",
        section=WORKERS,
        about="From the sender's webhook to the first request to Kustomer, and to the note.",
    ),
    Part(name="recovery", section=WORKERS, about="How soon the work of a killed worker runs again."),
    Part(name="cue_card", section=WORKERS, about="From the webhook that a call rings to the card's request."),
    Part(
        name="round_trips",
        section=WORKERS,
        about="How often a worker waits for Redis for a call, handing it out included.",
        short=True,
    ),
    Part(
        name="recordings",
        section=RECORDINGS,
        about="Download, file and upload, beside curl with the same bytes; memory over that of before.",
        short=True,
    ),
    Part(
        name="drain",
        section=BUDGETS,
        about="A backlog of 1,000 calls against three ways to count, on a clock of the test.",
        short=True,
        within_s=600,
    ),
    Part(
        name="drain_workers",
        section=BUDGETS,
        about="The same with two worker processes, one case at a fifth of the time.",
    ),
    Part(
        name="growth",
        section=GROWTH,
        about="Time of the processors for each step, from 10,000 calls on record to 100,000.",
        within_s=400,
    ),
    Part(name="start", section=START, about="CPU and time until each process does its work.", short=True),
)
