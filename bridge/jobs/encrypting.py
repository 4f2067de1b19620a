"""What is stored under which key, in ledger, storage and journal; and all of it under the first one."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge.encryption.keyring import Keyring
from bridge.encryption.texts import PREFIX
from bridge.errors import KeyMissing, Tampered
from bridge.ledger.ledger import Ledger
from bridge.ledger.reencrypting import PLAIN, Reencryption, Tally
from bridge.storage.contract import CONTENT_TYPES, Missing
from bridge.storage.encrypted import EncryptedStorage

_LINE_KEY = re.compile((re.escape(PREFIX) + "([0-9a-f]{8}):").encode())
_OTHER_TYPE = "application/octet-stream"


@dataclass(slots=True, kw_only=True)
class Stored:
    """What was found, by place: texts of the ledger, recordings and transcripts, lines of the journal."""

    ledger: Tally = field(default_factory=Tally)
    files: Tally = field(default_factory=Tally)
    journal: Tally = field(default_factory=Tally)

    @property
    def places(self) -> Mapping[str, Tally]:
        return {"ledger": self.ledger, "recordings": self.files, "journal": self.journal}

    @property
    def is_whole(self) -> bool:
        """Whether the run reached the end."""
        return all(tally.is_whole for tally in self.places.values())

    @property
    def by_key(self) -> Mapping[str, int]:
        total: Counter[str] = Counter()
        for tally in self.places.values():
            total.update(tally.by_key)
        return {key_id: count for key_id, count in total.items() if count > 0}

    @property
    def damaged(self) -> list[str]:
        return [one for tally in self.places.values() for one in tally.damaged]

    @property
    def unreadable(self) -> int:
        return sum(tally.unreadable for tally in self.places.values())

    def left(self, keyring: Keyring) -> Mapping[str, int]:
        """What is not stored as the first key wants it: by key, or `plain`."""
        own = keyring.first.id if keyring.first is not None else PLAIN
        return {key_id: count for key_id, count in self.by_key.items() if key_id != own}


class Encrypting:
    """Args:
    within_s: it ends after this, and another run goes on.
    """

    def __init__(
        self, ledger: Ledger, storage: EncryptedStorage, journal: Path, *, within_s: float | None = None
    ) -> None:
        self._ledger, self._storage, self._journal = ledger, storage, journal
        self._until = None if within_s is None else time.monotonic() + within_s
        self._keyring = ledger.texts.keyring

    def look(self) -> Stored:
        """Count only."""
        return self._go(dry=True)

    def apply(self, tell: Callable[[Stored], None] = lambda _: None) -> Stored:
        """Store what is under other keys, or plain, as the first key wants it. May be killed at any time."""
        return self._go(dry=False, tell=tell)

    def _go(self, *, dry: bool, tell: Callable[[Stored], None] = lambda _: None) -> Stored:
        work = Reencryption(self._ledger, dry=dry, until=self._until)
        found = Stored(ledger=work.tally)
        work.run(lambda _: tell(found))
        for name in self._storage.names():
            if self._is_over:
                break
            self._file(name, found.files, dry=dry)
            tell(found)
        else:
            found.files.is_whole = True
        self._lines(found.journal)
        return found

    @property
    def _is_over(self) -> bool:
        return self._until is not None and time.monotonic() > self._until

    def _file(self, name: str, tally: Tally, *, dry: bool) -> None:
        wanted = self._keyring.first.id if self._keyring.first is not None else None
        try:
            key_id = self._storage.key_id(name)
            if not dry and key_id != wanted:
                content_type = {f".{kind}": text for kind, text in CONTENT_TYPES.items()}
                chunks = self._storage.open(name)
                self._storage.replace(
                    name, chunks, content_type=content_type.get(Path(name).suffix, _OTHER_TYPE)
                )
                tally.changed += 1
                key_id = wanted
        except Missing:
            # Deleted meanwhile.
            return
        except KeyMissing as error:
            tally.unreadable += 1
            key_id = error.key_id
        except Tampered:
            tally.damaged = [*tally.damaged, name][:100]
        tally.by_key[key_id or PLAIN] += 1

    def _lines(self, tally: Tally) -> None:
        """A journal's lines are handed on within seconds; those that are set aside end with their time."""
        for path in sorted(self._journal.glob("*.journal*")) if self._journal.is_dir() else []:
            try:
                with path.open("rb") as lines:
                    for line in lines:
                        found = _LINE_KEY.search(line)
                        tally.by_key[found[1].decode() if found else PLAIN] += 1
            except OSError:
                continue
        tally.is_whole = True
