"""The texts of a cue card: whatever comes from Kustomer stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from bridge.domain.cue_card import (
    LONGEST_CONTENT,
    LONGEST_TITLE,
    Caller,
    CueCard,
    OpenConversation,
    card_of_caller,
    card_of_nobody,
    card_of_several,
)
from bridge.domain.kustomer_texts.languages import LANGUAGES, Language
from bridge.domain.kustomer_texts.texts import texts_in

NUMBER = "+441632960304"
AT = datetime(2026, 3, 2, 8, 23, tzinfo=UTC)
LINK = "https://example.kustomerapp.com/app/customers/1"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<a href='javascript:alert(1)'>Ada</a>",
    "Ada</p></li></ul><iframe src=//x.example>",
    "&lt;b&gt;Ada&lt;/b&gt; &amp;#60;script&amp;#62;",
    "Ada\nExample\u2028Last contact: today\x00\x1b[2J",
    "\u202eAda\u2066",
    "A" * 5000,
    "{{ 7*7 }}${7*7}<%= 7 %>",
    "\ud800",
    "<" * 200,
]


class _Tags(HTMLParser):
    def __init__(self, content: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.ended: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.ended.append(tag)


def full(text: str, *, link: str = LINK) -> CueCard:
    """A card with this text in every field."""
    conversations = [
        OpenConversation(name=text, is_snoozed=True, changed_at=AT, link=link) for _ in range(10)
    ]
    caller = Caller(
        name=text, company=text, tags=[text] * 20, conversations=conversations, last_contact_at=AT, link=link
    )
    return card_of_caller(caller, number=NUMBER, tag_names={text: text})


def test_a_card_names_who_calls_and_what_is_open() -> None:
    caller = Caller(
        name="Ada Example",
        company="Example Ltd",
        tags=["5f0e0000000000000000a188", "5f0e0000000000000000a199", "Gold"],
        open_conversations=4,
        conversations=[OpenConversation(name="March invoice", changed_at=AT, link=LINK)],
        last_contact_at=AT,
        link=LINK,
    )
    names = {"5f0e0000000000000000a188": "VIP"}

    assert card_of_caller(caller, number=NUMBER, zone="Europe/Berlin", tag_names=names) == CueCard(
        title="Ada Example",
        subtitle="Example Ltd",
        content="<p>Customer tags: VIP, Gold</p><p>Open conversations: 4</p>"
        f'<ul><li><a href="{LINK}">March invoice (Mon 2 Mar 2026 09:23)</a></li></ul>'
        f"<p>Last contact: Mon 2 Mar 2026 09:23</p>"
        f'<p><a href="{LINK}">Open the customer in Kustomer</a></p>',
    )


def test_what_is_not_known_is_left_out() -> None:
    assert card_of_caller(Caller(), number=NUMBER) == CueCard(title=NUMBER, content=f"<p>{NUMBER}</p>")
    nothing_open = card_of_caller(Caller(name="Ada", open_conversations=0), number=NUMBER)
    assert nothing_open.content == "<p>No open conversation</p>"


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_is_neither_markup_nor_a_line_of_ours_nor_without_bounds(text: str) -> None:
    cards = [
        full(text),
        full(text, link=f"javascript:{text}"),
        card_of_several([(text, LINK)] * 9, number=NUMBER),
        card_of_nobody(name=text, number=NUMBER),
    ]
    for card in cards:
        tags = _Tags(card.content)
        assert {tag for tag, _ in tags.found} <= {"p", "ul", "li", "a"}
        assert sorted(tag for tag, _ in tags.found) == sorted(tags.ended)
        assert all(given == ({"href": LINK} if tag == "a" else {}) for tag, given in tags.found)
        assert 0 < len(card.title) <= LONGEST_TITLE >= len(card.subtitle)
        assert 0 < len(card.content) <= LONGEST_CONTENT
        whole = card.title + card.subtitle + card.content
        assert not re.search(r"[\x00-\x1f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", whole)


def test_several_customers_of_one_number_are_named() -> None:
    card = card_of_several([("Ada", LINK), ("", ""), *[("Bo", "")] * 5], number=NUMBER)

    assert card.title == "Customers with this number: 7"
    assert card.content.startswith(f'<ul><li><a href="{LINK}">Ada</a></li><li>Without a name</li>')
    assert card.content.endswith("</ul><p>… and 2 more</p>")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_fixed_word_of_another_language_is_on_a_card(language: Language) -> None:
    texts, word = texts_in(language), re.compile(r"[^\W\d_]{2,}")
    open_ones = [OpenConversation(name=name, is_snoozed=True, changed_at=AT) for name in ("x", "")]
    known = Caller(tags=["x"], conversations=open_ones, last_contact_at=AT, link=LINK)
    cards = [
        card_of_caller(known, number="1", texts=texts),
        card_of_caller(replace(known, in_kustomer=False), number="1", texts=texts),
        card_of_caller(Caller(open_conversations=0), number="1", texts=texts),
        card_of_several([("", "")] * 9, number="1", texts=texts),
        card_of_nobody(name="", number="1", texts=texts),
    ]
    said = " ".join(re.sub("<[^>]*>", " ", f"{card.title} {card.content}") for card in cards)
    own = {one: text for one, text in texts.messages.items() if one.startswith("card_")}

    fixed = " ".join(re.sub(r"\{\w+\}", "", text) for text in own.values())
    assert set(word.findall(said)) == set(word.findall(f"{fixed} {texts.day(AT)}"))
