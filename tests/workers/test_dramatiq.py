"""dramatiq as people know it: actors, middleware, `dramatiq workers.main`; the queue is the ledger."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, cast

import dramatiq
import pytest
from dramatiq import Message, MessageProxy
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import Middleware, SkipMessage

from bridge.deps import Deps, JobResult
from bridge.errors import NotThereYet, Rejected
from bridge.jobs import leases
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import Claim
from bridge.ledger.queue.kinds import KINDS
from bridge.ledger.sharing import Command, LedgerClient
from bridge.sandbox.running import RunningSandbox
from tests.processes import started
from tests.support import Bridge, Runner, ended
from tests.waiting import eventually
from workers import actors
from workers.broker import LedgerBroker
from workers.middleware import Claims

KEY = "uuid:11111111-2222-4333-8444-555555555500"


def broker_of(ledger: Ledger, *, threads: int = 8) -> LedgerBroker:
    broker = LedgerBroker(lambda: ledger, middleware=[Claims()], threads=threads)
    actors.declare_on(broker)
    return broker


def taken(broker: LedgerBroker, most: int) -> list[str]:
    """What a consumer hands out, of so many tries."""
    consumer = broker.consume("jobs", timeout=0)
    found = (next(consumer) for _ in range(most))
    return [f"{message.actor_name}|{message.args[0]}" for message in found if message is not None]


# -- sending


def test_there_is_one_actor_for_each_kind_of_job(ledger: Ledger) -> None:
    assert actors.broker.get_declared_actors() == set(KINDS)
    assert {name: actor.fn.__name__ for name, actor in actors.broker.actors.items()} == {
        name: name.replace("-", "_") for name in KINDS
    }


def test_a_job_that_is_sent_is_due_for_whoever_shares_the_redis(ledger: Ledger) -> None:
    sender, other = broker_of(ledger), broker_of(Ledger(ledger.redis))

    sender.get_actor("sync").send(KEY)
    sender.get_actor("sync").send(KEY)

    assert taken(other, 3) == [f"sync|{KEY}"]


def test_a_delay_is_when_the_ledger_has_the_job_looked_at(bridge: Bridge) -> None:
    broker = broker_of(bridge.ledger)
    sync = broker.get_actor("sync")

    sync.send_with_options(args=(KEY,), delay=timedelta(minutes=5))
    # An earlier plan stands.
    sync.send_with_options(args=(KEY,), delay=3_600_000)

    assert taken(broker, 1) == []
    assert bridge.ledger.queue()[Lane.LIVE].waiting == 1
    bridge.let_pass(301)
    assert taken(broker, 1) == [f"sync|{KEY}"]


def test_a_job_that_is_sent_has_the_lane_of_its_kind_or_the_one_named(ledger: Ledger) -> None:
    broker = broker_of(ledger)

    broker.get_actor("recording").send("id:1")
    broker.get_actor("sync").send_with_options(args=("id:2",), lane="backfill")

    found = ledger.queue()
    assert [found[lane].due for lane in Lane] == [0, 1, 0, 1]


@pytest.mark.parametrize("arguments", [(), ("id:1", "id:2"), (1,)])
def test_what_names_no_job_is_not_sent(ledger: Ledger, arguments: tuple[Any, ...]) -> None:
    broker = broker_of(ledger)

    with pytest.raises(TypeError, match="the job's key"):
        broker.get_actor("sync").send_with_options(args=arguments)
    with pytest.raises(ActorNotFound):
        broker.enqueue(Message("jobs", "of another version", ("id:1",), {}, {}))

    assert ledger.dispatch(8)[1] == []


# -- consuming


def test_no_more_is_taken_than_can_be_run_at_once_and_the_best_lane_comes_first(ledger: Ledger) -> None:
    broker = broker_of(ledger, threads=2)
    for n, lane in enumerate([Lane.BACKFILL, Lane.RECORDING, Lane.LIVE]):
        ledger.schedule("sync", f"id:{n}", in_ms=0, lane=lane)
    consumer = broker.consume("jobs", timeout=0)

    found = [next(consumer) for _ in range(3)]

    assert [message and message.args[0] for message in found] == ["id:2", "id:1", None]
    assert broker.busy == 2
    assert found[0] is not None
    consumer.ack(found[0])
    third = next(consumer)
    assert third is not None and third.args == ("id:0",)


def test_an_idle_process_tries_the_job_that_a_wake_up_names_before_it_looks_what_is_due(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = broker_of(bridge.ledger, threads=2)
    looks: list[int] = []
    dispatch = bridge.ledger.dispatch
    monkeypatch.setattr(bridge.ledger, "dispatch", lambda room: looks.append(room) or dispatch(room))  # type: ignore[func-returns-value]
    with bridge.ledger.wakeups() as heard:
        # The subscription itself is nothing to hear of.
        heard(0.1)
        bridge.ledger.schedule("sync", KEY, in_ms=0)
        broker.woken(eventually(partial(heard, 1.0), "the wake-up is heard") or "")

    wait_s, names = broker.take()

    assert (names, looks, broker.busy) == ([f"sync|{KEY}"], [], 1)
    assert bridge.ledger.claim("sync", KEY) is not None
    # What else there may be is looked at right after.
    assert wait_s < 0.1
    assert broker.take()[1] == []
    assert looks == [1]


@pytest.mark.parametrize("how", ["one more is due", "a thread is at work", "no job is named"])
def test_which_of_several_jobs_is_next_is_looked_up(ledger: Ledger, how: str) -> None:
    broker = broker_of(ledger, threads=2)
    if how == "a thread is at work":
        ledger.schedule("sync", "id:1", in_ms=0)
        assert taken(broker, 1) == ["sync|id:1"]
    ledger.schedule("sync", "id:2", in_ms=0, lane=Lane.BACKFILL)
    ledger.schedule("sync", "id:3", in_ms=0)
    broker.wake.clear()

    if how == "one more is due":
        broker.woken("sync|id:2")
    broker.woken("1" if how == "no job is named" else "sync|id:2")

    assert taken(broker, 1) == ["sync|id:3"]


def test_a_job_that_is_named_to_two_processes_runs_in_one(bridge: Bridge) -> None:
    processes = [broker_of(bridge.ledger) for _ in range(2)]
    bridge.ledger.schedule("sync", KEY, in_ms=0)
    for one in processes:
        one.woken(f"sync|{KEY}")

    assert [taken(one, 1) for one in processes] == [[f"sync|{KEY}"]] * 2
    assert [bridge.ledger.claim("sync", KEY) is None for _ in processes] == [False, True]


def test_what_no_thread_has_begun_is_due_again_soon(bridge: Bridge) -> None:
    """A worker that stops hands it back; there is nothing to put back, as the ledger has it."""
    broker = broker_of(bridge.ledger)
    bridge.ledger.schedule("sync", "id:1", in_ms=0)
    consumer = broker.consume("jobs", timeout=0)
    message = next(consumer)
    assert message is not None

    consumer.requeue([message])

    assert broker.busy == 0
    bridge.let_pass(3.1)
    assert taken(broker, 1) == ["sync|id:1"]


def test_a_worker_that_stops_takes_nothing_more(ledger: Ledger) -> None:
    broker = broker_of(ledger)
    ledger.schedule("sync", "id:1", in_ms=0)

    broker.stop_taking()

    assert taken(broker, 2) == []
    assert ledger.queue()[Lane.LIVE].due == 1


def test_a_job_of_a_kind_that_is_not_known_here_is_parked(ledger: Ledger) -> None:
    broker = broker_of(ledger)
    ledger.schedule("newer", "id:1", in_ms=0)
    consumer = broker.consume("jobs", timeout=0)
    message = next(consumer)
    assert message is not None
    # As dramatiq does where no actor has the name.
    message.fail()

    consumer.nack(message)

    assert [job["cause"] for job in ledger.parked().values()] == ["unknown"]
    assert broker.busy == 0


# -- middleware


class Watching(Middleware):
    """What an integration such as Sentry's sees."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def before_process_message(self, broker: dramatiq.Broker, message: MessageProxy) -> None:
        self.seen.append(f"before {message.actor_name} {message.args[0]} {bool(message.message_id)}")

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        expected = isinstance(exception, broker.get_actor(message.actor_name).options["throws"])
        self.seen.append(f"after {type(exception).__name__}{' expected' if expected else ''}")

    def after_skip_message(self, broker: dramatiq.Broker, message: MessageProxy) -> None:
        self.seen.append("skipped")


