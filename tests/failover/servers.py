"""Redis that fails over, of real processes: one master with two replicas and three Sentinels, or a cluster.

All are the server that the bridge brings (Valkey), which also has Sentinel; or another by its path.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from bridge.ledger.keys import TAG
from bridge.local.embedded import find_server
from bridge.local.supervisor import dying_with_parent
from tests.chaos.house import free_port
from tests.processes import end, start
from tests.waiting import eventually

# How long a server says nothing before it counts as failed; Sentinel's own default is 30 s, a cluster's 15 s.
DOWN_AFTER_MS = 2_000
_SERVICE = "main"
_WITHIN_S = 60.0
_NEVER = Retry(NoBackoff(), 0)


class Server:
    """One server process on a port of its own; its data stays over a restart."""

    def __init__(self, folder: Path, *options: str, sentinel: str = "", program: Path | None = None) -> None:
        """Args: sentinel: the configuration of a Sentinel, which writes into it; empty: a Redis."""
        self.port = free_port()
        self.folder = folder / str(self.port)
        self.folder.mkdir(parents=True)
        self._program, self._options = program or find_server(), options
        self._conf = self.folder / "sentinel.conf"
        if sentinel:
            self._conf.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n{sentinel}")
        self._is_sentinel = bool(sentinel)
        self.popen: subprocess.Popen[Any] | None = None
        self.client = redis.Redis(port=self.port, decode_responses=True, socket_timeout=1, retry=_NEVER)

    def start(self) -> None:
        own: Sequence[str] = (str(self._conf), "--sentinel")
        if not self._is_sentinel:
            own = (
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)),
                *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
                *("--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0"),
                *self._options,
            )
        with (self.folder / "server.log").open("ab") as log:
            self.popen = start(
                [self._program, *own],
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=dying_with_parent(),
            )
        eventually(self.answers, f"the server on port {self.port} answers", within_s=_WITHIN_S)

    def answers(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return bool(self.client.ping())
        return False

    @property
    def is_alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def kill(self) -> None:
        assert self.popen is not None
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def freeze(self, is_frozen: bool = True) -> None:
        """Have it stand still, or go on as if no time had passed."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGSTOP if is_frozen else signal.SIGCONT)

    def close(self) -> None:
        self.client.close()
        if self.popen is not None:
            end(self.popen)

    def info(self, section: str) -> dict[str, Any]:
        with contextlib.suppress(redis.RedisError):
            return dict(self.client.info(section))
        return {}

    def ask(self, *words: str | int) -> Any:
        """Any command."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]

    def replicas(self) -> int:
        """How many follow this one and have all of its data."""
        found = self.info("replication")
        each = [found[name] for name in found if name.startswith("slave") and isinstance(found[name], dict)]
        return sum(one.get("state") == "online" for one in each) if found.get("role") == "master" else 0


# kill -9; SIGSTOP until it is revived; an operator's command, with which the old master becomes a replica.
How = Literal["kill", "freeze", "switch"]


class Servers(Protocol):
    """What a drill needs of a set of servers."""

    url: str

    def start(self) -> None: ...

    def close(self) -> None: ...

    def lose(self, how: How) -> None:
        """Have the master that has the ledger fail, or replaced on purpose."""

    def has_taken_over(self) -> bool:
        """Whether another one is the master since."""

    def revive(self) -> None:
        """Start again what was killed, and have what is frozen go on."""

    def is_whole(self) -> bool:
        """Whether all run, and follow one master."""


class WithSentinel:
    """One master, two replicas, three Sentinels. The Sentinel that the address names first dies with the
    master, as where a machine is lost that ran both."""

    def __init__(self, folder: Path, *, program: Path | None = None) -> None:
        safe = ("--min-replicas-to-write", "1", "--min-replicas-max-lag", "10")
        self.servers = [Server(folder, *safe, program=program) for _ in range(3)]
        conf = "".join(
            f"sentinel {line}\n"
            for line in (
                f"monitor {_SERVICE} 127.0.0.1 {self.servers[0].port} 2",
                f"down-after-milliseconds {_SERVICE} {DOWN_AFTER_MS}",
                f"failover-timeout {_SERVICE} 6000",
                f"parallel-syncs {_SERVICE} 2",
            )
        )
        self.sentinels = [Server(folder, sentinel=conf, program=program) for _ in range(3)]
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        self.url = f"redis+sentinel://{hosts}/{_SERVICE}/0"
        self._killed = 0

    def start(self) -> None:
        self.servers[0].start()
        for one in self.servers[1:]:
            one.start()
            one.client.replicaof("127.0.0.1", str(self.servers[0].port))
        eventually(lambda: self.servers[0].replicas() == 2, "the replicas are there", within_s=_WITHIN_S)
        for one in self.sentinels:
            one.start()
        eventually(self.is_whole, "the Sentinels know each other", within_s=_WITHIN_S, every_s=0.1)

    def close(self) -> None:
        for one in (*self.sentinels, *self.servers):
            one.close()

    def _masters(self) -> set[int]:
        """Ports of the masters that the living Sentinels name."""
        found = set()
        for one in self.sentinels:
            with contextlib.suppress(redis.RedisError, TypeError):
                answer: Any = one.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", _SERVICE)
                found.add(int(answer[1]))
        return found

    def lose(self, how: How) -> None:
        (self._killed,) = self._masters()
        master = next(one for one in self.servers if one.port == self._killed)
        if how == "switch":
            # Without COORDINATED (Valkey 9) the old master goes on taking writes, which are lost.
            self.sentinels[0].ask("SENTINEL", "FAILOVER", _SERVICE, "COORDINATED")
            return
        for one in (master, self.sentinels[0]):
            one.kill() if how == "kill" else one.freeze()

    def has_taken_over(self) -> bool:
        return self._killed not in self._masters()

    def revive(self) -> None:
        for one in (*self.servers, *self.sentinels):
            one.freeze(False) if one.is_alive else one.start()

    def is_whole(self) -> bool:
        masters = self._masters()
        if len(masters) != 1 or not all(self._knows_all(one) for one in self.sentinels):
            return False
        return any(one.port in masters and one.replicas() == 2 for one in self.servers)

    def _knows_all(self, sentinel: Server) -> bool:
        state = sentinel.info("sentinel").get("master0", {})
        return (state.get("status"), state.get("slaves"), state.get("sentinels")) == ("ok", 2, 3)


class Cluster:
    """Three masters, each with a replica. The address names the three that were masters first."""

    def __init__(self, folder: Path, *, program: Path | None = None) -> None:
        options = (
            *("--cluster-enabled", "yes", "--cluster-node-timeout", str(DOWN_AFTER_MS)),
            *("--cluster-config-file", "nodes.conf"),
        )
        # A node's bus has its port with 10000 added, or the one that is given.
        self.servers = [
            Server(folder, *options, "--cluster-port", str(free_port()), program=program) for _ in range(6)
        ]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{one.port}" for one in self.servers[:3])
        self._killed: Server | None = None

    def start(self) -> None:
        for one in self.servers:
            one.start()
        first, masters = self.servers[0], self.servers[:3]
        for one, (low, high) in zip(masters, ((0, 5460), (5461, 10922), (10923, 16383)), strict=True):
            one.ask("CLUSTER", "ADDSLOTSRANGE", low, high)
        for number, one in enumerate(self.servers):
            one.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for one in self.servers[1:]:
            bus = int(one.client.config_get("cluster-port")["cluster-port"] or 0)
            first.ask("CLUSTER", "MEET", "127.0.0.1", one.port, bus)
        for master, replica in zip(masters, self.servers[3:], strict=True):
            name = str(master.ask("CLUSTER", "MYID"))
            eventually(partial(_follows, replica, name), "a replica", within_s=_WITHIN_S)
        eventually(self.is_whole, "the cluster is whole", within_s=_WITHIN_S, every_s=0.1)

    def close(self) -> None:
        for one in self.servers:
            one.close()

    def _master(self) -> Server:
        """The living one that says it has the slot of the ledger's keys."""
        return next(one for one in self.servers if one.is_alive and _serves(one))

    def lose(self, how: How) -> None:
        self._killed = self._master()
        if how == "switch":
            port = self._killed.port
            replica = next(one for one in self.servers if one.info("replication").get("master_port") == port)
            replica.ask("CLUSTER", "FAILOVER")
        else:
            self._killed.kill() if how == "kill" else self._killed.freeze()

    def has_taken_over(self) -> bool:
        return any(one is not self._killed and one.is_alive and _serves(one) for one in self.servers)

    def revive(self) -> None:
        for one in self.servers:
            one.freeze(False) if one.is_alive else one.start()

    def is_whole(self) -> bool:
        says = [cluster_info(one) for one in self.servers]
        if not all(
            one.get("cluster_state") == "ok" and one.get("cluster_known_nodes") == "6" for one in says
        ):
            return False
        return sum(one.replicas() for one in self.servers) == 3 and sum(map(_serves, self.servers)) == 1


def _follows(one: Server, master: str) -> bool:
    with contextlib.suppress(redis.RedisError):
        return bool(one.ask("CLUSTER", "REPLICATE", master))
    return False


def cluster_info(one: Server) -> dict[str, str]:
    """What a node says of its cluster; empty where it does not answer."""
    with contextlib.suppress(redis.RedisError):
        text: Any = one.ask("CLUSTER", "INFO")
        if isinstance(text, dict):
            return {str(name): str(value) for name, value in text.items()}
        return dict(line.split(":", 1) for line in str(text).split())
    return {}


def _serves(one: Server) -> bool:
    """Whether it is the master of the slot of the ledger's keys, as it says itself."""
    slot = key_slot(TAG.encode())
    with contextlib.suppress(redis.RedisError):
        own = str(one.ask("CLUSTER", "MYID"))
        found: Any = one.ask("CLUSTER", "SLOTS")
        for low, high, master, *_ in found:
            if int(low) <= slot <= int(high):
                return str(master[2]) == own
    return False
