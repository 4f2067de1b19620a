"""One page of a list, as a client reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """
    Args:
        page: number of this page, from 1.
        next_page: number of the next one; None: this was the last.
        total, pages: items on all pages and how many pages there are, where the service says.
    """

    items: list[T]
    page: int
    next_page: int | None
    total: int | None = None
    pages: int | None = None
