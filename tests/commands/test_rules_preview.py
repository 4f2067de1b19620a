"""`callbridge rules preview`: what it prints is what a sync then sends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.commands import DONE, FAILED, WRONG_USE, main
from bridge.domain.rules.file import read_rules_text
from bridge.ledger import keys
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, ended

KEY = "uuid:11111111-2222-4333-8444-555555555500"
RULES = """
version = 2
[conversation]
tags = ["phone"]
name = "{{ caller }} ({{ outcome }})"
[write]
as = "both"
language = "de"
template = "{{ title }}\\n{{ notes }}"
"""


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, redis_url: str, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.delenv("CALLBRIDGE_RULES", raising=False)
    (tmp_path / "new.toml").write_text(RULES)


def bare(path: str) -> str:
    """A request's path without the ids that Kustomer chooses."""
    return re.sub(r"/[0-9a-f]{24}", "/ID", path)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["rules", "preview", *arguments, "--json"]) == DONE
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_the_requests_are_those_that_a_sync_sends(
    redis_client: redis.Redis, sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    bridge = Bridge(redis_client, sandbox, read_rules_text(RULES).rules)
    bridge.receive("call-ended", ended())
    before = redis_client.hgetall(keys.record(KEY))

    answer = shown(capsys, KEY, "--rules", "new.toml")

    assert redis_client.hgetall(keys.record(KEY)) == before
    assert sandbox.kustomer.requests == []
    assert answer["note"] == (
        "Anruf von Ada Example\n> Wants the March invoice again.\nCloudTalk call: 1000000500"
    )
    assert (answer["title"], answer["status"], answer["tags"]) == (
        "Ada Example (answered)",
        "done",
        ["phone"],
    )
    bridge.run_jobs()
    sent = [(one.method, bare(one.path)) for one in sandbox.kustomer.writes]
    assert [(one["method"], bare(one["path"])) for one in answer["requests"]] == sent


@pytest.mark.slow
def test_a_person_reads_text_and_requests_and_a_written_call_is_shown_as_a_new_one(
    redis_client: redis.Redis, sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    bridge = Bridge(redis_client, sandbox)
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    sandbox.kustomer.forget_requests()

    assert main(["rules", "preview", "1000000500"]) == DONE

    text = capsys.readouterr().out
    assert "Title: Call from Ada Example\nStatus: done\n" in text
    assert "\nNote:\n  Answered incoming call\n\n  Caller: Ada Example, +44 1632 960304\n" in text
    assert re.search(r"\n1\. POST /v1/customers\n", text)
    assert re.search(r"\n\d\. POST /v1/conversations/\w+/notes\n", text)
    assert sandbox.kustomer.requests == []


def test_a_call_that_is_not_written_says_why(
    redis_client: redis.Redis, sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    bridge = Bridge(redis_client, sandbox)
    bridge.receive("call-ended", ended(external_number="anonymous"))

    answer = shown(capsys, KEY)

    assert (answer["written"], answer["requests"]) == (False, [])
    assert "withheld" in answer["reason"]
    assert main(["rules", "preview", "4711"]) == FAILED
    (Path.cwd() / "new.toml").write_text("version = 2\n[write]\ntemplate = '{{ callr }}'\n")
    assert main(["rules", "preview", KEY, "--rules", "new.toml"]) == WRONG_USE
    assert "new.toml:3:16: write.template: unknown field 'callr'" in capsys.readouterr().err
