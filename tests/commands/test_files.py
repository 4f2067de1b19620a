"""Downloads: whole or not at all, and shown on a terminal."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pytest

from bridge.commands.files import Progress, pour, whole_file
from bridge.errors import TooLarge, Unavailable


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_is_there_at_the_end_only(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    with whole_file(path) as file:
        file.write(b"new")
        assert not path.exists()

    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_control_c_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")

    with pytest.raises(KeyboardInterrupt), whole_file(path) as file:
        file.write(b"half of ne")
        raise KeyboardInterrupt

    assert [(one, one.read_bytes()) for one in tmp_path.iterdir()] == [(path, b"old")]


def test_a_device_is_written_to_rather_than_replaced() -> None:
    with whole_file(Path("/dev/null")) as file:
        file.write(b"new")

    assert Path("/dev/null").is_char_device()


def test_fewer_bytes_than_were_told_are_no_download() -> None:
    with pytest.raises(Unavailable, match="broke off after 3 of 4 bytes"):
        pour([b"abc"], io.BytesIO(), 4, Progress(4, out=Screen()))


def test_progress_is_told_once_it_takes_a_while_and_wiped_at_the_end() -> None:
    clock = iter([0.0, 0.1, 1.0, 1.1, 2.0])
    screen = Screen()

    pour(
        [b"x" * 1_000_000] * 4,
        io.BytesIO(),
        4_000_000,
        Progress(4_000_000, out=screen, now=lambda: next(clock)),
    )

    lines = screen.getvalue().split("\r\x1b[K")
    assert lines == ["", "2.0 of 4.0 MB, 50 %, 2.0 MB/s", "4.0 of 4.0 MB, 100 %, 2.0 MB/s", ""]


def test_a_log_file_gets_no_progress() -> None:
    nobody = io.StringIO()
    clock = iter([0.0, 10.0])

    pour([b"x"], io.BytesIO(), None, Progress(None, out=nobody, now=lambda: next(clock)))

    assert nobody.getvalue() == ""


@pytest.mark.parametrize("size", [1_000_001, None])
def test_what_is_over_the_ceiling_or_never_ends_is_not_kept(tmp_path: Path, size: int | None) -> None:
    target = tmp_path / "answer"

    with (
        pytest.raises(TooLarge, match=r"larger than 1 MB \(RECORDING_MAX_MB\): 1,"),
        whole_file(target) as file,
    ):
        pour(itertools.repeat(b"x" * 1000), file, size, Progress(size), most_mb=1)

    assert list(tmp_path.iterdir()) == []
