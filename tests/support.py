"""What tests share: payloads, and a bridge whose jobs and time the test itself runs."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import dramatiq
import httpx2
import redis
from dramatiq import Message, MessageProxy
from dramatiq.actor import Actor
from dramatiq.middleware import Middleware
from dramatiq.worker import WorkerThread

from bridge.clients.direct import DirectTransport
from bridge.clients.http import make_client
from bridge.deps import Deps, JobResult
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.contacts import with_contact
from bridge.domain.webhook.events import Held
from bridge.domain.webhook.messages import Message as TextMessage
from bridge.domain.webhook.messages import read_delivery
from bridge.encryption.keys import new_key
from bridge.jobs.leases import Leases
from bridge.ledger import keys
from bridge.ledger.calls.learning import Learnt
from bridge.ledger.calls.packed import plain_events
from bridge.ledger.calls.packing import pack_calls
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.keys import QUEUE_KEYS, Lane, split_job
from bridge.ledger.ledger import Ledger
from bridge.ledger.messages.records import record_message
from bridge.ledger.queue.claims import Claim
from bridge.ledger.scripted import LEASE_MS
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from bridge.wiring import open_deps
from workers import actors
from workers.broker import LedgerBroker
from workers.middleware import EXPECTED, Claims
from workers.runs import run
from workers.time_limit import GRACE_S


class Wire(httpx2.BaseTransport):
    """The network between bridge and services, at which a test can do something at a given request."""

    def __init__(self) -> None:
        self._real = DirectTransport()
        self._hooks: list[tuple[str, str, str, Callable[[], object]]] = []

    def once(self, when: str, method: str, path: str, do: Callable[[], object]) -> None:
        """Do this `before` the next such request is sent, or `after` its reply came."""
        self._hooks.append((when, method, path, do))

    def forget(self) -> None:
        self._hooks.clear()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._do("before", request)
        response = self._real.handle_request(request)
        if any(hook[0] == "after" for hook in self._hooks):
            # Whole, and still to be read by whoever gets it: also by a road that passes it on as it came.
            assert isinstance(response.stream, httpx2.SyncByteStream)
            raw = b"".join(response.stream)
            response.close()
            response = httpx2.Response(
                response.status_code,
                headers=response.headers,
                stream=httpx2.ByteStream(raw),
                extensions=response.extensions,
            )
        self._do("after", request)
        return response

    def _do(self, when: str, request: httpx2.Request) -> None:
        for hook in list(self._hooks):
            if hook[:2] == (when, request.method) and re.search(hook[2], request.url.path):
                self._hooks.remove(hook)
                hook[3]()

    def close(self) -> None:
        self._real.close()


@cache
def wire() -> Wire:
    """One for the whole run: making one reads the system's certificates."""
    return Wire()


@cache
def http_client() -> httpx2.Client:
    return make_client(transport=wire())


# Which services every test of jobs reaches through Membrane; so that all of them can be run over that road.
# Each run of jobs ends with all records packed: `TEST_PACKED=1 deploy/run test tests/jobs`.
PACKS = os.environ.get("TEST_PACKED") == "1"
THROUGH_MEMBRANE = [name for name in os.environ.get("TEST_THROUGH_MEMBRANE", "").split(",") if name]
# Keys with which every test of jobs runs, where this is set: `TEST_ENCRYPTED=1 deploy/run test tests/jobs`.
ENCRYPTION = {"ENCRYPTION_KEYS": new_key()} if os.environ.get("TEST_ENCRYPTED") else {}
PAYLOADS = Path(__file__).parent / "payloads"
SIGNING_SECRET = "whsec_Y2xvdWR0YWxrLXRlc3Qtb25seS1rZXkh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One delivery of a payload file."""

    case: str
    trigger: str | None
    received_at: datetime
    headers: Mapping[str, str]
    raw_body: str

    @property
    def body(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.raw_body)
        return value


def payload(case: str) -> list[Request]:
    document = json.loads((PAYLOADS / f"{case}.json").read_text("utf-8"))
    return [
        Request(
            case=case,
            trigger=item["trigger"],
            received_at=datetime.fromisoformat(item["received_at"]),
            headers=item.get("headers", {}),
            raw_body=item["raw_body"],
        )
        for item in document["requests"]
    ]


def all_payloads() -> Iterator[Request]:
    for path in sorted(PAYLOADS.glob("*.json")):
        yield from payload(path.stem)


