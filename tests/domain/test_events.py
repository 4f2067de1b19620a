from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.outcome import Direction, Stage
from bridge.domain.phone import WITHHELD, Kind
from bridge.domain.rules.file import read_rules_text
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import OTHER_TRIGGERS, STAGE_OF, Event, Held, fingerprint_of, read_event
from tests.domain.given import CALL_ID, IDS, UUID_TEXT, held, read, said
from tests.support import PAYLOADS, Request, all_payloads, payload

# What each payload file reads as. Of an event: the fields named; of a held one: a part of the reason.
READS_AS: dict[str, list[dict[str, Any] | str]] = {
    "made_up__voice_agent__extracted_fields": [
        {
            "trigger": "voice-agent",
            "call_id": 1000000110,
            "uuid": None,
            "external": None,
            "agent_name": None,
        },
        {
            "trigger": "voice-agent",
            "call_id": None,
            "uuid": "5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11",
            "voice_agent_name": "Nova",
            "extracted": (("order_number", "1234"), ("address.city", "Leeds")),
        },
        "no usable call_id or call_uuid",
    ],
    "call_ended__both_ids_and_times": [
        {
            "trigger": "call-ended",
            "call_id": 1000000106,
            "uuid": "140b6756-76bc-4112-b584-0801ed52ecf5",
            "external": "+441632960302",
            "internal": "+441632960201",
            "agent_id": 400101,
            "agent_name": "Bo Sample",
            "talk_seconds": 45,
            "wait_seconds": 12,
            "direction": None,
            "started_at": None,
        }
    ],
    "call_ended__both_ids_localised_key": [
        {
            "trigger": "call-ended",
            "call_id": 1000000107,
            "uuid": "8867412e-6c40-4929-9861-905c0d1bba59",
            "external": "+441632960301",
            "internal": "+441632960201",
            "contact_id": 1400000101,
        }
    ]
    * 2,
    "call_ended__contact_known": [
        {
            "trigger": "call-ended",
            "call_id": None,
            "uuid": "f90f48f0-3c28-4c86-ad91-b62c99a0ea47",
            "external": "+441632960301",
            "internal": "+15550100101",
            "contact_id": 1400000101,
            "agent_id": 400101,
            "talk_seconds": None,
        }
    ],
    "call_started__named_agent_text_number": ["no usable call_id or call_uuid"],
    "made_up__call_answered__recommended_template": [
        {
            "trigger": "call-answered",
            "uuid": "00a5c764-53d1-4259-991a-1558b4401e9a",
            "call_id": None,
            "stage": Stage.ANSWERED,
            "external": "+441632960304",
            "agent_id": 400102,
            "answered_at": "2026-03-02T09:23:14+00:00",
        }
    ],
    "made_up__call_ended__all_json_types": [
        {
            "trigger": "call-ended",
            "call_id": 1000000112,
            "external": "+441632960304",
            "talk_seconds": 12,
            "wait_seconds": 3,
            "wrapup_seconds": 0,
            "is_voicemail": False,
            "tags": None,
            "notes": None,
            "direction": Direction.INCOMING,
        }
    ],
    "made_up__call_ended__recommended_template_answered": [
        {
            "trigger": "call-ended",
            "call_id": 1000000110,
            "uuid": "2dae93e6-ac4e-4a1d-97be-aa3ef7aeb468",
            "stage": Stage.ENDED,
            "external": "+441632960304",
            "internal": "+15550100101",
            "direction": Direction.INCOMING,
            "agent_id": 400101,
            "agent_name": "Bo Sample",
            "contact_id": 1400000104,
            "contact_name": "Ada Example",
            "talk_seconds": 97,
            "wait_seconds": 14,
            "wrapup_seconds": 20,
            "started_at": "2026-03-02T09:23:00+00:00",
            "answered_at": "2026-03-02T09:23:14+00:00",
            "ended_at": "2026-03-02T09:24:51+00:00",
            "is_voicemail": False,
            "tags": ("Billing", "VIP"),
            "notes": "Wants the March invoice again.",
        }
    ],
    "made_up__call_ended__recommended_template_missed": [
        {
            "trigger": "call-ended",
            "call_id": 1000000111,
            "external": "+441632960305",
            "talk_seconds": 0,
            "wait_seconds": 31,
            "agent_id": None,
            "agent_name": None,
            "contact_id": None,
            "contact_name": None,
            "answered_at": None,
            "tags": (),
            "notes": None,
        }
    ],
    "made_up__call_ringing__two_agents": [
        {
            "trigger": "call-ringing",
            "stage": Stage.RINGING,
            "agent_id": agent,
            "uuid": "00a5c764-53d1-4259-991a-1558b4401e9a",
        }
        for agent in (400101, 400102)
    ],
    "made_up__call_started__no_agent_yet": [
        {
            "trigger": "call-started",
            "uuid": "7699b22b-e85e-492a-a7b4-5f9861fe325d",
            "stage": Stage.STARTED,
            "agent_id": None,
            "contact_id": None,
            "contact_name": None,
            "direction": Direction.INCOMING,
        }
    ],
    "made_up__contact_updated__plain": ["belongs to no call"],
    "made_up__message_received__plain": ["belongs to no call"],
    "made_up__native_call_ended__answered": [
        {
            "trigger": "call-ended",
            "call_id": 1000000120,
            "uuid": "88cad9ad-c219-4735-8cab-d85ed854a100",
            "external": "+441632960304",
            "internal": "+15550100101",
            "talk_seconds": 97,
            "started_at": "2026-03-02T10:00:00+00:00",
            "ended_at": "2026-03-02T10:02:10+00:00",
            "is_voicemail": False,
        }
    ],
    "made_up__native_call_ended__missed": [
        {"trigger": "call-ended", "call_id": 1000000121, "talk_seconds": 0, "wait_seconds": 31}
    ],
    "made_up__native_call_ended__redelivered": [{"trigger": "call-ended", "call_id": 1000000122}] * 2,
    "made_up__native_cidata_ready__plain": [
        {
            "trigger": "insights-ready",
            "uuid": "88cad9ad-c219-4735-8cab-d85ed854a100",
            "call_id": None,
            "external": None,
            "stage": Stage.ENDED,
            "summary": "The caller asked for the March invoice. The agent will send it by mail today.",
        }
    ],
    "made_up__native_message_received__plain": ["belongs to no call"],
    "made_up__native_recording_ready__plain": [
        {"trigger": "recording-uploaded", "call_id": 1000000120, "external": None, "has_recording": True}
    ],
    "made_up__native_transcript_ready__plain": [
        {"trigger": "transcription-created", "call_id": None, "transcript": None, "external": None}
    ],
    "made_up__recording_uploaded__recommended_template": [
        {"trigger": "recording-uploaded", "call_id": 1000000110, "stage": Stage.ENDED, "has_recording": True}
    ],
    "made_up__user_status_changed__plain": ["unknown trigger"],
    "recording_uploaded__plain": [
        {"trigger": "recording-uploaded", "call_id": 1000000102, "uuid": None, "external": "+441632960301"}
    ],
    "recording_uploaded__replayed_other_bytes": [{"trigger": "recording-uploaded", "call_id": 1000000105}]
    * 2,
    "recording_uploaded__text_number": [
        {
            "trigger": "recording-uploaded",
            "call_id": 1000000108,
            "external": "+441632960303",
            "internal": "+15550100101",
        }
    ],
    "sequence__ended_then_recording": [
        {"trigger": "call-ended", "call_id": None, "uuid": "a4423959-8387-41ca-b133-f19b0abb0915"},
        {"trigger": "recording-uploaded", "call_id": 1000000104, "uuid": None},
    ],
    "sequence__recording_then_transcription": [
        {"trigger": "recording-uploaded", "call_id": 1000000103, "external": "+441632960301"},
        {"trigger": "transcription-created", "call_id": 1000000103, "transcript": None, "external": None},
    ],
    "transcription_created__object_as_text": [
        {
            "trigger": "transcription-created",
            "call_id": 1000000103,
            "transcript": None,
            "external": None,
            "talk_seconds": 22,
        }
    ],
}

