from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from bridge.clients.kustomer import Kustomer, new_customer
from bridge.errors import Conflict, Rejected, Unavailable
from bridge.sandbox.running import RunningSandbox
from tests.clients.given import Wire, resource

ADA = "+441632960304"
NOTE_ID = "5f0e0000000000000000a1cc"
TAKEN = {"errors": [{"status": 400, "code": "badparam", "title": "duplicate detected"}]}


def conversation_of(kustomer: Kustomer, external_id: str = "cloudtalk:call:1") -> str:
    customer = kustomer.customers.create(new_customer(phone=ADA, name="Ada Example"))
    return kustomer.conversations.create(
        {"customer": customer.id, "externalId": external_id, "status": "open"}
    ).id


# Customers


def test_a_customer_is_made_and_found_by_everything_known_of_her(kustomer: Kustomer) -> None:
    made = kustomer.customers.create(new_customer(phone=ADA, name="Ada Example", external_id="cloudtalk:x"))

    assert kustomer.customers.get(made.id) == made
    assert kustomer.customers.by_phone(ADA) == made
    assert kustomer.customers.by_external_id("cloudtalk:x") == made
    assert (made.name, [one["phone"] for one in made.phones]) == ("Ada Example", [ADA])


def test_a_customer_who_is_not_there_is_none(kustomer: Kustomer) -> None:
    assert kustomer.customers.get(NOTE_ID) is None
    assert kustomer.customers.by_phone(ADA) is None
    assert kustomer.customers.by_email("ada@example.com") is None
    assert kustomer.customers.by_external_id("cloudtalk:x") is None


def test_a_customer_is_found_by_e_mail(kustomer: Kustomer, sandbox: RunningSandbox) -> None:
    id_ = sandbox.kustomer.add_customer(emails=[{"type": "work", "email": "ada+calls@example.com"}])

    found = kustomer.customers.by_email("ada+calls@example.com")

    assert found is not None
    assert found.id == id_


def test_values_in_a_path_are_encoded_whole() -> None:
    wire = Wire(httpx2.Response(404))
    kustomer = wire.kustomer()

    kustomer.customers.by_phone(ADA)
    kustomer.customers.by_email("ada/calls@example.com")
    kustomer.customers.by_external_id("cloudtalk:number:1 2?x#y")
    kustomer.conversations.by_external_id("cloudtalk:call:1")

    assert [request.url.raw_path.decode() for request in wire.requests] == [
        "/v1/customers/phone=%2B441632960304",
        "/v1/customers/email=ada%2Fcalls%40example.com",
        "/v1/customers/externalId=cloudtalk%3Anumber%3A1%202%3Fx%23y",
        "/v1/conversations/externalId=cloudtalk%3Acall%3A1",
    ]


@pytest.mark.parametrize("reading", ["409", "400"])
@pytest.mark.parametrize("shape", ["old", "new"])
def test_a_second_customer_with_the_same_phone_is_a_conflict_in_either_reading(
    kustomer: Kustomer, sandbox: RunningSandbox, reading: str, shape: str
) -> None:
    sandbox.kustomer.read_as(customer_duplicate=reading, error_shape=shape)
    kustomer.customers.create(new_customer(phone=ADA, name=None))

    with pytest.raises(Conflict):
        kustomer.customers.create(new_customer(phone=ADA, name="Somebody else"))

    assert len(sandbox.kustomer.customers) == 1


def test_a_400_for_another_reason_is_no_conflict(kustomer: Kustomer) -> None:
    with pytest.raises(Rejected) as error:
        kustomer.customers.create(new_customer(phone=ADA, name="x" * 257))

    assert error.value.status == 400


def test_only_what_is_known_of_a_customer_is_sent() -> None:
    wire = Wire(httpx2.Response(201, json={"data": resource("1")}))

    wire.kustomer().customers.create(new_customer(phone=None, name=None, external_id="cloudtalk:withheld"))

    assert json.loads(wire.requests[0].content) == {"externalId": "cloudtalk:withheld"}