def ended(
    *,
    call_id: int | None = 1000000500,
    uuid: str | None = "11111111-2222-4333-8444-555555555500",
    **more: Any,
) -> dict[str, Any]:
    """A `call-ended` body as the recommended template makes it, of a call just now."""
    end = datetime.now(UTC) - timedelta(seconds=2)
    body: dict[str, Any] = {
        "event": "call_ended",
        "call_id": None if call_id is None else str(call_id),
        "call_uuid": uuid,
        "external_number": "+441632960304",
        "internal_number": "+15550100101",
        "direction": "incoming",
        "agent_id": "400101",
        "agent_first_name": "Bo",
        "agent_last_name": "Sample",
        "contact_id": "1400000104",
        "contact_name": "Ada Example",
        "talking_time": "97",
        "waiting_time": "14",
        "started_at": (end - timedelta(seconds=111)).isoformat(timespec="milliseconds"),
        "answered_at": (end - timedelta(seconds=97)).isoformat(timespec="milliseconds"),
        "ended_at": end.isoformat(timespec="milliseconds"),
        "is_voicemail": "false",
        "tags": "Billing,VIP",
        "notes": "Wants the March invoice again.",
        **more,
    }
    return {key: value for key, value in body.items() if value is not None}


class _RaisesWhatKills(Middleware):
    """An exception that stands for the death of the process ends the test's own thread."""

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        if exception is not None and not isinstance(exception, Exception):
            raise exception


class Runner:
    """Runs jobs by dramatiq's actors and middleware, one at a time, in the test's hands."""

    def __init__(
        self,
        deps: Deps,
        leases: Leases,
        kinds: Mapping[str, Callable[[Claim, Deps], JobResult]] | None = None,
        *,
        limit_s: float = 600,
        grace_s: float = GRACE_S,
    ) -> None:
        """Args: kinds: other jobs than those of the bridge, and their time limit."""
        self.claims = Claims(grace_s=grace_s)
        self.claims.use(deps, leases)
        self.broker = LedgerBroker(
            lambda: deps.ledger, middleware=[_RaisesWhatKills(), self.claims], threads=8
        )
        if kinds is None:
            actors.declare_on(self.broker)
        for kind, job in (kinds or {}).items():
            Actor(
                partial(_run_job, job),
                broker=self.broker,
                actor_name=kind,
                queue_name="jobs",
                priority=0,
                options={"time_limit": limit_s * 1000, "throws": EXPECTED},
            )
        nobody = Mock()
        self._thread = WorkerThread(
            broker=self.broker, consumers={"jobs": nobody}, work_queue=nobody, worker_timeout=0
        )

    def run(self, kind: str, key: str) -> str:
        """How it ended; see `Claims`."""
        message = MessageProxy(
            Message(queue_name="jobs", actor_name=kind, args=(key,), kwargs={}, options={})
        )
        self._thread.process_message(message)
        return str(message.options["outcome"])


def _run_job(job: Callable[[Claim, Deps], JobResult], key: str) -> None:
    run(job)


class Bridge:
    """A bridge in the test's hands: the web's and the workers' parts, without processes."""

    def __init__(
        self,
        client: redis.Redis,
        sandbox: RunningSandbox,
        rules: Rules | None = None,
        *,
        lease_ms: int = LEASE_MS,
        public_url: str = "",
        longest_transfer_s: float = 900.0,
        recording_max_mb: int = 500,
        data_dir: Path | None = None,
        kinds: Mapping[str, Callable[[Claim, Deps], JobResult]] | None = None,
        through_membrane: Collection[str] = THROUGH_MEMBRANE,
        also: Mapping[str, str] | None = None,
        debounced: bool = False,
    ) -> None:
        """Args: also: further settings. debounced: whether changes of a written call wait for more."""
        environ = {
            "REDIS_URL": "unix:///unused",
            "PUBLIC_URL": public_url,
            "RECORDING_MAX_MB": str(recording_max_mb),
            "DATA_DIR": str(data_dir or tempfile.mkdtemp(prefix="callbridge-test-")),
            "KUSTOMER_REQUESTS_PER_MINUTE": "100000",
            "CLOUDTALK_REQUESTS_PER_MINUTE": "100000",
            **sandbox.environ(through_membrane=through_membrane),
            **ENCRYPTION,
            **(also or {}),
        }
        settings = Settings.from_env(environ, dotenv=None)
        if rules is not None:
            settings = settings.model_copy(update={"rules": rules})
        self.rules, self.data_dir = settings.rules, settings.data_dir
        self.ledger = Ledger(client, lease_ms=lease_ms, keyring=settings.keyring)
        # As of long ago, so that calls of now are calls of its time.
        client.hset(keys.META, "born_at", str(self.ledger.now_ms() - 3_600_000))
        self.leases = Leases(self.ledger)
        self.deps: Deps = open_deps(settings, self.ledger, client=http_client(), still_ours=self.leases.sure)
        self.deps = replace(self.deps, longest_transfer_s=longest_transfer_s, debounced=debounced)
        self.runner = Runner(self.deps, self.leases, kinds)
        self.wire = wire()
        self.wire.forget()

    def use(self, **changes: Any) -> None:
        """Have the jobs work with something else from now on; see `Deps`."""
        self.deps = replace(self.deps, **changes)
        self.runner.claims.use(self.deps, self.leases)

    def receive(self, trigger: str | None, body: Mapping[str, Any]) -> Learnt | Held:
        event = read_delivery(trigger, body, self.rules)
        if isinstance(event, TextMessage):
            return record_message(self.ledger, event, body)
        if isinstance(event, Held):
            event = with_contact(event, body, self.rules)
            self.ledger.hold(event, body)
            return event
        return self.ledger.record_event(event, body)

    def receive_payload(self, case: str) -> list[Learnt | Held]:
        return [self.receive(request.trigger, request.body) for request in payload(case)]

    def run_jobs(self, *, most: int = 500) -> list[str]:
        """Run what is due until nothing is; how each run ended."""
        ends: list[str] = []
        while len(ends) < most:
            _, names = self.ledger.dispatch(8)
            if not names:
                if PACKS:
                    pack_calls(self.ledger, [str(key) for key in self.ledger.redis.zrange(keys.CALLS, 0, -1)])
                return ends
            ends += [f"{split_job(name)[0]} {self.runner.run(*split_job(name))}" for name in names]
        raise AssertionError(f"still running after {most} jobs: {ends[-10:]}")

    def run_jobs_for(self, seconds: float, *, step_s: float = 1.0) -> list[str]:
        """Run what becomes due while this much time passes; no real time does."""
        ends = self.run_jobs()
        for _ in range(int(seconds / step_s)):
            self.let_pass(step_s)
            ends += self.run_jobs()
        return ends

    def let_pass(self, seconds: float) -> None:
        """Let time pass by moving everything that the ledger remembers into the past."""
        let_pass(self.ledger.redis, seconds)

    def sync(self, key: str) -> None:
        """Run a call's sync once more, as the queue would."""
        self.ledger.schedule("sync", key, in_ms=0)
        self.run_jobs()

    def record(self, key: str) -> Record:
        found = self.ledger.find(key)
        assert found is not None, f"no record of {key}"
        return found