RECORDING_LINK = (
    f"https://my.cloudtalk.io/pub/r/{base64.b64encode(str(CALL_ID).encode()).decode().replace('=', '%3D')}"
    "/ZDMyMDZkYmNjNzI3Yw%3D%3D.wav"
)


def plainly(value: object) -> object:
    """A field as the table writes it."""
    if isinstance(value, UUID):
        return str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return getattr(value, "text", value)


def reading(request: Request) -> Event | Held:
    return read_event(request.trigger, request.body, Rules(), received_at=request.received_at)


# Payloads


def test_every_payload_file_is_in_the_table() -> None:
    assert {path.stem for path in PAYLOADS.glob("*.json")} == set(READS_AS)


@pytest.mark.parametrize("case", READS_AS)
def test_a_payload_reads_as_what_it_is(case: str) -> None:
    requests, expected = payload(case), READS_AS[case]

    read_as = [reading(request) for request in requests]

    assert len(read_as) == len(expected)
    for found, wanted in zip(read_as, expected, strict=True):
        if isinstance(wanted, str):
            assert isinstance(found, Held)
            assert wanted in found.reason
        else:
            assert {name: plainly(getattr(found, name)) for name in wanted} == wanted


def test_an_event_keeps_when_it_came() -> None:
    for request in all_payloads():
        found = reading(request)
        assert isinstance(found, Held) or found.received_at == request.received_at


