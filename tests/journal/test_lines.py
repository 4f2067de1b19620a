"""Wherever a file ends or is damaged: what is read was written, in that order, and nothing is invented."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.journal.files import JournalFile
from bridge.journal.lines import Damaged, line_of, text_of

TEXTS = [b'{"at": 1, "body": {}}', b'{"at": 2, "body": {"notes": "0000000a deadbeef "}}', b'{"at": 3}']
texts = st.lists(st.binary(max_size=60).filter(lambda text: b"\n" not in text), min_size=1, max_size=6)


def kept(raw: bytes) -> tuple[list[bytes], bytes]:
    """What the next process reads of a file with these bytes, and what it keeps aside."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "1.journal"
        path.write_bytes(raw)
        file = JournalFile.adopt(path)
        assert file is not None
        found, _ = file.read(1000)
        assert file.events == len(found)
        file.drop()
        aside = path.with_name("1.journal.damaged")
        return found, aside.read_bytes() if aside.exists() else b""


@given(st.binary().filter(lambda text: b"\n" not in text))
def test_a_record_comes_back_as_it_was(text: bytes) -> None:
    assert text_of(line_of(text)) == text


def test_a_record_of_two_lines_is_none() -> None:
    with pytest.raises(ValueError, match="one line"):
        line_of(b"a\nb")


@pytest.mark.parametrize("line", [b"\n", b"00000000 00000000\n", b"x\n", line_of(b"a")[:-2] + b"\n"])
def test_a_line_that_does_not_fit_its_numbers_is_damaged(line: bytes) -> None:
    with pytest.raises(Damaged):
        text_of(line)


def test_cut_off_at_any_byte_the_whole_records_before_it_are_there() -> None:
    lines = [line_of(text) for text in TEXTS]
    raw = b"".join(lines)

    for end in range(len(raw) + 1):
        whole = sum(1 for n in range(len(lines)) if len(b"".join(lines[: n + 1])) <= end)
        # Never acknowledged, so nothing that anybody has to look at.
        assert kept(raw[:end]) == (TEXTS[:whole], b"")


def test_with_any_bit_of_the_last_record_turned_the_records_before_it_are_there() -> None:
    *before, last = [line_of(text) for text in TEXTS]

    for bit in range(len(last) * 8):
        turned = bytearray(last)
        turned[bit // 8] ^= 1 << bit % 8

        assert kept(b"".join(before) + bytes(turned))[0] == TEXTS[:-1]


@given(texts, st.data())
def test_damage_anywhere_costs_the_records_it_hits_and_is_kept_aside(
    written: list[bytes], data: st.DataObject
) -> None:
    raw = bytearray(b"".join(map(line_of, written)))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8

    found, aside = kept(bytes(raw))

    lost = len(written) - len(found)
    # A newline that was turned joins two lines into one.
    assert 1 <= lost <= 2
    assert any(found == written[:n] + written[n + lost :] for n in range(len(written)))
    # Only what has no newline is taken for half-written.
    assert aside or not raw.endswith(b"\n")