def let_pass(client: redis.Redis, seconds: float) -> None:
    ms = int(seconds * 1000)
    pipe = client.pipeline()
    for name in [*QUEUE_KEYS[: 3 * len(Lane)], keys.PARKED, keys.CALLS, keys.SERVERS]:
        for member in client.zrange(name, 0, -1):
            pipe.zincrby(name, -ms, str(member))
    records = list(client.scan_iter(f"{keys.TAG}:call:*", count=1000))
    for name, times in zip(records, _each(client, "hmget", records, _RECORD_TIMES), strict=True):
        for field, value in zip(_RECORD_TIMES, times, strict=True):
            if value is not None:
                pipe.hincrby(name, field, -ms)
        if asked := client.hget(name, "insights"):
            pipe.hset(name, "insights", json.dumps(_earlier(json.loads(str(asked)), ms)))
    events = list(client.scan_iter(f"{keys.TAG}:events:*", count=1000))
    for name, kept in zip(events, _each(client, "hgetall", events), strict=True):
        texts = plain_events(kept)
        if len(texts) < len(kept):
            pipe.hdel(name, Field.PACKED)
        for event_name, text in texts.items():
            value = json.loads(text)
            value.update({key: value[key] - ms for key in ("at", "last_at", "asked_at") if key in value})
            if event_name == "obs:insights_gone":
                value["body"] = json.dumps(_earlier(json.loads(value["body"]), ms))
            pipe.hset(name, event_name, json.dumps(value))
    if known := client.get(keys.ADD_ON):
        pipe.set(keys.ADD_ON, json.dumps(_earlier(json.loads(str(known)), ms)), keepttl=True)
    if client.hexists(keys.NEWEST, "asked_at"):
        pipe.hincrby(keys.NEWEST, "asked_at", -ms)
    for job_name, job_text in client.hgetall(keys.JOBS).items():
        job: dict[str, Any] = json.loads(job_text)
        job.update({key: job[key] - ms for key in ("since", "again_at", "failing_since") if key in job})
        pipe.hset(keys.JOBS, job_name, json.dumps(job))
    for name in client.scan_iter(keys.in_bulk("*"), count=1000):
        pipe.pexpire(name, max(0, client.pttl(name) - ms))
    pipe.execute()


def _earlier(value: Any, ms: int) -> Any:
    """With all times that jobs keep in JSON so much earlier."""
    if not isinstance(value, dict):
        return value
    times = ("at", "asked_at", "again_at", "missing_until_ms")
    return {
        name: one - ms if name in times and isinstance(one, int) else _earlier(one, ms)
        for name, one in value.items()
    }


_RECORD_TIMES = (
    "first_at",
    "last_at",
    "asking_since",
    "looked_at",
    "rec:since",
    "synced_at",
    "changing_since",
)


def _each(client: redis.Redis, command: str, names: list[str], *args: object) -> list[Any]:
    """The answer for each key, in one trip."""
    pipe = client.pipeline(transaction=False)
    for name in names:
        getattr(pipe, command)(name, *args)
    return list(pipe.execute())