# Oddities of Workflow Automation, in the order of the list that is kept of them


@pytest.mark.parametrize(
    "sent",
    [441632960304, "441632960304", "+441632960304", " +44 1632 960304 ", "00441632960304", 441632960304.0],
)
def test_a_number_is_the_same_as_integer_or_text_with_or_without_its_plus(sent: object) -> None:
    external = said(external_number=sent).external

    assert external is not None
    assert (external.kind, external.text) == (Kind.E164, "+441632960304")


def test_numbers_of_eleven_and_twelve_digits_are_both_international() -> None:
    event = said(external_number=15550100107, internal_number=441632960201)

    assert event.external is not None
    assert event.internal is not None
    assert (event.external.text, event.internal.text) == ("+15550100107", "+441632960201")


@pytest.mark.parametrize("name", ["call_id", "call_uuid"])
def test_one_of_the_two_ids_is_enough(name: str) -> None:
    event = read("call-ended", {name: IDS[name]})

    assert (event.call_id, event.uuid) in [(CALL_ID, None), (None, UUID(UUID_TEXT))]


def test_a_contact_that_is_not_known_is_not_told() -> None:
    assert said(contact_id=None).contact_id is None
    assert said(contact_id=1400000104).contact_id == 1400000104


@pytest.mark.parametrize("value", [None, 103, "103"])
def test_an_attribute_under_its_title_in_the_accounts_language_is_ignored(value: object) -> None:
    plain = said()

    event = said(**{"# di tentativi di chiamata": value, "Durée d'appel": value, "通話": value})

    assert event.fingerprint != plain.fingerprint
    assert event == read_with_fingerprint(plain, event.fingerprint)


def test_an_object_turned_into_text_is_no_transcript() -> None:
    event = read("transcription-created", {"call_id": CALL_ID, "transcript": "[object Object]"})

    assert event.transcript is None


def test_a_transcription_without_any_number_is_an_event() -> None:
    event = read("transcription-created", {"call_id": CALL_ID})

    assert (event.external, event.internal) == (None, None)


@pytest.mark.parametrize("trigger", sorted(STAGE_OF))
def test_an_event_without_either_id_is_held(trigger: str) -> None:
    found = held(trigger, {"external_number": "+441632960304", "agent_id": 400101})

    assert "add both" in found.reason
    assert found.trigger == trigger


def test_values_may_all_be_text() -> None:
    event = said(talking_time="45", is_voicemail="true", agent_id="400101", contact_id="")

    assert (event.talk_seconds, event.is_voicemail, event.agent_id, event.contact_id) == (
        45,
        True,
        400101,
        None,
    )


@pytest.mark.parametrize("text", ["0:45", "00:45", "0:00:45", "45", "45.0", 45, 45.0, 45.9])
def test_seconds_may_be_written_as_a_clock(text: object) -> None:
    assert said(talking_time=text).talk_seconds == 45


@pytest.mark.parametrize("text", ["-1", -1, "soon", "", "9" * 30, True, 2**40, [], {}])
def test_what_is_no_length_of_time_is_not_told(text: object) -> None:
    assert said(talking_time=text).talk_seconds is None


