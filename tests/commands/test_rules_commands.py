"""`callbridge rules …`: what a person sees and what a script gets."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from bridge.commands import DONE, WRONG_USE, main
from bridge.domain.rules.file import read_rules_text

Caught = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a rules file is written, in a folder without `.env`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALLBRIDGE_RULES", "rules.toml")
    return Path("rules.toml")


def test_a_good_file_passes_and_says_what_is_in_force(file: Path, capsys: Caught) -> None:
    file.write_text(
        'version = 2\n[conversation]\nname = "{{ caller | upper }}"\n[[rule]]\nwhen.line = "Sales"\n'
        'then = { status = "done", name = "Sale of {{ agent }}" }\n'
    )

    assert main(["rules", "check"]) == DONE
    said = capsys.readouterr().out
    assert "rules.toml: no mistakes" in said
    assert 'conversation.name = "{{ caller | upper }}"' in said
    assert "conversation.name makes 'ADA EXAMPLE'" in said
    assert 'rule 1 (line 4): when { line = "Sales" }' in said
    assert "then.name makes 'Sale of Bo Example'" in said.replace("rule 1 (line 4): ", "")


def test_a_choice_without_effect_is_a_note_and_no_mistake(file: Path, capsys: Caught) -> None:
    file.write_text("version = 2\n[contacts]\ncreate = true\n")

    assert main(["rules", "check"]) == DONE
    assert "note: line 3: contacts.create has no effect without to_cloudtalk" in capsys.readouterr().out


def test_mistakes_stand_on_standard_error_with_exit_code_2(file: Path, capsys: Caught) -> None:
    file.write_text("version = 2\n[write]\ninternl = true\nshort = 1\n")

    assert main(["rules", "check", str(file)]) == WRONG_USE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "rules.toml:3:1: write.internl is unknown; did you mean internal?",
        "rules.toml:4:9: write.short cannot be 1; use true or false",
    ]


def test_a_file_that_is_not_there_is_named(file: Path, capsys: Caught) -> None:
    assert main(["rules", "check"]) == WRONG_USE
    assert "rules.toml:1:1: cannot be read: No such file or directory;" in capsys.readouterr().err


def test_without_a_file_the_defaults_are_in_force(
    file: Path, capsys: Caught, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CALLBRIDGE_RULES")

    assert main(["rules", "check"]) == DONE
    assert "all rules have their defaults" in capsys.readouterr().out


def test_the_default_file_passes(file: Path, capsys: Caught) -> None:
    assert main(["rules", "default"]) == DONE
    file.write_text(capsys.readouterr().out)

    assert main(["rules", "check"]) == DONE


def test_the_schema_is_json(file: Path, capsys: Caught) -> None:
    assert main(["rules", "schema"]) == DONE
    assert json.loads(capsys.readouterr().out)["properties"]["version"]["const"] == 2


def test_an_old_file_is_printed_as_version_2(file: Path, capsys: Caught) -> None:
    file.write_bytes(b"# ours\r\n[conversation]\r\n\tassign_agent = true\r\n")

    assert main(["rules", "convert", str(file)]) == DONE
    said = capsys.readouterr().out
    assert tomllib.loads(said) == {"version": 2, "conversation": {}, "agents": {"assign": "longest"}}
    assert said.startswith("version = 2\n# ours\n")
    assert read_rules_text(said).wrong == ()


def test_what_is_in_force_is_shown_with_its_line(file: Path, capsys: Caught) -> None:
    file.write_text(
        'version = 2\n[agents]\nassign = "first"\n[[rule]]\nwhen.tag = "VIP"\nthen.priority = 5\n'
    )

    assert main(["rules", "show"]) == DONE
    said = capsys.readouterr().out
    assert "rules.toml, line 3" in said
    assert "Calls tagged VIP get priority 5." in said
    assert "conversation.per" not in said

    assert main(["rules", "show", "--json"]) == DONE
    rules = {one["name"]: one for one in json.loads(capsys.readouterr().out)["rules"]}
    assert (rules["agents.assign"]["value"], rules["agents.assign"]["origin"]) == ("first", "rules.toml")
    assert rules["conversation.per"]["origin"] == "default"
    assert rules["rule 1 (line 4)"]["value"] == {"when": {"tag": "VIP"}, "then": {"priority": 5}}
