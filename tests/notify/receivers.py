"""Where notifications arrive in tests: an HTTP and an SMTP server on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True, slots=True)
class Arrived:
    """One notification."""

    at: float
    type: str
    title: str
    text: str


@dataclass(slots=True)
class Receiver:
    """What has arrived.

    Args:
        url: for NOTIFY_URLS.
        failing: how many of the next are refused.
        hang_s: how long an answer takes.
    """

    url: str = ""
    failing: int = 0
    hang_s: float = 0.0
    arrived: list[Arrived] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def titles(self, type_: str | None = None) -> list[str]:
        return [one.title for one in self.arrived if type_ in (None, one.type)]

    def first(self, words: str, *, type_: str) -> Arrived | None:
        """The first of this type whose title has these words."""
        return next((one for one in self.arrived if one.type == type_ and words in one.title), None)


@contextmanager
def http_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if receiver.hang_s:
                receiver.released.wait(receiver.hang_s)
            fails = receiver.failing > 0
            receiver.failing -= fails
            if not fails:
                one = Arrived(time.monotonic(), body["type"], body["title"], body["message"])
                receiver.arrived.append(one)
            self.send_response(500 if fails else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"json://127.0.0.1:{server.server_address[1]}/notes?+X-Key=a-secret-key"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Mailbox:
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        body = mail.get_body(("plain", "html"))
        text = body.get_content() if body is not None else ""
        # Mail has no type of its own.
        self._receiver.arrived.append(Arrived(time.monotonic(), "mail", str(mail["Subject"]), text))
        return "250 OK"


@contextmanager
def mail_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(_Mailbox(receiver), hostname="127.0.0.1", port=port)
    controller.start()
    receiver.url = f"mailto://127.0.0.1:{port}/?from=bridge@example.com&to=duty@example.com&mode=insecure"
    try:
        yield receiver
    finally:
        controller.stop()
