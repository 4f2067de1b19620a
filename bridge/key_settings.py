"""What settings say of the keys that encrypt what is stored."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr

from bridge.encryption.keyring import Keyring


class OfKeys:
    """A part of `Settings`."""

    if TYPE_CHECKING:
        encryption_keys: list[SecretStr]
        _account: str
        _keyring: Keyring

    @property
    def keyring(self) -> Keyring:
        """The keys that encrypt and decrypt what is stored. Copies of these settings share it."""
        return self._keyring

    def use_keys(self) -> None:
        """Put ENCRYPTION_KEYS of these settings in force, wherever their keyring is in use."""
        self._keyring.use([key.get_secret_value() for key in self.encryption_keys])

    def with_keys_of(self, other: OfKeys) -> Self:
        """The same for data of its own account, with the keys of other settings that are in force there."""
        again = copy.copy(self)
        again._keyring = other._keyring.scoped(self._account)
        return again
