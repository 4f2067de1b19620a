"""Names for the places at which a process talks to Redis or to a service.

A process can be killed before, at and after each of them, and nothing may be lost or done twice by it. Each
carries a name, so that a test can kill there and can tell which place it has never seen
(`tests/chaos/test_crash_points.py`, which also fails where a name is missing). Costs two microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

_name: ContextVar[str | None] = ContextVar("boundary", default=None)


@contextmanager
def boundary(name: str) -> Iterator[None]:
    """Whatever is sent inside belongs to this boundary; the innermost name counts.

    `with boundary("ledger.read"):`, or as a decorator of a plain function. Not for generators or
    coroutines as a whole: a decorator would end before they run.

    Args:
        name: who speaks, a dot, and what is asked, such as `kustomer.create_note`.
    """
    token = _name.set(name)
    try:
        if _observer is None:
            yield
        else:
            with _observer(name):
                yield
    finally:
        _name.reset(token)


_observer: Callable[[str], AbstractContextManager[None]] | None = None


def observe(observer: Callable[[str], AbstractContextManager[None]] | None) -> None:
    """Have this entered with each boundary, for traces."""
    global _observer
    _observer = observer


def current() -> str | None:
    """The boundary that this thread or task is at."""
    return _name.get()
