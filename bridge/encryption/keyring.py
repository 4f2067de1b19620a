"""The keys in force: the first encrypts, all of them decrypt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridge.encryption.keys import NONE, EncryptionKey
from bridge.errors import KeyMissing


@dataclass(frozen=True, slots=True)
class _InForce:
    first: EncryptionKey | None = None
    by_id: Mapping[str, EncryptionKey] = field(default_factory=dict)


class Keyring:
    """Shared by all that encrypts and decrypts in a process. May be changed at any time, from any thread.

    Args:
        entries: keys as the settings have them (`EncryptionKey.read`), or `none` in the first place.
        scope: whose data it is, where several companies share a Redis: theirs cannot be read as another's.
    """

    def __init__(self, entries: Sequence[str] = (), *, scope: str = "") -> None:
        self.scope = scope.encode()
        # Shared by those of other scopes.
        self._held = [_InForce()]
        self.use(entries)

    def scoped(self, scope: str) -> Keyring:
        """The keys in force here, whichever they are, for another company's data."""
        again = Keyring(scope=scope)
        again._held = self._held
        return again

    def follow(self, other: Keyring) -> None:
        """Go by the keys that are in force there from now on."""
        self._held = other._held

    @property
    def _in_force(self) -> _InForce:
        return self._held[0]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Keyring):
            return NotImplemented
        return (self.scope, self._in_force) == (other.scope, other._in_force)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def use(self, entries: Sequence[str]) -> None:
        """Put these keys in force instead.

        Raises:
            ValueError: one is no key, or stands there twice; the ones before stay in force.
        """
        self._held[0] = _InForce(*read_keys(entries))

    @property
    def is_on(self) -> bool:
        """Whether there are keys at all, so that something may be encrypted."""
        return bool(self._in_force.by_id)

    @property
    def first(self) -> EncryptionKey | None:
        """The key that encrypts; None: new texts are stored as they are."""
        return self._in_force.first

    @property
    def ids(self) -> Sequence[str]:
        """Of all keys, in their order."""
        return tuple(self._in_force.by_id)

    def key(self, key_id: str) -> EncryptionKey:
        """The key with this id.

        Raises:
            KeyMissing: it is not in force here.
        """
        found = self._in_force.by_id.get(key_id)
        if found is None:
            raise KeyMissing(key_id)
        return found


def read_keys(entries: Sequence[str]) -> tuple[EncryptionKey | None, Mapping[str, EncryptionKey]]:
    """The key that encrypts, and all of them by id.

    Raises:
        ValueError: what is wrong, by the entry's number; shows no key.
    """
    found: dict[str, EncryptionKey] = {}
    wrong: list[str] = []
    for number, entry in enumerate(entries, 1):
        if entry.strip().lower() == NONE:
            if number > 1:
                wrong.append(f"entry {number} is `{NONE}`, which may only stand first")
            continue
        try:
            key = EncryptionKey.read(entry)
        except ValueError as error:
            wrong.append(f"entry {number} {error}")
            continue
        if key.id in found:
            wrong.append(f"entry {number} is the key of an earlier one")
        found[key.id] = key
    if wrong:
        raise ValueError("; ".join(wrong))
    encrypts = bool(entries) and entries[0].strip().lower() != NONE
    return (next(iter(found.values()), None) if encrypts else None), found
