"""The command line itself: help, exit codes, what is loaded when."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.commands import COMMANDS, LazyGroup, main
from bridge.domain.webhook.keys import CANONICAL_KEYS
from bridge.domain.webhook.templates import TEMPLATES
from tests.frame.conftest import ROOT


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("REDIS_URL", "WEBHOOK_TOKENS", "DATA_DIR", "PORT"):
        monkeypatch.delenv(name, raising=False)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0

    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)


def test_help_imports_only_click_and_the_list_of_commands() -> None:
    # What the environment loads at each start of Python (setuptools, where pip made it) is none of ours.
    code = (
        "import sys; before = {*sys.modules}; import bridge.commands; bridge.commands.main(['--help']); "
        "sys.exit(' '.join({*sys.modules} - before))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    loaded = {name for name in result.stderr.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in loaded if name.partition(".")[0] not in {"click", "__main__"}} == {
        "bridge",
        "bridge.commands",
        "bridge.commands.printing",
        "bridge.errors",
        "bridge.plain",
    }


@pytest.mark.parametrize("args", [["nonsense"], ["up", "--nonsense"], ["templates", "no-such-trigger"]])
def test_wrong_use_is_code_2_without_a_traceback(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(args) == 2

    assert "Traceback" not in capsys.readouterr().err


def test_a_slip_of_the_finger_gets_the_right_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wroker"]) == 2

    assert "Did you mean 'worker'?" in capsys.readouterr().err


def test_wrong_settings_are_all_named_with_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "many")
    monkeypatch.setenv("KUSTOMER_API_URL", "http://elsewhere.example.com")

    assert main(["up"]) == 2

    said = capsys.readouterr().err
    assert "PORT" in said
    assert "KUSTOMER_API_URL" in said


@pytest.mark.parametrize("command", ["web", "worker", "clock"])
def test_each_process_names_what_all_of_them_miss_in_one_round(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEBHOOK_TOKEN", "a-token-of-some-length")

    assert main([command]) == 2

    said = capsys.readouterr().err
    for name in ("REDIS_URL", "WEBHOOK_TOKENS", "CLOUDTALK_ACCESS_KEY_ID", "KUSTOMER_API_KEY"):
        assert said.count(f"  {name} ") == 1, name
    assert "WEBHOOK_TOKEN in the environment is not a setting; did you mean WEBHOOK_TOKENS?" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "command", ["up", "web", "worker", "clock", "doctor", "calls ls", "templates", "connection list"]
)
def test_no_command_gets_to_the_first_use_of_a_wrong_address(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://default:Se#cret@127.0.0.1:6379/0")

    assert main(command.split()) == 2

    said = capsys.readouterr().err
    assert said.startswith("Wrong settings:\n  REDIS_URL  ")
    assert "cret" not in said and "Traceback" not in said


@pytest.mark.slow
def test_dramatiqs_own_command_says_wrong_settings_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from workers.main import setup; setup()"],
        env={"REDIS_URL": "redis://127.0.0.1:port/0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "REDIS_URL" in done.stderr and "KUSTOMER_API_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelt_setting_is_told_by_a_command_that_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPS_TOKN", "hunter2-hunter2")

    assert main(["templates"]) == 0

    said = capsys.readouterr().err
    assert said == "Warning: OPS_TOKN in the environment is not a setting; did you mean OPS_TOKEN?\n"


@pytest.mark.parametrize(("is_of_up", "lines"), [(False, 2), (True, 0)])
def test_a_process_logs_what_is_misspelt_and_what_others_miss_once(is_of_up: bool, lines: int) -> None:
    """`callbridge up` says it for all of its processes."""
    environ = {"REDIS_URL": "redis://127.0.0.1:1/0", "OPS_TOKN": "x", "LOG_FORMAT": "json"}
    done = subprocess.run(
        [sys.executable, "-c", "from bridge.commands.context import start_process; start_process('web')"],
        env=environ | ({"CALLBRIDGE_RUN": "a-mark"} if is_of_up else {}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    said = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert len(said) == lines
    if lines:
        assert "did you mean OPS_TOKEN?" in said[0]
        assert "callbridge worker cannot start" in said[1] and "KUSTOMER_API_KEY" in said[1]


def test_what_is_to_be_set_up_says_what_a_transcript_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["templates", "transcription-created"]) == 0

    said = capsys.readouterr().out
    assert "Only for [insights] transcript in the rules" in said


def test_up_without_keys_says_which_are_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up"]) == 2

    said = capsys.readouterr().err
    assert "CLOUDTALK_ACCESS_KEY_ID" in said
    assert "KUSTOMER_API_KEY" in said


def test_a_command_that_is_not_there_breaks_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    group = LazyGroup("callbridge")
    group.table = {**COMMANDS, "later": ("bridge.commands.not_yet:later", "Not yet")}

    assert main(["later"], group=group) == 2
    assert "not part of this version" in capsys.readouterr().err
    assert main(["templates"], group=group) == 0


def test_templates_give_the_address_of_their_trigger_and_both_ids(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["templates", "call-ended", "--url", "https://bridge.example.com/"]) == 0

    said = capsys.readouterr().out
    assert "https://bridge.example.com/webhooks/cloudtalk/call-ended" in said
    assert "Workflow Automations" in said
    assert "API Request" in said
    assert "{{ event.properties.call_id }}" in said
    assert "{{ event.properties.call_uuid }}" in said
    assert '"call_ended"' in said


def test_templates_for_programs_hold_all_triggers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["templates", "--json"]) == 0

    result = json.loads(capsys.readouterr().out)
    assert [one["trigger"] for one in result] == list(TEMPLATES)
    (ended,) = [one for one in result if one["trigger"] == "call-ended"]
    assert {"key": "event", "value": "call_ended", "kind": "text", "needed": True, "note": ""} in ended[
        "keys"
    ]


def test_every_key_of_a_call_template_is_one_the_bridge_reads() -> None:
    named = {
        key.name
        for template in TEMPLATES.values()
        if not template.trigger.startswith(("message", "voice"))
        for key in template.keys
    }

    assert named - {"template"} <= CANONICAL_KEYS
