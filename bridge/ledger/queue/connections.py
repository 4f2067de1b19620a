"""Which services are closed to us, and the jobs that wait for them: in Redis, for all processes.

A service is closed as a whole (its Membrane connection is down, the key is refused, a maintenance page is
shown), or only one of its actions is (a role is missing). What is closed is marked, under a **scope**:
`SERVICE` or `SERVICE:OPERATION`. From then on nothing is sent there (`Gate`), jobs that need it wait, and one
job, `connection|SCOPE`, checks it every so often, until it is open and they are woken. Whether an operation
is open again only shows by doing it: one waiting job is let through, and the others follow if that goes well.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from bridge.boundary import boundary
from bridge.errors import KEY_REFUSED, MAINTENANCE, ROLE_MISSING, UNPAID, Disconnected, Unauthorized
from bridge.ledger import keys
from bridge.ledger.budgets.requesters import requester_name
from bridge.ledger.calls.record import moment
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import Claim
from bridge.ledger.queue.kinds import CONNECTION

if TYPE_CHECKING:
    from redis.asyncio.client import Pipeline as AsyncPipeline
    from redis.client import Pipeline

# The kind of the job that looks at a connection; its key is the service.
CONNECTION_CHECK = CONNECTION.name
# A job that waits tries by itself, should nobody look; at a closed gate that costs nothing.
_SLOW_BEAT_S = 300.0
_WOKEN_AT_ONCE = 500
# How long it is shown that a service did not answer in time.
_SHOWN_AS_SLOW_S = 300
SERVICES = ("cloudtalk", "kustomer")
TITLES = {"cloudtalk": "CloudTalk", "kustomer": "Kustomer"}

# What is said of a service in one of our states.
_SAYS = {
    KEY_REFUSED: "{} refuses the API key",
    UNPAID: "{} requires payment",
    MAINTENANCE: "{} answers with a web page instead of data",
    ROLE_MISSING: "{} refuses {}: the API key lacks a role",
}
# How often a service is checked that is in one of them.
_CHECK_EVERY_S = 10.0
# Of so many jobs refused within the hour the trouble is no longer with what they are about.
_REFUSED_ALIKE, _REFUSED_WITHIN_S = 3, 3600


def closed_as(scope: str, state: str) -> str:
    """What is the matter with a scope in one of our states; empty in one of Membrane's."""
    service, _, operation = scope.partition(":")
    return _SAYS[state].format(TITLES.get(service, service), operation) if state in _SAYS else ""


def paused_as(scope: str) -> str:
    """That a scope is closed, in words for everybody."""
    service, _, operation = scope.partition(":")
    return f"{TITLES.get(service, service)} is paused" + (f" for {operation}" if operation else "")


TROUBLE_REPLIES = 2


def ask_troubles(pipe: Pipeline | AsyncPipeline) -> None:
    """Ask what is closed or slow; `read_troubles` takes the `TROUBLE_REPLIES` replies."""
    pipe.hkeys(keys.CONNECTIONS)
    pipe.mget([keys.slow(service) for service in SERVICES])


