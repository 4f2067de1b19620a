"""The rules as people see them: how they judge a call, on its page, in the API and by command."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.commands import main
from bridge.ledger.ledger import Ledger
from bridge.setting_sources import read_rules
from tests.waiting import eventually
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED, UUID, Site
from tests.web.test_held import come

FILE = """version = 2
[conversation]
tags = ["phone"]
[[rule]]
when = { max_talk_s = 5 }
then = { write = false }
[[rule]]
when = { direction = "incoming" }
then = { tags = ["in"], priority = 1 }
"""


@pytest.fixture
def file(redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "rules.toml"
    made.write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv("CALLBRIDGE_RULES", str(made))
    return made


@pytest.fixture
def site(file: Path, serve: Callable[..., Site]) -> Site:
    return serve(callbridge_rules=file, rules=read_rules(file)[0])


LINES = ["rule 1 (line 4): talk time is 97 s, above 5 s", "rule 2 (line 7): fits"]


def test_the_command_says_of_each_rule_whether_it_fits(
    file: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    come(ledger, "call-ended", {**ENDED, "talking_time": 97})

    assert main(["rules", "explain", UUID]) == 0
    said = capsys.readouterr().out.splitlines()
    assert main(["rules", "explain", UUID, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert said[:2] == LINES
    assert [line.split() for line in said if "rule 2" in line][1:] == [
        ["priority", "1", "rule", "2", "(line", "7)"],
        ["tags", "in", "rule", "2", "(line", "7)"],
    ]
    assert found["rules"] == LINES
    assert {one["name"]: one["value"] for one in found["choices"]} == {"tags": ["in"], "priority": 1}
    assert found["version"] == read_rules(file)[0].version and found["written_by"] is None
    assert main(["rules", "explain", "1000000999"]) == 1


def test_the_page_and_the_api_show_each_rule_as_a_sentence(site: Site, file: Path) -> None:
    shown, found = site.ask("GET", "/rules").text, site.ask("GET", "/api/rules").json

    assert "Calls of at most 5 s of talk are not written." in shown
    assert "Incoming calls get priority 1 and are tagged in." in shown
    assert f"{file}, line 3" in shown and found["version"] in shown
    assert (found["version"], found["wrong"]) == (read_rules(file)[0].version, "")
    assert [(one["name"], one["says"]) for one in found["rules"] if one.get("says")] == [
        ("rule 1 (line 4)", "Calls of at most 5 s of talk are not written."),
        ("rule 2 (line 7)", "Incoming calls get priority 1 and are tagged in."),
    ]


@pytest.mark.slow
def test_a_running_web_process_follows_the_file_within_two_seconds(site: Site, file: Path) -> None:
    def rules() -> dict[str, Any]:
        found: dict[str, Any] = site.ask("GET", "/api/rules").json
        return found

    before = rules()["version"]
    file.write_text('version = 2\n[conversation]\ntags = ["other"]\n')
    eventually(lambda: rules()["version"] != before, "the change", within_s=2)
    after = rules()["version"]

    file.write_text("version = 2\n[conversation]\ntgas = []\n")
    wrong = eventually(lambda: rules()["wrong"], "the mistake", within_s=2)
    assert wrong.startswith(f"{file}:3:1: ") and "tags" in wrong
    assert rules()["version"] == after
    assert wrong.split(";")[0] in html.unescape(site.ask("GET", "/rules").text)

    file.write_text(FILE)
    eventually(lambda: rules()["version"] == before and not rules()["wrong"], "all as before", within_s=2)


def test_a_call_s_page_and_the_api_say_it_too(site: Site, ledger: Ledger) -> None:
    come(ledger, "call-ended", {**ENDED, "talking_time": 97})

    shown = site.ask("GET", f"/calls/uuid:{UUID}").text
    found = site.ask("GET", f"/api/calls/{UUID}").json

    assert all(line in shown for line in LINES)
    assert found["explained"]["rules"] == LINES
    assert found["rules"] is None
