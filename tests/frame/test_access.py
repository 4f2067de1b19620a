"""Closed by default: the token that the first start makes, and the folder that it is kept in."""

from __future__ import annotations

import http.client
import os
import re
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bridge.commands.access import find_access
from bridge.commands.context import Run
from bridge.data_folder import make_private
from bridge.kept_token import CannotKeep, ops_token, read_ops_token
from bridge.local.processes import RUN_MARK, identity
from bridge.settings import Settings
from tests.frame.conftest import Program
from tests.ledger.servers import free_port
from tests.waiting import eventually

Web = Callable[..., Program]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def settings(data_dir: Path, **more: str) -> Settings:
    return Settings.from_env({"DATA_DIR": str(data_dir), **more}, dotenv=None)


@pytest.fixture
def start_web(redis_url: str, tmp_path: Path) -> Iterator[Web]:
    started: list[Program] = []

    def start(**environ: str) -> Program:
        found = {name: value for name, value in os.environ.items() if not name.startswith("OPS_")}
        program = Program(
            [sys.executable, "-m", "bridge", "web"],
            {
                **found,
                **{"REDIS_URL": redis_url, "DATA_DIR": str(tmp_path / "data"), "PYTHONUNBUFFERED": "1"},
                **environ,
            },
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.close()


def ask(port: int, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        link.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = link.getresponse()
        return answer.status, answer.read().decode() + str(answer.headers)
    finally:
        link.close()


def answers(port: int) -> bool:
    try:
        return ask(port, "GET", "/healthz")[0] == 200
    except OSError:
        return False


@pytest.mark.slow
def test_a_web_process_makes_a_token_shows_it_once_and_wants_it_from_everybody(
    start_web: Web, tmp_path: Path
) -> None:
    port = free_port()
    first = start_web(PORT=str(port))
    token = first.wait_for(r"not shown again:\n\n    (\S{20,})\n")[1]
    eventually(lambda: answers(port), "it answers")

    assert ask(port, "GET", "/api/queue")[0] == 401
    assert ask(port, "GET", "/")[0] == 303
    assert ask(port, "GET", "/api/queue", Authorization=f"Bearer {token}")[0] == 200
    form = urlencode({"token": token})
    kind = {"Content_Type": "application/x-www-form-urlencoded"}
    assert ask(port, "POST", "/login", form, **kind)[0] == 303
    assert mode(tmp_path / "data") == 0o700
    assert mode(tmp_path / "data" / "ops-token") == 0o600

    first.close()
    again = start_web(PORT=str(port))
    eventually(lambda: answers(port), "it answers")
    assert ask(port, "GET", "/api/queue", Authorization=f"Bearer {token}")[0] == 200
    again.signal(signal.SIGTERM)
    again.wait()
    assert token not in again.output and "was made" not in again.output


def test_processes_that_start_at_once_agree_on_one_token_which_one_of_them_made(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: ops_token(tmp_path / "data"), range(32)))

    assert len({one.token.get_secret_value() for one in kept}) == 1
    assert [one.is_new for one in kept].count(True) == 1
    assert kept[0].token.get_secret_value() not in repr(kept)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_without_a_folder_to_write_in_the_pages_are_off_and_say_why(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    access = find_access(settings(tmp_path / "data"), {})

    assert access.token is None and not access.open_here
    assert "Permission denied" in access.off and "OPS_TOKEN" in access.off


def test_where_the_folder_cannot_be_made_the_pages_are_off_and_say_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    access = find_access(settings(tmp_path / "file" / "data"), {})

    assert access.token is None and not access.open_here
    assert "Not a directory" in access.off and "OPS_TOKEN" in access.off


def test_a_token_of_a_persons_own_counts_and_is_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / "ops-token").write_text("a-token-of-my-own\n")

    kept = ops_token(tmp_path)

    assert (kept.token.get_secret_value(), kept.is_new) == ("a-token-of-my-own", False)
    assert mode(tmp_path / "ops-token") == 0o600
    assert read_ops_token(tmp_path) == kept.token


@pytest.mark.parametrize("text", ["a", "two words that are long", "x" * 600, "ž" * 20])
def test_a_file_that_holds_no_token_opens_nothing_and_stays(tmp_path: Path, text: str) -> None:
    (tmp_path / "ops-token").write_text(text)

    with pytest.raises(CannotKeep, match="16 characters"):
        ops_token(tmp_path)

    assert (tmp_path / "ops-token").read_text() == text
    assert read_ops_token(tmp_path) is None


def test_a_link_to_another_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x" * 20)
    (tmp_path / "ops-token").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(CannotKeep):
        ops_token(tmp_path)


def test_only_the_processes_of_up_with_its_sandbox_need_no_token(tmp_path: Path) -> None:
    run = Run(
        pid=os.getpid(), identity=identity(os.getpid()) or "", mark="m1", web_url="http://127.0.0.1:1",
        environment={}, sandbox={"cloudtalk": "http://127.0.0.1:2"},
    )  # fmt: skip
    run.write(tmp_path)
    ours = {RUN_MARK: "m1"}

    assert find_access(settings(tmp_path), ours).open_here
    assert not find_access(settings(tmp_path), {}).open_here
    assert not find_access(settings(tmp_path), {RUN_MARK: "m2"}).open_here
    # A token that is set counts there, too.
    assert not find_access(settings(tmp_path, OPS_TOKEN="set-by-a-person-1234"), ours).open_here

    Run(pid=run.pid, identity=run.identity, mark="m1", web_url="", environment={}).write(tmp_path)
    assert not find_access(settings(tmp_path), ours).open_here


def test_the_data_folder_and_what_is_ours_in_it_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "redis").mkdir(parents=True, mode=0o755)
    for name in ("run.json", "webhook-token", "ops-token", "notes.txt"):
        (folder / name).write_text("x")
        (folder / name).chmod(0o644)

    assert make_private(folder) == ""

    assert mode(folder) == mode(folder / "redis") == 0o700
    assert {mode(folder / name) for name in ("run.json", "webhook-token", "ops-token")} == {0o600}
    # Not ours: a person's file beside them.
    assert mode(folder / "notes.txt") == 0o644
    assert mode(make_new(tmp_path / "a" / "b")) == 0o700


def make_new(folder: Path) -> Path:
    make_private(folder)
    return folder


def test_a_folder_that_all_users_share_is_left_alone_and_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)

    assert re.search("shared by all users", make_private(tmp_path))
    assert mode(tmp_path) == 0o1777