def test_naming_a_customer_loses_nothing_else(kustomer: Kustomer, sandbox: RunningSandbox) -> None:
    id_ = sandbox.kustomer.add_customer(
        company=sandbox.kustomer.add_company(),
        phones=[{"type": "mobile", "phone": ADA, "verified": True}],
        emails=[{"type": "work", "email": "ada@example.com"}],
        externalId="somebody-elses",
    )
    before = kustomer.customers.get(id_)
    assert before is not None

    kustomer.customers.update(before.id, {"name": "Ada Example"}, current=before)

    after = kustomer.customers.get(id_)
    assert after is not None
    assert after.name == "Ada Example"
    assert after.company_id is not None
    assert (after.company_id, after.phones, after.emails, after.external_id) == (
        before.company_id,
        before.phones,
        before.emails,
        before.external_id,
    )


def test_a_customer_changed_meanwhile_is_a_conflict(kustomer: Kustomer) -> None:
    stale = kustomer.customers.create(new_customer(phone=ADA, name=None))
    kustomer.customers.update(stale.id, {"name": "Ada Example"}, current=stale)

    with pytest.raises(Conflict):
        kustomer.customers.update(stale.id, {"name": "Eve Example"}, current=stale)


# Conversations


def test_a_conversation_is_made_and_found(kustomer: Kustomer, sandbox: RunningSandbox) -> None:
    customer = kustomer.customers.create(new_customer(phone=ADA, name=None))
    user = sandbox.kustomer.add_user(name="Bo Sample", email="bo.sample@example.com")
    fields = {
        "externalId": "cloudtalk:call:1",
        "name": "Call",
        "direction": "in",
        "status": "done",
        "tags": ["VIP"],
    }

    made = kustomer.conversations.create({"customer": customer.id, "assignedUsers": [user], **fields})

    found = kustomer.conversations.by_external_id("cloudtalk:call:1")
    assert found is not None
    assert kustomer.conversations.get(made.id) == found
    assert (found.id, found.customer_id) == (made.id, customer.id)
    assert {name: found.fields[name] for name in ("name", "direction", "status")} == {
        "name": "Call",
        "direction": "in",
        "status": "done",
    }
    assert len(found.tags) == 1
    assert sandbox.kustomer.conversations[0]["tagNames"] == ["VIP"]
    assert found.fields["assignedUsers"] == [user]


@pytest.mark.parametrize("reading", ["refuse", "duplicate"])
def test_both_readings_of_a_repeated_external_id(
    kustomer: Kustomer, sandbox: RunningSandbox, reading: str
) -> None:
    sandbox.kustomer.read_as(external_id=reading)
    customer = kustomer.customers.create(new_customer(phone=ADA, name=None))
    kustomer.conversations.create({"customer": customer.id, "externalId": "x"})

    if reading == "refuse":
        with pytest.raises(Conflict):
            kustomer.conversations.create({"customer": customer.id, "externalId": "x"})
    else:
        kustomer.conversations.create({"customer": customer.id, "externalId": "x"})

    assert len(sandbox.kustomer.conversations) == (1 if reading == "refuse" else 2)


def test_a_conversation_of_a_customer_who_is_gone_is_refused_with_404(kustomer: Kustomer) -> None:
    with pytest.raises(Rejected) as error:
        kustomer.conversations.create({"customer": NOTE_ID, "externalId": "x"})

    assert error.value.status == 404


def test_a_conversation_is_changed(kustomer: Kustomer, sandbox: RunningSandbox) -> None:
    id_ = conversation_of(kustomer)

    kustomer.conversations.update(id_, {"status": "done", "name": "Voicemail", "tags": ["VIP", "late"]})

    (conversation,) = sandbox.kustomer.conversations
    assert (conversation["attributes"]["status"], conversation["attributes"]["name"]) == ("done", "Voicemail")
    assert sorted(conversation["tagNames"]) == ["VIP", "late"]


