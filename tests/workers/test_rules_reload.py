"""Web, worker and clock as real processes: each follows the rules file without a restart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bridge.domain.rules.model import Rules
from bridge.ledger.ledger import Ledger
from bridge.sandbox.running import RunningSandbox
from bridge.setting_sources import read_rules
from tests.frame.conftest import ROOT, Program
from tests.notify.receivers import Receiver, http_receiver
from tests.support import ended
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

KINDS = ("web", "worker", "clock")
UUID = "11111111-2222-4333-8444-555555555500"
ONE, OTHER = (f'version = 2\n[conversation]\ntags = ["{tag}"]\n' for tag in ("one", "other"))


@pytest.fixture
def environ(redis_url: str, ledger: Ledger, sandbox: RunningSandbox, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": redis_url,
        "DATA_DIR": str(tmp_path / "data"),
        "PORT": "0",
        "WEBHOOK_TOKENS": "a-token-of-a-test",
        "CALLBRIDGE_RULES": str(tmp_path / "rules.toml"),
        **sandbox.environ(),
    }


@pytest.fixture
def receiver(environ: dict[str, str]) -> Iterator[Receiver]:
    with http_receiver() as found:
        environ["NOTIFY_URLS"] = found.url
        yield found


@pytest.fixture
def processes(environ: dict[str, str], receiver: Receiver, ledger: Ledger) -> Iterator[dict[str, Program]]:
    Path(environ["CALLBRIDGE_RULES"]).write_text(ONE)
    with ExitStack() as stack:
        found = {}
        for kind in KINDS:
            found[kind] = Program([sys.executable, "-m", "bridge", kind], environ)
            stack.callback(found[kind].close)
        eventually(lambda: len(ledger.processes()) == len(KINDS), "three processes", within_s=60)
        yield found


def in_force(ledger: Ledger) -> set[tuple[str, bool]]:
    """Version of the rules, and whether the file has a mistake, as the processes say."""
    return {(one.rules, bool(one.rules_wrong)) for one in ledger.processes()}


def test_all_processes_follow_the_file_and_keep_the_old_rules_where_it_has_a_mistake(
    environ: dict[str, str],
    processes: dict[str, Program],
    receiver: Receiver,
    ledger: Ledger,
    sandbox: RunningSandbox,
) -> None:
    file = Path(environ["CALLBRIDGE_RULES"])
    one = read_rules(file)[0].version
    eventually(lambda: in_force(ledger) == {(one, False)}, "the first rules")

    file.write_text(OTHER)
    other = read_rules(file)[0].version
    eventually(lambda: in_force(ledger) == {(other, False)}, "the new rules everywhere", within_s=2)
    written(ledger, sandbox, 0, ["other"], other)

    # What an editor or a config map does: another file in its place.
    broken = file.with_suffix(".new")
    broken.write_text(ONE.replace("tags", "tgas"))
    broken.replace(file)
    eventually(lambda: in_force(ledger) == {(other, True)}, "the mistake everywhere", within_s=2)
    written(ledger, sandbox, 1, ["other"], other)
    eventually(lambda: receiver.first("rules file has a mistake", type_="warning"), "a notification")
    assert f"{file}:3:1: " in receiver.arrived[0].text

    file.write_text(ONE)
    eventually(lambda: in_force(ledger) == {(one, False)}, "the corrected rules", within_s=2)
    eventually(lambda: receiver.first("rules file is in force", type_="success"), "the all-clear")
    written(ledger, sandbox, 2, ["one"], one)

    assert len([title for title in receiver.titles() if "rules file" in title]) == 2
    for program in processes.values():
        program.process.terminate()
        program.wait()
        assert program.output.count("rules file rejected") == 1
        assert program.output.count("rules in force") == 2


def written(ledger: Ledger, sandbox: RunningSandbox, number: int, tags: list[str], version: str) -> None:
    """A call that comes now is written by these rules."""
    from bridge.domain.webhook.events import Event, read_event

    uuid = f"{UUID[:-1]}{number}"
    body = ended(call_id=1000000500 + number, uuid=uuid)
    event = read_event("call-ended", body, Rules())
    assert isinstance(event, Event)
    ledger.record_event(event, body)
    eventually(lambda: ledger.read(f"uuid:{uuid}").synced_at, "the call in Kustomer")
    record = ledger.read(f"uuid:{uuid}")
    assert record.rules_version == version
    (there,) = (
        one for one in sandbox.kustomer.conversations if one["id"] == record.outputs["conversation"].id
    )
    assert there["tagNames"] == tags


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_does_not_start_with_a_mistake_in_the_file(kind: str, environ: dict[str, str]) -> None:
    file = Path(environ["CALLBRIDGE_RULES"])
    file.write_text(ONE.replace("tags", "tgas"))

    found = subprocess.run(
        [sys.executable, "-m", "bridge", kind], env=environ, capture_output=True, text=True, check=False
    )

    assert found.returncode == 2
    assert f"{file}:3:1: " in found.stderr and "Traceback" not in found.stderr