def read_troubles(replies: Sequence[Any]) -> list[str]:
    """What is closed or slow, without details."""
    closed, slow = replies
    return [
        *(paused_as(scope) for scope in sorted(closed)),
        *(f"{TITLES[service]} is slow" for service, what in zip(SERVICES, slow, strict=True) if what),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """A scope that is closed.

    Args:
        connection: id or key of the Membrane connection; empty for keys of our own.
        state: as Membrane calls it, or one of ours.
        since_ms: when it was first found so, ms since 1970.
        link: what to open; a secret of a kind, so not for logs.
        text: what the person is asked to do there.
        probe: the job that is let through, to see.
    """

    connection: str
    state: str
    since_ms: int
    link: str | None
    text: str
    probe: str = ""

    @property
    def is_refusal(self) -> bool:
        """By the service itself, whatever its connection's state."""
        return self.state in _SAYS

    def as_error(self, service: str) -> Disconnected:
        said = closed_as(service, self.state) or (
            f"the Membrane connection {self.connection} is {self.state}"
        )
        return Disconnected(
            f"{said}; no requests go to {service} until this is fixed",
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

    def down(self, scope: str) -> Down | None:
        """None: not known to be down."""
        return self.first_down([scope])[1]

    @boundary("connections.down")
    def first_down(self, scopes: Sequence[str]) -> tuple[str, Down | None]:
        """The first of these that is down."""
        for scope, text in zip(scopes, self._redis.hmget(keys.CONNECTIONS, list(scopes)), strict=True):
            if text is not None:
                return scope, Down(**json.loads(cast(str, text)))
        return "", None

    def check_again_s(self, state: str) -> float:
        """How long until a scope in this state is checked again."""
        return _CHECK_EVERY_S if state in _SAYS else self.check_every_s

    def refuses_all(self, claim: Claim, error: Unauthorized) -> Disconnected | None:
        """A refusal that is not about what this job is about, while the service takes our key: as a closed
        operation. None as long as it may be this job's alone."""
        # A key without a role is refused by Kustomer with 401, as documented.
        is_role = error.status == 401 or bool(error.detail)
        scope = f"{error.service}:{error.operation}"
        with boundary("connections.refused"):
            pipe = self._redis.pipeline()
            pipe.sadd(keys.SCOPES, scope)
            pipe.sadd(keys.refused(scope), claim.name)
            pipe.expire(keys.refused(scope), _REFUSED_WITHIN_S)
            pipe.scard(keys.refused(scope))
            alike = int(pipe.execute()[-1])
        if not is_role and alike < _REFUSED_ALIKE:
            return None
        text = error.detail or "Give the key the role that this operation needs."
        return Disconnected(str(error), connection="", state=ROLE_MISSING, text=text, service=scope)

    def probe(self, scope: str) -> bool:
        """Let one job through that waits for a closed operation, to see; False where none waits."""
        down, name = self.down(scope), self._waiting(scope)
        if down is None or name is None:
            return False
        with boundary("connections.probe"):
            self._redis.hset(keys.CONNECTIONS, scope, json.dumps(asdict(replace(down, probe=name))))
        self._ledger.schedule(*keys.split_job(name), in_ms=0)
        return True

    @boundary("connections.waiting")
    def _waiting(self, scope: str) -> str | None:
        """The best job that waits, or any: should it be refused for a reason of its own, it is not to hold up
        the others."""
        while True:
            pipe = self._redis.pipeline(transaction=False)
            pipe.zrange(keys.paused(scope), 0, 0)
            pipe.zrandmember(keys.paused(scope), 1)
            found = [str(name) for names in pipe.execute() for name in names]
            if not found:
                return None
            name = random.choice(found)  # noqa: S311
            job = cast(str | None, self._redis.hget(keys.JOBS, name))
            if job is not None and json.loads(job).get("cause") == Disconnected.__name__:
                return name
            # It has ended, such as when it was tried and went well, and its worker died over that.
            self._redis.zrem(keys.paused(scope), name)

    def mark_down(self, service: str, error: Disconnected) -> None:
        """Nothing is sent through it from now on, and it is looked at after a beat."""
        self.look(service, in_s=self.check_again_s(error.state))
        before = self.down(service)
        down = Down(
            connection=error.connection,
            state=error.state,
            since_ms=before.since_ms if before else self._ledger.now_ms(),
            link=error.link or (before.link if before else None),
            text=error.text,
        )
        with boundary("connections.mark_down"):
            pipe = self._redis.pipeline()
            pipe.sadd(keys.SCOPES, service)
            pipe.hset(keys.CONNECTIONS, service, json.dumps(asdict(down)))
            pipe.execute()

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
        self._ledger.schedule(CONNECTION_CHECK, service, in_ms=round(in_s * 1000))

    def mark_up(self, service: str) -> int:
        """Open it again and make the jobs due that wait for it, live ones first; how many."""
        with boundary("connections.mark_up"):
            pipe = self._redis.pipeline()
            pipe.hdel(keys.CONNECTIONS, service)
            pipe.delete(keys.refused(service))
            pipe.execute()
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
            look=keys.job(CONNECTION_CHECK, error.service),
            look_in_ms=round(self.check_again_s(error.state) * 1000),
            again_in_ms=round(slow_s * 1000),
        )

    @boundary("connections.state")
    def state(self) -> dict[str, dict[str, Any]]:
        """For `/api/queue`: each Membrane connection by its service, and all else that is closed, by scope.

        A connection is READY where nobody found it otherwise.
        """
        texts = cast(dict[str, str], self._redis.hgetall(keys.CONNECTIONS))
        scopes = [*self.through, *sorted(scope for scope in texts if scope not in self.through)]
        pipe = self._redis.pipeline(transaction=False)
        for scope in scopes:
            pipe.zcard(keys.paused(scope))
        found = {}
        for scope, jobs in zip(scopes, pipe.execute() if scopes else [], strict=True):
            down = Down(**json.loads(texts[scope])) if scope in texts else None
            since = moment(down.since_ms) if down else None
            found[scope] = {
                "connection": self.through.get(scope, ""),
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
    """Stands before all that is sent to one service: nothing is sent to what is closed."""

    def __init__(self, connections: Connections, service: str) -> None:
        self._connections, self._service = connections, service

    def check(self, operation: str) -> str | None:
        """The scope that this request is let through to probe; None where all is open.

        Raises:
            Disconnected: as it was found by somebody before; nothing was sent.
        """
        scope, down = self._connections.first_down([self._service, f"{self._service}:{operation}"])
        if down is None:
            return None
        if down.probe and down.probe == requester_name():
            return scope
        raise down.as_error(scope)

    def rose(self, scope: str) -> None:
        """What was probed is open again."""
        self._connections.mark_up(scope)

    def slow(self, operation: str) -> None:
        """Have it shown for a while that the service did not answer in time."""
        self._connections.mark_slow(self._service, operation)

    def fell(self, error: Disconnected) -> None:
        """Tell all others."""
        self._connections.mark_down(error.service, error)
