"""`callbridge doctor --bulk`: whether bulk requests work, tried with a customer of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.checks.bulk import look_at_bulk
from bridge.checks.check import Check
from bridge.ledger.bulk import worked
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from tests.support import http_client


@pytest.fixture
def ledger(redis_in: Callable[[Path], EmbeddedRedis], tmp_path: Path) -> Iterator[Ledger]:
    server = redis_in(tmp_path)
    server.start()
    with connect(server.url) as client:
        yield Ledger(client)
    server.stop()


@pytest.fixture
def look(ledger: Ledger, sandbox: RunningSandbox, tmp_path: Path) -> Callable[[], list[Check]]:
    url = str(ledger.redis.connection_pool.connection_kwargs.get("path"))
    environ = {"REDIS_URL": f"unix://{url}", "DATA_DIR": str(tmp_path), **sandbox.environ()}
    settings = Settings.from_env(environ, dotenv=None)
    return lambda: list(look_at_bulk(settings, http_client()))


def test_what_works_is_kept_with_its_date_and_nothing_stays_behind(
    look: Callable[[], list[Check]], ledger: Ledger, sandbox: RunningSandbox
) -> None:
    (check,) = look()
    sandbox.kustomer.finish_bulk()

    assert check.state == "ok"
    assert worked(ledger) is not None
    assert sandbox.kustomer.customers == sandbox.kustomer.conversations == sandbox.kustomer.notes == []


@pytest.mark.parametrize("reading", [{"bulk": False}, {"bulk_role": False}])
def test_what_does_not_work_is_not_used_any_more(
    look: Callable[[], list[Check]], ledger: Ledger, sandbox: RunningSandbox, reading: dict[str, bool]
) -> None:
    look()
    sandbox.kustomer.read_as(**reading)

    (check,) = look()

    assert check.state == "warn"
    assert "bulk requests do not work" in check.says
    assert worked(ledger) is None


def test_a_customer_that_cannot_be_deleted_is_named(
    look: Callable[[], list[Check]], ledger: Ledger, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.fail_next(403, method="DELETE")

    _, left = look()

    (customer,) = sandbox.kustomer.customers
    assert customer["id"] in left.says
    assert worked(ledger) is not None