@pytest.mark.parametrize(
    "key",
    [
        "call_id",
        " call_id",
        "call_id\t",
        "Call ID",
        "CALL_ID",
        "callId",
        "CallId",
        "CallID",
        "call-id",
        "call.id",
        "Call.Id",
        "event.properties.call_id",
        "{{ event.properties.call_id }}",
        "cdr_id",
    ],
)
def test_a_key_may_have_blanks_capitals_and_any_way_of_joining_words(key: str) -> None:
    assert read("call-ended", {key: str(CALL_ID)}).call_id == CALL_ID


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        ("Call UUID", "uuid", UUID(UUID_TEXT)),
        ("callUUID", "uuid", UUID(UUID_TEXT)),
        ("call.uuid", "uuid", UUID(UUID_TEXT)),
        ("contacts[0].name", "contact_name", UUID_TEXT),
        ("event.properties.contacts[0].name", "contact_name", UUID_TEXT),
        ("Agent Last Name", "agent_name", UUID_TEXT),
    ],
)
def test_other_keys_are_spelled_in_as_many_ways(key: str, name: str, value: object) -> None:
    event = read("call-ended", {"call_id": CALL_ID, key: UUID_TEXT})

    assert getattr(event, name) == value


@pytest.mark.parametrize(
    ("sent", "tags"),
    [
        ("Billing,VIP", ("Billing", "VIP")),
        (" Billing ,, VIP,Billing", ("Billing", "VIP")),
        ("R&amp;D", ("R&D",)),
        ("", ()),
        ("null", ()),
        (["Billing", "VIP"], ("Billing", "VIP")),
        ([{"name": "Billing"}, {"label": "VIP"}, {"id": 1}, None], ("Billing", "VIP")),
        (None, None),
        (5, None),
        ({"a": "b"}, None),
    ],
)
def test_tags_are_one_text_joined_by_commas_or_a_list(sent: object, tags: object) -> None:
    assert said(tags=sent).tags == tags


@pytest.mark.parametrize("sent", ["", " ", "anonymous", "Private", "Restricted"])
def test_an_empty_number_was_withheld(sent: str) -> None:
    assert said(external_number=sent).external == WITHHELD


@pytest.mark.parametrize(
    "sent", [None, "null", "None", "undefined", "{{ event.properties.external_number }}"]
)
def test_a_null_number_was_not_told(sent: object) -> None:
    assert said(external_number=sent).external is None


def test_our_own_line_is_never_withheld() -> None:
    assert said(internal_number="").internal is None


@pytest.mark.parametrize("trigger", ["call-modified", "transcription-created"])
def test_a_recording_at_the_wrong_address_is_a_recording(trigger: str) -> None:
    body = {"call_id": CALL_ID, "recording_url": RECORDING_LINK, "external_number": 441632960304}

    assert read(trigger, body).trigger == "recording-uploaded"


@pytest.mark.parametrize(
    ("trigger", "more"),
    [
        ("call-modified", {"tags": "VIP"}),
        ("transcription-created", {"transcript": "[object Object]"}),
        ("call-ended", {}),
    ],
)
def test_a_recording_link_in_another_event_changes_nothing(trigger: str, more: dict[str, str]) -> None:
    event = read(trigger, {"call_id": CALL_ID, "recording_url": RECORDING_LINK, **more})

    assert event.trigger == trigger
    assert not event.has_recording


def test_the_name_in_the_body_is_right_where_the_address_disagrees() -> None:
    event = read("call-modified", {**IDS, "event": "recording_uploaded"})

    assert (event.trigger, event.stage) == ("recording-uploaded", Stage.ENDED)


def test_the_address_is_right_where_the_name_in_the_body_is_not_known() -> None:
    assert read("call-ended", {**IDS, "event": "Hang-up (my name for it)"}).trigger == "call-ended"


@pytest.mark.parametrize(
    "word",
    [
        "[object Object]",
        "undefined",
        "null",
        "None",
        "NULL",
        " nil ",
        "{{ event.properties.x }}",
        "{{x}}",
        "",
    ],
)
def test_a_null_in_words_is_no_value(word: str) -> None:
    names = [
        "direction",
        "agent_id",
        "agent_first_name",
        "agent_email",
        "contact_id",
        "contact_name",
        "talking_time",
        "started_at",
        "ended_at",
        "is_voicemail",
        "notes",
        "transcript",
        "internal_number",
    ]

    event = said(**dict.fromkeys(names, word))

    assert event == read_with_fingerprint(said(), event.fingerprint)


