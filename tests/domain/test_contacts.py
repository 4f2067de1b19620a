"""What contacts and customers take over from each other: tables, and that no two directions go round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.contacts.contact import Contact, Link, read_contact
from bridge.domain.contacts.to_contact import giving
from bridge.domain.contacts.to_customer import Wanted, carried_out, merge, wanted_of
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.contacts import with_contact
from bridge.domain.webhook.events import Held, read_event

NUMBER, OTHER = "+441632960304", "+15550100207"
URL = "https://acme.kustomerapp.com/app/customers/5f0c1a2b3c4d5e6f70819203"
ON = Rules(contacts_to_kustomer=True, contacts_to_cloudtalk=True)


def entry(*numbers: str) -> list[dict[str, str]]:
    return [{"type": "mobile", "phone": one} for one in numbers]


# -- reading


def test_both_forms_of_a_contact_are_read_alike() -> None:
    documented = {
        "Contact": {"id": 7, "name": "Ada & Co", "company": "Example Ltd"},
        "ContactNumber": [{"public_number": 441632960304}],
        "ContactEmail": [{"email": "Ada@Example.com"}],
        "ContactsTag": [{"name": "VIP"}],
        "ExternalUrl": [{"name": "Shop", "url": "https://example.com/?a=1&b=2"}],
        "ContactAttribute": [{"attribute_id": 3, "title": "Region ", "value": "North"}],
    }
    seen = {
        "Contact": {"id": "7", "name": "Ada &amp; Co", "company": "Example Ltd"},
        "ContactNumber": {"public_number": NUMBER, "contact_id": "7"},
        "ContactEmail": {"email": "ada@example.com"},
        "Tag": [{"id": "9", "name": "VIP"}],
        "ExternalUrl": [{"name": "Shop", "url": "https://example.com/?a=1&amp;b=2"}],
        "ContactAttribute": [{"attribute_id": "3", "title": "region", "value": "North"}],
    }

    assert read_contact(documented, region=None) == read_contact(seen, region=None)
    assert read_contact({**seen, "ExternalUrl": None}, region=None).links == ()


@pytest.mark.parametrize(
    "body", [{}, {"Contact": None, "ContactNumber": "x", "ExternalUrl": None}, {"ContactEmail": [None, 3]}]
)
def test_an_answer_without_a_contact_in_it_is_an_empty_one(body: Mapping[str, Any]) -> None:
    found = read_contact(body, region=None)

    assert (found.name, found.phones, found.emails, found.links) == (None, (), (), ())


def test_markup_in_a_contacts_name_reaches_kustomer_as_text() -> None:
    found = read_contact({"Contact": {"name": "<b>Ada</b>"}}, region=None)

    assert found.name is not None
    assert "<" not in found.name


# -- to Kustomer


@pytest.mark.parametrize(
    ("shown", "sent", "name", "goes"),
    [
        (None, {}, "Ada", True),  # empty there
        ("+44 1632 960304", {}, "Ada", True),  # nothing but the number
        ("Caller …304", {}, "Ada", True),  # the bridge's own for want of a name
        ("Ada", {}, "Ada", False),  # the same
        ("Ada", {"name": "Ada"}, "Ada Example", True),  # the bridge's own
        ("Ada Byron", {"name": "Ada"}, "Ada Example", False),  # a person's
        ("Ada Byron", {}, "Ada Example", False),
        (None, {"name": "Ada"}, "Ada", False),  # a person emptied it
        (None, {"name": "Ada"}, "Ada Example", True),
    ],
)
def test_a_name_goes_over_where_nobody_else_wrote_one(
    shown: str | None, sent: dict[str, Any], name: str, goes: bool
) -> None:
    wanted = Wanted(name=name, phones=(NUMBER,))

    merged = merge(wanted, {"name": shown, "phones": entry(NUMBER)}, sent, placeholder="Caller …304")

    assert merged.changes == ({"name": name} if goes else {})
    assert bool(merged.left) == (not goes and shown != name)


def test_a_name_that_came_from_kustomer_is_not_sent_back() -> None:
    merged = merge(Wanted(name="Ada"), {"name": "Ada Example"}, {}, given_name="Ada")

    assert (merged.changes, merged.left) == ({}, ())


def test_numbers_are_added_and_never_taken_away() -> None:
    merged = merge(Wanted(phones=(OTHER,)), {"phones": entry(NUMBER)}, {})

    assert [one["phone"] for one in merged.changes["phones"]] == [NUMBER, OTHER]


@pytest.mark.parametrize(
    "customer",
    [{"phones": entry("441632960304")}, {"sharedPhones": entry(NUMBER)}, {"phones": entry(NUMBER)}],
)
def test_a_number_that_is_there_in_any_spelling_is_not_added(customer: dict[str, Any]) -> None:
    assert merge(Wanted(phones=(NUMBER,)), customer, {}).changes == {}


def test_a_number_that_a_person_removed_is_not_added_again() -> None:
    before = merge(Wanted(phones=(NUMBER, OTHER)), {"phones": entry(NUMBER, OTHER)}, {})

    after = merge(Wanted(phones=(NUMBER, OTHER)), {"phones": entry(NUMBER)}, before.sent)

    assert after.changes == {}
    assert after.left == ("phones: 1 removed in Kustomer, so not added again",)


def test_kustomer_takes_ten_numbers() -> None:
    there = entry(*(f"+155501003{n:02}" for n in range(9)))

    merged = merge(Wanted(phones=(NUMBER, OTHER)), {"phones": there}, {})

    assert len(merged.changes["phones"]) == 10
    assert merged.left == ("phones: 1 left out, Kustomer takes 10",)


def test_attributes_go_where_the_rules_say_and_others_stay() -> None:
    rules = Rules(contact_fields={"title": "jobTitleStr", "Seats": "seatsNum", "vip": "vipBool"})
    contact = Contact(name="Ada", phones=(NUMBER,), texts={"title": "CEO", "seats": "12", "vip": "maybe"})

    wanted = wanted_of(contact, rules)
    merged = merge(wanted, {"custom": {"otherStr": "x"}}, {})

    assert (wanted.name, wanted.phones) == (None, ())
    assert merged.changes == {"custom": {"otherStr": "x", "jobTitleStr": "CEO", "seatsNum": 12}}
    assert merged.left == ("vipBool: the contact's vip does not fit",)


def test_a_change_whose_reply_was_lost_counts_as_far_as_it_shows() -> None:
    begun = {"name": "Ada", "phones": [NUMBER, OTHER], "custom": {"aStr": "1"}}

    assert carried_out({}, begun, {"name": "Ada", "phones": entry(NUMBER)}) == {
        "name": "Ada",
        "phones": [NUMBER],
    }


# -- to CloudTalk


def give(contact: Contact, given: Mapping[str, Any] | None = None, **more: Any) -> Any:
    told = {"customer_name": "Ada Example", "sent_name": None, "url": URL, **more}
    return giving(contact, ON, given or {}, **told)


SHOP = Link(name="Shop", url="https://example.com")


@pytest.mark.parametrize(
    ("contact", "given", "changes"),
    [
        (Contact(raw_name="", phones=(NUMBER,)), {"url": URL}, {"name": "Ada Example"}),
        (Contact(raw_name="01632 960304", phones=(NUMBER,)), {"url": URL}, {}),
        (Contact(raw_name="+44 1632 960304", phones=(NUMBER,)), {"url": URL}, {"name": "Ada Example"}),
        (Contact(raw_name="Bo"), {"url": URL}, {}),
        # A person took the name away again.
        (Contact(raw_name=""), {"url": URL, "name": "Ada Example"}, {}),
        # A person took the link away again.
        (Contact(raw_name="Bo", links=(SHOP,)), {"url": URL}, {}),
        (Contact(raw_name="Bo", links=(Link(name="x", url=URL),)), {}, {}),
        (Contact(raw_name="Bo", links=(SHOP,) * 3), {}, {}),
        (Contact(raw_name="Bo", links=(Link(name="kustomer", url="https://example.org"),)), {}, {}),
        (Contact(raw_name="Bo", links=None), {}, {}),
        (
            Contact(raw_name="Bo", links=(SHOP,)),
            {},
            {"ExternalUrl": [{"name": "Shop", "url": SHOP.url}, {"name": "Kustomer", "url": URL}]},
        ),
        # The customer was merged into another.
        (
            Contact(raw_name="Bo", links=(Link(name="Kustomer", url="https://old"), SHOP)),
            {"url": "https://old"},
            {"ExternalUrl": [{"name": "Shop", "url": SHOP.url}, {"name": "Kustomer", "url": URL}]},
        ),
    ],
)
def test_a_contact_gets_what_it_lacks_once(
    contact: Contact, given: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert give(contact, given).changes == changes


def test_a_name_that_came_from_the_contact_is_not_given_back() -> None:
    assert "name" not in give(Contact(raw_name=""), sent_name="Ada Example").changes


def test_a_nameless_contact_of_a_nameless_customer_is_looked_at_again() -> None:
    assert not give(Contact(raw_name=""), customer_name=None).is_settled
    assert give(Contact(raw_name="Bo")).is_settled


# -- webhooks


@pytest.mark.parametrize(
    "body",
    [
        {"event": "contact_updated", "contact_id": "1400000104"},
        {"event": "contact_updated", "contact": {"id": 1400000104, "name": "Ada"}},
        {"event": "contact_updated", "id": 1400000104},
        {"event": "contact_updated", "data": {"contact_id": "1400000104"}},
        {"type": "contact.updated", "data": {"id": 1400000104}, "event_id": "1"},
        {"type": "contact.updated", "data": {"contact": {"id": "1400000104"}}},
        {"type": "contact.updated", "data": {"contact_id": 1400000104, "id": 5}},
    ],
)
def test_the_contact_is_found_in_each_form_of_a_webhook(body: dict[str, Any]) -> None:
    event = read_event(None, body, ON)
    assert isinstance(event, Held)

    event = with_contact(event, body, ON)

    assert (event.trigger, event.key) == ("contact-updated", "contact:1400000104")


def test_with_both_off_a_contact_belongs_to_no_call_as_before() -> None:
    body = {"event": "contact_updated", "contact_id": "1400000104"}

    event = read_event(None, body, Rules())
    assert isinstance(event, Held)

    assert with_contact(event, body, Rules()) == event


_ANY_NAME = st.sampled_from([None, "", "Ada", "Bo", NUMBER])
_NUMBERS = st.lists(st.sampled_from([NUMBER, OTHER, "+15550100301", "+15550100302"]), unique=True)
_CUSTOM = st.dictionaries(st.sampled_from(["aStr", "bStr"]), st.sampled_from(["1", "2"]))


@given(
    name=_ANY_NAME, phones=_NUMBERS, custom=_CUSTOM, shown=_ANY_NAME, stored=_NUMBERS, there=_CUSTOM,
    ours=_ANY_NAME, removed=_NUMBERS, own=_CUSTOM,
)  # fmt: skip
def test_nothing_of_a_persons_is_lost_and_a_second_run_changes_nothing(
    name: str | None, phones: list[str], custom: dict[str, str], shown: str | None, stored: list[str],
    there: dict[str, str], ours: str | None, removed: list[str], own: dict[str, str],
) -> None:  # fmt: skip
    wanted = Wanted(name=name or None, phones=tuple(phones), custom=custom)
    customer = {"name": shown, "phones": entry(*stored), "custom": there}
    sent = {"name": ours, "phones": removed, "custom": own}

    merged = merge(wanted, customer, sent)
    after = {**customer, **merged.changes}

    assert [one["phone"] for one in after["phones"]][: len(stored)] == stored
    assert not {one["phone"] for one in after["phones"][len(stored) :]} & set(removed)
    assert after["name"] == shown or shown in (None, "", ours, NUMBER)
    assert all(after["custom"][key] == value or own.get(key) == value for key, value in there.items())
    assert merge(wanted, after, merged.sent).changes == {}


# -- both at once

_NAMES = st.sampled_from(["", "Ada", "Bo", NUMBER, "Cy"])
_EDITS = st.lists(
    st.tuples(st.sampled_from(["contact name", "customer name", "unlink", "call", "news"]), _NAMES),
    max_size=25,
)


@given(_EDITS)
def test_whatever_people_edit_both_directions_come_to_rest(edits: list[tuple[str, str]]) -> None:
    """Each edit of the contact is news, and so is each write to it; one call tells it its customer."""
    world = _World()
    for what, name in edits:
        before = world.written
        world.edit(what, name)
        # A run for the edit, and one for each write that comes back as news.
        assert world.runs_until_quiet() <= 2
        assert world.written - before <= 2
    at_rest = world.written
    world.edit("news", "")
    world.edit("call", "")
    world.runs_until_quiet()
    world.edit("call", "")
    world.edit("news", "")
    world.runs_until_quiet()
    assert world.written - at_rest <= 2


class _World:
    """A contact and its customer, as two names and a link; what the jobs would do with them."""

    def __init__(self) -> None:
        self.contact, self.customer, self.linked = "", "", False
        self.sent: Mapping[str, Any] = {}
        self.given: Mapping[str, Any] = {}
        self.news = self.called = False
        self.written = 0

    def edit(self, what: str, name: str) -> None:
        if what == "contact name":
            self.contact, self.news = name, True
        elif what == "customer name":
            self.customer = name
        elif what == "unlink":
            self.linked, self.news = False, True
        elif what == "call":
            self.called = True
        else:
            self.news = True

    def runs_until_quiet(self) -> int:
        for runs in range(10):
            if not (self.news or self.called):
                return runs
            news, called, self.news, self.called = self.news, self.called, False, False
            if news:
                self._to_kustomer()
            if called:
                self._to_cloudtalk()
        raise AssertionError("no end")

    def _read(self) -> Contact:
        links = [{"name": "Kustomer", "url": URL}] if self.linked else None
        own = {"Contact": {"name": self.contact}, "ContactNumber": [{"public_number": NUMBER}]}
        return read_contact({**own, "ExternalUrl": links}, region=None)

    def _to_kustomer(self) -> None:
        there = {"name": self.customer, "phones": entry(NUMBER)}
        merged = merge(wanted_of(self._read(), ON), there, self.sent, given_name=self.given.get("name"))
        self.sent = merged.sent
        if merged.changes:
            self.customer = merged.changes["name"]
            self.written += 1

    def _to_cloudtalk(self) -> None:
        made = giving(
            self._read(),
            ON,
            self.given,
            customer_name=self.customer,
            sent_name=self.sent.get("name"),
            url=URL,
        )
        self.given = made.given
        if made.changes:
            self.contact = made.changes.get("name", self.contact)
            self.linked = self.linked or "ExternalUrl" in made.changes
            self.news = True
            self.written += 1
