"""Which connections behind a road are down, and the jobs that wait for them: in Redis, for all processes.

One that is found down is marked. From then on nothing is sent through it (`Gate`), jobs that need it wait,
and one job, `connection|SERVICE`, looks at it every so often, until it is ready and they are woken.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from bridge.boundary import boundary
from bridge.errors import Disconnected
from bridge.ledger import keys
from bridge.ledger.ledger import Claim, Ledger
from bridge.ledger.record import moment

# The kind of the job that looks at a connection; its key is the service.
LOOK = "connection"
# A job that waits tries by itself, should nobody look; at a closed gate that costs nothing.
_SLOW_BEAT_S = 300.0
_WOKEN_AT_ONCE = 500
# How long it is shown that a service did not answer in time.
_SHOWN_AS_SLOW_S = 300
SERVICES = ("cloudtalk", "kustomer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """A connection that is not usable.

    Args:
        connection: its id or key.
        state: as Membrane calls it.
        since_ms: when it was first found so, ms since 1970.
        link: what to open; a secret of a kind, so not for logs.
        text: what the person is asked to do there.
    """

    connection: str
    state: str
    since_ms: int
    link: str | None
    text: str

    def as_error(self, service: str) -> Disconnected:
        return Disconnected(
            f"the Membrane connection {self.connection} is {self.state}; "
            f"{service} is asked nothing until it is ready",
            connection=self.connection,
            state=self.state,
            link=self.link,
            text=self.text,
            service=service,
        )


class Connections:
    """
    Args:
        check_every_s: how often one that is down is looked at.
        through: service -> id or key of its connection.
    """

    def __init__(self, ledger: Ledger, *, check_every_s: float, through: Mapping[str, str]) -> None:
        self._ledger, self._redis = ledger, ledger.redis
        self.check_every_s, self.through = check_every_s, through

    @boundary("connections.down")
    def down(self, service: str) -> Down | None:
        """None: not known to be down."""
        text = cast(str | None, self._redis.hget(keys.CONNECTIONS, service))
        return None if text is None else Down(**json.loads(text))

    def mark_down(self, service: str, error: Disconnected) -> None:
        """Nothing is sent through it from now on, and it is looked at after a beat."""
        self.look(service, in_s=self.check_every_s)
        before = self.down(service)
        down = Down(
            connection=error.connection,
            state=error.state,
            since_ms=before.since_ms if before else self._ledger.now_ms(),
            link=error.link or (before.link if before else None),
            text=error.text,
        )
        with boundary("connections.mark_down"):
            self._redis.hset(keys.CONNECTIONS, service, json.dumps(asdict(down)))

    def mark_slow(self, service: str, operation: str) -> None:
        with boundary("connections.mark_slow"):
            self._redis.set(keys.slow(service), operation, ex=_SHOWN_AS_SLOW_S)

    @boundary("connections.slow")
    def slow(self) -> dict[str, str]:
        """Service -> what it did not answer in time, within the last minutes."""
        names = [keys.slow(service) for service in SERVICES]
        found = self._redis.mget(names)
        return {service: str(what) for service, what in zip(SERVICES, found, strict=True) if what}

    def look(self, service: str, *, in_s: float = 0) -> None:
        """Have it looked at, then or sooner; asked again and again, it is done once."""
        self._ledger.schedule(LOOK, service, in_ms=round(in_s * 1000))

    def mark_up(self, service: str) -> int:
        """Open it again and make the jobs due that wait for it, live ones first; how many."""
        with boundary("connections.mark_up"):
            self._redis.hdel(keys.CONNECTIONS, service)
        woken = 0
        # In pieces, so that nobody else waits for Redis meanwhile.
        while count := self._ledger.resume(service, most=_WOKEN_AT_ONCE):
            woken += count
        return woken

    def pause(self, claim: Claim, error: Disconnected) -> str:
        """Let a job wait for `error.service`. Answers `paused`, `waiting` (it is up again) or `lost`."""
        slow_s = max(_SLOW_BEAT_S, self.check_every_s)
        # Not all at once.
        slow_s *= random.uniform(1, 1.2)  # noqa: S311
        return self._ledger.pause(
            claim,
            service=error.service,
            why=f"{error} · {error.text}" if error.text else str(error),
            look=keys.job(LOOK, error.service),
            look_in_ms=round(self.check_every_s * 1000),
            again_in_ms=round(slow_s * 1000),
        )

    @boundary("connections.state")
    def state(self) -> dict[str, dict[str, Any]]:
        """For `/api/queue`: each connection by its service; READY where nobody found it otherwise."""
        if not self.through:
            return {}
        pipe = self._redis.pipeline(transaction=False)
        pipe.hgetall(keys.CONNECTIONS)
        for service in self.through:
            pipe.zcard(keys.paused(service))
        texts, *waiting = pipe.execute()
        found = {}
        for (service, name), jobs in zip(self.through.items(), waiting, strict=True):
            down = Down(**json.loads(texts[service])) if service in texts else None
            since = moment(down.since_ms) if down else None
            found[service] = {
                "connection": name,
                "state": down.state if down else "READY",
                "since": since.isoformat() if since else None,
                "link": down.link if down else None,
                "text": down.text if down else "",
                "jobs_waiting": jobs,
            }
        return found

    def gate(self, service: str) -> Gate:
        return Gate(self, service)


class Gate:
    """Stands before all that is sent to one service: nothing goes through a connection that is down."""

    def __init__(self, connections: Connections, service: str) -> None:
        self._connections, self._service = connections, service

    def check(self) -> None:
        """
        Raises:
            Disconnected: as it was found by somebody before; nothing was sent.
        """
        down = self._connections.down(self._service)
        if down is not None:
            raise down.as_error(self._service)

    def slow(self, operation: str) -> None:
        """Have it shown for a while that the service did not answer in time."""
        self._connections.mark_slow(self._service, operation)

    def fell(self, error: Disconnected) -> None:
        """Tell all others."""
        self._connections.mark_down(self._service, error)
