"""`callbridge up`: one process tree, from its start to its end, however that comes."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner

from bridge.commands import main
from bridge.commands.context import last_run, living_run, load_settings
from bridge.commands.up import up
from bridge.errors import WrongUse
from tests.frame.conftest import Program, wait_until_gone

StartHouse = Callable[..., Program]
NAMES = ("sandbox", "web", "worker", "clock")


def ready(house: Program) -> Program:
    house.wait_for("Ctrl-C ends it")
    for name in (*NAMES, "grandchild"):
        house.pid_of(name)
    return house


def test_it_says_where_to_look_and_what_to_type(start_house: StartHouse) -> None:
    house = ready(start_house())

    address = house.wait_for(r"The bridge runs: http://127.0.0.1:(\d+)")
    assert house.wait_for(r"Webhook token: +[\w-]{20,}")
    assert house.wait_for("deploy/run send call-ended")
    link = http.client.HTTPConnection("127.0.0.1", int(address[1]), timeout=5)
    link.request("GET", "/readyz")
    assert link.getresponse().status == 200
    link.close()


@pytest.mark.slow
def test_asked_to_stop_it_ends_web_first_and_redis_last(start_house: StartHouse, tmp_path: Path) -> None:
    house = ready(start_house())
    server = json.loads((tmp_path / "data" / "redis" / "server.json").read_text())["pid"]

    house.signal(signal.SIGTERM)

    assert house.wait() == 0
    ends = re.findall(r"\| (\w+) ends\n", house.output)
    assert ends[0] == "web"
    assert set(ends[1:3]) == {"worker", "clock"}
    assert ends[3] == "sandbox"
    wait_until_gone(server)
    wait_until_gone(house.pid_of("grandchild"))
    assert not (tmp_path / "data" / "run.json").exists()


@pytest.mark.slow
def test_a_program_that_dies_is_started_again(start_house: StartHouse) -> None:
    house = ready(start_house())
    said = len(house.output)

    os.kill(house.pid_of("worker"), signal.SIGKILL)

    house.wait_for(r"worker ended \(SIGKILL\); restarting in 0.2 s", after=said)
    house.wait_for(r"worker runs as", after=said)


@pytest.mark.slow
def test_a_redis_that_dies_is_started_again_with_its_data(start_house: StartHouse, tmp_path: Path) -> None:
    house = ready(start_house())
    run = living_run(tmp_path / "data")
    assert run is not None
    with redis.Redis.from_url(run.environment["REDIS_URL"]) as client:
        client.set("call", "kept")
    before = (tmp_path / "data" / "redis" / "server.json").read_text()

    os.kill(json.loads(before)["pid"], signal.SIGKILL)
    house.wait_for(r"redis ended \(SIGKILL\)")

    retry = redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 200)
    with redis.Redis.from_url(run.environment["REDIS_URL"], retry=retry) as client:
        assert client.get("call") == b"kept"


@pytest.mark.slow
def test_killed_hard_it_leaves_nothing_that_blocks_the_next_start(
    start_house: StartHouse, kill_hard: Callable[[Program], None], tmp_path: Path
) -> None:
    house = ready(start_house())
    token = house.wait_for(r"Webhook token: +(\S+)")[1]
    run = living_run(tmp_path / "data")
    assert run is not None
    with redis.Redis.from_url(run.environment["REDIS_URL"]) as client:
        client.set("call", "kept")

    kill_hard(house)
    for name in NAMES:
        wait_until_gone(house.pid_of(name))
    assert living_run(tmp_path / "data") is None
    again = ready(start_house(PORT=run.environment["PORT"]))

    # What its worker had started is in no reach of the system's own signal.
    wait_until_gone(house.pid_of("grandchild"))
    assert again.wait_for(r"Webhook token: +(\S+)")[1] == token
    following = living_run(tmp_path / "data")
    assert following is not None
    with redis.Redis.from_url(following.environment["REDIS_URL"]) as client:
        assert client.get("call") == b"kept"


@pytest.mark.slow
def test_a_second_one_on_the_same_folder_is_refused(start_house: StartHouse) -> None:
    first = ready(start_house())

    second = start_house()

    second.wait()
    assert f"is in use by process {first.process.pid}" in second.output


def test_a_taken_port_is_told_before_anything_starts(start_house: StartHouse, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        house = start_house(PORT=str(port))
        house.wait()

    assert f"Cannot listen on 127.0.0.1 port {port}" in house.output
    assert f"PORT={port + 10}" in house.output
    assert not (tmp_path / "data" / "redis").exists()


@contextmanager
def taken_port(port: int) -> Iterator[None]:
    """A port that somebody listens on: this test, or a program of the machine."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


