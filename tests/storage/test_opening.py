from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest

from bridge.domain.call import Call
from bridge.errors import WrongUse
from bridge.storage import name_of, open_storage
from bridge.storage.contract import check_name, day_of
from bridge.storage.local import LocalStorage

UUID_1 = UUID("11111111-2222-4333-8444-555555555500")
AT = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file:", "data/recordings"),
        ("file:/srv/calls", "/srv/calls"),
        ("file:///srv/my%20calls", "/srv/my calls"),
    ],
)
def test_a_folder_is_named_by_a_url(url: str, folder: str, tmp_path: Path) -> None:
    storage = open_storage(url, data_dir=tmp_path / "data")

    assert isinstance(storage, LocalStorage)
    assert storage.folder == tmp_path / folder


@pytest.mark.parametrize(
    "url",
    [
        "",
        "recordings",
        "/srv/calls",
        "file:calls",
        "file://host/calls",
        "ftp://h/x",
        "s3:",
        "s3:///x",
        "S4://x",
    ],
)
def test_a_url_that_names_no_storage_is_refused_with_those_there_are(url: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="RECORDINGS_URL"):
        open_storage(url, data_dir=tmp_path)


def test_keys_in_the_url_are_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(WrongUse) as raised:
        open_storage("s3://KEY:SECRET@recordings/x", data_dir=tmp_path)

    assert "SECRET" not in str(raised.value)


def test_without_the_library_the_install_command_is_told() -> None:
    # A process of its own, in which it cannot be imported.
    asked = (
        "import sys; sys.modules['obstore'] = None\n"
        "from pathlib import Path\n"
        "from bridge.storage import open_storage\n"
        "open_storage('file:', data_dir=Path('x'))\n"
        "try:\n    open_storage('s3://b', data_dir=Path('x'))\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    result = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout

    assert result.startswith("WrongUse ")
    assert "pip install obstore" in result


def test_a_recording_is_kept_under_its_day_and_its_call() -> None:
    call = Call(uuid=UUID_1, call_id=1000000110, started_at=AT)

    assert name_of(call, "wav") == f"2026/03/02/{UUID_1}.wav"
    assert name_of(Call(call_id=1000000110, started_at=AT), "mp3") == "2026/03/02/1000000110.mp3"
    assert check_name(name_of(call, "wav"))


def test_the_day_is_the_one_in_utc() -> None:
    local = AT.astimezone(timezone(timedelta(hours=9)))

    assert name_of(Call(call_id=1, started_at=local), "wav") == "2026/03/02/1.wav"


@pytest.mark.parametrize("call", [Call(started_at=AT), Call(uuid=UUID_1)])
def test_a_call_without_id_or_time_has_no_place(call: Call) -> None:
    with pytest.raises(ValueError, match="never invented"):
        name_of(call, "wav")


@pytest.mark.parametrize("name", ["probe.txt", "2026/03/02", "2026/13/02/x", "2026/3/2/x", "a/2026/03/02/x"])
def test_other_names_have_no_day(name: str) -> None:
    assert day_of(name) is None
