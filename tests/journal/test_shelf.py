"""What a person sees of a journal's folder, and what Redis refused, handed back to be tried again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.commands import main
from bridge.journal.files import JournalFile
from bridge.journal.lines import line_of
from bridge.journal.shelf import put_back, shelved

RECORDS = [json.dumps({"at": at, "trigger": "call-ended", "body": {}}).encode() for at in (1000, 2000)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    made = tmp_path / "journal"
    made.mkdir()
    return made


def write(path: Path, *records: bytes) -> Path:
    path.write_bytes(b"".join(map(line_of, records)))
    return path


def test_the_files_are_listed_with_their_state_and_number_of_events(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "0001-7.journal", RECORDS[0])
    write(folder / "0002-7.journal.refused", *RECORDS)
    (folder / "0003-7.journal.damaged").write_bytes(b"no line of ours\n")
    (folder / "something else").touch()

    assert main(["journal", "ls", "--json"]) == 0

    result = json.loads(capsys.readouterr().out)
    assert result == {
        "journal": [
            {"file": "0001-7.journal", "state": "waiting", "events": 1, "oldest_at_ms": 1000},
            {"file": "0002-7.journal.refused", "state": "refused", "events": 2, "oldest_at_ms": 1000},
            {"file": "0003-7.journal.damaged", "state": "damaged", "events": 1, "oldest_at_ms": None},
        ],
        "next": None,
    }
    assert main(["journal", "ls"]) == 0
    assert "0002-7.journal.refused" in capsys.readouterr().out


def test_what_was_refused_is_handed_back_and_read_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "0002-7.journal.refused", *RECORDS)
    # The first name is in use again.
    waiting = write(folder / "0002-7.journal", RECORDS[0])

    assert main(["journal", "replay", "--dry-run"]) == 0
    assert (folder / "0002-7.journal.refused").exists()
    assert main(["journal", "replay"]) == 0

    assert "Queued for replay: 0002-7.journal.refused (2 events)" in capsys.readouterr().out
    (again,) = set(folder.iterdir()) - {waiting}
    file = JournalFile.adopt(again)
    assert file is not None
    assert file.read(10)[0] == RECORDS
    file.release()


def test_one_that_is_refused_again_can_be_handed_back_again(folder: Path) -> None:
    for _ in range(3):
        write(folder / "0002-7.journal.refused", RECORDS[0])
        put_back(shelved(folder)[-1])

    assert sorted(path.name for path in folder.iterdir()) == [f"0002-7-again{n}.journal" for n in (1, 2, 3)]


@pytest.mark.parametrize("name", ["0003-7.journal.damaged", "0001-7.journal", "nobody", "../0001-7.journal"])
def test_only_what_was_refused_is_handed_back(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    write(folder / "0001-7.journal", RECORDS[0])
    (folder / "0003-7.journal.damaged").write_bytes(b"no line of ours\n")
    before = sorted(folder.iterdir())

    assert main(["journal", "replay", name]) == 1

    assert "callbridge journal ls" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before


def test_an_empty_journal_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "ls"]) == 0
    assert main(["journal", "replay"]) == 0

    said = capsys.readouterr().out
    assert "empty" in said and "No file was refused" in said
