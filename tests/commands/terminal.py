"""A terminal in the test's hands: commands run in this process, their bytes are kept."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.commands import main
from bridge.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Terminal:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def knows(self, environ: Mapping[str, str], *but: str) -> None:
        """Set these, without those named."""
        for name, value in environ.items():
            if name not in but:
                self._patch.setenv(name, value)

    def forgets(self, *names: str) -> None:
        for name in names:
            self._patch.delenv(name, raising=False)

    def types(self, *args: str, given: bytes = b"", on_screen: bool = False) -> Ran:
        return self.shows(lambda: main(args), given=given, on_screen=on_screen)

    def shows(self, do: Callable[[], int | None], *, given: bytes = b"", on_screen: bool = False) -> Ran:
        """What something writes, by itself."""
        out, err = _Stream(on_screen), _Stream(on_screen)
        with self._patch.context() as patch:
            patch.setattr(sys, "stdin", _Typed(io.BytesIO(given), on_screen))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = do()
        return Ran(code=code or 0, raw=out.bytes(), err=err.bytes().decode())


class _Typed(io.TextIOWrapper):
    def __init__(self, given: io.BytesIO, on_screen: bool) -> None:
        self._on_screen = on_screen
        super().__init__(given)

    def isatty(self) -> bool:
        return self._on_screen


class _Stream(io.TextIOWrapper):
    def __init__(self, on_screen: bool) -> None:
        self._kept, self._on_screen = io.BytesIO(), on_screen
        super().__init__(self._kept, encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return self._on_screen

    def bytes(self) -> bytes:
        self.flush()
        return self._kept.getvalue()


def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower() in Settings.model_fields or name.startswith("MEMBRANE_"):
            monkeypatch.delenv(name)
    # Tables are laid out for whoever looks.
    monkeypatch.setenv("COLUMNS", "200")
