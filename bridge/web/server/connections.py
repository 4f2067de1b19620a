"""Who is connected, and which connection makes room for a new one."""

from __future__ import annotations

import ipaddress
from typing import Generic, TypeVar

Connection = TypeVar("Connection")
# Peers on this machine are counted as one, without a bound of its own: a proxy here makes all peers local.
LOCAL = "local"


def peer_of(host: str | None) -> str:
    """The name under which connections from an address are counted together."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        # A unix socket has no address.
        return LOCAL
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return LOCAL
    if isinstance(address, ipaddress.IPv6Address):
        # Providers give each customer at least a /64.
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class Peer(Generic[Connection]):
    """The connections of one peer. One waits while the server has no whole request of it to answer."""

    __slots__ = ("all", "fresh", "name", "proven")

    def __init__(self, name: str) -> None:
        self.name = name
        self.all: set[Connection] = set()
        # Those that wait; the first has waited longest. Fresh: never sent a whole request.
        self.fresh: dict[Connection, None] = {}
        self.proven: dict[Connection, None] = {}

    @property
    def longest_waiting(self) -> Connection | None:
        return next(iter(self.fresh or self.proven), None)

    def busy(self, connection: Connection) -> None:
        """The connection has sent a whole request, which is being answered."""
        self.fresh.pop(connection, None)
        self.proven.pop(connection, None)

    def waits(self, connection: Connection) -> None:
        """The request has been answered; the connection waits from now on."""
        if connection in self.all:
            self.busy(connection)
            self.proven[connection] = None


class ConnectionTable(Generic[Connection]):
    """All connections of a process.

    Args:
        most: in all.
        per_peer: of one peer; 0 for no bound of its own.
    """

    def __init__(self, *, most: int, per_peer: int) -> None:
        self._most, self._per_peer = most, per_peer
        self._peers: dict[str, Peer[Connection]] = {}
        self._of: dict[Connection, Peer[Connection]] = {}

    def __len__(self) -> int:
        return len(self._of)

    def all(self) -> list[Connection]:
        return list(self._of)

    def is_full_for(self, name: str) -> bool:
        """Whether another connection has to go before one more of this peer may come."""
        return len(self._of) >= self._most or self._has_its_share(name)

    def to_close_for(self, name: str) -> Connection | None:
        """The connection that makes room for one of this peer: none where all are being answered.

        A peer at its own bound loses one of its own, otherwise the peer with most connections does: the one
        that has waited longest. So a crowd of idle connections keeps nobody else out.
        """
        if self._has_its_share(name):
            return self._peers[name].longest_waiting
        waiting = [peer for peer in self._peers.values() if peer.fresh or peer.proven]
        return max(waiting, key=lambda peer: len(peer.all)).longest_waiting if waiting else None

    def add(self, connection: Connection, name: str) -> Peer[Connection]:
        """A new connection, which waits; returns its peer, for later calls about it."""
        peer = self._peers.get(name)
        if peer is None:
            peer = self._peers[name] = Peer(name)
        peer.all.add(connection)
        peer.fresh[connection] = None
        self._of[connection] = peer
        return peer

    def remove(self, connection: Connection) -> None:
        peer = self._of.pop(connection, None)
        if peer is not None:
            peer.busy(connection)
            peer.all.remove(connection)
            if not peer.all:
                del self._peers[peer.name]

    def _has_its_share(self, name: str) -> bool:
        peer = self._peers.get(name)
        return peer is not None and name != LOCAL and 0 < self._per_peer <= len(peer.all)