def test_without_a_port_that_was_asked_for_the_sandbox_takes_free_ones(
    start_house: StartHouse, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, taken_port(8000):
        taken = one.getsockname()[1]

        house = ready(start_house(PORT="", SANDBOX_PORT=str(taken)))

    web = house.wait_for(r"port 8000 is in use, so web listens on port (\d+)")[1]
    assert int(web) > 8000
    assert house.wait_for(rf"The bridge runs: http://127.0.0.1:{web}\n")
    cloudtalk, kustomer = (
        int(house.wait_for(rf"Sandbox {name}: +http://127.0.0.1:(\d+)")[1])
        for name in ("CloudTalk", "Kustomer")
    )
    assert taken < cloudtalk < kustomer < taken + 50


def test_the_port_option_is_the_port_of_web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PORT", "7")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        result = CliRunner().invoke(up, ["--sandbox", "--port", str(port)])

    assert isinstance(result.exception, WrongUse)
    assert f"Cannot listen on 127.0.0.1 port {port}" in str(result.exception)


def test_web_on_a_taken_port_says_how_to_take_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("LOG_FORMAT", "json")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))

        assert main(["web"]) == 2

    said = capsys.readouterr().err
    assert f"Cannot listen on 127.0.0.1 port {port}" in said
    assert f"PORT={port + 10} deploy/run web" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_asked_twice_it_kills_at_once(start_house: StartHouse) -> None:
    house = ready(start_house())
    os.kill(house.pid_of("web"), signal.SIGSTOP)  # it cannot end by itself now

    house.signal(signal.SIGINT)
    house.wait_for("stopping")
    house.signal(signal.SIGINT)

    assert house.wait() == 130
    for name in NAMES:
        wait_until_gone(house.pid_of(name))


def test_another_terminal_finds_the_running_one(start_house: StartHouse, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    ready(start_house())

    settings = load_settings({"DATA_DIR": str(data_dir)}, dotenv=None)

    assert settings.redis_url is not None
    assert settings.redis_url.startswith("unix://")
    assert settings.kustomer_api_url.startswith("http://127.0.0.1:")
    assert settings.webhook_tokens
    assert (data_dir / "run.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_another_terminal_judges_calls_by_the_same_rules_and_time_zone(
    start_house: StartHouse, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('version = 2\n[conversation]\ntags = ["phone"]\n')
    ready(start_house(CALLBRIDGE_RULES=str(rules), TIME_ZONE="Europe/Berlin"))

    settings = load_settings({"DATA_DIR": str(tmp_path / "data")}, dotenv=None)

    assert settings.rules.tags == ("phone",)
    assert settings.time_zone == "Europe/Berlin"


def test_a_redis_of_ones_own_is_not_overruled_by_the_running_one(
    start_house: StartHouse, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    ready(start_house())

    settings = load_settings(
        {"DATA_DIR": str(data_dir), "REDIS_URL": "redis://127.0.0.1:7777/0"}, dotenv=None
    )

    assert settings.redis_url == "redis://127.0.0.1:7777/0"
    assert settings.kustomer_api_key is None


@pytest.mark.slow
def test_a_run_that_ended_is_not_taken_for_a_living_one(
    start_house: StartHouse, kill_hard: Callable[[Program], None], tmp_path: Path
) -> None:
    house = ready(start_house())

    kill_hard(house)

    assert last_run(tmp_path / "data") is not None
    assert load_settings({"DATA_DIR": str(tmp_path / "data")}, dotenv=None).redis_url is None
