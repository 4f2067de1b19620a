from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.domain.outcome import Direction
from bridge.domain.phone import WITHHELD, Kind, Phone, masked, read_phone


@pytest.mark.parametrize(
    ("sent", "region", "e164"),
    [
        ("+441632960304", None, "+441632960304"),
        ("+44 (0)1632 960304", None, "+441632960304"),
        ("441632960304", None, "+441632960304"),
        ("441632960304", "US", "+441632960304"),
        ("15550100107", "GB", "+15550100107"),
        (15550100107, "GB", "+15550100107"),
        ("00441632960304", None, "+441632960304"),
        ("0044 1632 960304", "US", "+441632960304"),
        ("01632960304", "GB", "+441632960304"),
        ("01632 960-304", "GB", "+441632960304"),
        ("tel:+441632960304", None, "+441632960304"),
        ("whatsapp:+441632960304", None, "+441632960304"),
    ],
)
def test_a_number_is_read_as_e164(sent: object, region: str | None, e164: str) -> None:
    assert read_phone(sent, region=region) == Phone(Kind.E164, e164)


def test_a_national_number_needs_the_country() -> None:
    phone = read_phone("01632960304")

    assert phone == Phone(Kind.OTHER, "01632960304")


@pytest.mark.parametrize(
    "sent",
    [
        "+15550102011;ext=12", "+15550102011 ext. 12", "+15550102011x12", "+15550102011#12",
        "+15550102011,,12", "+15550102011;12", "+15550102011p12", "+15550102011 w 12",
        "tel:+1-555-010-2011;ext=12", "TEL:+15550102011", "tel:010-2011;phone-context=+1555",
        "+15550102011;npdi;rn=+15550100000", "sip:+15550102011@sbc.example.com",
        "SIP:+15550102011@SBC.EXAMPLE.COM;user=phone",
        "sips:15550102011@sbc.example.com:5061;transport=tls", "+15550102011@sbc.example.com",
        '"Ada Example" <sip:+15550102011@192.0.2.1:5060>;tag=as58', "callto://+15550102011",
        "WhatsApp:+15550102011", "sip:%2B15550102011@sbc.example.com", "&#43;15550102011",
        "&plus;15550102011", "%2B15550102011", "%252B15550102011", "15550102011.0", "15550102011,0",
        "1.5550102011E+10", "1,5550102011e10", 15550102011.0, "'+15550102011",
        "+1 555\u202a010\u200b2011", "＋１５５５０１０２０１１", "(+1) 555-010-2011", "1-555-010-2011",
        "+1 555 010 2011 (mobile)", "+1 555 010 2011 [home]", "Tel.: +1 555 010 2011",
        "skype:+15550102011?call",
        "&amp;#43;15550102011", "\\u002b15550102011", "1.5550102011e+010", "15,550,102,011", '="15550102011"',
        "\ufe6215550102011", "+1·555·010·2011", "+001 555 010 2011", "9,+15550102011", "*31#+15550102011",
        "*67 +1 555 010 2011", "+15550102011 EXT=12", "+15550102011 ramal 12", "+15550102011 Nst. 12",
        "+15550102011*12", "+15550102011P12W34", "+15550102011T12", "+15550102011!12",
    ],
)  # fmt: skip
def test_a_number_is_taken_out_of_its_wrapping(sent: object) -> None:
    assert read_phone(sent) == Phone(Kind.E164, "+15550102011")


@pytest.mark.parametrize(
    ("sent", "region", "e164"),
    [
        ("+5215500000042", None, "+525500000042"),
        ("5215500000042", None, "+525500000042"),
        ("044 55 0000 0042", "MX", "+525500000042"),
        ("01 55 0000 0042", "MX", "+525500000042"),
        ("1 55 0000 0042", "MX", "+525500000042"),
        ("+5491123456789", None, "+5491123456789"),
        ("+54 11 15 2345-6789", None, "+5491123456789"),
        ("+54 9 11 15 2345-6789", None, "+5491123456789"),
        ("011 15-2345-6789", "AR", "+5491123456789"),
        ("+551187654321", None, "+5511987654321"),
        ("551187654321", None, "+5511987654321"),
        ("+551132654321", None, "+551132654321"),
        ("+55 0 15 11 98765-4321", None, "+5511987654321"),
        ("0 15 11 98765-4321", "BR", "+5511987654321"),
        ("(323) 555-0142", "US", "+13235550142"),
        ("323.555.0142", "US", "+13235550142"),
        ("3235550142", "US", "+3235550142"),
        ("44 1632 960304", "US", "+441632960304"),
        ("011 44 1632 960304", "US", "+441632960304"),
        ("0011 44 1632 960304", "AU", "+441632960304"),
        ("0011 32 12 34 56 78", "AU", "+3212345678"),
        ("001 44 1632 960304", "HK", "+441632960304"),
        ("0093 23 456 7890", "HK", "+93234567890"),
        ("21 12 34", "FO", "+298211234"),
        ("312345", "AD", "+376312345"),
        ("+229 95 12 34 56", None, "+2290195123456"),
        ("030/23125010", "DE", "+493023125010"),
        ("8 (495) 123-45-67", "RU", "+74951234567"),
        # A number, and a word on a keypad: bare, it is the number.
        ("7378742833", "US", "+17378742833"),
    ],
)
def test_a_number_is_read_as_its_country_writes_it(sent: str, region: str | None, e164: str) -> None:
    assert read_phone(sent, region=region) == Phone(Kind.E164, e164)


