"""`callbridge backup` and `restore`: what is in the file, what is refused, and nothing is written twice."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.backup import archive, saving
from bridge.backup.archive import Backup
from bridge.backup.saving import save
from bridge.commands import main
from bridge.commands.backup import ending_tidily
from bridge.encryption.keys import new_key
from bridge.errors import WrongUse
from bridge.journal.lines import line_of
from bridge.ledger import keys
from bridge.ledger.calls.packing import pack_calls
from bridge.ledger.dump import Dumped, dump_lines, restore_lines
from bridge.ledger.keys import split_job
from bridge.ledger.processes import Heartbeat
from bridge.ledger.schema import VERSION, read_schema, take_up
from bridge.sandbox.running import RunningSandbox
from bridge.wiring import open_ledger, open_plain_redis, open_recordings
from tests.backup.given import OneMachine
from tests.jobs.desk import desk
from tests.support import Bridge, ended

SECRETS = {
    "WEBHOOK_TOKENS": "token-that-nobody-may-read",
    "OPS_TOKENS": "ada:read:another-token-that-nobody-may-read",
    "NOTIFY_URLS": "json://127.0.0.1:9/secret-path-of-a-hook",
}


@pytest.fixture
def first(tmp_path: Path, sandbox: RunningSandbox) -> Iterator[OneMachine]:
    with OneMachine(tmp_path / "first", sandbox.environ(), **SECRETS) as machine:
        take_up(machine.ledger)
        yield machine


@pytest.fixture
def second(tmp_path: Path, sandbox: RunningSandbox) -> Iterator[OneMachine]:
    with OneMachine(tmp_path / "second", sandbox.environ(), **SECRETS) as machine:
        yield machine


def _uuid(n: int) -> str:
    return f"11111111-2222-4333-8444-{555555556000 + n:012d}"


def _call(n: int, **more: Any) -> dict[str, Any]:
    return ended(call_id=1000001000 + n, uuid=_uuid(n), external_number=f"+44163296{1000 + n}", **more)


def _listed(sandbox: RunningSandbox, body: dict[str, Any], *, recorded: bool = False) -> None:
    sandbox.cloudtalk.add_call(
        id=int(body["call_id"]),
        uuid=body["call_uuid"],
        external_number=body["external_number"],
        internal_number="+15550100101",
        talking_time=97,
        agent_id=400101,
        started_at=body["started_at"],
        recorded=recorded,
    )


def _bridge(machine: OneMachine, sandbox: RunningSandbox) -> Bridge:
    """Jobs of this machine in the test's hands; when its ledger began stays as it is."""
    born_at = machine.client.hget(keys.META, "born_at")
    bridge = Bridge(machine.client, sandbox, data_dir=machine.data)
    if born_at is not None:
        machine.client.hset(keys.META, "born_at", str(born_at))
    return bridge


def test_what_is_restored_on_an_empty_machine_is_what_was_there(
    first: OneMachine, second: OneMachine, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    bridge = _bridge(first, sandbox)
    for n in range(5):
        bridge.receive("call-ended", _call(n))
    bridge.run_jobs()
    bridge.receive("call-ended", {"external_number": "+441632961999", "direction": "incoming"})
    first.client.set(f"{keys.TAG}:cache:odd", b"\xff\x00")
    file = tmp_path / "one.backup"

    code, said = first.run("backup", file)
    assert code == 0 and "5 calls" in said, said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob(".one*")] == []

    code, said = second.run("restore", file)
    assert code == 0 and "5 calls" in said and "backfill --since" in said, said

    before, after = first.keys_as_bytes(), second.keys_as_bytes()
    passing = ("schema", "meta", "budget", "session", "lock", "find", "processes")
    kept = {name for name in before if not name.split(b":")[1].decode().startswith(passing)}
    assert kept <= set(after)
    differ = {name for name in kept if before[name] != after[name]}
    # Each call is to be looked at in Kustomer once.
    assert all(name.startswith(b"{callbridge}:call:") for name in differ)
    assert read_schema(second.client).version == VERSION


