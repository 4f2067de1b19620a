"""Keys as they stand in the settings."""

from __future__ import annotations

import base64
import secrets

import pytest

from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import EncryptionKey, new_key
from bridge.errors import KeyMissing


def test_a_key_is_read_in_any_usual_spelling() -> None:
    secret = secrets.token_bytes(32)

    spelled = [secret.hex(), base64.b64encode(secret).decode(), base64.urlsafe_b64encode(secret).decode()]

    assert {EncryptionKey.read(text) for text in spelled} == {EncryptionKey.read(secret.hex().upper())}
    assert EncryptionKey.read(spelled[1].rstrip("=")).secret == secret


@pytest.mark.parametrize(
    "text", ["", "short", "A" * 44, "0" * 64, base64.b64encode(bytes(range(31))).decode(), "é" * 43]
)
def test_what_is_no_key_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="new-key") as raised:
        EncryptionKey.read(text)

    assert not text or text not in str(raised.value)


def test_a_key_is_in_no_repr() -> None:
    text = new_key()
    key = EncryptionKey.read(text)

    assert key.secret.hex() not in repr(key) and repr(key.secret) not in repr(key)


def test_the_first_key_encrypts_and_all_are_known_by_their_ids() -> None:
    one, two = new_key(), new_key()

    keyring = Keyring([two, one])

    assert keyring.first == EncryptionKey.read(two)
    assert keyring.key(EncryptionKey.read(one).id) == EncryptionKey.read(one)
    with pytest.raises(KeyMissing, match="0000ffff"):
        keyring.key("0000ffff")


def test_none_in_the_first_place_only_decrypts() -> None:
    keyring = Keyring(["none", new_key()])

    assert keyring.is_on and keyring.first is None


def test_wrong_keys_leave_those_before_in_force_and_are_all_named_at_once() -> None:
    good = new_key()
    keyring = Keyring([good])

    with pytest.raises(ValueError, match=r"entry 2 is not 32 bytes.*entry 3 .*earlier.*entry 4 is `none`"):
        keyring.use([good, "nonsense", good, "none"])

    assert keyring.ids == (EncryptionKey.read(good).id,)
