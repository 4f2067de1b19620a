"""The two services in a sandbox with its sample company, and one of each in Kustomer."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from bridge.actions import Services
from bridge.clients.http import make_client
from bridge.sandbox import sample
from bridge.sandbox.running import RunningSandbox
from tests.clients.given import cloudtalk_at, kustomer_at


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    with make_client() as client:
        yield client


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    # One for all: starting takes longer than most of these tests.
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def sample_sandbox(running: RunningSandbox) -> RunningSandbox:
    world = running.world
    world.empty_cloudtalk()
    world.empty_kustomer()
    sample.load(world)
    sample.add_desk(world)
    return running


@pytest.fixture
def services(http: httpx2.Client, sample_sandbox: RunningSandbox) -> Services:
    return Services(
        cloudtalk=cloudtalk_at(sample_sandbox.cloudtalk.url, http),
        kustomer=kustomer_at(sample_sandbox.kustomer.url, http),
    )
