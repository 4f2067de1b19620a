"""The search index under ENCRYPTION_KEYS: its numbers, names and texts are encrypted; the rest names nobody.

The columns `d` and `n` are blocks (`bridge.encryption.blocks`), one for each step that added calls; a search
decrypts those it reads. Texts of the dictionaries are names that are looked up (`bridge.encryption.names`).
"""

from __future__ import annotations

from typing import cast

import redis
from redis.client import NEVER_DECODE, Pipeline

from bridge.boundary import boundary
from bridge.encryption.blocks import block, opened
from bridge.encryption.texts import Place
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger
from bridge.ledger.search.entries import KEY_BYTES
from bridge.ledger.stored import StoredTexts

_OF_PEOPLE = ("d", "n")
# Of a dictionary: none, and too long to be in it.
_NO_TEXTS = ("", "*")


def hidden_column(texts: StoredTexts, column: str, data: bytes) -> bytes:
    return block(texts.keyring, _place(column), data) if column in _OF_PEOPLE else data


def shown_column(texts: StoredTexts, column: str, data: bytes) -> bytes:
    return opened(texts.keyring, _place(column), data) if column in _OF_PEOPLE else data


def hidden_text(texts: StoredTexts, dictionary: str, text: str) -> str:
    return text if text in _NO_TEXTS else texts.name(dictionary, text)


def shown_text(texts: StoredTexts, dictionary: str, stored: str) -> str:
    return texts.shown(dictionary, stored)


def wipe_erased(ledger: Ledger) -> int:
    """Take out of encrypted columns what calls had there that were forgotten since; of how many chunks.

    The scripts wipe everything else of such a call at once, its key too, by which its lines are known here.
    """
    with boundary("search.to_wipe"):
        chunks = cast(set[str], ledger.redis.smembers(keys.find("wipe")))
    for chunk in sorted(chunks):
        _wipe(ledger, chunk)
    return len(chunks)


@boundary("search.wipe")
def _wipe(ledger: Ledger, chunk: str) -> None:
    names = {column: keys.find(f"{chunk}:{column}") for column in ("k", *_OF_PEOPLE)}

    def work(pipe: Pipeline) -> None:
        found = {column: _raw(pipe, name) for column, name in names.items()}
        gone = {
            n
            for n in range(len(found["k"]) // KEY_BYTES)
            if not found["k"][n * KEY_BYTES : (n + 1) * KEY_BYTES].strip(b"\0")
        }
        pipe.multi()
        for column in _OF_PEOPLE:
            lines = shown_column(ledger.texts, column, found[column]).split(b"\n")
            wiped = b"\n".join(b"" if n in gone else line for n, line in enumerate(lines))
            if found[column]:
                pipe.set(names[column], hidden_column(ledger.texts, column, wiped))
        pipe.srem(keys.find("wipe"), chunk)

    ledger.redis.transaction(work, keys.find("wipe"), *names.values())


def _raw(pipe: redis.client.Pipeline, name: str) -> bytes:
    """The reply is bytes; the client decodes others."""
    reply = pipe.execute_command("GET", name, **{NEVER_DECODE: True})  # type: ignore[no-untyped-call]
    return cast(bytes, reply or b"")


def _place(column: str) -> Place:
    return Place("find", column)
