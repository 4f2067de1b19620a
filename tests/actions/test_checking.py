from __future__ import annotations

import pytest

from bridge.actions import OPERATIONS, check_input, rank
from bridge.errors import WrongUse
from tests.actions.given import INPUTS


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
    assert 'contact_id: input should be a valid integer, not "7a"' in refused(
        "get-contact", {"contact_id": "7a"}
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
    assert "direction is required" in refused("create-message", {"channel": "voice", "app": "x"})
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


CUSTOMER = "5f0e0000000000000000a1cc"
PHONES = [{"phone": f"+155501020{number:02}"} for number in range(11)]


@pytest.mark.parametrize("key", ["create-customer", "update-customer"])
def test_more_than_kustomer_takes_is_refused_before_anything_is_sent(key: str) -> None:
    base = {"customer_id": CUSTOMER} if key == "update-customer" else {}

    assert "tags: " in refused(key, base | {"tags": [f"tag {number}" for number in range(21)]})
    assert "phones: " in refused(key, base | {"phones": PHONES})
    assert "twice" in refused(key, base | {"tags": ["vip", "vip"]})
    assert "custom: " in refused(key, base | {"custom": {f"x{number}Str": "" for number in range(101)}})
    assert check_input(OPERATIONS[key], base | {"phones": PHONES[:10], "tags": ["vip"]})


def test_a_note_and_a_message_have_their_limits_too() -> None:
    note = {"conversation_id": CUSTOMER, "body": "Hello"}
    message = {"channel": "voice", "app": "x", "direction": "in"}

    assert "user_mentions: " in refused("create-note", note | {"user_mentions": [{"user": CUSTOMER}] * 21})
    assert "meta: " in refused("create-message", message | {"meta": {str(n): n for n in range(101)}})


def test_a_null_that_kustomer_does_not_take_is_left_out_of_a_create() -> None:
    given = {"name": None, "emails": None, "phones": [{"phone": "+15550102000", "type": None}]}

    sent = check_input(OPERATIONS["create-customer"], given).wire()

    assert sent == {"name": None, "phones": [{"phone": "+15550102000"}]}


def test_such_a_null_is_refused_in_an_update_where_it_may_be_meant_to_clear() -> None:
    base = {"customer_id": CUSTOMER}

    assert "phones: Kustomer does not accept null here" in refused("update-customer", base | {"phones": None})
    assert "type: Kustomer does not accept null" in refused(
        "update-customer", base | {"phones": [{"phone": "+15550102000", "type": None}]}
    )
    assert check_input(OPERATIONS["update-customer"], base | {"name": None}).wire("customer_id") == {
        "name": None
    }


def test_a_queue_is_named() -> None:
    base = {"customer_id": CUSTOMER}

    assert "a queue needs an id" in refused("create-conversation", base | {"queue": {}})
    assert check_input(OPERATIONS["create-conversation"], base | {"queue": {"id": None}})


def test_an_id_is_taken_as_digits_in_a_text_too() -> None:
    for given in (1000300001, "1000300001"):
        assert check_input(OPERATIONS["get-call"], {"call_id": given}).wire() == {"call_id": 1000300001}
    for wrong in ("0", "1e3", "-5", "1 000", "9" * 5000, "١٢"):
        assert "call_id" in refused("get-call", {"call_id": wrong})
