"""Events that one run of the script keeps: each for itself, as if it had come alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bridge.domain.webhook.events import Event
from bridge.ledger import keys, pipelined, scripts
from bridge.ledger.calls.learning import Common, Own, Retention, event_parts, status_and_key, together
from bridge.ledger.connect import connect, connect_web
from bridge.ledger.faults import UnknownScript, server_fault
from bridge.ledger.following import is_not_master
from bridge.ledger.ledger import Ledger
from bridge.ledger.pipelined import OfAccount, Pipelined
from bridge.ledger.tags import Tagging, learn_script
from tests.ledger.protocol import NOW, with_clock
from tests.ledger.servers import server

T = TypeVar("T")
KEEP = Retention()
UUIDS = [UUID(int=(4 << 76) | (8 << 60) | n) for n in (1, 2, 3)]


def event(
    uuid: UUID | None = None,
    call_id: int | None = None,
    *,
    trigger: str = "call-ended",
    body: int = 0,
    **more: Any,
) -> Event:
    return Event(
        trigger=trigger, fingerprint=f"{trigger}-{uuid}-{call_id}-{body}", uuid=uuid, call_id=call_id, **more
    )


def parts(one: Event) -> tuple[str, Common, Own]:
    return event_parts(one, {"body": one.fingerprint, "signed": one.signed}, KEEP)


ids = st.one_of(
    st.tuples(st.sampled_from(UUIDS), st.none()),
    st.tuples(st.none(), st.integers(1, 3)),
    st.tuples(st.sampled_from(UUIDS), st.integers(1, 3)),
)
events = st.builds(
    lambda both, trigger, body, signed: event(*both, trigger=trigger, body=body, signed=signed),
    ids,
    st.sampled_from(["call-ended", "call-modified", "recording-uploaded"]),
    st.integers(0, 1),
    st.booleans(),
)


class Store:
    """The learn script on a database of its own, at a moment that stands still."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self._script = client.register_script(with_clock(scripts.source("learn")))

    def begin(self, forgotten: bool) -> None:
        self.client.flushall()
        self.client.set(NOW, 1_800_000_000_000)
        if forgotten:
            self.client.hset(keys.META, "forget_secret", "a secret")
            mark = self.client.eval("return redis.sha1hex('a secret|id:2')", 0)
            self.client.zadd(keys.FORGOTTEN, {str(mark): 1})

    def learn(self, *of: tuple[str, Common, Own]) -> list[Any]:
        """Answers to these, kept by one run."""
        groups = [
            (common, [text for _, _, own in some for text in own])
            for common, some in groupby(of, key=lambda one: one[1])
        ]
        answers: list[Any] = self._script(keys=[keys.record(of[0][0])], args=together(groups))
        return [status_and_key(answer, key) for answer, (key, _, _) in zip(answers, of, strict=True)]

    def holds(self) -> dict[str, Any]:
        """Everything."""
        found: dict[str, Any] = {}
        for key in sorted(str(key) for key in self.client.keys("*")):
            kind = str(self.client.type(key))
            read = {
                "hash": self.client.hgetall,
                "zset": lambda key: self.client.zrange(key, 0, -1, withscores=True),
                "list": lambda key: self.client.lrange(key, 0, -1),
                "string": self.client.get,
            }[kind]
            found[key] = (read(key), self.client.ttl(key) > 0)
        return found


@pytest.fixture
def store(redis_client: redis.Redis) -> Store:
    return Store(redis_client)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(told=st.lists(events, min_size=2, max_size=12), forgotten=st.booleans(), cuts=st.integers(1, 6))
@example(told=[event(None, 1), event(UUIDS[0], 1), event(UUIDS[0], None)], forgotten=False, cuts=3)
@example(told=[event(UUIDS[0], 1), event(UUIDS[1], 1), event(UUIDS[0], 1)], forgotten=False, cuts=3)
@example(told=[event(UUIDS[0], None), event(UUIDS[0], 2)], forgotten=True, cuts=2)
def test_what_is_kept_and_answered_is_that_of_events_that_come_one_by_one(
    store: Store, told: list[Event], forgotten: bool, cuts: int
) -> None:
    of = [parts(one) for one in told]
    store.begin(forgotten)
    one_by_one = [store.learn(one)[0] for one in of]
    kept = store.holds()

    store.begin(forgotten)
    together_ = [answer for at in range(0, len(of), cuts) for answer in store.learn(*of[at : at + cuts])]

    assert together_ == one_by_one
    assert store.holds() == kept


def test_an_event_that_cannot_be_kept_does_not_touch_the_others(store: Store) -> None:
    store.begin(forgotten=False)
    store.client.set(keys.events("id:2"), "not a hash")
    of = [parts(event(None, n)) for n in (1, 2, 3)]

    answers = store._script(
        keys=[keys.record("id:1")], args=together([(of[0][1], [text for _, _, own in of for text in own])])
    )

    assert [answer for answer in answers if not isinstance(answer, Exception)] == [1, 1]
    assert isinstance(answers[1], redis.ResponseError) and server_fault(answers[1]) is None
    assert set(store.client.hkeys(keys.JOBS)) == {"sync|id:1", "sync|id:3"}
    assert store.client.hget(keys.COUNTS, "webhook:call-ended:accepted") == "2"


def test_who_waits_for_work_is_told_of_one_job_by_name_and_of_several_without(ledger: Ledger) -> None:
    with ledger.wakeups() as heard:
        store = Store(ledger.redis)
        assert heard(5.0) is None, "the answer to SUBSCRIBE is no news"
        store.client.set(NOW, 1_800_000_000_000)
        store.learn(parts(event(None, 1)))
        store.learn(*(parts(event(None, n)) for n in (2, 3)))

        texts = [heard(5.0), heard(5.0)]

    assert texts == ["sync|id:1", ""]


