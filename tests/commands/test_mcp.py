"""`callbridge mcp`: an assistant finds and explains calls; it sees no numbers, replays only if allowed."""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio
import pytest
import redis

from bridge.commands.mcp import server
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from tests.support import ended

pytest.importorskip("mcp", reason="the mcp extra is not installed")

READING = {"find_calls", "explain_call", "queue", "what_is_wrong", "parked", "held", "audit"}


def ask(ledger: Ledger, tool: str, *, allow_replay: bool = False, **given: Any) -> str:
    """The text of one tool's answer."""
    from mcp import Client

    settings = Settings.from_env({"REDIS_URL": "unix:///unused"}, dotenv=None)

    async def asking() -> str:
        async with Client(server(ledger, settings, allow_replay=allow_replay)) as client:
            answer = await client.call_tool(tool, given)
            return "".join(part.text for part in answer.content if part.type == "text")

    return anyio.run(asking)


def a_call(ledger: Ledger) -> str:
    event = read_event("call-ended", ended(), Rules())
    assert isinstance(event, Event)
    return ledger.record_event(event, ended()).key


def a_parked_call(ledger: Ledger) -> str:
    key = a_call(ledger)
    claim = ledger.claim("sync", key)
    assert claim is not None
    ledger.park(claim, cause="Rejected", error="made up, about Ada Example +441632960304")
    return key


def test_a_call_is_found_by_digits_and_explained_without_number_or_name(ledger: Ledger) -> None:
    a_call(ledger)

    found = json.loads(ask(ledger, "find_calls", q="960304"))
    said = ask(ledger, "explain_call", call=str(found["calls"][0]["call_id"]))

    assert [call["call_id"] for call in found["calls"]] == [1000000500]
    assert "What happened" in said and "call-ended" in said
    for text in (json.dumps(found), said):
        assert "441632960304" not in text and "Ada" not in text


def test_what_fails_is_said_with_what_to_do(ledger: Ledger) -> None:
    assert "find_calls" in ask(ledger, "explain_call", call="no-such-call")
    assert "must be one of" in ask(ledger, "find_calls", state="nowhere")


def test_parked_jobs_are_listed_without_number_or_name(ledger: Ledger) -> None:
    key = a_parked_call(ledger)

    (entry,) = json.loads(ask(ledger, "parked"))["parked"]

    assert (entry["key"], entry["cause"]) == (key, "Rejected")
    assert "441632960304" not in entry["error"] and "Ada" not in entry["error"]


def test_queue_and_problems_are_told(ledger: Ledger) -> None:
    a_parked_call(ledger)

    assert json.loads(ask(ledger, "queue"))["parked"] == 1
    assert "1 job is parked" in ask(ledger, "what_is_wrong")
    assert json.loads(ask(ledger, "held")) == {"held": [], "next": None}
    assert json.loads(ask(ledger, "audit")) == {"audits": []}


def test_replay_is_there_only_when_allowed_and_runs_only_when_told_to(ledger: Ledger) -> None:
    from mcp import Client

    a_parked_call(ledger)
    settings = Settings.from_env({"REDIS_URL": "unix:///unused"}, dotenv=None)

    async def tools() -> set[str]:
        async with Client(server(ledger, settings, allow_replay=False)) as client:
            found = (await client.list_tools()).tools
            assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in found)
            return {tool.name for tool in found}

    assert anyio.run(tools) == READING
    would = json.loads(ask(ledger, "replay", allow_replay=True, kind="sync"))
    assert len(would["would_run"]) == 1 and ledger.parked_count() == 1
    assert "Say which ones" in ask(ledger, "replay", allow_replay=True, dry_run=False)
    done = json.loads(ask(ledger, "replay", allow_replay=True, kind="sync", dry_run=False))
    assert len(done["queued"]) == 1 and ledger.parked_count() == 0


@pytest.mark.slow
def test_a_client_talks_to_it_over_stdio(redis_client: redis.Redis, redis_url: str) -> None:
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    params = StdioServerParameters(
        command=sys.executable, args=["-m", "bridge", "mcp"], env={"REDIS_URL": redis_url}
    )

    async def asking() -> str:
        async with Client(stdio_client(params)) as client:
            answer = await client.call_tool("what_is_wrong", {})
            return "".join(part.text for part in answer.content if part.type == "text")

    assert "no worker runs" in anyio.run(asking)
