"""Stands in for `python -m bridge NAME`: web answers /readyz, the others only wait to be ended.

Each says when it ends well, so that a test can see in which order.
"""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import threading


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def main(name: str) -> None:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    if name == "web":
        server = http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    if name == "worker":  # as dramatiq does, it has children that no signal reaches by itself
        subprocess.Popen([sys.executable, __file__, "grandchild"], start_new_session=True)
    os.write(1, f"{name} runs as {os.getpid()}\n".encode())
    # A test that does not look after its grandchild leaves it behind; not for long.
    ended.wait(60 if name == "grandchild" else None)
    os.write(1, f"{name} ends\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
