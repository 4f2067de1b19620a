"""A sandbox for each test, and a client with the right key for each of its services."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx2
import pytest

from bridge.sandbox import CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET, KUSTOMER_KEY
from bridge.sandbox.handles import CloudTalkHandle, KustomerHandle
from bridge.sandbox.running import RunningSandbox

# Nothing here speaks TLS, and loading the certificates of a real context takes longer than most tests.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def cloudtalk(sandbox: RunningSandbox) -> CloudTalkHandle:
    return sandbox.cloudtalk


@pytest.fixture
def kustomer(sandbox: RunningSandbox) -> KustomerHandle:
    return sandbox.kustomer


@pytest.fixture
def core(cloudtalk: CloudTalkHandle) -> Iterator[httpx2.Client]:
    auth = (CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET)
    with httpx2.Client(base_url=cloudtalk.url + "/core/api", auth=auth, verify=NO_TLS) as client:
        yield client


@pytest.fixture
def analytics(cloudtalk: CloudTalkHandle) -> Iterator[httpx2.Client]:
    auth = (CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET)
    with httpx2.Client(base_url=cloudtalk.url + "/analytics/api", auth=auth, verify=NO_TLS) as client:
        yield client


@pytest.fixture
def api(kustomer: KustomerHandle) -> Iterator[httpx2.Client]:
    """A client of the sandbox's Kustomer."""
    headers = {"Authorization": f"Bearer {KUSTOMER_KEY}"}
    with httpx2.Client(base_url=kustomer.url + "/v1", headers=headers, verify=NO_TLS) as client:
        yield client
