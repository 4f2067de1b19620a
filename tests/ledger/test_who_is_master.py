"""Sentinel and Redis Cluster, of real servers: which one is the master, and what a former one answers."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from redis.crc import key_slot

from bridge.ledger.cluster import SLOT
from bridge.ledger.connect import WEB_TIMEOUT_S, connect, connect_web
from bridge.ledger.keys import TAG, WAKE
from bridge.ledger.ledger import Ledger
from bridge.ledger.pipelined import Pipelined
from bridge.ledger.sentinels import AsyncSentinels, Sentinels
from bridge.ledger.sharing import later, sharing
from bridge.ledger.tags import tag_of, wake_channel
from tests.chaos.house import free_port
from tests.failover.servers import Server, cluster_info
from tests.ledger.servers import needs, server
from tests.waiting import eventually

_SCRIPT = "return redis.call('SET', KEYS[1], ARGV[1])"


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections, and says nothing."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Server]]:
    """Two masters of a cluster; the first has all slots."""
    with server(tmp_path / "asked") as asked:
        # Ports for the cluster's own traffic that can be chosen.
        needs(asked.client, 7)
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
    bus = [free_port(), free_port()]
    found = [Server(tmp_path, *options, "--cluster-port", str(port)) for port in bus]
    try:
        for one in found:
            one.start()
        found[0].ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        found[1].ask("CLUSTER", "SET-CONFIG-EPOCH", 7)
        found[0].ask("CLUSTER", "MEET", "127.0.0.1", found[1].port, bus[1])
        eventually(lambda: all(_is_ready(one) for one in found), "both nodes know each other")
        yield found
    finally:
        for one in found:
            one.close()


def _is_ready(one: Server) -> bool:
    found = cluster_info(one)
    return (found.get("cluster_state"), found.get("cluster_known_nodes")) == ("ok", "2")


def address(*ports: int) -> str:
    return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)


def move_the_slot(nodes: list[Server]) -> None:
    """The ledger's slot goes to the second node; it must be empty."""
    name = str(nodes[1].ask("CLUSTER", "MYID"))
    for one in reversed(nodes):
        one.ask("CLUSTER", "SETSLOT", SLOT, "NODE", name)


def test_all_keys_are_in_one_slot() -> None:
    assert key_slot(WAKE.encode()) == key_slot(f"{TAG}:calls".encode()) == SLOT


def test_a_worker_goes_on_at_the_node_that_has_the_slot_now(nodes: list[Server]) -> None:
    with connect(address(nodes[0].port)) as client:
        client.get(f"{TAG}:a")
        move_the_slot(nodes)

        client.set(f"{TAG}:a", "plain")
        move = client.pipeline(transaction=True)
        move.set(f"{TAG}:b", "at once")
        move.execute()
        with sharing():
            later(client, ("SET", f"{TAG}:c", "together"))
            Ledger(client).now_ms()

        found = redis.Redis(port=nodes[1].port, decode_responses=True)
        assert [found.get(f"{TAG}:{name}") for name in "abc"] == ["plain", "at once", "together"]
        found.close()


def test_accounts_are_on_the_servers_of_their_slots_and_share_connections_there(nodes: list[Server]) -> None:
    theirs = {key_slot(tag_of(name).encode()) for name in ("bolt", "core")}
    for slot in theirs:
        for one in reversed(nodes):
            one.ask("CLUSTER", "SETSLOT", slot, "NODE", str(nodes[1].ask("CLUSTER", "MYID")))
    url = address(nodes[0].port, nodes[1].port)
    with connect(url) as client:
        own = Ledger(client)
        ledgers = {name: Ledger(connect(url, account=name)) for name in ("acme", "bolt", "core")}
        heartbeat = own.heartbeat("worker")
        heartbeat.start()
        heartbeat.beat()
        with own.wakeups(wake_channel("bolt")) as heard:
            heard(0.2)
            for ledger in (own, *ledgers.values()):
                ledger.schedule("sync", "id:7", in_ms=0)
            # Told within the whole cluster.
            assert heard(2.0) == "sync|id:7"

        assert [one.dispatch(8)[1] for one in (own, *ledgers.values())] == [["sync|id:7"]] * 4
        assert [one.kind for one in ledgers["bolt"].processes()] == ["worker"]
        heartbeat.stop()
        pools = [one.redis.connection_pool for one in ledgers.values()]
        assert pools[1] is pools[2] and pools[0] is not pools[1]
    kept = [{str(name).partition("}")[0] for name in one.ask("KEYS", "*")} for one in nodes]
    assert kept == [{"{callbridge", "{callbridge:acme"}, {"{callbridge:bolt", "{callbridge:core"}]


def test_what_shares_a_round_trip_goes_together_to_the_node_that_has_the_slot_now(
    nodes: list[Server],
) -> None:
    with connect(address(nodes[0].port)) as client:
        client.get(f"{TAG}:a")
        move_the_slot(nodes)

        with sharing():
            later(client, ("SET", f"{TAG}:a", "1"))
            later(client, ("SET", f"{TAG}:b", "2"))

        assert client.mget(f"{TAG}:a", f"{TAG}:b") == ["1", "2"]