@pytest.mark.parametrize("word", ["test-missed-123", "undefined", "", "0", 0, -5, True, 1.5, "12a", 2**63])
def test_words_and_impossible_numbers_are_no_call_id(word: object) -> None:
    assert "call_id" in held("call-ended", {"call_id": word, "call_uuid": "webhook-test-456"}).reason


@pytest.mark.parametrize("body", [{}, {"test": "health"}, {"test": {"deep": [1, None]}}])
def test_a_test_send_is_held(body: dict[str, Any]) -> None:
    assert held("call-ended", body).reason
    assert "names no event" in held(None, body).reason


def test_the_nil_uuid_is_none() -> None:
    held("call-ended", {"call_uuid": "00000000-0000-0000-0000-000000000000"})


def test_a_uuid_counts_in_any_case_and_in_braces() -> None:
    assert read("call-ended", {"call_uuid": f" {{{UUID_TEXT.upper()}}} "}).uuid == UUID(UUID_TEXT)


def test_a_call_id_above_31_bits_is_kept_exactly() -> None:
    assert read("call-ended", {"call_id": 2**63 - 1}).call_id == 2**63 - 1


def test_names_and_notes_are_freed_of_html_escapes() -> None:
    event = said(
        contact_name="Ada &amp; Sons", notes="He said &quot;later&quot;", agent_first_name="Bo&#39;s"
    )

    assert (event.contact_name, event.notes, event.agent_name) == (
        "Ada & Sons",
        'He said "later"',
        "Bo's",
    )


def test_control_characters_do_not_reach_a_note_and_line_ends_do() -> None:
    assert said(notes="one\r\ntwo\x00\x1b[31m").notes == "one\ntwo[31m"


@pytest.mark.parametrize("plain", [True, False])
def test_the_call_id_is_found_in_the_recording_link(plain: bool) -> None:
    link = RECORDING_LINK.replace("%3D", "=") if plain else RECORDING_LINK

    assert read("recording-uploaded", {"recording_url": link}).call_id == CALL_ID


@pytest.mark.parametrize(
    "link",
    [
        "https://my.cloudtalk.io/pub/r/",
        "https://my.cloudtalk.io/pub/r/%%%/x.wav",
        "https://my.cloudtalk.io/pub/r/é/x.wav",
        "https://my.cloudtalk.io/pub/r/%E2%98%8E/x.wav",
        "https://my.cloudtalk.io/r/play/27",
        "https://my.cloudtalk.io/pub/r/YWJj/x.wav",
        "https://[/pub/r/MTAwMDAwMDExMA==/x.wav",
        {"number": 5},
        5,
    ],
)
def test_a_link_without_an_id_tells_none(link: object) -> None:
    assert "call_id" in held("recording-uploaded", {"recording_url": link}).reason


@pytest.mark.parametrize(
    ("sent", "at"),
    [
        ("2026-03-02T09:23:00.000Z", "2026-03-02T09:23:00+00:00"),
        ("2026-03-02 09:23:00", "2026-03-02T09:23:00+00:00"),
        ("2026-03-02T10:23:00+01:00", "2026-03-02T09:23:00+00:00"),
        (1772443380, "2026-03-02T09:23:00+00:00"),
        ("1772443380", "2026-03-02T09:23:00+00:00"),
        (1772443380000, "2026-03-02T09:23:00+00:00"),
        ("0000-00-00 00:00:00", None),
        ("0001-01-01T00:00:00", None),
        ("9999-12-31T23:59:59Z", None),
        ("1970-01-01T00:00:00Z", None),
        (97, None),
        (10**400, None),
        (float("1e300"), None),
        (True, None),
        ("yesterday", None),
        ([], None),
    ],
)
def test_a_time_is_read_with_its_offset_else_as_utc(sent: object, at: str | None) -> None:
    assert plainly(said(started_at=sent).started_at) == at


# Native envelopes


def native(kind: str, **data: Any) -> dict[str, Any]:
    return {"event_id": "evt_1", "type": kind, "version": "v1", "company_id": 100123, "data": data}


