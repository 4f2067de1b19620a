"""The text of the second note: what is new since a person edited the first one."""

from __future__ import annotations

import pytest

from bridge.domain.call import Call
from bridge.domain.external_ids import key_of, later_key, uuid_in_key
from bridge.domain.kustomer_texts.later import later_texts, news
from bridge.domain.kustomer_texts.note import LONGEST_NOTE, length

BEFORE = "Missed incoming call\n\nCaller: Ada Example\nCall tags: Billing\n\nAgent's notes\n> Call back"


@pytest.mark.parametrize(
    ("now", "new"),
    [
        (BEFORE, []),
        (BEFORE.replace("Billing", "Billing, VIP"), ["Call tags: Billing, VIP"]),
        (BEFORE.replace("\nCall tags: Billing", ""), []),
        (BEFORE + "\n> today", ["Agent's notes\n> Call back\n> today"]),
        (BEFORE + "\n\nSummary\n> Call back", ["Summary\n> Call back"]),
        (BEFORE.replace("Missed incoming", "Answered incoming"), ["Answered incoming call"]),
        (BEFORE.replace("Billing", "Billing\nRating: 4 of 5"), ["Rating: 4 of 5"]),
    ],
)
def test_only_what_is_new_is_said(now: str, new: list[str]) -> None:
    assert news(BEFORE, now) == new


def test_the_note_says_of_which_call_it_is_and_fits() -> None:
    now = f"{BEFORE}\n\nSummary\n> {'long ' * 4000}"

    texts = later_texts(Call(call_id=1000000500))
    text = texts.note(BEFORE, now)

    assert text.startswith("Call: new since its note was edited\n\nSummary\n> long")
    assert text.endswith("\n\nCloudTalk call: 1000000500")
    assert length(text) <= LONGEST_NOTE
    assert texts.note(BEFORE, BEFORE) == ""
    assert "\n\nNothing any more" in texts.note_of_nothing()


def test_its_key_names_the_call_as_the_first_one_does() -> None:
    uuid = "11111111-2222-4333-8444-555555555500"
    first = key_of("note", f"cloudtalk:call:{uuid}")

    assert later_key(first) == f"{first}:2"
    assert str(uuid_in_key("note", first)) == str(uuid_in_key("note", later_key(first))) == uuid
    assert uuid_in_key("note", f"cloudtalk:call:{uuid}:2") is None
