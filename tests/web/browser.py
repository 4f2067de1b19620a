"""A headless Chromium, told what to do over its debugging pipe, as a person's hands would."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import started

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

NEEDS_CHROMIUM = pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ, reason="needs Chromium, which is not installed"
)
ELSEWHERE = "bridge.example"

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--autoplay-policy=no-user-gesture-required", "--remote-debugging-pipe"),
    # To a browser plain http is trustworthy under a name of this machine, under any other it is not.
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
)
# The browser reads its descriptor 3 and writes to 4.
_WRAPPER = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 20) for end in sys.argv[1:3]]
for end, place in zip(ends, (3, 4)):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
_CODES = {" ": ("Space", 32), "Home": ("Home", 36), "End": ("End", 35), "Tab": ("Tab", 9)} | {
    f"Arrow{way}": (f"Arrow{way}", code)
    for way, code in (("Left", 37), ("Up", 38), ("Right", 39), ("Down", 40))
}


class Pipe:
    """What is said to the browser and heard from it, one message at a time."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._read = b""
        self.ids = itertools.count(1)

    def say(self, result: dict[str, Any]) -> None:
        os.write(self._to, json.dumps(result).encode() + b"\0")

    def hear(self) -> Any:
        while b"\0" not in self._read:
            assert select.select([self._back], [], [], 20)[0], "the browser says nothing"
            more = os.read(self._back, 1 << 16)
            assert more, "the browser has ended"
            self._read += more
        one, _, self._read = self._read.partition(b"\0")
        return json.loads(one)


class Tab:
    """One page."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._session: str | None = None
        self.complaints: list[str] = []
        # A context of its own: no cookies of another test.
        context = self.do("Target.createBrowserContext")["browserContextId"]
        target = self.do("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self._session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **params: Any) -> Any:
        mark = next(self._pipe.ids)
        result = {"id": mark, "method": method, "params": params}
        if self._session is not None:
            result["sessionId"] = self._session
        self._pipe.say(result)
        while True:
            heard = self._pipe.hear()
            if heard.get("id") == mark:
                assert "error" not in heard, heard["error"]
                return heard["result"]
            if heard.get("sessionId") != self._session:
                continue
            if heard.get("method") == "Log.entryAdded":
                self.complaints.append(heard["params"]["entry"]["text"])
            elif heard.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(heard["params"]))

    def look(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = self.do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """Asks until it is true: a page takes its time."""
        ends = time.monotonic() + 30
        while not (found := self._asked(script)):
            assert time.monotonic() < ends, (script, self.complaints)
        return found

    def _asked(self, script: str) -> Any:
        # While a page gives way to the next there is nothing to ask.
        with contextlib.suppress(AssertionError):
            return self.look(script)
        return None

    def open(self, url: str) -> None:
        self.do("Page.navigate", url=url)
        self.until(f"location.href !== 'about:blank' && document.readyState === 'complete' && {url!r} !== ''")

    def press(self, key: str) -> None:
        code, number = _CODES.get(key, (f"Digit{key}", ord(key[0])))
        result = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        text = {"text": key} if len(key) == 1 else {}
        self.do("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **result, **text)
        self.do("Input.dispatchKeyEvent", type="keyUp", **result)

    def type(self, text: str) -> None:
        self.do("Input.insertText", text=text)

    def mouse(self, what: str, x: float, y: float) -> None:
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        self.do("Input.dispatchMouseEvent", type=f"mouse{what}", x=x, y=y, **held)

    def screenshot(self, path: Path, *, width: int = 1000, height: int = 720, dark: bool = False) -> None:
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", features=[scheme])
        path.write_bytes(base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"]))


@contextlib.contextmanager
def browsing() -> Iterator[Callable[[], Tab]]:
    """A browser of its own; what is yielded opens a tab."""
    assert CHROMIUM is not None
    there, to = os.pipe()
    back, here = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            *(sys.executable, "-c", _WRAPPER, str(there), str(here)),
            *(CHROMIUM, *_FLAGS, f"--user-data-dir={profile}"),
        ]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with started(command, pass_fds=(there, here), **quiet):
            os.close(there)
            os.close(here)
            pipe = Pipe(to, back)
            try:
                yield lambda: Tab(pipe)
            finally:
                os.close(to)
                os.close(back)
