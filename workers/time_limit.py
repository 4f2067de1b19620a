"""No job holds a thread for ever.

A job has a time limit, which shortens every wait for a service: its last request then ends as one whose reply
was lost. What hangs all the same (a disk, a storage) does so in a thread that is left behind. Its lease is
given up before anything else, so that it can write nothing any more, in Redis or at a service, should it go
on. The job is due again after a backoff. dramatiq's own TimeLimit raises an exception anywhere in the thread,
also between a request and the record of it or with a lock held, and not while it is stuck in the system.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any, TypeVar

from bridge.errors import Transient
from bridge.logs import get_logger

T = TypeVar("T")

log = get_logger(__name__)

# After the limit, for what ends by itself.
GRACE_S = 60.0
# So many threads that hang are no accident: then jobs wait for them, and `status` shows all threads busy.
MOST_LEFT = 64
_left = threading.BoundedSemaphore(MOST_LEFT)


class Hangs(Transient):
    """A job did not end in time; its thread is left behind."""


_Work = tuple[Context, "Future[Any]", Callable[[], Any]]


class _JobThread:
    """Runs one job after the other for the thread that owns it, until it is left behind or its owner ends."""

    def __init__(self) -> None:
        self._work: SimpleQueue[_Work | None] = SimpleQueue()
        threading.Thread(target=_run_all, args=(self._work,), name="job", daemon=True).start()

    def run(self, ends: Future[Any], do: Callable[[], Any]) -> None:
        self._work.put((copy_context(), ends, do))

    def __del__(self) -> None:
        """Left behind: its thread ends after what it is at."""
        self._work.put(None)


def _run_all(jobs: SimpleQueue[_Work | None]) -> None:
    while (work := jobs.get()) is not None:
        context, ends, do = work
        context.run(_run, ends, do)
        # Nothing of a job is kept while it waits for the next.
        del work, context, ends, do


_own = threading.local()


def _forget_own() -> None:
    """A forked process has none of the threads that there were."""
    _own.beside = None


os.register_at_fork(after_in_child=_forget_own)


def in_time(do: Callable[[], T], *, within_s: float) -> T:
    """Run this in a thread beside this one.

    Raises:
        Hangs: it did not end in time, and may go on later.
    """
    if getattr(_own, "beside", None) is None:
        _own.beside = _JobThread()
    ends: Future[T] = Future()
    _own.beside.run(ends, do)
    try:
        return ends.result(within_s)
    except TimeoutError:
        if ends.done():
            # One of its own.
            raise
    except BaseException:
        if not ends.done():
            # This thread was asked to end; what it does next is not to wait for that job.
            _own.beside = None
        raise
    if not _left.acquire(blocking=False):
        log.error("too many jobs hang; waiting for one to end")
        return ends.result()
    _own.beside = None
    ends.add_done_callback(lambda _: _left.release())
    raise Hangs(
        f"the job hangs: not finished after {within_s:.0f} s. Check disk, recordings storage and Redis"
    )


def _run(ends: Future[T], do: Callable[[], T]) -> None:
    try:
        ends.set_result(do())
    except BaseException as error:  # for the thread that waits
        ends.set_exception(error)
    finally:
        # The error's traceback holds this frame: no circle of both.
        del ends
