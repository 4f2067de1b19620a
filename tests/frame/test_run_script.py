"""`deploy/run`, as far as it goes without installing anything."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frame.conftest import ROOT, Program

LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-test.lock")
# What the script wants of the system, beside a Python.
TOOLS = ("sh", "dirname", "cat", "cksum", "readlink", "rm", "head", "date", "sed", "sleep")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A tree with the script and its locks, and a PATH of its own in `bin`."""
    tree = tmp_path / "a project"
    (tree / "deploy").mkdir(parents=True)
    (tree / "bin").mkdir()
    for name in ("run", *LOCKS):
        shutil.copy(ROOT / "deploy" / name, tree / "deploy" / name)
    shutil.copy(ROOT / "pyproject.toml", tree)
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tree / "bin" / tool).symlink_to(found)
    return tree


def program(project: Path, name: str, text: str) -> None:
    path = project / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(project: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(project / "deploy" / "run"), *args],
        env={"PATH": str(project / "bin")},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# A Python whose venv makes a Python that writes down what it is asked to do.
INSTALLER = """
case "$*" in
*"-m venv"*)
    mkdir -p .venv/bin
    cp "$0" .venv/bin/python
    ;;
*"-m pip"*) echo "pip $*" >>done ;;
*flock*) exec REAL "$@" ;;
*"-m bridge"*|*"-m pytest"*) echo "started $*" ;;
esac
"""


@pytest.fixture
def installing(project: Path) -> Path:
    for tool in ("mkdir", "cp"):
        found = shutil.which(tool)
        assert found is not None
        (project / "bin" / tool).symlink_to(found)
    program(project, "python3", INSTALLER.replace("REAL", f"'{sys.executable}'"))
    return project


def test_without_a_python_it_says_what_to_install(project: Path) -> None:
    result = run(project, "up")

    assert result.returncode == 2
    assert "no Python 3.11 or newer" in result.stderr
    assert "apt-get install python3" in result.stderr


def test_a_python_that_is_too_old_is_passed_over(project: Path) -> None:
    program(project, "python3", "exit 1")

    assert "no Python 3.11 or newer" in run(project, "up").stderr


def test_a_python_without_venv_names_the_one_package_that_has_it(project: Path) -> None:
    program(project, "python3", 'case "$*" in *ensurepip*) exit 1;; esac')

    result = run(project, "up")

    assert result.returncode == 2
    assert "apt-get install python3-venv" in result.stderr


def test_it_installs_from_the_lock_alone_and_hands_over(installing: Path) -> None:
    result = run(installing, "send", "call-ended", "a b")

    assert result.stdout == "started -m bridge send call-ended a b\n"
    asked = (installing / "done").read_text().splitlines()
    assert len(asked) == 2
    assert "--require-hashes -r deploy/requirements.lock -r deploy/requirements-build.lock" in asked[0]
    assert "--no-deps --no-build-isolation -e ." in asked[1]


def test_a_second_start_installs_nothing(installing: Path) -> None:
    run(installing, "up")
    (installing / "done").unlink()

    result = run(installing, "up")

    assert result.stderr == ""
    assert not (installing / "done").exists()


def test_the_tests_bring_what_running_needs_as_well(installing: Path) -> None:
    assert run(installing, "test", "-k", "x").stdout == "started -m pytest -k x\n"
    (installing / "done").unlink()

    run(installing, "up")

    assert not (installing / "done").exists()


@pytest.mark.parametrize("args", [[], ["--all"]])
def test_whole_runs_of_the_tests_use_four_processes(installing: Path, args: list[str]) -> None:
    said = run(installing, "test", *args).stdout

    assert said == f"{' '.join(['started -m pytest -n 4 --dist worksteal', *args])}\n"


@pytest.mark.parametrize(
    "changed", ["deploy/requirements.lock", "deploy/requirements-build.lock", "pyproject.toml"]
)
def test_a_change_of_what_is_needed_installs_again(installing: Path, changed: str) -> None:
    run(installing, "up")
    (installing / "done").unlink()
    with (installing / changed).open("a") as file:
        file.write("# changed\n")

    run(installing, "up")

    assert (installing / "done").exists()


def test_an_environment_left_half_made_is_made_anew(installing: Path) -> None:
    (installing / ".venv" / "bin").mkdir(parents=True)
    (installing / ".venv" / "bin" / "python").symlink_to("/bin/false")

    result = run(installing, "up")

    assert "making .venv" in result.stderr
    assert result.stdout == "started -m bridge up\n"


def test_an_environment_copied_along_from_elsewhere_is_made_anew(installing: Path, tmp_path: Path) -> None:
    run(installing, "up")
    copy = tmp_path / "copy"
    shutil.copytree(installing, copy, symlinks=True)

    assert "making .venv" in run(copy, "up").stderr


def test_an_install_that_fails_is_not_taken_for_done(installing: Path) -> None:
    program(
        installing,
        "python3",
        INSTALLER.replace("REAL", f"'{sys.executable}'").replace('echo "pip $*" >>done', "exit 1"),
    )

    result = run(installing, "up")

    assert result.returncode == 2
    assert "Run the same command to try again" in result.stderr
    assert not list((installing / ".venv").glob("*.stamp"))


def test_two_starts_at_once_wait_for_each_other(installing: Path) -> None:
    with (installing / "deploy" / "requirements.lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        second = Program(["sh", str(installing / "deploy" / "run"), "up"], {"PATH": str(installing / "bin")})
        try:
            second.wait_for("waiting for it")
            assert not (installing / ".venv").exists()

            fcntl.flock(other, fcntl.LOCK_UN)

            assert second.wait() == 0
            assert "started -m bridge up" in second.output
        finally:
            second.close()


@pytest.mark.parametrize("name", LOCKS)
def test_the_locks_name_hashes_and_no_place(name: str) -> None:
    lines = (ROOT / "deploy" / name).read_text().splitlines()

    pins = [line for line in lines if line and line[0] not in " #"]
    assert all("==" in line for line in pins)
    assert sum("--hash=sha256:" in line for line in lines) >= len(pins)
    assert not [line for line in lines if "://" in line or "--index" in line or " /" in line]


def pins(name: str) -> set[str]:
    text = (ROOT / "deploy" / name).read_text()
    return {line.removesuffix(" \\") for line in text.splitlines() if "==" in line}


def test_all_locks_name_the_same_versions() -> None:
    assert pins("requirements.lock") <= pins("requirements-test.lock")
    # One version of each package, wherever it is pinned; it may be pinned again for another platform.
    everywhere = set().union(*map(pins, LOCKS))
    assert len({pin.partition(" ;")[0] for pin in everywhere}) == len(
        {pin.partition("==")[0] for pin in everywhere}
    )


def test_the_run_lock_has_no_tools_that_build_or_test() -> None:
    names = {pin.partition("==")[0] for pin in pins("requirements.lock")}

    assert not names & {"pip", "setuptools", "wheel", "hatchling", "editables", "trove-classifiers", "pytest"}


def test_the_scripts_are_executable() -> None:
    assert all(os.access(ROOT / path, os.X_OK) for path in ("deploy/run", "deploy/lock", ".ci/run"))