def test_the_web_process_finds_the_node_that_has_the_slot_now(nodes: list[Server]) -> None:
    async def go() -> None:
        client = connect_web(address(nodes[0].port))
        shared = Pipelined(client, timeout_s=WEB_TIMEOUT_S)
        await answered(lambda: shared.run(sha, _SCRIPT, ["{a slot of the first node}"], ["x"]))
        await answered(client.ping)
        move_the_slot(nodes)

        await answered(lambda: shared.run(sha, _SCRIPT, [f"{TAG}:a"], ["1"]))
        await answered(lambda: client.set(f"{TAG}:b", "2"))
        assert await client.mget(f"{TAG}:a", f"{TAG}:b") == ["1", "2"]
        shared.close()
        await client.aclose()

    sha = hashlib.sha1(_SCRIPT.encode()).hexdigest()  # noqa: S324  # the name of a script
    asyncio.run(go())


async def answered(ask: Callable[[], Any]) -> None:
    """Ask as senders of webhooks do, who come again after a 503; a slow machine costs some, too."""
    for _ in range(40):
        try:
            await ask()
            return
        except (redis.RedisError, TimeoutError):
            await asyncio.sleep(0)
    raise AssertionError("no answer in 40 tries")


def test_wake_ups_are_heard_in_a_cluster(nodes: list[Server]) -> None:
    with connect(address(nodes[0].port)) as client, Ledger(client).wakeups() as heard:
        heard(0.1)
        client.publish(WAKE, "sync|uuid:x")

        assert eventually(lambda: heard(1.0), "it is heard") == "sync|uuid:x"


def test_a_node_that_says_nothing_does_not_hold_up_the_web_process(nodes: list[Server], silent: int) -> None:
    assert asyncio.run(_pinged(address(silent, nodes[0].port)))


def test_a_sentinel_that_says_nothing_does_not_hold_up_the_web_process(tmp_path: Path, silent: int) -> None:
    master = Server(tmp_path)
    sentinel = Server(tmp_path, sentinel=f"sentinel monitor main 127.0.0.1 {master.port} 1\n")
    try:
        master.start()
        sentinel.start()
        url = f"redis+sentinel://127.0.0.1:{silent},127.0.0.1:{sentinel.port}/main/0"

        assert asyncio.run(_pinged(url))
    finally:
        sentinel.close()
        master.close()


async def _pinged(url: str) -> bool:
    client = connect_web(url)
    try:
        async with asyncio.timeout(WEB_TIMEOUT_S):
            return bool(await client.ping())
    finally:
        await client.aclose()


class _Sentinel:
    """One that names this master."""

    def __init__(self, port: int, epoch: int, *, is_down: bool = False) -> None:
        self.masters = {
            "main": {
                "name": "main", "ip": "127.0.0.1", "port": port, "config-epoch": epoch,
                "is_master": True, "is_sdown": is_down, "is_odown": False, "num-other-sentinels": 1,
            }
        }  # fmt: skip

    def sentinel_masters(self) -> Any:
        return self.masters


class _AsyncSentinel(_Sentinel):
    async def sentinel_masters(self) -> Any:
        return self.masters


def sentinels() -> Any:
    return cast(Any, Sentinels)([])


@pytest.mark.parametrize("order", [1, -1])
def test_a_sentinel_that_has_missed_a_failover_is_not_believed(order: int) -> None:
    blocking, web = sentinels(), cast(Any, AsyncSentinels)([])
    blocking.sentinels = [_Sentinel(1, 3), _Sentinel(2, 4)][::order]
    web.sentinels = [_AsyncSentinel(1, 3), _AsyncSentinel(2, 4)][::order]

    assert blocking.discover_master("main") == ("127.0.0.1", 2)
    assert asyncio.run(web.discover_master("main")) == ("127.0.0.1", 2)


def test_a_newer_master_that_is_down_does_not_bring_back_an_older_one() -> None:
    blocking = sentinels()
    blocking.sentinels = [_Sentinel(1, 3), _Sentinel(2, 4, is_down=True)]

    with pytest.raises(redis.ConnectionError):
        blocking.discover_master("main")


def test_a_command_goes_on_at_the_new_master_where_the_old_one_became_a_replica(tmp_path: Path) -> None:
    servers = [Server(tmp_path) for _ in range(2)]
    first = _Sentinel(servers[0].port, 1)
    try:
        for one in servers:
            one.start()
        with connect("redis+sentinel://127.0.0.1:1/main/0") as client:
            pool: Any = client.connection_pool
            pool.sentinel_manager.sentinels = [first]
            client.set(f"{TAG}:a", "1")
            servers[0].client.replicaof("127.0.0.1", str(servers[1].port))
            first.masters["main"].update({"port": servers[1].port, "config-epoch": 2})

            script = client.register_script(_SCRIPT)
            client.set(f"{TAG}:a", "2")
            script(keys=[f"{TAG}:b"], args=["3"])

        assert servers[1].client.mget(f"{TAG}:a", f"{TAG}:b") == ["2", "3"]
    finally:
        for one in servers:
            one.close()
