"""Texts, names and times as people, phones and programs send them."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.webhook import placeholders
from bridge.domain.webhook.placeholders import means_nobody
from bridge.domain.webhook.values import read_name, read_person, read_seconds, read_tags, read_text, read_time

# Texts


@pytest.mark.parametrize(
    "text",
    [
        "https://shop.example.com/o?id=5&region=EU&timestamp=12&notify=1&copy=2&order=7",
        "JONES&LTD",
        "AT&T; R&D",
        "&notit; &nosuchthing; &#; &#x; &#12345678;",
        "5 < 6, x <- y and I <3 it",
        "soft\u00adhyphen, zero\u200cwidth, \U0001f468\u200d\U0001f469\u200d\U0001f467, \u200fשלום",
    ],
)
def test_a_text_without_entities_and_control_characters_is_kept_as_it_is(text: str) -> None:
    assert read_text(text) == text


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("Wants it &amp; pays", "Wants it & pays"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("&eacute;t&#233; &#x1F600;", "été 😀"),
    ],
)
def test_entities_that_end_in_a_semicolon_are_decoded_once(sent: str, text: str) -> None:
    assert read_text(sent) == text


def test_a_number_of_4300_digits_in_an_entity_upsets_nobody() -> None:
    text = "&#" + "9" * 4300 + ";"

    assert read_text(text) == text
    assert read_seconds("9" * 5000 + ":00:00") is None


def test_control_characters_are_dropped() -> None:
    assert read_text("A\x00d\x7fa \x1b[31mred\x9b\x1f") == "Ada [31mred"


@pytest.mark.parametrize("turn", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_what_reverses_the_letters_after_it_is_dropped(turn: str) -> None:
    assert read_text(f"Invoice {turn}fdp.exe") == "Invoice fdp.exe"
    assert read_text(f"&#x{ord(turn):x};Ada") == "Ada"
    assert read_person(f"{turn}Ada", f"Example{turn}") == "Ada Example"
    assert read_tags(f"V{turn}IP,{turn}") == ("VIP",)


@pytest.mark.parametrize("mark", ["\u061c", "\u200e", "\u200f"])
def test_a_mark_of_direction_stays_in_a_text_and_goes_from_a_name(mark: str) -> None:
    assert read_text(f"(שלום){mark} 97") == f"(שלום){mark} 97"
    assert read_person(f"שלום{mark}") == "שלום"
    assert read_tags(f"VIP{mark}") == ("VIP",)


@pytest.mark.parametrize(
    "end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
)
def test_every_line_break_of_unicode_is_one(end: str) -> None:
    assert read_text(f"one{end}two") == "one\ntwo"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)

    def handle_comment(self, data: str) -> None:
        self.found.append(data)


@given(st.text(st.sampled_from("<>&;lgt/!?ab #60x\x00\u200b\u00ad"), max_size=40))
def test_no_text_is_markup(sent: str) -> None:
    parser = _Tags()

    parser.feed(read_text(sent) or "")
    parser.close()

    assert parser.found == []


@pytest.mark.parametrize(
    "sent",
    ["<img src=x onerror=a()>", "&lt;img src=x&gt;", "<\x00img>", "</p>", "<!-- x -->", "<?php", "<$x>"],
)
def test_what_opens_markup_is_shown_with_another_sign(sent: str) -> None:
    text = read_text(sent)

    assert text is not None
    assert text.startswith("‹")
    assert "<" not in text


# Names


@pytest.mark.parametrize(
    "name",
    [
        "Unknown", "unknown caller", "UNKNOWN_CONTACT", "(unknown)", "Anonymous", "Anonymous caller",
        "Private", "Private number", "Withheld", "Number withheld", "No Caller ID", "N/A", "n.a.",
        "null", "NULL", "undefined", "None", "Caller", "Customer", "-", "???", "WIRELESS CALLER",
        "Unavailable", "Not provided", "{{contact.name}}", "Unbekannt", "Unbekannter Anrufer",
        "Rufnummer unterdrückt", "Inconnu", "Numéro masqué", "Desconocido", "Número oculto",
        "Desconhecido", "Numero sconosciuto", "Onbekende beller", "Nieznany numer", "Neznámé číslo",
        "Skryté číslo", "Неизвестный номер", "Okänt nummer", "Hemmeligt nummer", "Tuntematon numero",
        "Ismeretlen", "Bilinmeyen numara", "Άγνωστος", "非通知", "未知来电", "알 수 없음",
        "غير معروف", "לא ידוע",
        "+1 555-010-2005", "undefined undefined", "null null",
        "Mr. Unknown", "Neznámy volajúci", "Непознат номер", "Neznana številka", "Özel numara", "非通知設定",
        "발신자 정보 없음", "अज्ञात", "अज्ञात नंबर", "Không xác định", "ไม่ทราบ", "رقم غير معروف",
        "Óþekkt", "#REF!", "- -",
    ],
)  # fmt: skip
def test_a_placeholder_is_nobodys_name(name: str) -> None:
    assert read_person(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "Ada Example", "Jennifer Null", "ADA NULL", "Nan Example", "Private Bank",
        "Alcoholics Anonymous", "Unknown Worlds Studio", "JONES&LTD", "Guest House Example", "7-Eleven",
        "李", "Дмитрий", "Na", "X Æ A-12", "O'Brien", "Anon Sample",
    ],
)  # fmt: skip
def test_a_name_with_such_a_word_in_it_stays(name: str) -> None:
    assert read_person(name) == name


@pytest.mark.parametrize(
    "sent",
    [
        "Ada null",
        "null Ada",
        "Ada undefined",
        "Ada None",
        "Ada NULL",
        "Ada (unknown)",
        "Ada N/A",
        "Ada Unknown",
        "Ada -",
        "Ada ?",
        "Ada #N/A",
        "Ada <unknown>",
        "Ada unbekannt",
        "неизвестно Ada",
    ],
)
def test_a_placeholder_inside_a_name_is_left_out(sent: str) -> None:
    assert read_person(sent) == "Ada"


def test_every_listed_word_is_known_as_it_is_written() -> None:
    words = placeholders._MISSING.split() + placeholders._ROLES.split()

    assert [word for word in words if not means_nobody(word)] == []


def test_a_name_in_parts_is_put_together() -> None:
    assert read_person("Ada", "Example") == "Ada Example"
    assert read_person("Ada", "null") == read_person("Ada", None) == "Ada"
    assert read_person("Jennifer", "Null") == "Jennifer Null"
    assert read_person("Mr", "Null") == "Mr Null"
    assert read_person("Bo & Ada") == "Bo & Ada"
    assert read_person("Null") is None
    assert read_person("Unknown", "Unknown") is None


@pytest.mark.parametrize(
    "value",
    [
        {"first": "Ada", "last": "Example"},
        {"firstName": "Ada", "lastName": "Example"},
        {"Last Name": "Example", "First Name": "Ada"},
        {"given": ["Ada"], "family": "Example"},
        {"full": "Ada Example", "first": "Cy"},
        {"name": "Unknown", "given_name": "Ada", "surname": "Example"},
        {"id": 7, "name": {"first": "Ada", "last": "Example"}},
        {"first": "Ada", "middle": None, "last": "Example", "title": "Dr"},
    ],
)
def test_a_name_may_be_an_object(value: dict[str, object]) -> None:
    assert read_person(value) == "Ada Example"


@pytest.mark.parametrize(
    "value", [{}, {"first": {}}, {"id": 7}, {"first": "unknown"}, {"name": {"name": "Ada"}}]
)
def test_an_object_without_a_name_is_nobody(value: dict[str, object]) -> None:
    assert read_person(value) is None


@given(
    st.text()
    | st.integers()
    | st.none()
    | st.floats()
    | st.dictionaries(
        st.sampled_from(("name", "first", "last", "given")), st.text() | st.lists(st.integers())
    ),
    st.text(),
)
def test_no_name_upsets_the_reader(first: object, last: str) -> None:
    for name in (read_person(first, last), read_person(first)):
        assert name is None or name == " ".join(name.split())
    assert means_nobody(last) in (True, False)


def test_tags_may_be_of_any_alphabet() -> None:
    assert read_tags("Срочно,Łódź, VIP") == ("Срочно", "Łódź", "VIP")
    assert read_name("a\u2028b\x0bc") == "a b c"


# Times


@pytest.mark.parametrize(
    ("sent", "at"),
    [
        ("2026-10-25T24:00:00Z", "2026-10-26T00:00:00"),
        ("2026-10-25 24:00", "2026-10-26T00:00:00"),
        ("2026-12-31T24:00:00+01:00", "2026-12-31T23:00:00"),
        ("2026-12-31T23:59:60Z", "2027-01-01T00:00:00"),
        ("2026-11-20 10:00:00", "2026-11-20T10:00:00"),
        ("2026-11-20 10:00:00 UTC", "2026-11-20T10:00:00"),
        ("2026-11-20 10:00:00 +0200", "2026-11-20T08:00:00"),
        ("2026-10-25 02:50:00 CEST", "2026-10-25T00:50:00"),
        ("2026-10-25 02:10:00 CET", "2026-10-25T01:10:00"),
        ("2026-10-25T02:50:00+02:00[Europe/Prague]", "2026-10-25T00:50:00"),
        ("Fri, 20 Nov 2026 10:00:00 GMT", "2026-11-20T10:00:00"),
        ("Nov 20, 2026 12:25 AM", "2026-11-20T00:25:00"),
        ("Friday, November 20, 2026 3:25:10 p.m.", "2026-11-20T15:25:10"),
        ("2026-11-20 12:25:00 PM", "2026-11-20T12:25:00"),
        ("2026-11-20 13:05 PM", "2026-11-20T13:05:00"),
        ("2026/11/20 10:00:00", "2026-11-20T10:00:00"),
        ("2026-11-20 9:05:00", "2026-11-20T09:05:00"),
        ("2026-11-20t10:00:00z", "2026-11-20T10:00:00"),
        ("Fri Nov 20 2026 10:00:00 GMT+0100 (Central European Standard Time)", "2026-11-20T09:00:00"),
        (1795168800, "2026-11-20T10:00:00"),
        ("1795168800000", "2026-11-20T10:00:00"),
        ("1795168800.5", "2026-11-20T10:00:00.500000"),
        ("1795168800000000", "2026-11-20T10:00:00"),
    ],
)
def test_a_moment_is_read_however_it_is_written(sent: object, at: str) -> None:
    found = read_time(sent)

    assert found is not None
    assert found.isoformat() == f"{at}+00:00"


@pytest.mark.parametrize("sent", ["97.6", "97,6", "00:01:37.5", 97.6])
def test_parts_of_a_second_are_no_seconds(sent: object) -> None:
    assert read_seconds(sent) == 97


@pytest.mark.parametrize(
    "sent",
    [
        "2026-11-20T24:30:00Z",
        "2026-11-20T10:00:61Z",
        "20/11/2026",
        "2026-11-20T10:00:00 XYZ",
        "9" * 20,
        "soon",
    ],
)
def test_what_is_no_moment_is_not_told(sent: str) -> None:
    assert read_time(sent) is None


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{0,12}.{0,6}", fullmatch=True))
def test_no_time_upsets_the_reader(sent: str) -> None:
    found = read_time(sent)

    assert found is None or found.utcoffset() is not None
