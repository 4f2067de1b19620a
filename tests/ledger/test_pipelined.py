"""The connection that webhooks share, before real servers: ones that answer, stop, are frozen, or sign in."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
import redis

from bridge.ledger import pipelined, stalls
from bridge.ledger.connect import connect, connect_web
from bridge.ledger.following import is_not_master
from bridge.ledger.pipelined import Pipelined
from bridge.local.embedded import EmbeddedRedis
from tests.ledger.servers import Server, server
from tests.waiting import eventually

T = TypeVar("T")
_ECHO = "return {KEYS[1], ARGV[1]}"
_SET = "return redis.call('SET', KEYS[1], ARGV[1])"


def sha(source: str) -> str:
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def use(url: str, what: Callable[[Pipelined], Awaitable[T]], *, timeout_s: float = 1.0) -> T:
    async def it() -> T:
        client = connect_web(url)
        link = Pipelined(client, timeout_s=timeout_s)
        try:
            return await what(link)
        finally:
            link.close()
            await client.aclose()

    return asyncio.run(it())


async def echo(link: Pipelined, text: object) -> list[str]:
    answer: list[str] = await link.run(sha(_ECHO), _ECHO, ["k"], [text])
    return answer


def test_each_of_many_at_once_gets_its_own_answer(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not about how long a connection may take on a machine that does other things, too.
    monkeypatch.setattr(stalls, "SILENT_S", stalls.MOST_SILENT_S)

    async def many(link: Pipelined) -> list[list[str]]:
        return await asyncio.gather(*(echo(link, number) for number in range(300)))

    with connect(redis_url) as client:
        before = client.info("stats")["total_connections_received"]
        answers = use(redis_url, many)
        made = client.info("stats")["total_connections_received"] - before

    assert answers == [["k", str(number)] for number in range(300)]
    assert made == 1


def test_a_storm_reaches_redis_before_the_turn_of_the_loop_that_reads_it_ends(redis_url: str) -> None:
    with connect(redis_url) as client:

        async def storm(link: Pipelined) -> int:
            await link.run(sha(_SET), _SET, ["storm"], ["connected"])
            answers = [asyncio.get_running_loop().create_future() for _ in range(pipelined.SENT_AT_ONCE)]
            for number, answer in enumerate(answers):
                link.send(sha(_SET), ["storm"], [number], answer)
            last = str(len(answers) - 1)
            eventually(lambda: client.get("storm") == last, "Redis has them, though this turn goes on")
            return sum(answer.done() for answer in answers)

        assert use(redis_url, storm) == 0
        client.delete("storm")


def test_who_gives_up_waiting_does_not_shift_the_answers_of_others(redis_url: str) -> None:
    async def one_leaves(link: Pipelined) -> list[str]:
        await echo(link, "first")
        leaving = asyncio.ensure_future(echo(link, "nobody waits for this"))
        staying = asyncio.ensure_future(echo(link, "this one does"))
        await asyncio.wait([leaving], timeout=0)
        leaving.cancel()
        return await staying

    assert use(redis_url, one_leaves) == ["k", "this one does"]


def test_texts_of_all_kinds_arrive_as_they_were_sent(redis_url: str) -> None:
    for text in ("", "ünïcødé \U0001f4de", "a\r\n$5\r\nb", "x" * 200_000):
        assert use(redis_url, partial(echo, text=text)) == ["k", text]


def test_an_error_of_one_script_is_its_own(redis_url: str) -> None:
    async def two(link: Pipelined) -> tuple[object, ...]:
        bad = link.run("0" * 40, "return redis.call('NO SUCH COMMAND')", ["k"], [])
        return tuple(await asyncio.gather(bad, echo(link, "fine"), return_exceptions=True))

    bad, good = use(redis_url, two)

    assert isinstance(bad, redis.ResponseError) and good == ["k", "fine"]


def test_more_than_may_wait_are_refused_at_once(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelined, "MOST_WAITING", 3)

    async def five(link: Pipelined) -> list[object]:
        await echo(link, "connected")
        return list(await asyncio.gather(*(echo(link, n) for n in range(5)), return_exceptions=True))

    answers = use(redis_url, five)

    assert [isinstance(one, redis.TimeoutError) for one in answers] == [False] * 3 + [True] * 2


def test_where_nobody_listens_everybody_is_told_at_once(tmp_path: Path) -> None:
    async def three(link: Pipelined) -> list[object]:
        return list(await asyncio.gather(*(echo(link, n) for n in range(3)), return_exceptions=True))

    answers = use(f"unix://{tmp_path}/nobody.sock", three)

    assert all(isinstance(one, redis.ConnectionError) for one in answers)


@pytest.mark.slow
def test_a_server_that_ends_and_comes_back_is_used_again(tmp_path: Path) -> None:
    redis_server = EmbeddedRedis(tmp_path, appendfsync="everysec")
    redis_server.start()

    async def across_a_restart(link: Pipelined) -> list[object]:
        said: list[object] = [await echo(link, "before")]
        redis_server.stop()
        said += await asyncio.gather(echo(link, "away"), echo(link, "away too"), return_exceptions=True)
        redis_server.start()
        # It does not know the script any more.
        return [*said, await echo(link, "after")]

    try:
        before, *away, after = use(redis_server.url, across_a_restart)
    finally:
        redis_server.stop()

    assert (before, after) == (["k", "before"], ["k", "after"])
    assert all(isinstance(one, redis.ConnectionError) for one in away)


@pytest.mark.slow
def test_before_a_frozen_server_nobody_waits_longer_than_the_limit(tmp_path: Path) -> None:
    with server(tmp_path) as frozen:

        async def across_a_freeze(link: Pipelined) -> list[object]:
            loop = asyncio.get_running_loop()
            await echo(link, "before")
            with frozen.frozen():
                began = loop.time()
                away = await asyncio.gather(*(echo(link, n) for n in range(5)), return_exceptions=True)
                took_s = loop.time() - began
            return [*away, took_s, await echo(link, "after")]

        *away, took_s, after = use(frozen.url, across_a_freeze, timeout_s=0.3)

    assert all(isinstance(one, redis.TimeoutError) for one in away)
    assert isinstance(took_s, float) and took_s < 1
    assert after == ["k", "after"]


def test_a_replica_by_failover_is_left_for_a_new_connection(tmp_path: Path) -> None:
    with server(tmp_path) as other, connect(other.url) as client:

        async def across_a_failover(link: Pipelined) -> list[object]:
            said: list[object] = [await link.run(sha(_SET), _SET, ["k"], ["before"])]
            client.replicaof("127.0.0.1", "1")
            said += await asyncio.gather(link.run(sha(_SET), _SET, ["k"], ["x"]), return_exceptions=True)
            client.replicaof("no", "one")
            made = client.info("stats")["total_connections_received"]
            said.append(await link.run(sha(_SET), _SET, ["k"], ["after"]))
            return [*said, client.info("stats")["total_connections_received"] - made]

        before, refused, after, made = use(other.url, across_a_failover)

    assert (before, after, made) == ("OK", "OK", 1)
    # Redis 6.2 puts it into the text of another error.
    assert isinstance(refused, redis.ResponseError) and is_not_master(refused)


def test_it_signs_in_and_selects_its_database(own: Server) -> None:
    with connect(own.url) as client:
        client.config_set("requirepass", "a password of eight")
        try:
            url = own.url.replace("://", "://:a%20password%20of%20eight@").replace("/0", "/3")
            assert use(url, lambda link: link.run(sha(_SET), _SET, ["here"], ["3"])) == "OK"
            with pytest.raises(redis.AuthenticationError):
                use(own.url.replace("://", "://:wrong@"), lambda link: echo(link, "x"))
        finally:
            client.config_set("requirepass", "")
    with connect(own.url.replace("/0", "/3")) as client:
        assert client.get("here") == "3"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> object:
    with server(tmp_path_factory.mktemp("own")) as one:
        yield one
