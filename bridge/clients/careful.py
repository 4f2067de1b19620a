"""What is done once only, and lists that end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bridge.clients.shapes import ItemT, Page
from bridge.errors import MaybeDone, NotSent, Unavailable


@contextmanager
def only_once(operation: str, look: str) -> Iterator[None]:
    """For what has its effect again when it is repeated: an answer that was lost is not an invitation.

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
            f"{lost}. {operation} may have been done and is not retried; look {look} first"
        ) from lost


def every(pages: Callable[[int], Page[ItemT]], most_pages: int) -> Iterator[ItemT]:
    """The items of at most so many pages. Pages shift while items arrive, so that one may come twice."""
    number: int | None = 1
    for _ in range(most_pages):
        if number is None:
            return
        page = pages(number)
        yield from page.items
        number = page.next_page
