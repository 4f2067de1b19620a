"""A service that means no good, byte by byte: what it does with one connection is a function of the test."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Does = Callable[["Peer"], None]


class Peer:
    """The other end of one connection, in the hands of the service."""

    def __init__(self, sock: socket.socket, stop: threading.Event) -> None:
        self.sock, self._stop = sock, stop

    def read_request(self) -> bytes:
        found = b""
        while b"\r\n\r\n" not in found:
            piece = self.sock.recv(65_536)
            if not piece:
                raise ConnectionError
            found += piece
        return found

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, *, every_s: float = 0.02) -> None:
        """A byte at a time, from its beginning again when it is over, for as long as somebody listens."""
        at = 0
        while not self._stop.wait(every_s):
            self.send(data[at : at + 1])
            at = (at + 1) % len(data)

    def flood(self, data: bytes) -> None:
        while not self._stop.is_set():
            self.send(data)

    def hang(self) -> None:
        self._stop.wait()


@contextmanager
def service(does: Does) -> Iterator[str]:
    """Its address, for as long as the context lasts."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    peers: list[socket.socket] = []

    def serve(sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            does(Peer(sock, stop))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                peers.append(sock)
                threading.Thread(target=serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in peers:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
