"""Runs journeys in processes of their own, kills them, and says what is left in Redis and at the services."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import httpx2
import redis

from bridge.ledger import keys, scripts
from bridge.ledger.ledger import Ledger
from bridge.sandbox import sample
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.world import KustomerReadings
from tests.chaos.crash import one_call
from tests.chaos.crash.journeys import JOURNEYS
from tests.chaos.crash.visits import OPS_TOKEN, STAYS, Visit
from tests.chaos.crash.watch import Point
from tests.jobs.desk import desk
from tests.processes import end, start
from tests.support import THROUGH_MEMBRANE, let_pass
from tests.waiting import eventually

_ROOT = Path(__file__).parents[3]
# What passes before the work of a killed process is somebody else's, and before the clock's turn comes again.
LEASE_AND_A_LITTLE_S = 11
# It asks neither service, and tells how their connections are.
_OF_THE_WEB = ("cloudtalk", "kustomer")
# What a web process sends only when it is asked to end.
_AT_ITS_END = ("processes.end",)
_INCOMING = "/.incoming/"
TOKEN = "crash-token-of-this-test"
KILLED = -9


@dataclass(frozen=True, slots=True)
class Life:
    """One process from start to end, as it was seen from below. `exit`: an exit code, -9 for SIGKILL."""

    exit: int
    points: tuple[Point, ...]


class Machine:
    """One Redis, the two services, and the server that forks the processes."""

    def __init__(self, client: redis.Redis, redis_url: str, sandbox: RunningSandbox, folder: Path) -> None:
        self.client, self.sandbox, self.ledger = client, sandbox, Ledger(client)
        for script in (*scripts.NAMES, *scripts.APART):
            # Loaded once, so that each run asks the same number of times.
            client.script_load(scripts.source(script))
        self._redis_url, self._folder = redis_url, folder
        self._trace = folder / "trace"
        self._alive: int | None = None
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        # Each request on a connection of its own: one that a killed process left behind tells nothing.
        self._visitor = httpx2.Client(
            base_url=f"http://127.0.0.1:{self._listening.getsockname()[1]}",
            limits=httpx2.Limits(max_keepalive_connections=0),
            timeout=20,
        )
        self.log = folder / "log"
        with self.log.open("ab") as log:
            self._server = start(
                [sys.executable, "-m", "tests.chaos.crash.server", str(self._listening.fileno())],
                cwd=_ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                pass_fds=[self._listening.fileno()],
            )

    def close(self) -> None:
        end(self._server)
        self._listening.close()
        self._visitor.close()

    def start_afresh(self, *, new_ledger: bool = False) -> None:
        """Nothing in Redis, nothing stored, services as on their first day."""
        self.client.flushall()
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        if not new_ledger:
            self.client.hset(keys.META, "born_at", str(self.ledger.now_ms() - 3_600_000))
        world = self.sandbox.world
        world.empty_cloudtalk()
        world.empty_kustomer()
        with world.lock:
            world.kustomer.readings = KustomerReadings()
        sample.load_agents(world)
        sample.load_kustomer(world)
        for service in ("cloudtalk", "kustomer"):
            self.sandbox.membrane.reconnect(service)

    def begin(self, name: str, target: Point | None = None) -> int:
        """Start the process of a journey, or a web process for a stay. Its id."""
        if self._alive is not None:
            # Left by a journey that failed; as a web process it would answer in place of those to come.
            os.kill(self._alive, signal.SIGKILL)
            self.end(self._alive)
        self._trace.write_bytes(b"")
        self._alive = int(self._ask(self._told(name, target))["pid"])
        return self._alive

    def rehearse(self, journey: str) -> None:
        """Have the processes to come find imported and read what this journey needs."""
        self.start_afresh()
        JOURNEYS[journey].prepare(self.sandbox)
        self._ask({"rehearse": journey, **self._told(journey, None)})

    def _told(self, name: str, target: Point | None) -> dict[str, Any]:
        stay = STAYS.get(name)
        environ = {
            **self.sandbox.environ(through_membrane=_through(name)),
            "REDIS_URL": self._redis_url,
            "DATA_DIR": str(self._folder / "data"),
            "PUBLIC_URL": "https://bridge.example.com",
            "KUSTOMER_APP_URL": "https://acme.kustomerapp.com",
            "WEBHOOK_TOKENS": TOKEN,
            "KUSTOMER_REQUESTS_PER_MINUTE": "100000",
            "CLOUDTALK_REQUESTS_PER_MINUTE": "100000",
            **(stay.environ if stay else {}),
        }
        return {
            "journey": None if stay else name,
            "times": one_call.call_times(),
            "environ": environ,
            "trace": str(self._trace),
            "target": asdict(target) if target else None,
        }

    def end(self, pid: int) -> Life:
        """Wait until a process is over."""
        code = int(self._ask({"wait": pid})["exit"])
        self._alive = None
        return Life(code, tuple(_point(line) for line in self._trace.read_text().splitlines()))

    def is_over(self, pid: int) -> bool:
        return bool(self._ask({"look": pid})["over"])

    def live(self, journey: str, target: Point | None = None) -> Life:
        return self.end(self.begin(journey, target))

    def _ask(self, what: Any) -> Any:
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps(what) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def through(self, name: str, target: Point | None = None) -> tuple[Life, dict[str, Any]]:
        """A journey from start to end, with a kill on the way; how it went till there, and what is left."""
        if name in STAYS:
            return self._stayed(name, target)
        journey = JOURNEYS[name]
        self.start_afresh(new_ledger=journey.new_ledger)
        journey.prepare(self.sandbox)
        life = self.live(name, target)
        if life.exit == KILLED:
            self.let_a_lease_pass()
            again = self.live(name)
            assert again.exit == 0, f"{name}, after a kill {target}: {self.log.read_text()[-3000:]}"
        return life, self.state()

    def _stayed(self, name: str, target: Point | None) -> tuple[Life, dict[str, Any]]:
        stay = STAYS[name]
        self.start_afresh()
        stay.prepare(self._folder / "data")
        pid, first = self._begin_web(name, target), None
        with self._configured(stay.redis):
            for visit in stay.visits:
                status = None if self.is_over(pid) else self._ask_web(visit)
                if status is None:
                    first = self._over(pid, f"it dies {target}, and ends in no other way")
                    pid = self._begin_web(name)
                    status = self._ask_web(visit)
                assert status in visit.statuses, f"{visit}: {status}, {self.log.read_text()[-3000:]}"
        if target is not None and first is None:
            if target.name in _AT_ITS_END:
                os.kill(pid, signal.SIGTERM)
            # By others it comes on its own.
            first = self._over(pid, f"it dies {target}")
            pid = self._begin_web(name)
        eventually(lambda: not self._journals(), "the journal is handed on")
        # It does not end by itself, and one that was not to be killed tells all that it came by.
        os.kill(pid, signal.SIGTERM if target is None else signal.SIGKILL)
        last = self._over(pid, "it ends")
        return first or Life(0, last.points), self.state()

    def _begin_web(self, name: str, target: Point | None = None) -> int:
        """Its id, once it answers or has died: what is asked of a dead one would wait for the next."""
        pid = self.begin(name, target)
        eventually(lambda: self.is_over(pid) or self._is_up(), "the web process answers")
        return pid

    def _is_up(self) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            return self._visitor.get("/healthz", timeout=0.5).is_success
        return False

    def _over(self, pid: int, what: str) -> Life:
        eventually(lambda: self.is_over(pid), what)
        return self.end(pid)

    def _journals(self) -> list[Path]:
        return [*(self._folder / "data" / "journal").glob("*")]

    @contextlib.contextmanager
    def _configured(self, settings: Mapping[str, str]) -> Iterator[None]:
        before = {name: cast(dict[str, str], self.client.config_get(name))[name] for name in settings}
        for name, value in settings.items():
            self.client.config_set(name, value)
        try:
            yield
        finally:
            for name, value in before.items():
                self.client.config_set(name, value)

    def _ask_web(self, visit: Visit) -> int | None:
        """The status; None where the process died over it."""
        # A session's cookie stays with the visitor, as with a browser.
        headers = {"sec-fetch-site": "same-origin"}
        if visit.signed_in:
            token = TOKEN if visit.path.startswith("/webhooks") else OPS_TOKEN
            headers["authorization"] = f"Bearer {token}"
        try:
            with self._visitor.stream(
                visit.method, visit.path, json=visit.body or None, data=visit.form or None, headers=headers
            ) as answer:
                if visit.ends:
                    answer.read()
                return answer.status_code
        except httpx2.HTTPError:
            return None

    def let_a_lease_pass(self) -> None:
        let_pass(self.client, LEASE_AND_A_LITTLE_S)
        self.client.delete(keys.BEAT, f"{keys.TAG}:recordings:tidied", f"{keys.TAG}:swept")

    def state(self) -> dict[str, Any]:
        """What must be the same with and without a kill."""
        parked = self.ledger.parked()
        calls = {str(key): self.ledger.read(str(key)) for key in self.client.zrange(keys.CALLS, 0, -1)}
        files = sorted(
            str(path.relative_to(self._folder))
            for path in (self._folder / "data").rglob("*.*")
            if path.is_file()
        )
        any_forgotten = any(record.forgotten for record in calls.values())
        return {
            "kustomer": desk(self.sandbox),
            "contacts": sorted(
                (one["name"], len(one["ContactEmail"]), len(one["ExternalUrl"]), len(one["ContactsTag"]))
                for one in self.sandbox.cloudtalk.contacts
            ),
            "looked after": {
                # Its customer's id differs from run to run.
                key.partition(":of:")[0] + (":of" if ":of:" in key else ""): (
                    sorted(record.outputs),
                    sorted(record.intents),
                    sorted(record.changes),
                )
                for key, record in (
                    (str(key), self.ledger.read(str(key))) for key in self.client.zrange(keys.CONTACTS, 0, -1)
                )
            },
            "attached": sorted(
                (one["attributes"]["name"], one["size"], one["uploaded"])
                for one in self.sandbox.kustomer.attachments
                if one["referenced"]
            ),
            "messages": sorted(
                (one["attributes"].get("externalId"), one["attributes"].get("preview"))
                for one in self.sandbox.kustomer.messages
            ),
            "files": [name for name in files if _INCOMING not in name],
            # What a killed one left half written goes within a day; of a call that is forgotten, with it.
            "half written": [name for name in files if _INCOMING in name and any_forgotten],
            # Of a text message that may have been sent: a person decides.
            "parked": {name: job["cause"] for name, job in parked.items() if job["cause"] != "MaybeDone"},
            "texts sent again": max(0, len(self.sandbox.cloudtalk.text_messages) - 1),
            "left to do": sorted(set(cast(list[str], self.client.hkeys(keys.JOBS))) - set(parked)),
            "held": self.ledger.held_count(),
            "orphans": self.orphans(),
            # None where a lost reply left open whether it was shown, never two.
            "cards shown again": max(0, len(self.sandbox.cloudtalk.cue_cards) - 1),
            "calls": {
                key: {
                    "state": record.fields.get("state"),
                    "forgotten": record.forgotten,
                    "events": sorted(event.trigger for event in record.events),
                    "learnt": sorted(record.observations),
                    "outputs": sorted(record.outputs),
                    "intents": sorted(record.intents),
                }
                for key, record in calls.items()
            },
        }

    def orphans(self) -> int:
        return sum(not one["referenced"] for one in self.sandbox.kustomer.attachments)


def _through(name: str) -> Collection[str]:
    """The services that this one reaches through Membrane."""
    if name in STAYS:
        return _OF_THE_WEB
    return JOURNEYS[name].through or THROUGH_MEMBRANE


def _point(line: str) -> Point:
    found = re.fullmatch(r"(before|amid|at|after) (\d+) (.+)", line)
    assert found is not None, line
    return Point(moment=cast(Any, found[1]), nth=int(found[2]), name=found[3])
