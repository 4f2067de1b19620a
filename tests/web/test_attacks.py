"""Every attack of a stranger, for a moment each, on one real web process: it answers, bounds, lives on."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge.local.embedded import EmbeddedRedis
from tests.benchmarks.attacks import Others, Site, send_webhooks, web_process
from tests.web.attacks import ATTACKS, run

pytestmark = pytest.mark.slow

# All that its replies may say. Nothing: the attack is to send nothing, or to read nothing.
ANSWERED = {
    "endless header value": {"431"},
    "endless URL": {"414"},
    "endless header lines": {"431"},
    "endless header name": {"431"},
    "endless blank lines": {"400"},
    "endless trailers": {"401", "431"},
    "endless trailer value": {"401", "431"},
    "endless chunk extension": {"401", "431"},
    "endless chunk size": {"401", "431"},
    "tiny chunks": {"401", "431"},
    "tiny chunks, signed": {"413", "431"},
    "endless body": {"413"},
    "pipelined, replies read": {"200"},
    "idle after a request": {"200"},
    "Expect: 100-continue, nothing follows": {"100"},
    "websocket upgrades": {"200"},
    "h2c upgrades": {"401"},
    "HTTP/2 preface": {"400"},
    "TLS": {"400"},
    "NUL bytes": {"400"},
    "repeated Content-Length": {"400"},
    "Transfer-Encoding with Content-Length": {"400"},
    "half-closed": {"200", "401"},
    "refused webhooks": {"401"},
}
# The process that another of these tests made larger stays so.
GROWS_MB = 60
SECONDS = 0.7


@pytest.fixture(scope="module")
def web() -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        redis = EmbeddedRedis(Path(text), appendfsync="everysec")
        redis.start()
        stack.callback(redis.stop)
        yield web_process(stack, Path(text), redis.url)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_answered_or_cut_and_others_are_served(web: Site, name: str) -> None:
    before_mb = web.resident_mb

    async def attacked() -> tuple[set[str], Others]:
        others = Others()
        seen, _ = await asyncio.gather(
            run(name, web.port, SECONDS, 30), send_webhooks(web.port, others, seconds=SECONDS, senders=2)
        )
        return {what for what in seen if what.isdigit()}, others

    answered, others = asyncio.run(attacked())

    assert answered == ANSWERED.get(name, set()) or answered < ANSWERED.get(name, set())
    assert answered or name not in ANSWERED
    assert others.accepted and not others.failed
    assert web.resident_mb < before_mb + GROWS_MB


def test_many_who_send_nothing_leave_the_bridge_its_descriptors(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as text, ExitStack() as stack:
        redis = EmbeddedRedis(Path(text), appendfsync="everysec")
        redis.start()
        stack.callback(redis.stop)
        web = web_process(stack, Path(text), redis.url, descriptors=64)

        async def attacked() -> Others:
            others = Others()
            await asyncio.gather(
                run("half-sent headers", web.port, 2, 100),
                send_webhooks(web.port, others, seconds=2, senders=4),
            )
            return others

        others = asyncio.run(attacked())

        assert len(others.accepted) > 20
        assert web.cuts()["crowded"] > 60
        assert "Too many open files" not in web.log.read_text()
