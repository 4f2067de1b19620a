"""`callbridge rules …`: what a person sees and what a script gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.commands import DONE, WRONG_USE, main


def test_a_good_file_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("[write]\ninternal = true\n")

    assert main(["rules", "check", str(file)]) == DONE
    assert "no mistakes" in capsys.readouterr().out


def test_a_wrong_file_ends_with_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("[write]\ninternl = true\n")

    assert main(["rules", "check", str(file)]) == WRONG_USE
    assert "did you mean internal?" in capsys.readouterr().err
