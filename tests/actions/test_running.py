"""Every operation against the sandbox, and what a write would send."""

from __future__ import annotations

import base64
import json

import jsonschema
import pytest

from bridge.actions import OPERATIONS, Services, preview, run, stream
from bridge.errors import MaybeDone, NotThereYet, Rejected, WrongUse
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.sample import DESK
from tests.actions.given import A_CALL, A_CONTACT, A_RECORDED_CALL, INPUTS

WRITES = [one.key for one in OPERATIONS.values() if one.effect != "read"]
# What shows that it was the right thing that came back.
SHOWS = {
    "list-contacts": "Di Madeup",
    "get-contact": "di.madeup@example.com",
    "create-contact": "1400000200",
    "update-contact": "1400000101",
    "delete-contact": "true",
    "add-tags-to-contact": "Billing",
    "list-calls": "1000000110",
    "get-call": "9bb304eb-e783-4713-b785-067864832c14",
    "get-call-recording": "UklGR",
    "list-agents": "Bo Sample",
    "get-agent": "bo.sample@example.com",
    "send-sms": "on its way",
    "list-customers": "Gil Sample",
    "list-conversations": "A question",
    "list-companies": "Invented & Sons",
    "list-users": "Bo Sample",
    "list-messages": "Where is my invoice?",
    "list-notes": "Sent the invoice again.",
    "get-customer-by-id": "Gil Sample",
    "get-customer-by-email": "Gil Sample",
    "get-conversation-by-id": "A question",
    "get-company-by-id": "Invented & Sons",
    "get-user-by-id": "callbridge",
    "get-message-by-id": "Where is my invoice?",
    "get-note-by-id": "Sent the invoice again.",
    "create-customer": "Ida Fictional",
    "create-conversation": "Another question",
    "create-company": "Example Ltd",
    "create-message": "Inbound call, answered",
    "create-note": "Called back.",
    "update-customer": "Gil Sample-Madeup",
    "update-conversation": "snoozed",
    "get-customer-by-phone": "Gil Sample",
    "get-customer-by-external-id": "Gil Sample",
    "get-conversation-by-external-id": "A question",
}


@pytest.mark.parametrize("key", OPERATIONS)
def test_it_runs_and_answers_as_its_schema_says(key: str, services: Services) -> None:
    answer = run(OPERATIONS[key], INPUTS[key], services)

    jsonschema.Draft202012Validator(OPERATIONS[key].output_schema()).validate(answer)
    assert SHOWS[key] in json.dumps(answer)


@pytest.mark.parametrize("key", WRITES)
def test_a_preview_is_what_is_sent_and_sends_nothing(
    key: str, services: Services, sample_sandbox: RunningSandbox
) -> None:
    here = sample_sandbox.cloudtalk if OPERATIONS[key].service == "cloudtalk" else sample_sandbox.kustomer

    result = preview(OPERATIONS[key], INPUTS[key], services)

    assert here.writes == []
    run(OPERATIONS[key], INPUTS[key], services)
    (written,) = here.writes
    assert (result.method, result.path) == (written.method, written.path)


def test_a_preview_needs_no_services_and_names_what_it_would_read(services: Services) -> None:
    result = preview(OPERATIONS["send-sms"], INPUTS["send-sms"])
    assert (result.method, result.url) == ("POST", "https://my.cloudtalk.io/api/sms/send.json")
    assert result.body == INPUTS["send-sms"]

    alone = preview(OPERATIONS["update-customer"], INPUTS["update-customer"])
    with_services = preview(OPERATIONS["update-customer"], INPUTS["update-customer"], services)
    assert alone.read_first == with_services.read_first == (f"GET /v1/customers/{DESK['customer']}",)
    # Leaving the company out would unlink it.
    assert with_services.body == {"name": "Gil Sample-Madeup", "company": DESK["company"]}


def test_a_preview_of_a_read_is_refused() -> None:
    with pytest.raises(WrongUse, match="only reads"):
        preview(OPERATIONS["get-contact"], INPUTS["get-contact"])


def test_a_service_that_is_not_set_up_is_named_with_what_it_needs() -> None:
    with pytest.raises(WrongUse, match="CLOUDTALK_ACCESS_KEY_ID"):
        run(OPERATIONS["list-agents"], {}, Services())
    with pytest.raises(WrongUse, match="KUSTOMER_API_KEY"):
        run(OPERATIONS["list-users"], {}, Services())


def test_a_recording_comes_as_a_stream_with_the_bytes_that_json_has(services: Services) -> None:
    operation, wanted = OPERATIONS["get-call-recording"], {"call_id": A_RECORDED_CALL}

    with stream(operation, wanted, services) as download:
        size, content = download.size, b"".join(download.chunks)

    answer = run(operation, wanted, services)
    assert content == base64.b64decode(answer["content_base64"])
    assert len(content) == size == answer["size"]
    assert content.startswith(b"RIFF")
    assert download.content_type == answer["content_type"] == "audio/x-wav"
    with pytest.raises(WrongUse, match="answers JSON"), stream(OPERATIONS["get-call"], wanted, services):
        pass


def test_a_recording_too_large_for_json_is_refused_with_the_way_out(
    services: Services, sample_sandbox: RunningSandbox
) -> None:
    sample_sandbox.cloudtalk.add_call(id=1000000300, talking_time=20 * 60, recorded=True)

    with pytest.raises(WrongUse, match="-o FILE"):
        run(OPERATIONS["get-call-recording"], {"call_id": 1000000300}, services)


def test_what_is_not_there_is_said_by_its_status(services: Services) -> None:
    missing: dict[str, dict[str, object]] = {
        "get-contact": {"contact_id": 1},
        "get-agent": {"agent_id": 1},
        "get-call": {"call_id": 1},
        "update-contact": {"contact_id": 1, "title": "x"},
        "get-customer-by-phone": {"phone": "+441632960399"},
        "get-note-by-id": {"note_id": "5f0e0000000000000000a1cc"},
    }
    for key, given in missing.items():
        with pytest.raises(Rejected) as refused:
            run(OPERATIONS[key], given, services)
        assert refused.value.status == 404, key
    with pytest.raises(NotThereYet):
        run(OPERATIONS["get-call-recording"], {"call_id": A_CALL}, services)


def test_deleting_twice_says_that_there_was_none(services: Services) -> None:
    answers = [run(OPERATIONS["delete-contact"], {"contact_id": A_CONTACT}, services) for _ in range(2)]

    assert [one["deleted"] for one in answers] == [True, False]


@pytest.mark.parametrize("key", [key for key in WRITES if not OPERATIONS[key].may_repeat])
def test_a_lost_answer_to_what_must_not_be_repeated_says_that_it_may_have_been_done(
    key: str, services: Services, sample_sandbox: RunningSandbox
) -> None:
    here = sample_sandbox.cloudtalk if OPERATIONS[key].service == "cloudtalk" else sample_sandbox.kustomer
    here.lose_next_reply()

    with pytest.raises(MaybeDone, match="may have been done"):
        run(OPERATIONS[key], INPUTS[key], services)

    assert len(here.writes) == 1
