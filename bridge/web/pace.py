"""Slows whoever tries tokens, each client by itself, and never the one who has the right one."""

from __future__ import annotations

import ipaddress
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

import anyio

# Within what programs wait for an answer by default (often 5 s): they are to learn that the token is wrong.
_LONGEST_S = 4.0
# So many wrong ones cost the shortest time: a person who mistypes is not to wait for long.
_FREE = 3
_FORGOTTEN_S = 600.0
_MOST_CLIENTS = 10_000
_EACH, _ALL = 4, 64


class Pace:
    """The answer to a wrong token takes a while: longer with each of the same client, up to 4 s.

    A right token is answered at once, whatever others try: behind a proxy all clients look alike.

    Args:
        takes_s: how long the first wrong tries take.
    """

    def __init__(self, takes_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._takes_s, self._clock = takes_s, clock
        # Client -> wrong tries, and when the last one was.
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting: Counter[str] = Counter()

    async def was_wrong(self, client: str) -> bool:
        """Let a wrong try wait. False, at once, where too many are waiting: then the answer is 429."""
        delay_s = self._count(client)
        if self._waiting[client] >= _EACH or self._waiting.total() >= _ALL:
            return False
        self._waiting[client] += 1
        try:
            await anyio.sleep(delay_s)
        finally:
            self._waiting[client] -= 1
            if not self._waiting[client]:
                del self._waiting[client]
        return True

    def _count(self, client: str) -> float:
        now = self._clock()
        count, last = self._wrong.pop(client, (0, now))
        count = 1 if now - last > _FORGOTTEN_S else count + 1
        self._wrong[client] = (count, now)
        while len(self._wrong) > _MOST_CLIENTS:
            self._wrong.popitem(last=False)
        return min(_LONGEST_S, self._takes_s * 2.0 ** min(max(count - _FREE, 0), 10))


def client_name(peer: tuple[str, int] | None) -> str:
    """Who counts as one client: an address, or a network of IPv6 as one customer has it."""
    host = peer[0] if peer else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