# By the connection that webhooks share.


def use(url: str, what: Callable[[Pipelined], Awaitable[T]]) -> T:
    async def it() -> T:
        client = connect_web(url)
        link = Pipelined(client, timeout_s=1.0)
        try:
            await link.open()
            return await what(link)
        finally:
            link.close()
            await client.aclose()

    return asyncio.run(it())


def send(link: Pipelined, told: Sequence[Event], script: str = "") -> list[asyncio.Future[Any]]:
    """Who waits for what is said to each of these, sent in one turn of the event loop."""
    answers = [asyncio.get_running_loop().create_future() for _ in told]
    for one, answer in zip(told, answers, strict=True):
        key, common, own = parts(one)
        link.send_together(script or scripts.sha("learn"), keys.record(key), common, own, answer)
    return answers


async def sent(link: Pipelined, told: Sequence[Event], script: str = "") -> list[Any]:
    """What is said to each."""
    return await asyncio.gather(*send(link, told, script), return_exceptions=True)


@pytest.fixture
def loaded(redis_client: redis.Redis) -> Iterator[redis.Redis]:
    redis_client.script_load(scripts.source("learn"))
    yield redis_client


def runs_of(client: redis.Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])


def test_events_of_one_moment_go_in_one_run_and_each_has_its_own_answer(
    redis_url: str, loaded: redis.Redis
) -> None:
    told = [event(None, 1), event(None, 2, trigger="call-started"), event(None, 1), event(UUIDS[0], 1)]
    before = runs_of(loaded)

    answers = use(redis_url, lambda link: sent(link, told))

    assert answers == [1, 1, ["duplicate", "id:1"], 1]
    assert runs_of(loaded) == before + 1


def test_a_storm_goes_in_runs_of_a_bounded_size(redis_url: str, loaded: redis.Redis) -> None:
    told = [event(None, n) for n in range(1, 3 * pipelined.SENT_AT_ONCE + 2)]
    before = runs_of(loaded)

    answers = use(redis_url, lambda link: sent(link, told))

    assert answers == [1] * len(told)
    assert runs_of(loaded) == before + 4
    assert loaded.hlen(keys.JOBS) == len(told)


def test_events_of_several_accounts_of_one_moment_are_kept_apart(redis_url: str, loaded: redis.Redis) -> None:
    tagging = [Tagging("acme"), Tagging("globex")]
    sha = str(loaded.script_load(learn_script(scripts.source("learn"))))
    of = parts(event(None, 1))

    async def at_once(link: Pipelined) -> list[Any]:
        links = [OfAccount(link, one) for one in tagging]
        answers = [asyncio.get_running_loop().create_future() for _ in links]
        for each, answer in zip(links, answers, strict=True):
            each.send_together(sha, keys.record(of[0]), of[1], of[2], answer)
        return await asyncio.gather(*answers)

    assert use(redis_url, at_once) == [1, 1]
    assert [loaded.hkeys(one.name(keys.JOBS)) for one in tagging] == [["sync|id:1"], ["sync|id:1"]]
    assert not loaded.exists(keys.JOBS)


def test_where_redis_does_not_know_the_script_each_is_told(redis_url: str, loaded: redis.Redis) -> None:
    answers = use(redis_url, lambda link: sent(link, [event(None, 1), event(None, 2)], script="0" * 40))

    assert [type(answer) for answer in answers] == [UnknownScript] * 2


def test_each_is_told_that_the_connection_was_lost_sent_or_not(redis_url: str, loaded: redis.Redis) -> None:
    async def lost(link: Pipelined) -> list[Any]:
        answers = send(link, [event(None, n) for n in range(1, pipelined.SENT_AT_ONCE + 2)])
        link.close()
        return await asyncio.gather(*answers, return_exceptions=True)

    answers = use(redis_url, lost)

    assert [type(answer) for answer in answers] == [redis.ConnectionError] * (pipelined.SENT_AT_ONCE + 1)


def test_no_more_wait_than_may(redis_url: str, loaded: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelined, "MOST_WAITING", 2)

    async def three(link: Pipelined) -> list[bool]:
        seen = [link.takes_more]
        for number in (1, 2):
            answers = send(link, [event(None, number)])
            seen.append(link.takes_more)
        await asyncio.wait(answers)
        return seen

    assert use(redis_url, three) == [True, True, False]


@pytest.mark.parametrize("state", ["a full server", "a replica"])
def test_of_a_server_that_takes_nothing_each_is_told_why(tmp_path: Path, state: str) -> None:
    with server(tmp_path) as other, connect(other.url) as client:
        client.script_load(scripts.source("learn"))
        if state == "a replica":
            client.replicaof("127.0.0.1", "1")
        else:
            client.config_set("maxmemory", 1)

        answers = use(other.url, lambda link: sent(link, [event(None, 1), event(UUIDS[0], 2)]))

    assert all(isinstance(answer, redis.RedisError) for answer in answers)
    faults = [server_fault(answer) for answer in answers]
    says = "read-only" if state == "a replica" else "out of memory"
    assert [fault is not None and says in fault.says for fault in faults] == [True, True], answers
    assert is_not_master(answers[0]) is (state == "a replica")


def test_a_replica_by_failover_is_left_for_a_new_connection(tmp_path: Path) -> None:
    with server(tmp_path) as other, connect(other.url) as client:
        client.script_load(scripts.source("learn"))

        async def across_a_failover(link: Pipelined) -> bool:
            client.replicaof("127.0.0.1", "1")
            await sent(link, [event(None, 1), event(None, 2)])
            return link.takes_more

        assert use(other.url, across_a_failover) is False
