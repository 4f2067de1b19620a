"""Contacts of CloudTalk and customers of Kustomer: each way, exactly once, and never round in circles."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bridge.domain.phone import Kind, Phone
from bridge.domain.rules.model import Rules
from bridge.jobs.erasure import Erasure
from bridge.ledger import keys
from bridge.ledger.calls.contacts import contact_keys, contact_story, is_told_elsewhere, left_to_people
from bridge.ledger.calls.reading import read_all
from bridge.ledger.keys import Lane
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, ended

NUMBER, OTHER = "+441632960304", "+15550100207"
CONTACT = 1400000104
KEY = f"contact:{CONTACT}"
NEWS = {"event": "contact_updated", "contact_id": str(CONTACT)}
PAGES = {"KUSTOMER_APP_URL": "https://acme.kustomerapp.com"}
BOTH = {"contacts_to_kustomer": True, "contacts_to_cloudtalk": True}


def bridge_with(client: redis.Redis, sandbox: RunningSandbox, **choices: Any) -> Bridge:
    return Bridge(client, sandbox, Rules(**choices), also=PAGES)


@pytest.fixture
def one_way(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    """Contacts go to Kustomer."""
    return bridge_with(redis_client, sandbox, contacts_to_kustomer=True)


def add_contact(sandbox: RunningSandbox, **fields: Any) -> None:
    numbers = [{"public_number": one} for one in fields.pop("phones", [NUMBER])]
    emails = [{"email": one} for one in fields.pop("emails", [])]
    own = {"id": CONTACT, "name": "Ada Example", **fields}
    sandbox.cloudtalk.add_contact(ContactNumber=numbers, ContactEmail=emails, **own)


def add_customer(sandbox: RunningSandbox, **fields: Any) -> str:
    return sandbox.kustomer.add_customer(**{"phones": [{"phone": NUMBER, "type": "mobile"}], **fields})


def carry(bridge: Bridge, trigger: str = "contact-updated", **more: Any) -> list[str]:
    """News of the contact, and all that follows."""
    bridge.receive(trigger, {**NEWS, "event": trigger.replace("-", "_"), **more})
    return bridge.run_jobs_for(60, step_s=10)


def requests(sandbox: RunningSandbox) -> list[str]:
    both = [*sandbox.cloudtalk.requests, *sandbox.kustomer.requests]
    return [f"{one.method} {one.path}" for one in both]


def the_customer(sandbox: RunningSandbox) -> dict[str, Any]:
    (customer,) = sandbox.kustomer.customers
    return dict(customer["attributes"])


def the_contact(sandbox: RunningSandbox) -> dict[str, Any]:
    (contact,) = sandbox.cloudtalk.contacts
    return dict(contact)


# -- with everything off


def test_by_default_a_contact_costs_no_request_and_a_call_costs_what_it_did(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    add_contact(sandbox)
    bridge.receive("contact-updated", NEWS)

    ends = bridge.run_jobs_for(30, step_s=10)

    assert ends == []
    assert requests(sandbox) == []
    assert bridge.ledger.other_count() == 1


# -- CloudTalk to Kustomer


def test_a_new_contact_becomes_a_customer(one_way: Bridge, sandbox: RunningSandbox) -> None:
    add_contact(sandbox, phones=[NUMBER, OTHER], emails=["ada@example.com"])

    assert carry(one_way, "contact-created") == ["contact done"]

    there = the_customer(sandbox)
    assert there["name"] == "Ada Example"
    assert [one["phone"] for one in there["phones"]] == [NUMBER, OTHER]
    assert [one["email"] for one in there["emails"]] == ["ada@example.com"]
    assert there["externalId"] == f"cloudtalk:contact:{CONTACT}"
    assert carry(one_way) == ["contact done"]
    assert len(sandbox.kustomer.writes) == 1


def test_a_contact_is_found_by_its_number_and_fills_what_is_empty(
    one_way: Bridge, sandbox: RunningSandbox
) -> None:
    company = sandbox.kustomer.add_company()
    add_customer(sandbox, company=company)
    add_contact(sandbox, emails=["ada@example.com"])

    carry(one_way)

    (customer,) = sandbox.kustomer.customers
    assert customer["attributes"]["name"] == "Ada Example"
    assert [one["email"] for one in customer["attributes"]["emails"]] == ["ada@example.com"]
    assert customer["relationships"]["company"]["data"]["id"] == company


def test_what_a_person_wrote_in_kustomer_stays_and_the_record_says_so(
    one_way: Bridge, sandbox: RunningSandbox
) -> None:
    add_customer(sandbox, name="Ada Byron")
    add_contact(sandbox)

    carry(one_way)

    assert the_customer(sandbox)["name"] == "Ada Byron"
    assert sandbox.kustomer.writes == []
    assert left_to_people(one_way.ledger.read(KEY)) == [
        "Kustomer: name: Kustomer has another, which the bridge did not write; a person decides"
    ]


def test_a_name_that_the_bridge_wrote_follows_the_contact_until_a_person_changes_it(
    one_way: Bridge, sandbox: RunningSandbox
) -> None:
    add_contact(sandbox)
    carry(one_way)

    sandbox.cloudtalk.edit_contact(CONTACT, name="Ada Maria Example")
    carry(one_way)
    assert the_customer(sandbox)["name"] == "Ada Maria Example"

    sandbox.kustomer.edit_customer(sandbox.kustomer.customers[0]["id"], name="Ada Byron")
    sandbox.cloudtalk.edit_contact(CONTACT, name="Ada Sample")
    carry(one_way)
    assert the_customer(sandbox)["name"] == "Ada Byron"


@pytest.mark.parametrize("reading", ["409", "400"])
def test_a_number_of_another_customer_is_left_to_people(
    one_way: Bridge, sandbox: RunningSandbox, reading: str
) -> None:
    sandbox.kustomer.read_as(customer_duplicate=reading)
    first = add_customer(sandbox)
    add_customer(sandbox, phones=[{"phone": OTHER, "type": "home"}], name="Bo Sample")
    add_contact(sandbox, phones=[NUMBER, OTHER])

    carry(one_way)

    by_id = {one["id"]: one["attributes"] for one in sandbox.kustomer.customers}
    assert by_id[first]["name"] == "Ada Example"
    assert [one["phone"] for one in by_id[first]["phones"]] == [NUMBER]
    (left,) = left_to_people(one_way.ledger.read(KEY))
    assert left == "Kustomer: phones: 1 belong to another customer; a person decides"


def test_a_deleted_contact_changes_no_customer(one_way: Bridge, sandbox: RunningSandbox) -> None:
    add_contact(sandbox)
    carry(one_way)
    before = len(requests(sandbox))

    assert carry(one_way, "contact-deleted") == []

    assert len(requests(sandbox)) == before
    assert one_way.ledger.read(KEY).log[0]["what"] == "contact-deleted"


def test_a_contact_that_is_gone_ends_the_job(one_way: Bridge, sandbox: RunningSandbox) -> None:
    assert carry(one_way) == ["contact done"]
    assert sandbox.kustomer.requests == []


def test_a_burst_of_changes_is_one_run_in_the_lowest_lane(one_way: Bridge, sandbox: RunningSandbox) -> None:
    add_contact(sandbox)
    for nth in range(50):
        one_way.receive("contact-updated", {**NEWS, "nth": nth})

    queue = one_way.ledger.queue()
    assert queue[Lane.BACKFILL].waiting == 1
    assert one_way.run_jobs_for(60, step_s=10) == ["contact done"]


def test_several_customers_wait_for_a_person_where_the_rules_say_so(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    for name in ("Ada", "Bo"):
        sandbox.kustomer.add_customer(name=name, sharedPhones=[{"phone": NUMBER}])
    add_contact(sandbox)
    bridge = bridge_with(redis_client, sandbox, contacts_to_kustomer=True, several="none", search=True)

    assert carry(bridge) == ["contact parked"]

    assert list(bridge.ledger.parked()) == [f"contact|{KEY}"]
    assert sandbox.kustomer.writes == []


@pytest.mark.parametrize("reading", ["409", "400"])
@pytest.mark.parametrize("fault", ["lose_next_reply", "drop_next_request"])
def test_a_lost_create_makes_one_customer(
    one_way: Bridge, sandbox: RunningSandbox, reading: str, fault: str
) -> None:
    sandbox.kustomer.read_as(customer_duplicate=reading)
    add_contact(sandbox)
    getattr(sandbox.kustomer, fault)(method="POST", path="/customers$")

    assert carry(one_way) == ["contact failed", "contact done"]

    assert the_customer(sandbox)["name"] == "Ada Example"
    record = one_way.ledger.read(KEY)
    assert record.intents == {}
    assert record.outputs["customer"].created


def test_a_lost_update_is_known_as_the_bridges_own(one_way: Bridge, sandbox: RunningSandbox) -> None:
    customer = add_customer(sandbox)
    add_contact(sandbox)
    sandbox.kustomer.lose_next_reply(method="PATCH", path=f"/customers/{customer}$")
    carry(one_way)

    sandbox.cloudtalk.edit_contact(CONTACT, name="Ada Maria Example")
    carry(one_way)

    assert the_customer(sandbox)["name"] == "Ada Maria Example"


# -- Kustomer to CloudTalk


def link(sandbox: RunningSandbox) -> dict[str, str]:
    (customer,) = sandbox.kustomer.customers
    return {"name": "Kustomer", "url": f"https://acme.kustomerapp.com/app/customers/{customer['id']}"}


def test_after_a_call_the_contact_shows_who_calls(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    add_customer(sandbox, name="Ada Byron")
    shop = {"name": "Shop", "url": "https://example.com/1"}
    add_contact(sandbox, name=NUMBER, ExternalUrl=[shop], ContactsTag=[{"name": "VIP"}])
    bridge = bridge_with(redis_client, sandbox, contacts_to_cloudtalk=True, contact_tag="Kustomer")
    bridge.receive("call-ended", ended(contact_id=str(CONTACT), contact_name=""))

    bridge.run_jobs_for(30, step_s=5)

    there = the_contact(sandbox)
    assert there["name"] == "Ada Byron"
    assert there["ExternalUrl"] == [shop, link(sandbox)]
    assert [one["name"] for one in there["ContactsTag"]] == ["VIP", "Kustomer"]
    sandbox.cloudtalk.forget_requests()

    # A further call of the contact costs CloudTalk nothing, and what a person removes stays removed.
    sandbox.cloudtalk.edit_contact(CONTACT, ExternalUrl=[])
    again = ended(contact_id=str(CONTACT), contact_name="Ada Byron", call_id=1000000599)
    bridge.receive("call-ended", {**again, "call_uuid": "11111111-2222-4333-8444-555555555599"})
    bridge.run_jobs_for(30, step_s=5)
    assert sandbox.cloudtalk.requests == []


def test_without_the_address_of_kustomers_pages_nothing_is_left_to_people_and_the_link_follows(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    add_contact(sandbox)
    without = Bridge(redis_client, sandbox, Rules(contacts_to_cloudtalk=True))
    without.receive("call-ended", ended(contact_id=str(CONTACT)))
    without.run_jobs_for(30, step_s=5)

    assert left_to_people(without.ledger.read(KEY)) == []
    # Once it is known, the next call writes it.
    bridge = bridge_with(redis_client, sandbox, contacts_to_cloudtalk=True)
    again = ended(contact_id=str(CONTACT), call_id=1000000599)
    bridge.receive("call-ended", {**again, "call_uuid": "11111111-2222-4333-8444-555555555599"})
    bridge.run_jobs_for(30, step_s=5)
    assert the_contact(sandbox)["ExternalUrl"] == [link(sandbox)]
    assert left_to_people(bridge.ledger.read(KEY)) == []


def test_a_persons_name_in_cloudtalk_is_never_overwritten(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    add_customer(sandbox, name="Ada Byron")
    add_contact(sandbox, name="Bo Sample")
    bridge = bridge_with(redis_client, sandbox, contacts_to_cloudtalk=True)
    bridge.receive("call-ended", ended(contact_id=str(CONTACT), contact_name="Bo Sample"))

    bridge.run_jobs_for(30, step_s=5)

    assert the_contact(sandbox)["name"] == "Bo Sample"
    assert the_contact(sandbox)["ExternalUrl"] == [link(sandbox)]


def test_a_contact_that_no_call_names_is_found_by_its_number(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    # The list shows the first number only.
    add_contact(sandbox, phones=[OTHER, NUMBER])
    bridge = bridge_with(redis_client, sandbox, contacts_to_cloudtalk=True, contact_create=True)
    bridge.receive("call-ended", ended(contact_id="", contact_name=""))

    bridge.run_jobs_for(30, step_s=5)

    assert the_contact(sandbox)["ExternalUrl"] == [link(sandbox)]


@pytest.mark.parametrize("fault", ["", "lose_next_reply", "drop_next_request"])
def test_a_caller_unknown_to_cloudtalk_becomes_one_contact(
    redis_client: redis.Redis, sandbox: RunningSandbox, fault: str
) -> None:
    if fault:
        getattr(sandbox.cloudtalk, fault)(method="PUT", path="/contacts/add.json$")
    add_customer(sandbox, name="Ada Byron")
    bridge = bridge_with(redis_client, sandbox, **BOTH, contact_create=True)
    bridge.receive("call-ended", ended(contact_id="", contact_name=""))

    bridge.run_jobs_for(180, step_s=10)

    there = the_contact(sandbox)
    assert (there["name"], there["ExternalUrl"]) == ("Ada Byron", [link(sandbox)])
    # Lists show it once, by its own record.
    records = read_all(bridge.ledger, contact_keys(bridge.ledger))
    listed = [contact_story(one)["contact_id"] for one in records if not is_told_elsewhere(one)]
    assert listed == [there["id"]]
    # As CloudTalk announces it.
    writes = len(sandbox.kustomer.writes), len(sandbox.cloudtalk.writes)
    bridge.receive("contact-created", {"event": "contact_created", "contact_id": str(there["id"])})
    bridge.run_jobs_for(30, step_s=10)
    assert (len(sandbox.kustomer.writes), len(sandbox.cloudtalk.writes)) == writes


def test_without_the_choice_no_contact_is_created(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = bridge_with(redis_client, sandbox, **BOTH)
    bridge.receive("call-ended", ended(contact_id="", contact_name=""))

    bridge.run_jobs_for(30, step_s=5)

    assert sandbox.cloudtalk.writes == []


def test_a_colleague_becomes_no_contact(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = bridge_with(redis_client, sandbox, **BOTH, contact_create=True, write_internal=True)
    bridge.receive("call-ended", ended(contact_id="", contact_name="", direction="internal"))

    bridge.run_jobs_for(30, step_s=5)

    assert len(sandbox.kustomer.customers) == 1
    assert sandbox.cloudtalk.writes == []


# -- both


def test_both_ways_come_to_rest(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    """Each write to the contact comes back as news of it, as CloudTalk sends it."""
    add_contact(sandbox, name=NUMBER, emails=["ada@example.com"])
    add_customer(sandbox, name="Ada Byron")
    bridge = bridge_with(redis_client, sandbox, **BOTH)
    bridge.receive("call-ended", ended(contact_id=str(CONTACT), contact_name=""))
    bridge.receive("contact-updated", NEWS)

    def until_quiet() -> tuple[int, int]:
        for _ in range(10):
            before = len(sandbox.cloudtalk.writes)
            bridge.run_jobs_for(30, step_s=10)
            if len(sandbox.cloudtalk.writes) == before:
                break
            bridge.receive("contact-updated", NEWS)
        contacts = [one for one in sandbox.kustomer.writes if "/customers/" in one.path]
        return len(contacts), len(sandbox.cloudtalk.writes)

    # The e-mail to Kustomer; name and link to CloudTalk.
    assert until_quiet() == (1, 1)
    bridge.receive("contact-updated", NEWS)
    assert until_quiet() == (1, 1)
    assert the_customer(sandbox)["name"] == "Ada Byron"
    # A person renames the customer: the contact has a name, so nothing follows.
    sandbox.kustomer.edit_customer(sandbox.kustomer.customers[0]["id"], name="Ada King")
    bridge.receive("contact-updated", NEWS)
    assert until_quiet() == (1, 1)


def test_a_name_that_a_call_gave_its_new_customer_follows_the_contact(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    add_contact(sandbox)
    bridge = bridge_with(redis_client, sandbox, contacts_to_kustomer=True)
    bridge.receive("call-ended", ended(contact_id=str(CONTACT), contact_name="Ada Example"))
    bridge.run_jobs()
    assert sandbox.cloudtalk.requests == []

    sandbox.cloudtalk.edit_contact(CONTACT, name="Ada Maria Example")
    carry(bridge)

    assert the_customer(sandbox)["name"] == "Ada Maria Example"


# -- forgetting


def test_a_forgotten_contact_stays_forgotten(one_way: Bridge, sandbox: RunningSandbox) -> None:
    add_contact(sandbox)
    carry(one_way)

    receipt = Erasure(
        ledger=one_way.ledger,
        storage=one_way.deps.open_storage(),
        rules=one_way.rules,
        journal=one_way.data_dir / "journal",
        who="ops@host",
    ).of_number(Phone(Kind.E164, NUMBER))

    assert {(one.service, one.what) for one in receipt.elsewhere} == {
        ("CloudTalk", "contact"),
        ("Kustomer", "customer"),
    }

    client = one_way.ledger.redis
    assert one_way.ledger.other_count() == 0
    assert client.zrange(keys.CONTACTS, 0, -1) == []
    assert not client.exists(keys.record(KEY), keys.log(KEY))
    assert carry(one_way) == []
    assert one_way.ledger.read(KEY).forgotten
