"""What is made for an account when it is first needed: at most so many, and none of an account as it was."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from bridge.accounts.account import Account

T = TypeVar("T")


class Kept(Generic[T]):
    """
    Args:
        make: for an account.
        drop: is called with what is not kept any more; somebody may still be at work with it.
        most: how many are kept, those that were used last.
    """

    def __init__(self, make: Callable[[Account], T], drop: Callable[[T], object], *, most: int) -> None:
        self._make, self._drop, self._most = make, drop, most
        self._kept: OrderedDict[str, tuple[Account, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, account: Account) -> T:
        """That of an account; made anew once its settings are others."""
        found = self._kept.get(account.name)
        if found is not None and found[0] is account:
            self._kept.move_to_end(account.name)
            return found[1]
        made = self._make(account)
        self.forget(account.name)
        self._kept[account.name] = (account, made)
        while len(self._kept) > self._most:
            self.forget(next(iter(self._kept)))
        return made

    def items(self) -> list[tuple[str, T]]:
        return [(name, one) for name, (_, one) in list(self._kept.items())]

    def forget(self, name: str) -> None:
        found = self._kept.pop(name, None)
        if found is not None:
            self._drop(found[1])

    def forget_all(self) -> None:
        for name in list(self._kept):
            self.forget(name)
