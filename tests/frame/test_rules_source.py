"""The rules file is read again once it has changed; one with a mistake leaves the rules that were there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.rules_source import RulesSource
from bridge.settings import Settings

ONE, OTHER, BROKEN = (
    '[conversation]\ntags = ["one"]\n',
    '[conversation]\ntags = ["two"]\n',
    '[conversation]\ntags = ["bro\n',
)


class Desk:
    """A rules file, and a clock that a test sets."""

    def __init__(self, folder: Path, *, just_now: bool = False) -> None:
        self.file, self.at_s = folder / "rules.toml", 0.0
        self.write(ONE)
        settings = Settings.from_env(
            {"CALLBRIDGE_RULES": str(self.file), "PHONE_REGION": "GB", "TIME_ZONE": "Europe/Berlin"},
            dotenv=None,
        )
        # A file's times are of the real clock: as if each change were old, or just made.
        now = 0 if just_now else 2_000_000_000
        self.source = RulesSource(settings, clock=lambda: self.at_s, now=lambda: now)
        self.pass_s(1)

    def write(self, text: str, *, at: float | None = None) -> None:
        self.file.write_text(text)
        os.utime(self.file, (0, self.at_s if at is None else at))

    def pass_s(self, seconds: float) -> tuple[str, ...]:
        """Ask often for so long; the tags of the rules in force then."""
        for _ in range(round(seconds / 0.1)):
            self.at_s += 0.1
            self.source()
        return self.source().tags


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def replaced_by(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def linked_to(file: Path, text: str) -> None:
    """As Kubernetes does with a config map or a secret: a link to a folder is switched."""
    folder = file.parent / f"data-{len(text)}"
    folder.mkdir(exist_ok=True)
    (folder / file.name).write_text(text)
    link = file.parent / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(folder / file.name)
    link.replace(file)


def replaced(desk: Desk, text: str) -> None:
    replaced_by(desk.file, text)


def linked(desk: Desk, text: str) -> None:
    linked_to(desk.file, text)


def same_times(desk: Desk, text: str) -> None:
    """Rewritten in place, of the same size, with the times of before."""
    before = desk.file.stat()
    desk.file.write_text(text)
    os.utime(desk.file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("how", [Desk.write, replaced, linked, same_times])
def test_a_changed_file_is_in_force_within_two_seconds(desk: Desk, how: Callable[[Desk, str], None]) -> None:
    assert desk.source().tags == ("one",)

    how(desk, OTHER)

    assert desk.pass_s(2) == ("two",)
    assert (desk.source().region, desk.source().zone) == ("GB", "Europe/Berlin")


def test_a_process_that_was_idle_follows_the_change_at_once(desk: Desk) -> None:
    desk.write(OTHER)
    desk.at_s += 3600

    assert desk.source().tags == ("two",)


def test_a_file_with_a_mistake_leaves_the_rules_before_it_and_is_logged_once(desk: Desk) -> None:
    with capture_logs() as logs:
        desk.write(BROKEN)
        assert desk.pass_s(3) == ("one",)
        assert str(desk.file) in desk.source.wrong

        desk.write(OTHER)
        assert desk.pass_s(2) == ("two",)

    assert desk.source.wrong == ""
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("error", "rules file rejected, the rules before it stay in force"),
        ("info", "rules in force"),
    ]


@pytest.mark.parametrize("what", ["deleted", "a folder in its place", "a dangling link"])
def test_a_file_that_cannot_be_read_leaves_the_rules_before_it(desk: Desk, what: str) -> None:
    desk.file.unlink()
    if what == "a folder in its place":
        desk.file.mkdir()
    elif what == "a dangling link":
        desk.file.symlink_to(desk.file.parent / "nowhere")

    assert desk.pass_s(2) == ("one",)
    assert "cannot" in desk.source.wrong

    desk.file.rmdir() if desk.file.is_dir() else desk.file.unlink(missing_ok=True)
    desk.write(OTHER)
    assert desk.pass_s(2) == ("two",)
    assert desk.source.wrong == ""


def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path, just_now=True)
    with capture_logs() as logs:
        for text in ("", "[conversation]\n", BROKEN, "[conversation]\ntags = []\n"):
            # A writer that pauses between its parts.
            desk.file.write_text(text)
            assert desk.pass_s(0.4) == ("one",)
        desk.write(OTHER)

        assert desk.pass_s(2) == ("two",)
    assert [line["event"] for line in logs] == ["rules in force"]


def test_a_file_that_was_only_touched_is_not_told_of(desk: Desk) -> None:
    before = desk.source()
    with capture_logs() as logs:
        desk.write(ONE, at=999.0)
        desk.pass_s(2)

    assert desk.source() is before
    assert logs == []


def test_without_a_file_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    source = RulesSource(Settings.from_env({}, dotenv=None))
    monkeypatch.setattr(Path, "stat", lambda *args, **how: pytest.fail("looked at a file"))

    assert source() is source()
    assert source.state() == ("default", "")