@pytest.mark.parametrize(
    ("error", "end", "seen"),
    [
        (None, "done", "after NoneType"),
        (Rejected("no such tag"), "parked", "after Rejected"),
        (ZeroDivisionError("of our own making"), "failed", "after ZeroDivisionError"),
        (NotThereYet("not yet"), "failed", "after NotThereYet expected"),
    ],
)
def test_integrations_see_each_job_and_its_error(
    bridge: Bridge, error: Exception | None, end: str, seen: str
) -> None:
    def job(claim: Claim, deps: Deps) -> JobResult:
        if error is not None:
            raise error
        return JobResult()

    watching = Watching()
    runner = Runner(bridge.deps, bridge.leases, {"sync": job})
    runner.broker.add_middleware(watching)
    bridge.ledger.schedule("sync", KEY, in_ms=0)

    assert runner.run("sync", KEY) == end

    assert watching.seen == [f"before sync {KEY} True", seen]


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize(("old", "end"), [(False, "done"), (True, "lost")])
def test_an_end_whose_reply_was_lost_is_no_lost_lease(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, old: bool, end: str, writes: bool
) -> None:
    """It is sent once more, with what goes with it; an old lease may really be another worker's by now."""
    client = cast(LedgerClient, bridge.ledger.redis)
    exchange = client._exchange
    sent: list[int] = []

    def sent_twice(commands: Sequence[Command]) -> list[Any]:
        sent.append(len(commands))
        exchange(commands)
        return exchange(commands)

    def job(claim: Claim, deps: Deps) -> JobResult:
        if writes:
            deps.ledger.keep_soon(claim, {"state": "synced"})
        if old:
            began = leases.clock
            monkeypatch.setattr(leases, "clock", lambda: began() + 3)
        monkeypatch.setattr(client, "_exchange", sent_twice)
        return JobResult()

    bridge.ledger.schedule("sync", KEY, in_ms=0)

    assert Runner(bridge.deps, bridge.leases, {"sync": job}).run("sync", KEY) == end
    # The write, if there is one, goes with the end.
    assert sent[0] == 1 + writes


