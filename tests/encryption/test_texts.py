"""Texts that are encrypted for one place, and names that are looked up."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import new_key
from bridge.encryption.names import Names, new_secret
from bridge.encryption.texts import Place, decrypt, digest_of, encrypt, key_id_of
from bridge.errors import KeyMissing, Tampered

ONE, TWO = new_key(), new_key()
KEYS = Keyring([ONE])
PLACE = Place("events", "uuid:4d0f", "fingerprint")
words = st.text(alphabet=string.ascii_lowercase + ":", max_size=8)
places = st.builds(Place, words, words, words)
BASE64 = string.ascii_letters + string.digits + "-_"
any_text = st.text(max_size=300)


@given(any_text, places)
def test_a_text_comes_back_at_its_own_place(text: str, place: Place) -> None:
    stored = encrypt(KEYS, place, text)

    assert decrypt(KEYS, place, stored) == text
    assert stored.isascii() and stored.isprintable() and not set(stored) & set('"\\/ ')
    assert len(text) < 4 or text not in stored


@given(any_text, places, places)
def test_a_text_is_read_at_no_other_place(text: str, place: Place, other: Place) -> None:
    stored = encrypt(KEYS, place, text)

    if place != other:
        with pytest.raises(Tampered):
            decrypt(KEYS, other, stored)


@given(any_text, st.data())
def test_a_changed_or_shortened_text_is_not_read(text: str, data: st.DataObject) -> None:
    stored = encrypt(KEYS, PLACE, text)
    payload = len("enc1:00000000:")
    at = data.draw(st.integers(payload, len(stored) - 4))
    step = data.draw(st.integers(1, len(BASE64) - 1))
    letter = BASE64[((BASE64 + "=").index(stored[at]) + step) % len(BASE64)]
    end = data.draw(st.integers(payload, len(stored) - 4))

    for changed in (
        stored[:at] + letter + stored[at + 1 :],
        stored[:end],
        stored + "AAAA",
        stored[:-5] + "é",
    ):
        with pytest.raises(Tampered, match="uuid:4d0f"):
            decrypt(KEYS, PLACE, changed)


@given(any_text)
def test_equal_texts_are_stored_as_different_ones_with_equal_digests(text: str) -> None:
    assert encrypt(KEYS, PLACE, text) != encrypt(KEYS, PLACE, text)
    assert digest_of(KEYS, PLACE, text) == digest_of(KEYS, PLACE, text)
    assert digest_of(KEYS, PLACE, text) != digest_of(KEYS, PLACE, text + "x")
    assert digest_of(KEYS, PLACE, text) != digest_of(Keyring([TWO]), PLACE, text)
    assert digest_of(KEYS, PLACE, text) != digest_of(KEYS, Place("held", PLACE.record, PLACE.field), text)


def test_another_key_decrypts_nothing_and_is_named() -> None:
    stored = encrypt(KEYS, PLACE, "+15550100123")

    with pytest.raises(KeyMissing, match=str(key_id_of(stored))):
        decrypt(Keyring([TWO]), PLACE, stored)


def test_the_header_cannot_be_put_in_front_of_what_another_key_encrypted() -> None:
    both = Keyring([ONE, TWO])
    of_one, of_two = encrypt(KEYS, PLACE, "a"), encrypt(Keyring([TWO]), PLACE, "a")

    with pytest.raises(Tampered):
        decrypt(both, PLACE, of_two[:14] + of_one[14:])


def test_after_a_rotation_old_texts_are_read_and_new_ones_take_the_first_key() -> None:
    keyring = Keyring([ONE])
    old = encrypt(keyring, PLACE, "old")

    keyring.use([TWO, ONE])

    new = encrypt(keyring, PLACE, "new")
    assert [decrypt(keyring, PLACE, text) for text in (old, new)] == ["old", "new"]
    assert [key_id_of(new), key_id_of(old)] == list(keyring.ids)


def test_companies_with_one_key_do_not_read_each_other() -> None:
    acme, other = Keyring([ONE], scope="acme"), Keyring([ONE], scope="other")

    with pytest.raises(Tampered):
        decrypt(other, PLACE, encrypt(acme, PLACE, "a"))


def test_without_a_key_a_text_stays_as_it_is() -> None:
    for keyring in (Keyring(), Keyring(["none", ONE])):
        assert encrypt(keyring, PLACE, "plain") == "plain" == decrypt(keyring, PLACE, "plain")
        assert digest_of(keyring, PLACE, "plain") == ""
    assert key_id_of("plain") is None


@given(any_text)
def test_a_name_is_always_stored_as_the_same_text_and_comes_back(name: str) -> None:
    names = Names(new_secret())

    stored = names.hidden("number", name)

    assert stored == names.hidden("number", name)
    assert names.shown("number", stored) == name
    if name:
        assert stored.startswith("~") and stored != names.hidden("agent", name)
        with pytest.raises(Tampered):
            names.shown("agent", stored)
        with pytest.raises(Tampered):
            Names(new_secret()).shown("number", stored)


def test_a_name_that_is_stored_as_it_is_is_read_as_it_is() -> None:
    assert Names(new_secret()).shown("number", "+15550100123") == "+15550100123"
