"""Both clients against the sandbox, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.http import make_client
from bridge.clients.kustomer import Kustomer
from bridge.sandbox.running import RunningSandbox
from tests.clients.given import cloudtalk_at, kustomer_at


@pytest.fixture(scope="session")
def http() -> Iterator[httpx2.Client]:
    with make_client() as client:
        yield client


@pytest.fixture
def cloudtalk(http: httpx2.Client, sandbox: RunningSandbox) -> CloudTalk:
    return cloudtalk_at(sandbox.cloudtalk.url, http)


@pytest.fixture
def kustomer(http: httpx2.Client, sandbox: RunningSandbox) -> Kustomer:
    return kustomer_at(sandbox.kustomer.url, http)