def test_a_job_that_is_not_due_is_skipped(bridge: Bridge) -> None:
    watching = Watching()
    bridge.runner.broker.add_middleware(watching)

    assert bridge.runner.run("sync", KEY) == "gone"

    assert watching.seen == ["skipped"]


class Refusing(Middleware):
    def __init__(self, how: str) -> None:
        self._how = how

    def before_process_message(self, broker: dramatiq.Broker, message: MessageProxy) -> None:
        if self._how == "skips":
            raise SkipMessage("not today")
        message.fail()


def test_what_another_middleware_skips_is_due_again_when_its_lease_ends(bridge: Bridge) -> None:
    bridge.runner.broker.add_middleware(Refusing("skips"))
    bridge.ledger.schedule("sync", KEY, in_ms=0)

    with pytest.raises(KeyError):
        bridge.runner.run("sync", KEY)

    assert bridge.leases.held() == []
    bridge.let_pass(4.1)
    assert bridge.ledger.dispatch(1)[1] == [f"sync|{KEY}"]


def test_what_another_middleware_fails_is_parked(bridge: Bridge) -> None:
    bridge.runner.broker.add_middleware(Refusing("fails"))
    bridge.ledger.schedule("sync", KEY, in_ms=0)

    assert bridge.runner.run("sync", KEY) == "parked"


def test_no_actor_runs_without_a_claim() -> None:
    with pytest.raises(LookupError):
        actors.sync(KEY)


# -- dramatiq's own command


@pytest.mark.slow
def test_dramatiqs_own_command_runs_the_jobs_of_all_who_share_the_redis_and_stops_when_told(
    redis_url: str, bridge: Bridge, sandbox: RunningSandbox
) -> None:
    environ = {**os.environ, "REDIS_URL": redis_url, **sandbox.environ()}
    command = [sys.executable, "-m", "dramatiq", "workers.main", "--processes", "2", "--threads", "3"]
    lines: list[str] = []
    with started(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: lines.extend(str(line) for line in process.stdout or ()))
        reader.start()
        bridge.receive("call-ended", ended())
        eventually(lambda: bridge.record(KEY).fields.get("state") == "synced", "it is synced", within_s=30)

        send = "import sys; from workers.actors import sync; sync.send(sys.argv[1])"
        subprocess.run([sys.executable, "-c", send, KEY], env=environ, check=True, timeout=30)

        eventually(
            lambda: bridge.ledger.counts().get("job:sync:done") == 2, "it is synced again", within_s=30
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(25) == 0, lines
        reader.join()
    assert len(sandbox.kustomer.notes) == 1
    text = "".join(lines)
    assert len(re.findall(r"worker started", text)) == 2 and "threads" in text
    assert "Traceback" not in text
