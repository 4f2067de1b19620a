"""The watch on a real Redis: several processes look, and each problem is told once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis

from bridge.errors import KEY_REFUSED, Disconnected
from bridge.ledger import keys
from bridge.ledger.calls.comparison import unannounced_at
from bridge.ledger.processes import Heartbeat
from bridge.ledger.watch import WatchStore, read_watch
from bridge.notify.watch import Watch
from bridge.reconcile.periodic import Rounds
from bridge.reports.views import queue_view
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from bridge.wiring import open_budgets
from tests.jobs.listing import ago, now
from tests.support import Bridge, ended


class Watching:
    """Two processes that watch, with web, worker and clock there."""

    def __init__(self, bridge: Bridge, **settings: str) -> None:
        environ = {
            "NOTIFY_URLS": "json://127.0.0.1:1/x",
            "PUBLIC_URL": "https://bridge.example.com",
            **settings,
        }
        self.bridge, self.settings = bridge, Settings.from_env(environ, dotenv=None)
        self.watches = [self._watch(), self._watch()]
        self._beats: dict[str, Heartbeat] = {}

    def run(self, *kinds: str) -> None:
        """Have these processes be there."""
        for kind in kinds:
            self._beats[kind] = Heartbeat(self.bridge.ledger.redis, kind)
            self._beats[kind].start()
            self._beats[kind].beat()

    def stop(self) -> None:
        for beat in self._beats.values():
            beat.stop()

    def _watch(self) -> Watch:
        ledger = self.bridge.ledger
        budgets = tuple(open_budgets(self.settings, ledger).values())
        return Watch(self.settings, ledger, lambda: queue_view(ledger, budgets, self.bridge.deps.connections))

    def look(self, *, after_s: float = 0) -> list[str]:
        """All look, as if so much time had passed since the last look; titles of what is to be told."""
        redis_ = self.bridge.ledger.redis
        if after_s:
            self.shift(after_s)
        for watch in self.watches:
            redis_.delete(keys.WATCH_TURN)
            watch.beat()
        return [entry["message"]["title"] for entry in WatchStore(self.bridge.ledger).messages().values()]

    def shift(self, seconds: float) -> None:
        """Move what the watch remembers into the past."""
        redis_ = self.bridge.ledger.redis
        sample, result = read_watch(self.bridge.ledger)
        sample |= {"webhook_at": sample["webhook_at"] - seconds}
        for entry in result.values():
            entry |= {name: entry[name] - seconds for name in ("since", "told", "gone") if entry.get(name)}
        redis_.set(keys.WATCH, json.dumps(sample))
        redis_.set(keys.PROBLEMS, json.dumps(result))


@pytest.fixture
def watching(bridge: Bridge) -> Iterator[Watching]:
    one = Watching(bridge)
    one.run("web", "worker", "clock")
    yield one
    one.stop()


def test_two_processes_tell_a_paused_service_once(watching: Watching) -> None:
    connections = watching.bridge.deps.connections
    assert watching.look() == []
    connections.mark_down(
        "kustomer",
        Disconnected("refused", connection="", state=KEY_REFUSED, text="Check the key.", service="kustomer"),
    )

    (title,) = watching.look()
    assert "Kustomer is paused (KEY_REFUSED)" in title
    assert len(watching.look()) == 1

    connections.mark_up("kustomer")
    assert watching.look()[1:] == ["callbridge: Kustomer is no longer paused; waiting jobs continue"]
    assert len(watching.look()) == 2


def test_of_two_that_look_within_the_same_seconds_one_acts(watching: Watching) -> None:
    first, second = watching.watches

    assert first.beat() and not second.beat()


def test_a_listed_call_shows_that_webhooks_stopped(
    watching: Watching, bridge: Bridge, sandbox: RunningSandbox
) -> None:
    watching.look()
    bridge.receive("call-ended", ended())
    watching.look()
    # An hour without a webhook, as quiet hours are.
    watching.shift(3600)
    assert watching.look() == []

    sandbox.cloudtalk.add_call(id=1000000600, started_at=ago(minutes=40), ended_at=ago(minutes=30))
    Rounds(bridge.deps, every=timedelta(minutes=5)).go(now())
    ended_at = unannounced_at(bridge.ledger)
    assert ended_at is not None and abs(ended_at - ago(minutes=30).timestamp()) < 30

    watching.look()
    assert watching.look(after_s=10) == ["callbridge: CloudTalk lists calls, but sends no webhooks for them"]

    bridge.receive("call-ended", ended(call_id=1000000601, uuid=None))
    assert watching.look()[1:] == ["callbridge: webhooks arrive again"]


def test_nothing_that_names_a_caller_is_kept_or_told(
    watching: Watching, bridge: Bridge, sandbox: RunningSandbox, redis_client: redis.Redis
) -> None:
    sandbox.kustomer.fail_next(400, method="POST", path="/conversations$")
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    watching.look()

    (title,) = watching.look(after_s=10)

    assert title == "callbridge: 1 job is parked"
    kept = str(
        [redis_client.get(keys.WATCH), redis_client.get(keys.PROBLEMS), redis_client.hvals(keys.OUTBOX)]
    )
    for secret in ("Ada", "+441632960304", "960304", "11111111-2222"):
        assert secret not in kept


def test_without_addresses_it_still_watches_and_keeps_no_message(bridge: Bridge) -> None:
    watching = Watching(bridge, NOTIFY_URLS="")
    watching.run("web", "worker")
    watching.look()

    assert watching.look(after_s=30) == []
    _, result = read_watch(bridge.ledger)
    watching.stop()
    assert result["no-clock"]["told"] is not None
