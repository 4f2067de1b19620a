"""One worker process for many accounts: apart from each other, in fair turns, followed while it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event
from bridge.domain.webhook.messages import read_delivery
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from tests.accounts.given import table
from tests.support import ended
from tests.waiting import eventually
from workers.main import WorkerProcess

UUID = "11111111-2222-4333-8444-5555555555{:02}"


def table_of(name: str, sandbox: RunningSandbox, **more: object) -> str:
    """A table that leads to this sandbox."""
    theirs: Mapping[str, object] = {key.lower(): value for key, value in sandbox.environ().items()}
    direct = {key: value for key, value in theirs.items() if "membrane" not in key}
    return table(name, **direct, **more)


class Company:
    """An account, its ledger, and the services that it has."""

    def __init__(self, name: str, redis_url: str, sandbox: RunningSandbox) -> None:
        self.name, self.sandbox = name, sandbox
        self.ledger = Ledger(connect(redis_url, account=name))

    def call(self, number: int = 0) -> str:
        """Tell of a call that has ended; its uuid."""
        uuid = UUID.format(number)
        body = ended(call_id=1000000500 + number, uuid=uuid, external_number=f"+4416329603{number:02}")
        event = read_delivery("call-ended", body, Rules())
        assert isinstance(event, Event)
        self.ledger.record_event(event, body)
        return uuid

    def is_written(self, uuid: str) -> bool:
        found = self.ledger.find(uuid)
        return found is not None and found.fields.get("state") == "synced"


@pytest.fixture
def companies(redis_client: redis.Redis, redis_url: str) -> Iterator[tuple[Company, Company]]:
    with RunningSandbox() as of_acme, RunningSandbox() as of_bolt:
        yield Company("acme", redis_url, of_acme), Company("bolt", redis_url, of_bolt)


@contextlib.contextmanager
def working(
    redis_url: str,
    file: Path,
    *companies: Company,
    threads: int = 4,
    environ: Mapping[str, str] | None = None,
) -> Iterator[WorkerProcess]:
    file.write_text("\n".join(table_of(one.name, one.sandbox) for one in companies))
    given = {
        "REDIS_URL": redis_url,
        "CALLBRIDGE_ACCOUNTS": str(file),
        "DATA_DIR": str(file.parent / "data"),
        "WORKER_THREADS": str(threads),
        **(environ or {}),
    }
    process = WorkerProcess(Settings.from_env(given, dotenv=None))
    process.start()
    try:
        yield process
    finally:
        process.stop()


def test_each_account_is_written_to_its_own_kustomer_and_nothing_of_another(
    redis_url: str, tmp_path: Path, companies: tuple[Company, Company], redis_client: redis.Redis
) -> None:
    acme, bolt = companies
    with working(redis_url, tmp_path / "accounts.toml", acme, bolt):
        calls = [(one, one.call(number)) for number in range(3) for one in companies]

        for one, uuid in calls:
            eventually(lambda one=one, uuid=uuid: one.is_written(uuid), f"{one.name}'s call is written")  # type: ignore[misc]

    for one in companies:
        assert len(one.sandbox.kustomer.notes) == len(one.sandbox.kustomer.customers) == 3
    plain = redis.Redis(connection_pool=redis_client.connection_pool)
    tags = {str(name).partition("}")[0] for name in plain.scan_iter()}
    assert tags == {"{callbridge", "{callbridge:acme", "{callbridge:bolt"}
    # Of the deployment there is nothing but its processes and their version.
    assert not list(plain.scan_iter(match="{callbridge}:call*"))


def test_an_account_is_added_paused_and_removed_while_the_worker_runs(
    redis_url: str, tmp_path: Path, companies: tuple[Company, Company]
) -> None:
    acme, bolt = companies
    file = tmp_path / "accounts.toml"
    with working(redis_url, file, acme) as process:
        early = bolt.call()
        file.write_text(table_of("acme", acme.sandbox) + table_of("bolt", bolt.sandbox))
        eventually(lambda: bolt.is_written(early), "the call of the new account is written")

        file.write_text(table_of("acme", acme.sandbox) + table_of("bolt", bolt.sandbox, paused=True))
        eventually(lambda: process._accounts.now()["bolt"].is_paused, "it is paused")
        held_back = bolt.call(1)
        meanwhile = acme.call(1)
        eventually(lambda: acme.is_written(meanwhile), "the other account goes on")
        assert not bolt.is_written(held_back)

        file.write_text(table_of("acme", acme.sandbox) + table_of("bolt", bolt.sandbox))
        eventually(lambda: bolt.is_written(held_back), "what was kept is written when it goes on")

        file.write_text(table_of("acme", acme.sandbox))
        eventually(lambda: "bolt" not in process._accounts.now(), "it is removed")
        left = bolt.call(2)
        last = acme.call(2)
        eventually(lambda: acme.is_written(last), "the other account goes on")
        assert not bolt.is_written(left) and bolt.ledger.find(left) is not None


def test_an_account_whose_service_hangs_does_not_hold_up_another(
    redis_url: str, tmp_path: Path, companies: tuple[Company, Company]
) -> None:
    acme, bolt = companies
    with working(redis_url, tmp_path / "accounts.toml", acme, bolt, threads=4) as process:
        acme.sandbox.kustomer.delay_next(4.0, times=50)
        for number in range(8):
            acme.call(number)
        eventually(lambda: process.broker.busy == 3, "the hanging account has all threads that one may have")

        uuid = bolt.call()

        eventually(lambda: bolt.is_written(uuid), "the other account's call is written", within_s=3.5)
        assert not acme.sandbox.kustomer.notes
        acme.sandbox.kustomer.forget_faults()


def test_a_wrong_account_does_not_hold_up_another(
    redis_url: str, tmp_path: Path, companies: tuple[Company, Company]
) -> None:
    acme, bolt = companies
    # A ledger of a later version.
    acme.ledger.redis.hset("{callbridge}:schema", "version", "99")
    with working(redis_url, tmp_path / "accounts.toml", acme, bolt):
        refused, uuid = acme.call(), bolt.call()

        eventually(lambda: bolt.is_written(uuid), "the other account's call is written")

        assert not acme.is_written(refused)


def test_the_unnamed_account_is_served_beside_the_others(
    redis_url: str, tmp_path: Path, companies: tuple[Company, Company], redis_client: redis.Redis
) -> None:
    acme, bolt = companies
    unnamed = Company("", redis_url, bolt.sandbox)
    environ = {key: value for key, value in bolt.sandbox.environ().items() if "MEMBRANE" not in key}
    with working(redis_url, tmp_path / "accounts.toml", acme, environ=environ):
        calls = [(one, one.call()) for one in (acme, unnamed)]

        for one, uuid in calls:
            eventually(lambda one=one, uuid=uuid: one.is_written(uuid), "it is written")  # type: ignore[misc]

    assert len(acme.sandbox.kustomer.notes) == len(bolt.sandbox.kustomer.notes) == 1


def test_a_worker_hands_back_the_jobs_of_each_account_when_it_stops(
    redis_url: str, tmp_path: Path, companies: tuple[Company, Company]
) -> None:
    acme, bolt = companies
    with working(redis_url, tmp_path / "accounts.toml", acme, bolt) as process:
        for one in companies:
            one.sandbox.kustomer.delay_next(3.0, times=5)
            one.call()
        eventually(lambda: process.broker.busy == 2, "both are at work")

        process.stop(within_s=0.1)

    for one in companies:
        (state,) = [lane for lane in one.ledger.queue().values() if lane.running]
        assert state.running == 1
        one.sandbox.kustomer.forget_faults()
