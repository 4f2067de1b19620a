"""What is particular to a bucket."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bridge.errors import BridgeError, Rejected, Unauthorized, Unavailable, WrongUse
from bridge.storage import Storage, open_storage
from tests.storage.conftest import KEYS, Bucket, free_port

pytest.importorskip("obstore", reason="S3 is not tried: obstore is not installed (pip install obstore)")

NAME = "2026/03/02/1000000110.wav"
LARGE = 6_000_000


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


class Answering:
    """A server that gives every request one answer, and remembers what was asked."""

    def __init__(self, status: int, *, missing: bool = False) -> None:
        self.asked: list[tuple[str, str, str | None]] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                asked.append((self.command, self.path, self.headers.get("content-type")))
                body = b"<R><UploadId>1</UploadId><ETag>e</ETag></R>" if status == 200 else b""
                self.send_response(404 if missing and self.command == "HEAD" else status)
                self.send_header("etag", "e")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def answering() -> Iterator[Callable[..., Answering]]:
    servers: list[Answering] = []

    def start(status: int, *, missing: bool = False) -> Answering:
        servers.append(Answering(status, missing=missing))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def at(endpoint: str, tmp_path: Path) -> Storage:
    return open_storage(f"s3://recordings/calls?region=us-east-1&endpoint={endpoint}", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, Unauthorized), (401, Unauthorized), (400, Rejected), (500, Unavailable), (503, Unavailable),
     (429, Unavailable)],
)  # fmt: skip
def test_each_refusal_is_told_by_what_to_do_next(
    answering: Callable[..., Answering], tmp_path: Path, status: int, error: type[BridgeError]
) -> None:
    storage = at(answering(status).endpoint, tmp_path)

    for use in (
        lambda: storage.write(NAME, [b"x"], content_type="audio/wav"),
        lambda: storage.open(NAME),
        lambda: storage.size(NAME),
        lambda: storage.delete(NAME),
        lambda: storage.delete_older_than(datetime(2026, 1, 1, tzinfo=UTC)),
    ):
        with pytest.raises(error) as raised:
            use()
        assert "s3://recordings/calls" in str(raised.value)
        assert len(str(raised.value)) < 700


def test_refused_keys_say_where_they_come_from(answering: Callable[..., Answering], tmp_path: Path) -> None:
    with pytest.raises(Unauthorized, match="AWS_ACCESS_KEY_ID"):
        at(answering(403).endpoint, tmp_path).size(NAME)


def test_a_server_that_is_away_is_tried_again_later(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        at(f"http://127.0.0.1:{free_port()}", tmp_path).size(NAME)


@pytest.mark.parametrize("size", [1, LARGE])
def test_a_bucket_that_is_not_there_is_for_a_person_to_make(
    bucket: Bucket, tmp_path: Path, size: int
) -> None:
    storage = open_storage(bucket.url("x", bucket="nobodys"), data_dir=tmp_path)

    with pytest.raises(Rejected, match="no bucket s3://nobodys/x"):
        storage.write(NAME, [bytes(size)], content_type="audio/wav")
    with pytest.raises(Rejected, match="no bucket"):
        storage.delete_older_than(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("size", [1, LARGE])
def test_an_object_has_its_content_type(
    answering: Callable[..., Answering], tmp_path: Path, size: int
) -> None:
    server = answering(200, missing=True)

    at(server.endpoint, tmp_path).write(NAME, [bytes(size)], content_type="audio/wav")

    made = [kind for method, path, kind in server.asked if NAME in path and method in ("PUT", "POST")]
    assert made[0] == "audio/wav"


def test_nothing_but_the_object_is_left_of_a_large_one(bucket: Bucket, tmp_path: Path) -> None:
    storage = open_storage(bucket.url(tmp_path.name), data_dir=tmp_path / "data")

    storage.write(NAME, [bytes(LARGE)], content_type="audio/wav")

    kept = bucket.root / "recordings" / tmp_path.name
    assert [str(path.relative_to(kept)) for path in kept.rglob("*") if path.is_file()] == [NAME]
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []


def test_what_killed_writers_left_is_cleared_away_after_a_day(bucket: Bucket, tmp_path: Path) -> None:
    storage = open_storage(bucket.url(tmp_path.name), data_dir=tmp_path / "data")
    incoming = bucket.root / "recordings" / tmp_path.name / ".incoming"
    incoming.mkdir(parents=True)
    for name, age_h in (("old", 25), ("new", 23)):
        (incoming / name).write_bytes(b"half")
        moment = datetime.now(UTC).timestamp() - age_h * 3600
        os.utime(incoming / name, (moment, moment))

    assert storage.clear_leftovers() == 1

    assert [path.name for path in incoming.iterdir()] == ["new"]


def test_a_disk_without_room_for_what_is_to_be_sent_is_tried_again(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, no folder")

    with pytest.raises(Unavailable, match="buffer a recording for s3://recordings"):
        open_storage(bucket.url("y"), data_dir=tmp_path / "data").write(
            NAME, [bytes(LARGE)], content_type="audio/wav"
        )


def test_an_option_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no option secret_access_key"):
        open_storage("s3://recordings?secret_access_key=x", data_dir=tmp_path)


def test_google_and_azure_are_opened_without_asking_anybody(tmp_path: Path) -> None:
    for url in ("gs://recordings/calls", "az://recordings/calls?account_name=example"):
        assert url.partition("?")[0] in repr(open_storage(url, data_dir=tmp_path))