@pytest.mark.parametrize(
    ("sent", "region"),
    [
        ("5550154", "US"),
        ("555-0154", "US"),
        ("+8656696", None),
        ("+15550154", None),
        ("15-2345-6789", "AR"),
        ("(323) 555-0142", None),
    ],
)
def test_what_can_be_called_in_its_town_or_country_only_is_no_number_of_the_world(
    sent: str, region: str | None
) -> None:
    phone = read_phone(sent, region=region)

    assert phone is not None
    assert phone.kind is Kind.OTHER


@pytest.mark.parametrize(
    "sent",
    [
        "sip:anonymous@anonymous.invalid", "SIP:Restricted@sbc.example.com",
        '"Anonymous" <sip:anonymous@192.0.2.1>', "sip:unavailable@unknown.invalid", "tel:anonymous",
        "RESTRICTED", "Unavailable", "No Caller ID", "Private number", "Unbekannt",
        "Rufnummer unterdrückt", "Numéro masqué", "Número oculto", "numero privato", "Anoniem",
        "Zastrzeżony", "Skryté číslo", "Номер скрыт", "非通知", "+266696687", "266696687",
        "+86282452253", "-1", "-2", "P", "O", "0", "0000000000", "+0", "CLIR", "anonymous.invalid",
        "Identidad oculta", "非通知設定", "No disponible",
    ],
)  # fmt: skip
def test_a_withheld_number_is_told_in_many_ways(sent: str) -> None:
    assert read_phone(sent) == WITHHELD


@pytest.mark.parametrize("sent", ["112", "1001", 1001, "116117", "*21#"])
def test_a_few_digits_are_a_short_number(sent: object) -> None:
    phone = read_phone(sent)

    assert phone is not None
    assert phone.kind is Kind.SHORT


def test_a_few_digits_of_an_internal_call_are_an_extension() -> None:
    assert read_phone("1001", direction=Direction.INTERNAL) == Phone(Kind.INTERNAL, "1001")
    assert read_phone("1001", direction=Direction.INCOMING) == Phone(Kind.SHORT, "1001")
    assert read_phone("0", direction=Direction.INTERNAL) == Phone(Kind.INTERNAL, "0")
    assert read_phone("312345", region="AD", direction=Direction.INTERNAL) == Phone(Kind.INTERNAL, "312345")


@pytest.mark.parametrize("sent", ["", "  ", "anonymous", "Anonymous", "RESTRICTED", "unknown", "withheld"])
def test_a_withheld_number_is_told_in_words_or_by_nothing(sent: str) -> None:
    assert read_phone(sent) == WITHHELD


@pytest.mark.parametrize(
    "sent", [None, True, False, [], {}, ["+441632960304"], {"number": 5}, "\x00", "\ud800"]
)
def test_what_is_no_number_is_not_told(sent: object) -> None:
    assert read_phone(sent) is None


@pytest.mark.parametrize(
    "sent", ["sip:bo@example.com", "bo@example.com", "see notes", 1.5, "1-800-FLOWERS", "4.93023E+11"]
)
def test_what_is_no_number_of_the_network_is_kept_as_told(sent: object) -> None:
    assert read_phone(sent) == Phone(Kind.OTHER, str(sent))


def test_no_number_is_kept_at_any_length() -> None:
    for sent in ("9" * 300, "x" * 300, 10**300):
        phone = read_phone(sent)
        assert phone is not None
        assert len(phone.text) <= 64


def test_a_number_is_shown_to_people_in_groups() -> None:
    assert Phone(Kind.E164, "+441632960304").spoken == "+44 1632 960304"
    assert Phone(Kind.SHORT, "112").spoken == "112"
    assert WITHHELD.spoken == "number withheld"


def test_the_better_known_number_is_the_greater() -> None:
    kinds = [WITHHELD, Phone(Kind.OTHER, "x"), Phone(Kind.SHORT, "9999"), Phone(Kind.INTERNAL, "1001")]

    assert max([*kinds, Phone(Kind.E164, "+15550100101")]).kind is Kind.E164
    assert sorted([*kinds[2:], *kinds[:2]]) == kinds


def test_a_mask_tells_calls_apart_by_the_last_three_digits() -> None:
    assert Phone(Kind.E164, "+441632960304").masked == "…304"
    assert (Phone(Kind.SHORT, "112").masked, Phone(Kind.SHORT, "112").tail) == ("…112", "112")
    assert (Phone(Kind.SHORT, "12").masked, Phone(Kind.OTHER, "none").masked) == ("…12", "…")
    assert masked("") == ""


@given(
    st.text() | st.from_regex(r"\+?[0-9 ()/.-]{1,20}", fullmatch=True) | st.integers(), st.sampled_from(Kind)
)
@example("+441632960304", Kind.E164)
def test_no_more_than_three_digits_are_ever_shown(sent: str | int, kind: Kind) -> None:
    for phone in (read_phone(sent), read_phone(sent, region="GB"), Phone(kind, str(sent))):
        for shown in (repr(phone), phone.masked, phone.tail) if phone else ():
            assert sum(c.isdigit() for c in shown.replace("E164", "")) <= 3


@given(
    st.text(st.characters(exclude_categories=())) | st.integers() | st.floats(), st.sampled_from([None, "GB"])
)
def test_any_number_is_read_and_can_be_sent_on(sent: object, region: str | None) -> None:
    phone = read_phone(sent, region=region)

    if phone is not None:
        assert phone.spoken is not None
        assert len(phone.text.encode()) <= 256


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+15550100101", "US"),  # in nobody's plan: the main country of its code
        ("+441632960304", "GB"),
        ("+420601123456", "CZ"),
        ("+80012345678", None),  # freephone of no country
        ("112", None),
        ("anonymous", None),
    ],
)
def test_a_number_tells_its_country(number: str, country: str | None) -> None:
    phone = read_phone(number)

    assert phone is not None
    assert phone.country == country