def test_times_to_live_are_kept(first: OneMachine, second: OneMachine, tmp_path: Path) -> None:
    first.client.set(f"{keys.TAG}:cache:short", "1", px=500_000)
    first.client.set(f"{keys.TAG}:cache:endless", "1")

    assert first.run("backup", tmp_path / "b")[0] == 0
    assert second.run("restore", tmp_path / "b")[0] == 0

    assert 300_000 < second.client.pttl(f"{keys.TAG}:cache:short") <= 500_000
    assert second.client.pttl(f"{keys.TAG}:cache:endless") == -1


def test_a_large_key_is_read_in_parts_and_restored_whole(
    first: OneMachine, second: OneMachine, tmp_path: Path
) -> None:
    many = {f"member-{n}": float(n) for n in range(30_000)}
    first.client.zadd(keys.CONTACTS, many)
    first.client.hset(keys.COUNTS, mapping=dict.fromkeys(many, "7"))
    first.client.rpush(keys.TRAIL, *many)

    assert first.run("backup", tmp_path / "b")[0] == 0
    assert second.run("restore", tmp_path / "b")[0] == 0

    assert second.keys()[keys.CONTACTS] == first.keys()[keys.CONTACTS]
    assert second.client.hgetall(keys.COUNTS) == first.client.hgetall(keys.COUNTS)
    assert second.client.lrange(keys.TRAIL, 0, -1) == list(many)


