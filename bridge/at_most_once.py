"""The policy of actions that must not be repeated: a lost reply is not an invitation to try again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bridge.errors import MaybeDone, NotSent, Unavailable


@contextmanager
def at_most_once(action: str, look: str) -> Iterator[None]:
    """For what has its effect again when it is repeated.

    Args:
        look: where a person can see whether it was done.

    Raises:
        MaybeDone: no answer, a 5xx, or one that cannot be read. What could not be sent stays NotSent.
    """
    try:
        yield
    except NotSent:
        raise
    except Unavailable as lost:
        raise MaybeDone(
            f"{lost}. {action} may have been done and is not retried; look {look} first"
        ) from lost