@pytest.mark.parametrize(
    ("kind", "trigger"),
    [
        ("call.ended", "call-ended"),
        ("call.recording_ready", "recording-uploaded"),
        ("transcript.ready", "transcription-created"),
        ("cidata.ready", "insights-ready"),
    ],
)
def test_a_native_envelope_names_its_trigger(kind: str, trigger: str) -> None:
    assert read(None, native(kind, call_uuid=UUID_TEXT)).trigger == trigger


def test_a_native_caller_who_withheld_the_number_is_told_by_a_status() -> None:
    event = read(None, native("call.ended", call_uuid=UUID_TEXT, caller_id_status="withheld"))

    assert event.external == WITHHELD


def test_a_native_call_without_number_and_status_does_not_tell_one() -> None:
    assert read(None, native("call.ended", call_uuid=UUID_TEXT)).external is None


def test_a_native_type_of_later_years_is_held_under_its_name() -> None:
    found = held(None, native("call.whispered_to", call_uuid=UUID_TEXT))

    assert (found.trigger, found.reason) == ("call-whispered-to", "unknown trigger")


# Names of the event


@pytest.mark.parametrize(
    "name",
    [
        "call_ended",
        "call-ended",
        "Call Ended",
        "CallEnded",
        "callEnded",
        " CALL ENDED ",
        "call.ended",
        "Call / Ended",
        "call: ended",
    ],
)
def test_the_name_of_the_event_may_be_spelled_in_any_way(name: str) -> None:
    assert read(None, {**IDS, "event": name}).trigger == "call-ended"


@pytest.mark.parametrize("name", ["Call Ringing on Agent", "Ringing on Agent", "call_ringing_on_agent"])
def test_the_dashboards_own_words_for_ringing_are_known(name: str) -> None:
    assert read(None, {**IDS, "event": name}).trigger == "call-ringing"


@pytest.mark.parametrize("key", ["event", "Event", " event ", "event_name", "eventType", "Trigger"])
def test_the_key_of_the_name_may_be_spelled_in_several_ways(key: str) -> None:
    assert read(None, {**IDS, key: "call_ended"}).trigger == "call-ended"


@pytest.mark.parametrize("trigger", ["user-status-changed", "call-raised-hand", "x", "", "call_ended ", "☎"])
def test_an_unknown_trigger_is_held(trigger: str) -> None:
    assert held(trigger, dict(IDS)).reason == "unknown trigger"


@pytest.mark.parametrize("trigger", sorted(OTHER_TRIGGERS))
def test_events_of_messages_and_contacts_are_held(trigger: str) -> None:
    assert held(trigger, dict(IDS)).reason == "belongs to no call"


# Key names of one's own


def own_keys(**names: list[str]) -> Rules:
    lines = "\n".join(f"{name} = {json.dumps(texts)}" for name, texts in names.items())
    made = read_rules_text(f"[webhook_keys]\n{lines}")
    assert not made.wrong
    return made.rules


def test_the_rules_add_names_of_ones_own() -> None:
    rules = own_keys(external_number=["Anrufer", "phone of caller"], call_id=["Vorgang Nr."])

    event = read("call-ended", {"vorgangNr": CALL_ID, "ANRUFER": 441632960304}, rules)

    assert event.call_id == CALL_ID
    assert event.external is not None
    assert event.external.text == "+441632960304"


def test_a_name_of_ones_own_for_the_event_counts_too() -> None:
    event = read(None, {**IDS, "Ereignis": "call_ended"}, own_keys(event=["Ereignis"]))

    assert event.trigger == "call-ended"


def test_the_exact_name_counts_before_another_one_unless_it_tells_nothing() -> None:
    assert (
        said(external_number="+441632960304", caller_number="+441632960305").external
        == said(external_number="+441632960304").external
    )
    assert said(agent_name="null", agent="Bo Sample").agent_name == "Bo Sample"


# Fingerprints


def test_the_same_json_in_other_bytes_is_the_same_delivery() -> None:
    first, again = payload("recording_uploaded__replayed_other_bytes")

    assert first.raw_body != again.raw_body
    assert reading(first).fingerprint == reading(again).fingerprint


