"""Real processes with ENCRYPTION_KEYS: no file holds a word of a call, whatever keys come and go."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bridge.commands.context import living_run
from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import new_key
from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from tests.frame.conftest import ROOT, Program
from tests.support import ended
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

NUMBER, NAME = "+441632960777", "Adelheid Example"
WORDS = (b"441632960777", b"1632 960777", b"Adelheid", b"adelheid", b"Bo Sample", b"bo sample", b"plumber")
ONE, TWO = new_key(), new_key()


class House:
    """`up --sandbox` on a folder of its own, with the keys in a file beside it."""

    def __init__(self, folder: Path) -> None:
        self.data, self._file = folder / "data", folder / "keys"
        self._probes = itertools.count(1000007900)
        self.use(ONE)
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATA_DIR": str(self.data),
            "ENCRYPTION_KEYS_FILE": str(self._file),
            "PORT": "0",
            "LOG_FORMAT": "json",
            "JOURNAL_MB": "5",
        }
        self.program = Program([sys.executable, "-m", "bridge", "up", "--sandbox"], self.environ)
        self.url = self.program.wait_for(r"The bridge runs: (http://127.0.0.1:\d+)")[1]
        run = living_run(self.data)
        assert run is not None
        self.token, self.client = run.environment["WEBHOOK_TOKENS"], connect(run.environment["REDIS_URL"])

    def use(self, *entries: str) -> None:
        """Put other keys into the file, as a secret store does."""
        new = self._file.with_suffix(".new")
        new.write_text("\n".join(entries))
        new.replace(self._file)

    def send(self, trigger: str, body: dict[str, Any]) -> int:
        answer = httpx2.post(
            f"{self.url}/webhooks/cloudtalk/{trigger}",
            json=body,
            headers={"authorization": f"Bearer {self.token}"},
            timeout=10,
        )
        return answer.status_code

    def run(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "bridge", *words],
            env=self.environ,
            cwd=self.data,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def key_in_use(self) -> str:
        """The id of the key by which the web process encrypts now."""
        uuid, body = call(next(self._probes))
        self.send("call-started", body)
        (text,) = self.client.hvals(keys.events(f"uuid:{uuid}"))
        return str(json.loads(str(text))["body"]).split(":")[1]

    def is_synced(self, uuid: str) -> bool:
        return self.client.hget(keys.record(f"uuid:{uuid}"), "state") == "synced"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    yield found
    found.client.close()
    if found.program.process.poll() is None:
        found.program.signal(signal.SIGTERM)
        found.program.wait()


def call(number: int) -> tuple[str, dict[str, Any]]:
    uuid = f"11111111-2222-4333-8444-{number:012d}"
    told = {"external_number": NUMBER, "contact_name": NAME, "call_notes": "the plumber"}
    return uuid, ended(call_id=number, uuid=uuid, **told)


def test_no_file_holds_a_word_of_the_call(house: House) -> None:
    house.client.config_set("rdbcompression", "no")
    first, body = call(1000007801)
    house.send("call-started", {**body, "event": "call_started"})
    assert house.send("call-ended", body) == 202
    assert house.send("unknown-event", {"from": NUMBER, "text": f"{NAME}, the plumber"}) == 202
    told = {"external_number": NUMBER, "internal_number": "+15550100101", "text": f"{NAME}, the plumber"}
    assert house.send("message-received", told) == 202
    eventually(lambda: house.is_synced(first), "the call is written", within_s=60)

    house.use(TWO, ONE)
    ids = Keyring([TWO, ONE]).ids
    eventually(lambda: house.key_in_use() == ids[0], "web encrypts with the new key", within_s=5)
    second, body = call(1000007802)
    house.send("call-ended", body)
    eventually(lambda: house.is_synced(second), "the call is written under the new key", within_s=60)
    code, said = house.run("encryption", "apply", "--json")
    while code == 3 and not json.loads(said)["unreadable"]:
        # The processes wrote some under the old key while they took up the new one.
        code, said = house.run("encryption", "apply", "--json")
    assert code == 0, said
    house.use(TWO)
    third, body = call(1000007803)
    house.send("call-ended", body)
    eventually(lambda: house.is_synced(third), "the call is written with one key", within_s=60)
    code, shown = house.run("calls", "show", first)
    assert code == 0 and "synced" in shown
    read = Ledger(house.client, keyring=Keyring([TWO])).read(f"uuid:{first}")
    assert {event.body["contact_name"] for event in read.events} == {NAME}
    code, said = house.run("encryption", "status")
    assert code == 0 and "not needed" not in said

    rewritten(house)
    house.program.signal(signal.SIGTERM)
    assert house.program.wait() == 0

    # The sandbox's services keep what is theirs, as Kustomer does.
    files = [path for path in house.data.rglob("*") if path.is_file() and path.name != "services.sqlite3"]
    found = {(path.name, word) for path in files for word in WORDS if word in path.read_bytes()}
    assert any(path.suffix in (".aof", ".rdb") for path in files)
    assert found == set()
    assert not any(word in house.program.output.encode() for word in WORDS)


def test_webhooks_that_wait_for_redis_are_encrypted_on_the_disk_and_written_later(house: House) -> None:
    server = json.loads((house.data / "redis" / "server.json").read_text())["pid"]
    uuid, body = call(1000007811)
    os.kill(server, signal.SIGSTOP)
    try:
        answer = house.send("call-ended", body)
        (line,) = [path.read_bytes() for path in (house.data / "journal").glob("*.journal")]
    finally:
        os.kill(server, signal.SIGCONT)

    assert answer == 202 and b'"sealed": "enc1:' in line
    assert [word for word in WORDS if word in line] == []
    eventually(lambda: house.is_synced(uuid), "the call is written", within_s=60)
    assert Ledger(house.client, keyring=Keyring([ONE])).read(f"uuid:{uuid}").events[0].body == body


def rewritten(house: House) -> None:
    """Have Redis write all that it holds to its files, uncompressed."""
    house.client.bgrewriteaof()
    eventually(
        lambda: (
            not house.client.info("persistence")["aof_rewrite_in_progress"]
            and not house.client.info("persistence")["aof_rewrite_scheduled"]
        ),
        "the append-only file is written anew",
        within_s=30,
    )
    assert house.client.save()
