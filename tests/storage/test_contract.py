"""What every storage does, tried on a folder and on a bucket."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Unavailable
from bridge.storage import Exists, Missing, Storage, Stored, measure, open_storage
from bridge.storage.encrypted import EncryptedStorage

NAME = "2026/03/02/1000000110.wav"
SOUND = bytes(range(256)) * 4000
# More than one part of an upload.
LARGE = 12_000_000


def write(storage: Storage, name: str = NAME, sound: bytes = SOUND) -> Stored:
    return storage.write(name, [sound], content_type="audio/wav")


def read(storage: Storage, name: str = NAME, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(storage.open(name, start=start, end=end))


@pytest.mark.parametrize("size", [0, 1, 300_000, 5 * 1024 * 1024, 5 * 1024 * 1024 + 1, LARGE])
def test_what_was_written_is_there(storage: Storage, size: int) -> None:
    sound = os.urandom(size)

    stored = storage.write(
        NAME,
        (sound[at : at + 70_001] for at in range(0, size, 70_001)),
        content_type="audio/wav",
        expect_bytes=size,
    )

    assert stored == Stored(NAME, size, hashlib.sha256(sound).hexdigest())
    assert storage.size(NAME) == size
    assert read(storage) == sound
    assert measure(storage, NAME) == stored


@pytest.mark.parametrize("size", [1000, LARGE])
def test_what_is_there_stays(storage: Storage, size: int) -> None:
    write(storage, sound=b"a" * size)

    untouched = iter([b"not wanted"])

    with pytest.raises(Exists) as raised:
        storage.write(NAME, untouched, content_type="audio/wav")

    assert list(untouched) == [b"not wanted"]
    assert raised.value.stored == Stored(NAME, size)
    assert read(storage) == b"a" * size


@pytest.mark.parametrize("size", [1000, LARGE])
def test_of_two_writers_one_wins_and_the_other_is_told(storage: Storage, size: int) -> None:
    both_are_sure = threading.Barrier(2)
    ends: list[Stored | Exists] = []

    def one(letter: bytes) -> None:
        def sound() -> Iterator[bytes]:
            both_are_sure.wait(10)
            for _ in range(size // 1000):
                yield letter * 1000

        try:
            ends.append(storage.write(NAME, sound(), content_type="audio/wav"))
        except Exists as error:
            ends.append(error)

    threads = [threading.Thread(target=one, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    won = [end for end in ends if isinstance(end, Stored)]
    lost = [end for end in ends if isinstance(end, Exists)]
    assert len(won) == len(lost) == 1
    assert lost[0].stored.size == size
    assert hashlib.sha256(read(storage)).hexdigest() == won[0].sha256


@pytest.mark.parametrize("size", [1000, LARGE])
def test_a_transfer_that_breaks_off_leaves_nothing(storage: Storage, size: int, tmp_path: Path) -> None:
    class BrokeOff(Exception):
        pass

    def sound() -> Iterator[bytes]:
        yield b"a" * size
        assert storage.size(NAME) is None
        raise BrokeOff

    with pytest.raises(BrokeOff):
        storage.write(NAME, sound(), content_type="audio/wav")

    assert storage.size(NAME) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert write(storage).size == len(SOUND)


@pytest.mark.parametrize("expected", [0, 9, 11, 1_000_000])
def test_fewer_or_more_bytes_than_announced_are_no_recording(storage: Storage, expected: int) -> None:
    with pytest.raises(Unavailable, match="announced"):
        storage.write(NAME, [b"a" * 5, b"b" * 5], content_type="audio/wav", expect_bytes=expected)

    assert storage.size(NAME) is None


def test_what_is_not_there_is_missing(storage: Storage) -> None:
    assert storage.size(NAME) is None
    assert storage.delete(NAME) is False
    with pytest.raises(Missing) as raised:
        storage.open(NAME)
    assert raised.value.status == 404


def test_a_folder_of_days_is_no_object(storage: Storage) -> None:
    write(storage)

    assert storage.size("2026/03") is None
    assert storage.delete("2026/03") is False
    with pytest.raises(Missing):
        storage.open("2026/03")


def test_deleting_twice_is_fine_and_the_name_is_free_again(storage: Storage) -> None:
    write(storage)

    assert storage.delete(NAME) is True
    assert storage.delete(NAME) is False
    assert write(storage, sound=b"other").size == 5


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, None), (0, 0), (0, 1), (5, 5), (7, 3), (255, 300_001), (1_023_999, None), (1_024_000, None),
     (1_024_000, 1_024_010), (2_000_000, None), (1_023_000, 9_000_000)],
)  # fmt: skip
def test_a_range_is_that_part(storage: Storage, start: int, end: int | None) -> None:
    write(storage)

    assert read(storage, start=start, end=end) == SOUND[start:end]


def test_a_range_begins_at_the_start_at_the_earliest(storage: Storage) -> None:
    write(storage)

    with pytest.raises(ValueError, match="0 or later"):
        storage.open(NAME, start=-1)


@pytest.mark.parametrize(
    "name",
    ["", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", "./a", "a//b", "a/", ".incoming/x", "a/.b",
     "a\\b", "a b", "a\0b", "a\n", "é", "-rf", "a" * 300, "%2e%2e/a", "~/a", "C:a"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(storage: Storage, name: str) -> None:
    for use in (
        lambda: storage.write(name, [b""], content_type="audio/wav"),
        lambda: storage.open(name),
        lambda: storage.size(name),
        lambda: storage.delete(name),
    ):
        with pytest.raises(ValueError, match="not a valid object name"):
            use()


def test_old_days_go_and_the_others_stay(storage: Storage) -> None:
    old = ["2025/12/31/a.wav", "2025/12/31/a.mp3", "2026/02/27/b.wav", "2026/02/28/c.wav"]
    new = ["2026/03/01/d.wav", "2026/03/02/e.wav", "2027/01/01/f.wav", "probe.txt", "other/2020/01/01/x.wav"]
    for name in old + new:
        write(storage, name, b"x")

    when = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)

    assert storage.delete_older_than(when) == len(old)
    assert [storage.size(name) for name in old] == [None] * len(old)
    assert [storage.size(name) for name in new] == [1] * len(new)
    assert storage.delete_older_than(when) == 0


def test_one_call_deletes_so_many_at_most(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_by = storage.inner if isinstance(storage, EncryptedStorage) else storage
    monkeypatch.setattr(f"{type(kept_by).__module__}.MOST_DELETED", 3)
    for n in range(7):
        write(storage, f"2026/01/0{n + 1}/x.wav", b"x")

    ends = [storage.delete_older_than(datetime(2026, 2, 1, tzinfo=UTC)) for _ in range(4)]

    assert ends == [3, 3, 1, 0]


def test_nothing_is_old_where_nothing_is(storage: Storage) -> None:
    assert storage.delete_older_than(datetime(2026, 3, 1, tzinfo=UTC)) == 0


def test_many_write_and_read_at_once(storage: Storage) -> None:
    names = [f"2026/03/02/{n}.wav" for n in range(12)]
    failed: list[BaseException] = []

    def one(name: str) -> None:
        try:
            sound = name.encode() * 70_000
            write(storage, name, sound)
            assert read(storage, name) == sound
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []


@pytest.mark.slow
@given(st.data())
def test_any_range_of_any_file_is_that_part(data: st.DataObject) -> None:
    sound = data.draw(st.binary(max_size=600))
    start = data.draw(st.integers(0, 700))
    end = data.draw(st.none() | st.integers(0, 700))
    with tempfile.TemporaryDirectory() as folder:
        storage = open_storage(f"file:{folder}", data_dir=Path(folder))
        write(storage, sound=sound)

        assert read(storage, start=start, end=end) == sound[start:end]


_TEN_AT_ONCE = """
import resource, sys, threading
from pathlib import Path
from bridge.storage import open_storage, measure