def test_the_order_of_keys_makes_no_difference() -> None:
    body = {**IDS, "Event": "call_answered", "trigger": "call_ended", "agent": "Bo", "agent_name": "Cy"}
    turned = dict(reversed(body.items()))

    assert read_event(None, body, Rules()) == read_event(None, turned, Rules())


def test_a_native_redelivery_under_other_ids_is_the_same_delivery() -> None:
    body = payload("made_up__native_call_ended__answered")[0].body
    again = {**body, "event_id": "evt_other", "occurred_at": "2026-03-02T11:00:00.000Z"}

    assert fingerprint_of("call-ended", body) == fingerprint_of("call-ended", again)


def test_native_events_of_different_types_and_calls_are_different() -> None:
    prints = {
        fingerprint_of("", native(kind, call_uuid=uuid))
        for kind in ("call.ended", "transcript.ready")
        for uuid in (UUID_TEXT, "88cad9ad-c219-4735-8cab-d85ed854a100")
    }

    assert len(prints) == 4


def test_two_ringing_agents_are_two_deliveries() -> None:
    first, second = payload("made_up__call_ringing__two_agents")

    assert reading(first).fingerprint != reading(second).fingerprint


def test_the_same_body_under_another_trigger_is_another_delivery() -> None:
    assert read("call-started", dict(IDS)).fingerprint != read("call-ended", dict(IDS)).fingerprint


def test_when_it_came_is_no_part_of_the_fingerprint() -> None:
    request = payload("call_ended__both_ids_localised_key")

    assert len({reading(one).fingerprint for one in request}) == 1


# Anything at all

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
ANY_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**320)
    | st.floats()
    | ANY_TEXT
    | st.sampled_from(
        ["{{x}}", "null", UUID_TEXT, str(CALL_ID), "+441632960304", RECORDING_LINK, "https://[/r/"]
    )
)
ANY_VALUE = st.recursive(
    ANY_SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4)
)
KNOWN_KEY = st.sampled_from(
    [
        "event",
        "type",
        "data",
        "call_id",
        "call_uuid",
        "external_number",
        "internal_number",
        "direction",
        "recording_url",
        "tags",
        "notes",
        "talking_time",
        "started_at",
        "is_voicemail",
        "contact_name",
        "agent_id",
        "agent_email",
        "caller_id_status",
        "transcript",
        "summary",
        "Call ID",
        "call.id",
    ]
)
ANY_BODY = st.dictionaries(KNOWN_KEY | ANY_TEXT, ANY_VALUE, max_size=12)
ANY_TRIGGER = st.none() | ANY_TEXT | st.sampled_from([*STAGE_OF, *OTHER_TRIGGERS])


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(ANY_TRIGGER, ANY_BODY, st.sampled_from([None, "GB", "US"]))
def test_no_json_object_upsets_the_reader_and_it_always_reads_the_same(
    trigger: str | None, body: dict[str, Any], region: str | None
) -> None:
    rules = Rules(region=region)

    first = read_event(trigger, body, rules)

    assert repr(first) == repr(read_event(trigger, json.loads(json.dumps(body)), rules))
    assert first.fingerprint == read_event(trigger, dict(reversed(body.items())), rules).fingerprint


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(ANY_BODY)
def test_no_native_envelope_upsets_the_reader(data: dict[str, Any]) -> None:
    read_event(None, {"type": "call.ended", "data": data}, Rules())


@pytest.mark.parametrize("name", ["call_id", "tags", "notes", "external_number", "event", "data"])
@pytest.mark.parametrize("opening", ['{"a":', "["])
def test_a_body_of_the_deepest_nesting_let_in_is_read(name: str, opening: str) -> None:
    closing = "}" if opening.startswith("{") else "]"
    deep = json.loads(opening * 31 + "1" + closing * 31)

    assert isinstance(read_event("call-ended", {**IDS, name: deep}, Rules()), Event | Held)


def test_texts_of_any_event_can_be_sent_on() -> None:
    event = said(external_number="\ud800 sip", contact_name="\ud800Ada", notes="\udc00", tags="\ud83d,VIP")

    for text in (
        event.external and event.external.text,
        event.contact_name,
        event.notes,
        *(event.tags or ()),
    ):
        assert (text or "").encode() is not None


def read_with_fingerprint(event: Event, fingerprint: str) -> Event:
    """The same event as if it had come in another body."""
    return replace(event, fingerprint=fingerprint)