def test_what_was_written_after_the_backup_is_found_and_not_written_again(
    first: OneMachine, second: OneMachine, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    bridge = _bridge(first, sandbox)
    bodies = [_call(n) for n in range(6)]
    for n, body in enumerate(bodies):
        _listed(sandbox, body, recorded=n == 1)
    bridge.receive("call-ended", bodies[0])
    bridge.receive("call-ended", bodies[1])
    bridge.run_jobs()
    bridge.receive("call-ended", bodies[2])
    assert first.run("backup", tmp_path / "b")[0] == 0
    # After it: one is written, one gets its recording, one another tag, three are new.
    bridge.receive("recording-uploaded", {"call_id": bodies[1]["call_id"], "call_uuid": _uuid(1)})
    changed = {"call_id": bodies[0]["call_id"], "call_uuid": _uuid(0), "tags": "Refund"}
    bridge.receive("call-modified", changed)
    for body in bodies[3:]:
        bridge.receive("call-ended", body)
    bridge.run_jobs_for(60)
    before = desk(sandbox)
    files = len(sandbox.kustomer.attachments)
    assert len(sandbox.kustomer.notes) == 6

    code, said = second.run("restore", tmp_path / "b")
    assert code == 0, said
    after = _bridge(second, sandbox)
    after.run_jobs_for(30)
    code, said = second.run("backfill", "--since", "1h")
    assert code == 0, said
    for n in range(3):
        after.sync(after.record(_uuid(n)).key)
    # Webhooks that come again, of calls that the backup does not know.
    for body in bodies[3:]:
        after.receive("call-ended", body)
    after.run_jobs_for(60)

    assert desk(sandbox) == before
    assert len(sandbox.kustomer.attachments) == files
    audit = second.as_json("audit", "--since", "1h")
    assert (audit["calls"], audit["missing"], audit["duplicated"], audit["unknown"]) == (6, [], [], [])


def test_a_webhook_that_comes_again_after_the_restore_writes_nothing(
    first: OneMachine, second: OneMachine, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    bridge = _bridge(first, sandbox)
    assert first.run("backup", tmp_path / "b")[0] == 0
    body = _call(0)
    bridge.receive("call-ended", body)
    bridge.run_jobs()
    before = desk(sandbox)

    assert second.run("restore", tmp_path / "b")[0] == 0
    after = _bridge(second, sandbox)
    after.receive("call-ended", body)
    sandbox.kustomer.forget_requests()
    after.run_jobs_for(30)

    assert sandbox.kustomer.writes == []
    assert desk(sandbox) == before


def test_a_call_that_was_leased_while_the_backup_ran_is_due_again(
    first: OneMachine, second: OneMachine, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    bridge = _bridge(first, sandbox)
    bridge.receive("call-ended", _call(0))
    _, names = bridge.ledger.dispatch(8)
    assert bridge.ledger.claim(*split_job(names[0])) is not None
    assert first.run("backup", tmp_path / "b")[0] == 0

    assert second.run("restore", tmp_path / "b")[0] == 0
    after = _bridge(second, sandbox)
    after.run_jobs_for(15)

    assert len(sandbox.kustomer.notes) == 1


def test_a_record_that_the_queue_of_the_backup_does_not_know_yet_is_synced(
    first: OneMachine, second: OneMachine, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    bridge = _bridge(first, sandbox)
    bridge.receive("call-ended", _call(1))
    with open_plain_redis(first.settings) as plain:
        lines = dump_lines(plain, Dumped())
        ahead = [next(lines, b"")]
        # The queue has been read, and here comes a call.
        bridge.receive("call-ended", _call(0))
        ahead += list(lines)
    with archive.BackupWriter(tmp_path / "b") as out:
        out.add_json(
            "header.json", {"format": 1, "schema": VERSION, "version": "0", "began_at": "2026-11-29"}
        )
        out.add("ledger.jsonl", ahead)
        out.add_json("settings.json", {})
        out.add_json("recordings.json", [])
        out.end({"keys": 0, "calls": 0})

    code, said = second.run("restore", tmp_path / "b")
    assert code == 0 and "1 to be synced again" in said, said
    _bridge(second, sandbox).run_jobs_for(10)

    assert len(sandbox.kustomer.notes) == 2


@pytest.mark.parametrize("named", ["events:uuid:", "call:uuid:", "call:id:", "calls", "nothing"])
def test_a_call_that_comes_while_keys_are_named_is_restored_whole(
    first: OneMachine,
    second: OneMachine,
    sandbox: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    named: str,
) -> None:
    """Redis' SCAN names all that was there from start to end; of what is new it may name some keys."""
    bridge, call = _bridge(first, sandbox), _call(0)
    with open_plain_redis(first.settings) as plain, open_plain_redis(second.settings) as there:
        scan, turns = plain.scan, iter(range(10))

        def scan_in_two(cursor: int, **options: Any) -> tuple[int, list[bytes]]:
            if next(turns) == 0:
                return 1, []
            bridge.receive("call-ended", call)
            return 0, [name for name in scan(0, **options)[1] if f":{named}".encode() in name]

        monkeypatch.setattr(plain, "scan", scan_in_two)
        lines = list(dump_lines(plain, Dumped()))
        restore_lines(second.ledger, there, lines, schema=VERSION, replace=False)

    record = second.ledger.read(f"uuid:{call['call_uuid']}")
    assert (record.call_id, len(record.events)) == (int(call["call_id"]), 1)
    assert second.ledger.read(f"id:{call['call_id']}").key == record.key
    assert [str(key) for key in second.client.zrange(keys.CALLS, 0, -1)] == [record.key]


def test_a_recording_that_cannot_be_decrypted_is_left_out_and_said(
    first: OneMachine, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    bridge, body = _bridge(first, sandbox), _call(0)
    _listed(sandbox, body, recorded=True)
    bridge.receive("call-ended", body)
    bridge.receive("recording-uploaded", {"call_id": body["call_id"], "call_uuid": body["call_uuid"]})
    bridge.run_jobs_for(30)
    first._settings["ENCRYPTION_KEYS"] = new_key()
    assert first.run("encryption", "apply")[0] == 0
    one = next(path for path in (first.data / "recordings").rglob("*.wav"))
    stored = one.read_bytes()
    one.write_bytes(stored[:-1] + bytes([stored[-1] ^ 1]))

    code, said = first.run("backup", tmp_path / "b", "--recordings")

    assert code == 0 and "It holds 1 of 2 recordings" in said
    assert "Recordings are left out, as 1 of the records and recordings cannot be decrypted" in said


def test_a_backup_that_is_stopped_leaves_nothing_and_what_a_killed_one_left_ends_after_a_day(
    tmp_path: Path,
) -> None:
    old, new, other = (tmp_path / name for name in (".b.old.new", ".b.new.new", ".c.old.new"))
    for path in (old, new, other):
        path.touch()
        os.utime(path, (1, 1) if path != new else None)

    with (
        pytest.raises(SystemExit) as raised,
        ending_tidily(),
        archive.BackupWriter(tmp_path / "b") as out,
    ):
        out.add("ledger.jsonl", [b"a person"])
        signal.raise_signal(signal.SIGTERM)

    assert raised.value.code == 143
    assert {path.name for path in tmp_path.iterdir()} == {new.name, other.name}


class TestRefused:
    @pytest.fixture
    def file(self, first: OneMachine, sandbox: RunningSandbox, tmp_path: Path) -> Path:
        bridge = _bridge(first, sandbox)
        bridge.receive("call-ended", _call(0))
        bridge.run_jobs()
        assert first.run("backup", tmp_path / "b")[0] == 0
        return tmp_path / "b"

    def test_a_ledger_that_holds_something_is_not_replaced_unasked(
        self, file: Path, second: OneMachine, sandbox: RunningSandbox
    ) -> None:
        other = _bridge(second, sandbox)
        other.receive("call-ended", _call(7))
        before = second.keys()

        code, said = second.run("restore", file)
        assert code == 2 and "--replace" in said
        assert second.keys() == before

        assert second.run("restore", file, "--replace")[0] == 0
        assert other.ledger.find(_uuid(7)) is None and other.ledger.find(_uuid(0)) is not None

    def test_while_a_process_runs_nothing_is_restored(self, file: Path, second: OneMachine) -> None:
        beat = Heartbeat(second.client, "worker")
        beat.start()
        beat.beat()
        code, said = second.run("restore", file, "--replace")
        beat.stop()

        assert code == 2 and "stop them first: worker" in said

    @pytest.mark.parametrize("harm", ["cut off", "one byte", "empty", "text", "gzip of text"])
    def test_a_damaged_file(self, harm: str, file: Path, second: OneMachine) -> None:
        whole = file.read_bytes()
        file.write_bytes(
            {
                "cut off": whole[: len(whole) * 2 // 3],
                "one byte": gzip.compress(gzip.decompress(whole).replace(b'"part":0', b'"part":1', 1)),
                "empty": b"",
                "text": b"not a backup",
                "gzip of text": gzip.compress(b"not a tar"),
            }[harm]
        )

        code, said = second.run("restore", file)

        assert code == 2 and ("damaged" in said or "no backup" in said or "cut off" in said), said
        assert "Traceback" not in said and second.keys() == {}

    def test_a_file_that_is_not_there(self, second: OneMachine, tmp_path: Path) -> None:
        code, said = second.run("restore", tmp_path / "none")
        assert code == 2 and "Traceback" not in said

    def test_a_newer_schema_or_format(self, file: Path, second: OneMachine, tmp_path: Path) -> None:
        for change, says in (({"schema": VERSION + 1}, "schema"), ({"format": 99}, "format")):
            found = Backup(file)
            newer = tmp_path / "newer"
            with archive.BackupWriter(newer) as out:
                for name in found.names:
                    text = found.read(name)
                    out.add(
                        name,
                        [json.dumps({**found.header, **change}).encode()] if "header" in name else [text],
                    )
                out.end({name: value for name, value in found.manifest.items() if name != "parts"})

            code, said = second.run("restore", newer)

            assert code == 2 and says in said, said
            assert second.keys() == {}

    def test_a_restore_that_was_cut_off_lets_nothing_start_and_is_done_again(
        self, file: Path, second: OneMachine, sandbox: RunningSandbox
    ) -> None:
        second.client.hset(keys.SCHEMA, "restoring", "1")
        second.client.hset(keys.record("uuid:half"), "state", "synced")
        code, said = second.run("worker")
        assert code == 2 and "did not finish" in said

        assert second.run("restore", file)[0] == 0
        assert not second.client.exists(keys.record("uuid:half"))
        assert second.run("calls", "ls")[0] == 0

    def test_dry_run_shows_and_changes_nothing(self, file: Path, second: OneMachine) -> None:
        shown = second.as_json("restore", file, "--dry-run")

        assert (shown["calls"], shown["schema"], shown["blocked"]) == (1, VERSION, [])
        assert shown["settings"]["WEBHOOK_TOKENS"] == ["(set)"]
        assert second.keys() == {}
        assert "It can be restored here." in second.run("restore", file, "--dry-run")[1]


def test_no_secret_is_in_it(first: OneMachine, tmp_path: Path) -> None:
    assert first.run("backup", tmp_path / "b")[0] == 0

    text = gzip.decompress((tmp_path / "b").read_bytes())
    secrets = list(first.settings.secrets())
    assert len(secrets) >= 4
    # Membrane's tenant is called as the project is.
    assert [one for one in secrets if one.encode() in text and one != "callbridge"] == []
    assert b"RECORDINGS_URL" in text


def test_the_journal_comes_along(first: OneMachine, second: OneMachine, tmp_path: Path) -> None:
    folder = first.data / "journal"
    folder.mkdir(parents=True)
    record = line_of(b'{"at": 1, "trigger": "call-ended", "body": {}}')
    (folder / "00000000000000000001-1.journal").write_bytes(record + b"half a li")
    (folder / "00000000000000000002-1.journal.refused").write_bytes(record)

    assert first.run("backup", tmp_path / "b")[0] == 0
    code, said = second.run("restore", tmp_path / "b")

    assert code == 0 and "2 journal files" in said
    kept = {path.name: path for path in (second.data / "journal").iterdir()}
    assert kept["00000000000000000001-1.journal"].read_bytes() == record
    assert kept["00000000000000000002-1.journal.refused"].read_bytes() == record
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.values()} == {0o600}


def test_the_rules_come_along_and_are_not_put_in_force(
    first: OneMachine, second: OneMachine, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("version = 2\n[write]\nlanguage = 'de'\n")
    first._settings["CALLBRIDGE_RULES"] = str(rules)
    assert first.run("backup", tmp_path / "b")[0] == 0

    code, said = second.run("restore", tmp_path / "b")

    kept = second.data / "rules.from-backup.toml"
    assert code == 0 and str(kept) in said
    assert kept.read_text() == rules.read_text()


@pytest.mark.parametrize("kept", ["as they came", "packed", "encrypted", "encrypted and packed"])
@pytest.mark.parametrize("inside", [True, False])
def test_recordings_come_along_where_they_are_wanted_and_are_counted_where_not(
    inside: bool, kept: str, first: OneMachine, second: OneMachine, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    bridge = _bridge(first, sandbox)
    body = _call(0)
    _listed(sandbox, body, recorded=True)
    bridge.receive("call-ended", body)
    bridge.receive("recording-uploaded", {"call_id": body["call_id"], "call_uuid": body["call_uuid"]})
    bridge.run_jobs_for(30)
    if "encrypted" in kept:
        first._settings["ENCRYPTION_KEYS"] = second._settings["ENCRYPTION_KEYS"] = new_key()
        assert first.run("encryption", "apply")[0] == 0
    if "packed" in kept:
        assert pack_calls(open_ledger(first.settings), [f"uuid:{body['call_uuid']}"])
    storage, restored = open_recordings(first.settings), open_recordings(second.settings)
    stored = {name: b"".join(storage.open(name)) for name in storage.names()}
    assert stored

    assert first.run("backup", tmp_path / "b", *(["--recordings"] if inside else []))[0] == 0
    result = second.as_json("restore", tmp_path / "b")

    assert result["recordings"] == (len(stored) if inside else 0)
    assert result["recordings_missing"] == (0 if inside else len(stored))
    for name, content in stored.items():
        assert (restored.size(name) is not None) is inside
        assert not inside or b"".join(restored.open(name)) == content


def test_a_backup_that_fails_leaves_the_last_one_as_it_was(
    first: OneMachine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "b"
    assert first.run("backup", file)[0] == 0
    before = file.read_bytes()

    def full(*_: object) -> Iterator[bytes]:
        yield b"{}\n"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving, "dump_lines", full)
    with pytest.raises(OSError, match="No space"):
        save(first.settings, first.ledger, file)
    for name, value in first.environ.items():
        monkeypatch.setenv(name, value)

    assert main(["backup", str(file)]) == 2
    assert f"{file} cannot be written: its disk is full; free some, or name a file on another" in (
        capsys.readouterr().err
    )
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["b"]


def test_a_newer_ledger_is_not_backed_up_by_an_older_version(first: OneMachine, tmp_path: Path) -> None:
    first.client.hset(keys.SCHEMA, "version", VERSION + 1)

    with pytest.raises(WrongUse):
        save(first.settings, first.ledger, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    shutil.rmtree(first.data, ignore_errors=True)