url, data_dir, count, megabytes = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
storage = open_storage(url, data_dir=data_dir)
piece = bytes(65_536)

def one(n, size):
    name = f"2026/03/02/{n}.wav"
    chunks = (piece for _ in range(size * 16))
    assert storage.write(name, chunks, content_type="audio/wav").size == size << 20
    assert measure(storage, name).size == size << 20

def highest():
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Not getrusage: on Linux its figure is inherited from whoever started us.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

one("first", 1)
before = highest()
threads = [threading.Thread(target=one, args=(n, megabytes)) for n in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(highest() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("count", "megabytes"), [(1, 100), (10, 16)])
def test_large_files_and_many_at_once_take_little_memory(
    url: str, tmp_path: Path, count: int, megabytes: int
) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _TEN_AT_ONCE, url, str(tmp_path / "data"), str(count), str(megabytes)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    grown = int(result.stdout) / 1e6
    print(f"{url[:4]} {count} x {megabytes} MB: grew by {grown:.1f} MB")  # noqa: T201 - seen with -s
    assert grown < 32


@pytest.mark.parametrize("size", [0, 1000, LARGE])
def test_other_bytes_take_the_place_of_an_object_at_once(storage: Storage, size: int) -> None:
    write(storage)
    sound = os.urandom(size)

    storage.replace(
        NAME, (sound[at : at + 70_001] for at in range(0, size, 70_001)), content_type="audio/wav"
    )

    assert read(storage) == sound and list(storage.names()) == [NAME]


def test_what_is_not_there_is_not_replaced_and_a_break_leaves_what_is_there(storage: Storage) -> None:
    def broken() -> Iterator[bytes]:
        yield b"a" * 100
        raise ConnectionError

    with pytest.raises(Missing):
        storage.replace(NAME, [b"a"], content_type="audio/wav")
    write(storage)
    with pytest.raises(ConnectionError):
        storage.replace(NAME, broken(), content_type="audio/wav")

    assert read(storage) == SOUND


def test_all_names_are_listed_and_nothing_else(storage: Storage) -> None:
    names = ["2026/03/02/1.wav", "2026/03/02/2.mp3", "2026/03/03/1.txt"]
    # Another account's, and what somebody put there.
    others = ["acme/2026/03/02/3.wav", "probe.txt", "2026/03/notes/4.txt"]

    for name in reversed(names + others):
        write(storage, name, b"a")

    assert sorted(storage.names()) == names
