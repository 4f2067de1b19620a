"""The job protocol under a machine that tries to break it; and proof that the machine would notice."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from bridge.ledger import scripts
from tests.ledger.protocol import Count, Line, Protocol, with_clock

STEPS_IN_ALL = 50_000
# Of about 500 steps each, with this hypothesis and these rules.
EXAMPLES = 105
# Of 300 steps each, from one seed: a mutant is found in a second or is not.
MOST_TRIES = 80

# What somebody might break by mistake: script, text, what stands in its place. Each one must be noticed.
MUTANTS = {
    "a record that lost its number is not looked at": [
        (
            "learn",
            "  mark_due('sync|uuid:' .. u, lane, now, now)\n    end\n\n    -- None",
            "end\n\n    -- None",
        )
    ],
    "a live lease is ignored": [
        ("claim", "if lease_end(name, job) > now then\n  -- The", "if false then\n  -- The"),
        ("claim", "if score > now and not on_its_way then", "if false then"),
    ],
    "a job that is not due is claimed": [
        ("claim", "if score > now and not on_its_way then", "if false then")
    ],
    "deliveries are not counted": [("claim", "job.deliveries = job.deliveries + 1", "")],
    "a run that was handed back counts": [("hand_back", "math.max(0, job.deliveries - 1)", "job.deliveries")],
    "a run is handed back as often as it is told": [
        ("hand_back", "job.open_runs = string.gsub(job.open_runs, token .. ' ', '')", "")
    ],
    "who handed a job back may write": [("hand_back", "else job.token = nil end", "end")],
    "a parked job is claimed": [
        ("claim", "if redis.call('ZSCORE', '{callbridge}:parked', name) then return {'parked'} end", "")
    ],
    "a claim whose reply was lost is refused": [("claim", "if job.token == token then", "if false then")],
    "the other part's lease is ignored": [("claim", "if twin and twin_ends > now then", "if false then")],
    "the other part's late worker keeps its hold": [
        ("claim", "if twin and twin.token then", "if false then")
    ],
    "anybody may end or write": [("front", "if job and job.token == token then", "if job then")],
    "news during a run is dropped": [("complete", "local again = job.again_at", "local again = nil")],
    "news after a lease ran out is dropped": [
        ("front", "if job.token then job.again_at", "if lease_end(name, job) > now then job.again_at")
    ],
    "what is left of a joined part is dropped": [
        ("complete", "mark_due(ARGV[5] .. '|uuid:' .. uuid, lane, again or now, now)", "")
    ],
    "lanes are handed out backwards": [
        (
            "dispatch",
            "for lane = 1, 4 do\n  redis.call('ZREM",
            "for lane = 4, 1, -1 do\n  redis.call('ZREM",
        )
    ],
    "a better lane is not taken": [("front", "if lane < job.lane then lift", "if false then lift")],
    "news hurries what is backing off": [("front", "(job.attempts > 0 or score <= at)", "score <= at")],
    "a job on its way is claimed before its time": [
        ("front", "  redis.call('ZREM', handed(job.lane), name)\nend", "end")
    ],
    "a lease is renewed for nobody": [("renew", "if job then", "if false then")],
    "a parked job is due again with news": [
        (
            "front",
            "if redis.call('ZSCORE', '{callbridge}:parked', name) then\n    return",
            "if false then\n    return",
        )
    ],
    "news of a job whose time has come is dropped though its lease ran out": [
        ("front", "score <= at and not job.token and", "score <= at and")
    ],
    "a job whose time has come stays in its lane": [("front", " and lane >= job.lane then", " then")],
    "news does not hurry a job": [("front", "if score and score <= at and", "if score and")],
    "failing is never given up": [("reschedule", ">= tonumber(ARGV[7])", "< 0")],
    "steps on the way do not count": [("keep", "if stepped and", "if false and")],
    "steps on the way count for ever": [("keep", "(job.steps or 0) < MOST_STEPS", "true")],
    "a lease lasts as long as the clock was set back": [("dispatch", "end_by(leased,", "end_by(handed,")],
}  # fmt: skip


@pytest.fixture(scope="module")
def line(redis_url: str) -> Iterator[Line]:
    client = cast(Line, Line.from_url(redis_url, decode_responses=True))
    yield client
    client.close()


def machine(line: Line, source: Callable[[str], str], count: Count, **more: object) -> type[Protocol]:
    """The machine on these scripts."""
    texts = {name: with_clock(source(name)) for name in scripts.NAMES}
    parts = {"line": line, "source": staticmethod(texts.__getitem__), "count": count, **more}
    return type("Driven", (Protocol,), parts)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_job_is_lost_or_run_by_two_whatever_happens(line: Line) -> None:
    count = Count()
    run_state_machine_as_test(
        machine(line, scripts.source, count),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=10,
            derandomize=True,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            # To shrink takes many minutes; add it when there is something to find out.
            phases=[Phase.generate],
        ),
    )

    assert count.steps >= STEPS_IN_ALL, count


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_the_machine_notices_when(line: Line, name: str) -> None:
    for where, good, _ in MUTANTS[name]:
        places = [script for script in scripts.NAMES if good in scripts.source(script)]
        assert where == "front" or where in places, f"{where}.lua no longer says: {good}"
        assert places, f"no script says any more: {good}"

    def broken(script: str) -> str:
        text = scripts.source(script)
        for where, good, bad in MUTANTS[name]:
            if where in (script, "front"):
                assert where == "front" or text.count(good) == 1, f"{where}.lua no longer says: {good}"
                text = text.replace(good, bad)
        return text

    driven = machine(line, broken, Count(), say=staticmethod(lambda text: None))
    steps = random.Random(1)

    with pytest.raises(AssertionError):
        for _ in range(MOST_TRIES):
            one = driven()
            one.a_busy_while(steps.randbytes(600))
            one.teardown()
