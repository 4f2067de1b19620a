"""So many webhooks a second, each of a call of its own and sent once, whatever is answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from dataclasses import dataclass

from tests.support import ended

# More than are ever under way: each takes at most the 2 s in which `web` answers.
_THREADS = 120
_TIMEOUT_S = 10.0
# `web` ends a connection that was idle for 5 s; a sender that keeps them longer may meet that moment.
_KEPT_S = 3.0
# Calls share numbers, as people call more than once.
_NUMBERS = 400


@dataclass(slots=True, kw_only=True)
class Sent:
    """One webhook. Times by `time.monotonic`; status 0: no answer."""

    uuid: str
    phone: str
    sent_at: float
    answered_at: float
    status: int

    @property
    def is_accepted(self) -> bool:
        return 200 <= self.status < 300


class Load:
    """Context manager: sends as long as the block takes."""

    def __init__(self, port: int, token: str, *, a_second: float) -> None:
        self._port, self._every_s = port, 1 / a_second
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._begun = 0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(_THREADS)]
        self.sent: list[Sent] = []

    def __enter__(self) -> Load:
        self._start = time.monotonic()
        for one in self._threads:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for one in self._threads:
            one.join()
        self.sent.sort(key=lambda one: one.answered_at)

    def accepted_since(self, moment: float) -> int:
        """How many were accepted that were sent after it."""
        with self._lock:
            return sum(one.is_accepted and one.sent_at > moment for one in self.sent)

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)
        used_at = 0.0
        while True:
            with self._lock:
                number, self._begun = self._begun, self._begun + 1
            if self._stop.wait(max(0.0, self._start + number * self._every_s - time.monotonic())):
                connection.close()
                return
            if time.monotonic() - used_at > _KEPT_S:
                connection.close()
            one = self._send(connection, number)
            used_at = one.answered_at
            with self._lock:
                self.sent.append(one)

    def _send(self, connection: http.client.HTTPConnection, number: int) -> Sent:
        name, phone = str(uuid.uuid4()), f"+44163296{number % _NUMBERS:04d}"
        body = ended(call_id=2_000_000_000 + number, uuid=name, external_number=phone)
        sent_at, status = time.monotonic(), 0
        try:
            connection.request("POST", "/webhooks/cloudtalk/call-ended", json.dumps(body), self._headers)
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, http.client.HTTPException):
            connection.close()
        return Sent(uuid=name, phone=phone, sent_at=sent_at, answered_at=time.monotonic(), status=status)