# Notes


def test_a_note_is_made_under_the_id_we_chose(kustomer: Kustomer) -> None:
    id_ = conversation_of(kustomer)

    made = kustomer.notes.create(id_, {"externalId": "x:note", "body": "Missed call ☎", "id": NOTE_ID})

    assert (made.id, made.external_id, made.body) == (NOTE_ID, "x:note", "Missed call ☎")
    assert kustomer.notes.get(NOTE_ID) == made


def test_a_note_is_made_without_an_id_of_ours(kustomer: Kustomer) -> None:
    made = kustomer.notes.create(conversation_of(kustomer), {"body": "Call"})

    assert kustomer.notes.get(made.id) == made


@pytest.mark.parametrize(("reading", "notes"), [("conflict", 1), ("ignore", 2), ("refuse", 0)])
def test_the_readings_of_a_note_id_of_ours(
    kustomer: Kustomer, sandbox: RunningSandbox, reading: str, notes: int
) -> None:
    sandbox.kustomer.read_as(note_id=reading)
    id_ = conversation_of(kustomer)

    def write() -> None:
        kustomer.notes.create(id_, {"body": "Call", "id": NOTE_ID})

    if reading == "refuse":
        with pytest.raises(Rejected):
            write()
    else:
        write()
    if reading == "conflict":
        with pytest.raises(Conflict):
            write()
    elif reading == "ignore":
        write()

    assert len(sandbox.kustomer.notes) == notes


@pytest.mark.parametrize("status", [400, 409])
def test_a_create_that_is_told_of_a_duplicate_is_a_conflict_by_either_status(status: int) -> None:
    kustomer = Wire(httpx2.Response(status, json=TAKEN)).kustomer()

    with pytest.raises(Conflict):
        kustomer.conversations.create({"customer": "1", "externalId": "x"})
    with pytest.raises(Conflict):
        kustomer.notes.create("1", {"body": "x", "id": NOTE_ID})
    with pytest.raises(Conflict):
        kustomer.customers.create(new_customer(phone=ADA, name=None))


@pytest.mark.parametrize("body", [None, {}, {"data": {}}, {"data": {"id": None}}])
def test_a_create_that_answers_no_id_leaves_it_open_what_was_made(body: Any) -> None:
    kustomer = Wire(httpx2.Response(201) if body is None else httpx2.Response(201, json=body)).kustomer()

    with pytest.raises(Unavailable, match="without an id"):
        kustomer.conversations.create({"customer": "1", "externalId": "x"})
    with pytest.raises(Unavailable, match="without an id"):
        kustomer.notes.create("1", {"body": "x", "id": NOTE_ID})
    with pytest.raises(Unavailable, match="without an id"):
        kustomer.customers.create(new_customer(phone=ADA, name=None))


def test_a_note_is_changed(kustomer: Kustomer, sandbox: RunningSandbox) -> None:
    made = kustomer.notes.create(conversation_of(kustomer), {"body": "Call", "id": NOTE_ID})

    kustomer.notes.update(made.id, {"body": "Voicemail"})

    assert [one["attributes"]["body"] for one in sandbox.kustomer.notes] == ["Voicemail"]


def test_a_note_as_long_as_they_take_is_taken(kustomer: Kustomer) -> None:
    kustomer.notes.create(conversation_of(kustomer), {"body": "☎" * 10_240})


def test_all_pages_of_notes_are_read(kustomer: Kustomer, sandbox: RunningSandbox) -> None:
    id_ = conversation_of(kustomer)
    for number in range(103):
        kustomer.notes.create(id_, {"body": f"Note {number}"})
    sandbox.kustomer.forget_requests()

    bodies = {note.body for note in kustomer.notes.every(conversation_id=id_)}

    assert bodies == {f"Note {number}" for number in range(103)}
    assert len(sandbox.kustomer.requests) == 2


