"""An encrypted folder or bucket: what is in it, and what is said without the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import new_key
from bridge.errors import KeyMissing, Tampered
from bridge.storage import open_storage
from bridge.storage.encrypted import EncryptedStorage
from tests.storage.test_contract import NAME, SOUND, read, write

ONE, TWO = new_key(), new_key()


def test_the_store_itself_holds_no_byte_of_the_recording(url: str, tmp_path: Path) -> None:
    plain = open_storage(url, data_dir=tmp_path)

    write(EncryptedStorage(plain, Keyring([ONE])))

    assert SOUND[1000:1032] not in read(plain)
    assert (plain.size(NAME) or 0) > len(SOUND)


def test_what_was_stored_before_is_read_and_what_is_encrypted_stays_readable(
    url: str, tmp_path: Path
) -> None:
    plain = open_storage(url, data_dir=tmp_path)
    write(plain, "2026/03/02/old.wav", b"old")
    keyring = Keyring([ONE])
    storage = EncryptedStorage(plain, keyring)
    write(storage)

    keyring.use(["none", ONE])
    write(storage, "2026/03/02/new.wav", b"new")

    assert read(storage, "2026/03/02/old.wav") == b"old" and read(storage, start=7, end=99) == SOUND[7:99]
    assert read(plain, "2026/03/02/new.wav") == b"new"


def test_without_the_key_reading_says_which_one_is_missing_before_the_first_byte(
    url: str, tmp_path: Path
) -> None:
    plain = open_storage(url, data_dir=tmp_path)
    keyring = Keyring([ONE])
    storage = EncryptedStorage(plain, keyring)
    write(storage)
    first = keyring.ids[0]

    keyring.use([TWO])

    with pytest.raises(KeyMissing, match=first):
        storage.open(NAME)
    assert storage.size(NAME) == len(SOUND)
    keyring.use([TWO, ONE])
    assert read(storage) == SOUND and storage.key_id(NAME) == first


def test_without_any_key_what_is_encrypted_is_not_handed_out_as_if_it_were_a_recording(
    url: str, tmp_path: Path
) -> None:
    plain = open_storage(url, data_dir=tmp_path)
    write(EncryptedStorage(plain, Keyring([ONE])))
    write(plain, "2026/03/02/plain.wav", SOUND)
    off = EncryptedStorage(plain, Keyring())

    assert read(off, "2026/03/02/plain.wav") == SOUND
    with pytest.raises(KeyMissing):
        off.open(NAME)


def test_an_object_that_was_cut_off_or_put_under_another_name_is_not_handed_out(
    url: str, tmp_path: Path
) -> None:
    plain = open_storage(url, data_dir=tmp_path)
    storage = EncryptedStorage(plain, Keyring([ONE]))
    write(storage)
    stored = read(plain)
    write(plain, "2026/03/02/moved.wav", stored)
    write(plain, "2026/03/02/cut.wav", stored[:-20])

    for name in ("2026/03/02/moved.wav", "2026/03/02/cut.wav"):
        with pytest.raises(Tampered, match=name):
            read(storage, name)
