"""What settings say of the account that they are of."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bridge.encryption.keyring import Keyring


class OfAccount:
    """A part of `Settings`."""

    if TYPE_CHECKING:
        data_dir: Path
        public_url: str | None
        _account: str
        _given: Mapping[str, object]
        _keyring: Keyring

    @property
    def account(self) -> str:
        """The account's name; empty for the unnamed one, which most deployments have alone."""
        return self._account

    @property
    def given(self) -> Mapping[str, object]:
        """What these settings were made of, by variable in lower case; it holds secrets."""
        return self._given

    def of_account(self, name: str) -> Self:
        """The same, as those of this account."""
        again = copy.copy(self)
        again._account = name
        again._keyring = self._keyring.scoped(name)
        return again

    @property
    def pages_url(self) -> str | None:
        """Where people reach the pages of this account, for links in notes and messages."""
        if self.public_url is None or not self._account:
            return self.public_url
        return f"{self.public_url}{self.pages_path}"

    @property
    def pages_path(self) -> str:
        """What the paths of this account's pages and `/api` begin with."""
        return f"/accounts/{self._account}" if self._account else ""

    @property
    def webhooks_path(self) -> str:
        """What the paths of this account's webhooks begin with."""
        return f"/webhooks/{self._account}" if self._account else "/webhooks"

    @property
    def deployment_dir(self) -> Path:
        """The folder of the whole deployment, where an account has one of its own below."""
        return self.data_dir.parent.parent if self._account else self.data_dir