def test_a_conversation_without_notes_has_none(kustomer: Kustomer) -> None:
    assert list(kustomer.notes.every(conversation_id=conversation_of(kustomer))) == []


def test_a_list_that_always_promises_more_ends() -> None:
    page = {"data": [resource("1", "note", body="x")], "links": {"next": "/v1/again"}}
    wire = Wire(httpx2.Response(200, json=page))

    assert len(list(wire.kustomer().notes.every(conversation_id="1"))) == len(wire.requests) <= 20


@pytest.mark.parametrize("body", [{}, [], {"data": None}, {"data": {}}])
def test_notes_that_are_no_list_are_no_answer(body: Any) -> None:
    with pytest.raises(Unavailable):
        list(Wire(httpx2.Response(200, json=body)).kustomer().notes.every(conversation_id="1"))


# Users


def test_an_agent_is_found_by_e_mail(kustomer: Kustomer, sandbox: RunningSandbox) -> None:
    id_ = sandbox.kustomer.add_user(name="Bo Sample", email="bo.sample@example.com")

    assert [user.id for user in kustomer.users.by_email("Bo.Sample@example.com")] == [id_]
    assert kustomer.users.by_email("nobody@example.com") == []


def test_a_user_who_left_or_is_a_machine_can_own_nothing(kustomer: Kustomer, sandbox: RunningSandbox) -> None:
    bo = sandbox.kustomer.add_user(name="Bo Sample", email="bo.sample@example.com")
    sandbox.kustomer.add_user(name="Cy", email="cy@example.com", deletedAt="2026-01-05T10:00:00.000Z")
    sandbox.kustomer.add_user(name="Di", email="di@example.com", deleted=True)
    sandbox.kustomer.add_user(name="Ed", email="ed@example.com", userType="machine")

    users, all_of_them = kustomer.users.every()

    able = {user.id for user in users if user.can_own}
    assert bo in able
    assert {user.email for user in users if user.id not in able} >= {"cy@example.com", "di@example.com"}
    assert "ed@example.com" not in {user.email for user in users if user.can_own}
    assert all_of_them


def test_users_are_listed_up_to_a_bound() -> None:
    page = {"data": [resource("1", "user")], "links": {"next": "/v1/users?page=2"}}
    wire = Wire(httpx2.Response(200, json=page))

    users, all_of_them = wire.kustomer().users.every()

    assert len(users) == len(wire.requests) == 4
    assert not all_of_them


def test_teams_are_listed_without_those_that_are_gone(kustomer: Kustomer, sandbox: RunningSandbox) -> None:
    sandbox.kustomer.add_team(name="Sales")
    sandbox.kustomer.add_team(name="Old", deletedAt="2026-01-05T10:00:00.000Z")

    names = {team.name for team in kustomer.teams.every()}

    assert "Sales" in names
    assert "Old" not in names


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"data": None},
        {"data": {"id": "1"}},
        {
            "data": [
                None,
                {},
                {"id": "1"},
                {"id": "1", "attributes": None},
                {"attributes": {"email": "a@example.com"}},
            ]
        },
        {"data": [resource("1", "user", email="other@example.com")]},
    ],
)
def test_users_that_make_no_sense_are_nobody(body: Any) -> None:
    kustomer = Wire(httpx2.Response(200, json=body)).kustomer()

    assert kustomer.users.by_email("a@example.com") == []


@pytest.mark.parametrize("value", [None, "x", 5, {}, [None, 5, "x"]])
def test_a_customer_whose_lists_are_odd_has_none(value: Any) -> None:
    answer = httpx2.Response(200, json={"data": resource("1", phones=value, emails=value, tags=value)})

    found = Wire(answer).kustomer().customers.get("1")

    assert found is not None
    assert (found.phones, found.emails) == ((), ())
