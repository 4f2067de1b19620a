"""`callbridge health`: 0 a process of this machine is alive or Redis cannot tell, 1 it is not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import redis

from bridge.commands import main
from tests.frame.test_status import running

pytestmark = pytest.mark.usefixtures("at_a_terminal")


@pytest.fixture
def web_that_answers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A web process that answers everything with one status; yields the paths that were asked."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(request.param)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HOST", "0.0.0.0")  # noqa: S104
    monkeypatch.setenv("PORT", str(server.server_port))
    yield asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("args", [[], ["worker"]])
def test_a_process_that_beats_on_this_machine_is_alive(
    args: list[str], redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(redis_client, "worker"):
        assert main(["health", *args]) == 0

    assert "worker" in capsys.readouterr().out


@pytest.mark.parametrize("args", [[], ["clock"], ["worker"]])
def test_a_process_that_does_not_run_is_not_alive(args: list[str]) -> None:
    assert main(["health", *args]) == 1


def test_a_process_of_another_kind_does_not_count(redis_client: redis.Redis) -> None:
    with running(redis_client, "worker"):
        assert main(["health", "clock"]) == 1


def test_a_process_of_another_machine_does_not_count(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(redis_client, "worker"):
        monkeypatch.setattr(socket, "gethostname", lambda: "another-machine")

        assert main(["health", "worker"]) == 1


@pytest.mark.parametrize("kind", ["worker", "clock"])
def test_without_redis_nothing_is_restarted(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")

    assert main(["health", kind]) == 0
    assert "cannot tell" in capsys.readouterr().out


@pytest.mark.parametrize("web_that_answers", [200], indirect=True)
def test_a_web_process_that_answers_is_alive(web_that_answers: list[str]) -> None:
    assert main(["health", "web"]) == 0

    assert web_that_answers == ["/healthz"]


@pytest.mark.parametrize("web_that_answers", [500], indirect=True)
def test_a_web_process_that_answers_with_an_error_is_not_alive(web_that_answers: list[str]) -> None:
    assert main(["health", "web"]) == 1


def test_a_web_process_that_does_not_listen_is_not_alive(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PORT", str(free.getsockname()[1]))

        assert main(["health", "web"]) == 1
    assert "does not answer" in capsys.readouterr().out
