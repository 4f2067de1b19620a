"""Webhooks of text messages are read whatever their keys are called, and become what Kustomer should hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.domain.messages import plan_message
from bridge.domain.policy import Skip
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Held
from bridge.domain.webhook.explaining import explain
from bridge.domain.webhook.messages import Message, fold_messages, read_delivery, read_message
from tests.support import payload

NUMBER, LINE = "+441632960304", "+15550100101"
RULES = Rules()
AT = datetime(2026, 3, 2, 10, 5, tzinfo=UTC)


def read(trigger: str, **body: Any) -> Message:
    found = read_message(trigger, body, RULES, received_at=AT)
    assert isinstance(found, Message)
    return found


def test_both_kinds_of_webhook_are_read() -> None:
    (native,) = payload("made_up__native_message_received__plain")
    (flat,) = payload("made_up__message_received__plain")

    first, second = (read_delivery(one.trigger, one.body, RULES) for one in (native, flat))

    assert isinstance(first, Message) and isinstance(second, Message)
    assert (first.id, first.source, first.number, first.text) == (
        "msg-0001", "native", NUMBER, "Is my parcel on its way?",
    )  # fmt: skip
    assert first.sent_at == datetime(2026, 3, 2, 10, 4, 59, tzinfo=UTC)
    assert (second.id, second.source, second.number) == (None, "workflow", NUMBER)
    assert second.internal and second.internal.text == LINE and second.contact_id == 1400000104
    assert second.text == 'Hi, is my parcel "on its way"? ☎'


@pytest.mark.parametrize(
    "body",
    [
        {"sender": NUMBER, "recipient": LINE, "text": "Hello"},
        {"From": "441632960304", "To": "15550100101", "Body": "Hello"},
        {"message": {"external_number": NUMBER, "internal_number": {"number_e164": LINE}, "body": "Hello"}},
        {"external_number": {"number": NUMBER}, "internal_number": LINE, "message_text": "Hello"},
        {"sender": f"whatsapp:{NUMBER}", "recipient": f"whatsapp:{LINE}", "text": "Hello"},
    ],
)
def test_names_of_variables_may_differ(body: dict[str, Any]) -> None:
    message = read("message-received", **body)

    assert (message.number, message.text) == (NUMBER, "Hello")
    assert message.internal and message.internal.text == LINE
    assert message.channel == ("whatsapp" if "whatsapp" in str(body) else "sms")


def test_who_sent_it_is_told_by_the_trigger() -> None:
    message = read("message-sent", sender=LINE, recipient=NUMBER, text="Hello")

    assert message.number == NUMBER and message.direction.value == "outgoing"


@pytest.mark.parametrize("text", ["None", "n/a", "nil", "0", "1 < 2", "&lt;3"])
def test_what_people_write_is_a_text_even_if_programs_mean_nothing_by_it(text: str) -> None:
    assert read("message-received", external_number=NUMBER, text=text).text


@pytest.mark.parametrize(
    "text", ["", "null", "undefined", "[object Object]", "{{ event.properties.text }}", None]
)
def test_what_programs_send_for_nothing_is_no_text(text: object) -> None:
    assert read("message-received", external_number=NUMBER, text=text).text == ""


def test_markup_and_control_characters_do_not_reach_kustomer() -> None:
    message = read("message-received", external_number=NUMBER, text="<img src=x onerror=1>\u202e\x00 hi")

    assert "<img" not in message.text and "\u202e" not in message.text and "\x00" not in message.text


def test_pictures_are_found_in_any_form_and_only_at_addresses() -> None:
    one, two = "https://media.example.com/1.jpg", "https://media.example.com/2.jpg"
    forms: list[object] = [[one, two], f"{one}, {two}", [{"url": one}, {"url": two}], f'["{one}", "{two}"]']

    found = [read("message-received", external_number=NUMBER, media_urls=form) for form in forms]

    assert all(message.media == (one, two) and message.channel == "mms" for message in found)
    assert read("message-received", external_number=NUMBER, text="x", media="file:///etc/passwd").media == ()


def test_a_body_with_neither_number_nor_text_is_held() -> None:
    assert isinstance(read_message("message-received", {"event": "message_received"}, RULES), Held)


def test_an_id_makes_the_fingerprint_whatever_else_the_body_says() -> None:
    first = read("message-received", external_number=NUMBER, text="Hi", message_id="m-1")
    again = read("message-received", external_number=NUMBER, text="Hi!", message_id="m-1", contact_id="7")
    sent = read("message-sent", external_number=NUMBER, text="Hi", message_id="m-1")

    assert first.fingerprint == again.fingerprint != sent.fingerprint
    # Not the contact's id, nor what an editor leaves in place of a variable.
    assert read("message-received", external_number=NUMBER, text="Hi", id="m-1").id is None
    assert read("message-received", external_number=NUMBER, text="Hi", message_id="{{ id }}").id is None


def test_what_several_webhooks_tell_is_put_together_in_any_order() -> None:
    native = read_message(
        "message-received",
        {"type": "message.received", "occurred_at": "2026-03-02T10:04:59Z",
         "data": {"id": "m-1", "body": "Hi", "external_number": NUMBER}},
        RULES,
    )  # fmt: skip
    flat = read("message-received", external_number=NUMBER, text="Hi", contact_name="Ada Example")
    assert isinstance(native, Message)

    folded = fold_messages([flat, native])

    assert folded == fold_messages([native, flat]) and folded is not None
    assert (folded.id, folded.contact_name, folded.received_at) == ("m-1", "Ada Example", AT)


def test_the_longest_text_fits_with_what_is_said_of_files() -> None:
    message = read("message-received", external_number=NUMBER, text="☎" * 20_000)
    want = plan_message(message, message.name, RULES, heard_at=AT)
    assert not isinstance(want, Skip)

    body = want.message.body(lacking=["Not attached: photo.jpg"])

    assert len(body["preview"].encode("utf-16-le")) // 2 <= 10_240
    assert (
        body["preview"].endswith("[Not attached: photo.jpg]") and body["sentAt"] == "2026-03-02T10:05:00.000Z"
    )


def test_the_listener_says_what_was_understood_and_what_is_missing() -> None:
    lines, lacks = explain("message-received", {"from": NUMBER, "text": "Hi", "colour": "red"}, RULES)

    assert {line.name: (line.field, line.state) for line in lines} == {
        "from": ("sender", "read"),
        "text": ("text", "read"),
        "colour": ("", "unused"),
    }
    assert {lack.name for lack in lacks if lack.needed} == {"external_number", "internal_number"}
