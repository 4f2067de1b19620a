from __future__ import annotations

import pytest

from bridge.errors import WrongUse
from bridge.operations import OPERATIONS, check_input, rank
from tests.operations.given import INPUTS


def refused(key: str, given: object) -> str:
    with pytest.raises(WrongUse) as wrong:
        check_input(OPERATIONS[key], given)  # type: ignore[arg-type]
    return str(wrong.value)


@pytest.mark.parametrize("key", OPERATIONS)
def test_an_unknown_field_is_refused_by_name_whatever_else_is_right(key: str) -> None:
    assert "surely_not: no such field" in refused(key, INPUTS[key] | {"surely_not": 1})


def test_the_nearest_right_field_is_named_also_inside_of_parts() -> None:
    assert "external_ids: no such field; did you mean external_id?" in refused(
        "create-note", {"conversation_id": "5f0e0000000000000000a1cc", "body": "x", "external_ids": "y"}
    )
    # In the vendor's spelling, as it stands in the vendor's documents.
    assert "externalId: no such field; did you mean external_id?" in refused(
        "create-customer", {"externalId": "x"}
    )
    assert "phones.0.fone: no such field; did you mean phone?" in refused(
        "create-customer", {"phones": [{"phone": "+441632960304", "fone": "x"}]}
    )
    assert "xyzzy: no such field; there are contact_id" in refused("get-contact", {"xyzzy": 1})


def test_everything_wrong_is_named_at_once() -> None:
    text = refused("send-sms", {"recipient": "0163", "sender": 15550100101, "massage": "Hello"})

    lines = text.splitlines()
    assert lines[0] == "send-sms does not take this input:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["recipient", "sender", "message", "massage"]
    assert "message: is needed" in text
    assert "massage: no such field; did you mean message?" in text


def test_a_text_is_no_number_and_a_number_no_text() -> None:
    assert 'contact_id: input should be a valid integer, not "7"' in refused(
        "get-contact", {"contact_id": "7"}
    )
    assert "message: input should be a valid string, not 7" in refused(
        "send-sms", INPUTS["send-sms"] | {"message": 7}
    )
    assert "contact_id" in refused("get-contact", {"contact_id": True})


def test_rules_that_fields_have_together_are_said_in_words() -> None:
    an_id = "5f0e0000000000000000a1cc"
    assert "one filter at a time" in refused("list-users", {"email": "a@example.com", "pending": True})
    assert "send it alone" in refused(
        "update-conversation", {"conversation_id": an_id, "customer_id": an_id, "status": "done"}
    )
    assert "direction is needed" in refused("create-message", {"channel": "voice", "app": "x"})
    assert "cannot be combined" in refused("list-notes", {"conversation_id": an_id, "customer_id": an_id})


def test_a_time_without_its_zone_is_refused() -> None:
    assert "since" in refused("list-calls", {"since": "2026-03-02T09:00:00"})


def test_what_is_not_an_object_or_not_json_is_refused() -> None:
    assert "the input: " in refused("get-contact", [1])
    assert "not JSON" in refused("get-contact", {"contact_id": object()})


@pytest.mark.parametrize(
    ("intent", "key"),
    [
        ("text a customer", "send-sms"),
        ("who is calling from this number", "get-customer-by-phone"),
        ("find a customer by e-mail", "get-customer-by-email"),
        ("listen to a call", "get-call-recording"),
        ("missed calls today", "list-calls"),
        ("close a conversation", "update-conversation"),
        ("write a comment", "create-note"),
        ("add somebody to the address book", "create-contact"),
        ("label a contact", "add-tags-to-contact"),
        ("colleagues who are online", "list-agents"),
        ("delete a contact", "delete-contact"),
        ("new ticket", "create-conversation"),
    ],
)
def test_an_intent_in_plain_words_finds_its_operation_first(intent: str, key: str) -> None:
    assert rank(intent, OPERATIONS.values())[0].key == key


def test_an_intent_finds_only_what_it_shares_a_word_with() -> None:
    assert rank("please the of", OPERATIONS.values()) == []
    assert rank("xyzzy", OPERATIONS.values()) == []
