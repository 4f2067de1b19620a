"""Names for the places at which a process talks to Redis or to a service.

A process can be killed before, at and after each of them, and nothing may be lost or done twice by it. Each
carries a name, so that a test can kill there and can tell which place it has never seen
(`tests/chaos/test_crash_points.py`, which also fails where a name is missing). Costs half a microsecond.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ContextDecorator
from contextvars import ContextVar
from types import TracebackType

_name: ContextVar[str | None] = ContextVar("boundary", default=None)


class boundary(ContextDecorator):  # read as a statement: `with boundary("ledger.read"):`
    """Whatever is sent inside belongs to this boundary; the innermost name counts.

    `with boundary("ledger.read"):`, or as a decorator of a plain function. Not for generators or
    coroutines as a whole: a decorator would end before they run.

    Args:
        name: who speaks, a dot, and what is asked, such as `kustomer.create_note`.
    """

    # A generator with `contextmanager` costs five times as much, and each webhook passes here.
    __slots__ = ("_name", "_observed", "_token")

    def __init__(self, name: str) -> None:
        self._name = name

    def _recreate_cm(self) -> boundary:
        """For each call of a decorated function its own: they nest, and run in threads."""
        return boundary(self._name)

    def __enter__(self) -> None:
        self._token = _name.set(self._name)
        self._observed = None if _observer is None else _observer(self._name)
        if self._observed is not None:
            try:
                self._observed.__enter__()
            except BaseException:
                _name.reset(self._token)
                raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._observed is not None:
                self._observed.__exit__(kind, error, traceback)
        finally:
            _name.reset(self._token)


_observer: Callable[[str], AbstractContextManager[None]] | None = None


def observe(observer: Callable[[str], AbstractContextManager[None]] | None) -> None:
    """Have this entered with each boundary, for traces."""
    global _observer
    _observer = observer


def current() -> str | None:
    """The boundary that this thread or task is at."""
    return _name.get()
