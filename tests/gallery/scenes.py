"""What the gallery shows: each kind of call, and what else is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from tests.gallery.people import ENGLISH, FRENCH, GERMAN, TEAMS, Team
from tests.gallery.stage import BO, CY, MORNING, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One heading of the page.

    Args:
        name: of its picture.
        words: what is seen.
        rules: the name of a rules file of this folder.
        teams: in whose languages; the first one's is the picture.
        of: whose page it is.
        objects: whether custom objects are in the picture.
    """

    name: str
    title: str
    words: str
    play: Callable[[Stage], None]
    rules: str = "rules"
    teams: tuple[Team, ...] = ()
    of: Literal["kustomer", "cloudtalk"] = "kustomer"
    objects: bool = False


def _answered(stage: Stage) -> None:
    stage.call(talk_s=97, agent=BO, recorded=True, annotated=True, insights=stage.team.insights())


def _missed(stage: Stage) -> None:
    stage.call(wait_s=31, rang=[BO, CY])
    stage.call(after_min=12, wait_s=48, rang=[CY], menu="2")


def _voicemail(stage: Stage) -> None:
    said = stage.team.insights(
        summary=stage.team.voicemail,
        without=["smart-notes", "topics", "talk-listen-ratio"],
        segments=[["contact", stage.team.voicemail_words]],
    )
    stage.call(talk_s=0, wait_s=21, is_voicemail=True, recorded=True, out_of_office=True, insights=said)
    # Until nothing is asked for any more.
    stage.settle(for_s=720, step_s=80)


def _outgoing(stage: Stage) -> None:
    stage.call(direction="outgoing", talk_s=64, wait_s=9, agent=BO)


def _nobody(stage: Stage) -> None:
    stage.call(direction="outgoing", wait_s=25, agent=BO)


def _transferred(stage: Stage) -> None:
    stage.call(talk_s=97, agent=CY, transferred_from=BO, menu="2", rang=[CY])


def _voice_agent(stage: Stage) -> None:
    stage.call(
        talk_s=58,
        wait_s=2,
        voice_agent="Nova",
        asked_out=[(name, text) for name, text in stage.team.asked_out],
    )


def _internal(stage: Stage) -> None:
    stage.call(direction="internal", talk_s=42, wait_s=4, agent=BO, to="1002")


def _reports(stage: Stage) -> None:
    stage.call(talk_s=97, agent=BO, recorded=True)


def _edited(stage: Stage) -> None:
    ids = stage.call(talk_s=97, agent=BO)
    (note,) = stage.sandbox.kustomer.notes
    body = f"{note['attributes']['body']}\n\nPromised her 10 % off the next order. Bo"
    stage.bridge.deps.kustomer.notes.update(note["id"], {"body": body})
    stage.tell("call-tagged", {**ids, "tags": "Billing,VIP"})
    stage.sandbox.cloudtalk.add_call(
        id=int(ids["call_id"]),
        uuid=ids["call_uuid"],
        external_number=stage.team.phone,
        internal_number=stage.team.line,
        queue=stage.team.queue,
        agent_id=BO,
        started_at=MORNING.isoformat(),
        talking_time=97,
        waiting_time=14,
        tags=["Billing", "VIP"],
        rating=4,
        insights=stage.team.insights(segments=stage.team.segments[:2]),
    )
    stage.tell("call-modified", ids)
    stage.tell("insights-ready", ids)
    stage.settle()


def _messages(stage: Stage) -> None:
    stage.known()
    said = (
        ("sms", "received", "Is my parcel on its way?"),
        ("sms", "sent", "Yes, it comes tomorrow between 9 and 12."),
        ("whatsapp", "received", "Great, thank you!"),
    )
    for n, (channel, how, text) in enumerate(said):
        at = MORNING + timedelta(minutes=n)
        stage.tell(
            None,
            {
                "event_id": f"evt_{n}",
                "type": f"message.{how}",
                "version": "v1",
                "occurred_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "company_id": 100123,
                "data": {
                    "id": f"msg-{n}",
                    "channel": channel,
                    "body": text,
                    "external_number": stage.team.phone,
                    "internal_number": {"number_e164": stage.team.line},
                },
            },
        )
        stage.settle()


def _cue_card(stage: Stage) -> None:
    kustomer = stage.sandbox.kustomer
    stage.tag("5f0e0000000000000000a188", "VIP")
    customer = stage.known(company=kustomer.add_company("Example Ltd"), tags=["VIP"])
    for days, name in ((3, "Missed call from Ada Example"), (0, "March invoice")):
        stage.clock.back = timedelta(days=days)
        kustomer.add_conversation(customer, name=name)
    uuid = "11111111-2222-4333-8444-555555555500"
    numbers = {"external_number": stage.team.phone, "internal_number": stage.team.line}
    stage.sandbox.cloudtalk.add_call(uuid=uuid, in_progress=True, contact_name=stage.team.caller, **numbers)
    stage.tell(
        "call-started", {"event": "call_started", "call_uuid": uuid, "direction": "incoming", **numbers}
    )
    stage.settle()


SCENES = (
    Scene(
        name="answered",
        title="An answered call",
        words="With a recording, a note and a tag of the agent, and all that CloudTalk's AI says. "
        "The transcript is longer than a note may be, so it is attached.",
        play=_answered,
        teams=(ENGLISH, GERMAN, FRENCH),
        objects=True,
    ),
    Scene(
        name="missed",
        title="Missed calls",
        words="Called twice, and nobody picked up: one open conversation, and when to call back.",
        play=_missed,
        objects=True,
        teams=(GERMAN, ENGLISH, FRENCH),
    ),
    Scene(
        name="voicemail",
        title="A voicemail",
        words="Out of hours. CloudTalk's AI was asked until it was clear what it does not have.",
        play=_voicemail,
        teams=(FRENCH, ENGLISH, GERMAN),
    ),
    Scene(
        name="outgoing",
        title="An outgoing call that was answered",
        words="Of a caller whom Kustomer did not know.",
        play=_outgoing,
        teams=(ENGLISH, GERMAN, FRENCH),
    ),
    Scene(
        name="outgoing-missed",
        title="An outgoing call that nobody answered",
        words="It stays open, so that somebody tries again.",
        play=_nobody,
        teams=(GERMAN, ENGLISH, FRENCH),
    ),
    Scene(
        name="transferred",
        title="A transferred call, with its path",
        words="Menu, queue, who rang, who talked how long, and to whom it was handed on.",
        play=_transferred,
        teams=(ENGLISH, GERMAN, FRENCH),
    ),
    Scene(
        name="voice-agent",
        title="An AI voice agent",
        words="What it asked out of the caller stands in the note.",
        play=_voice_agent,
        teams=(GERMAN, ENGLISH, FRENCH),
    ),
    Scene(
        name="internal",
        title="A call between colleagues",
        words="Only if the rules say `internal = true`.",
        play=_internal,
        teams=(FRENCH, ENGLISH, GERMAN),
    ),
    Scene(
        name="edited",
        title="A note that a person edited",
        words="It stays as it is. What is new since then is in a second note: tags, rating, insights.",
        play=_edited,
        teams=(ENGLISH,),
    ),
    Scene(
        name="voice-message",
        title="Voice message alone, values on the conversation",
        words="No note; the message counts as a contact in Kustomer's reports, and the values are custom "
        "attributes of the conversation.",
        play=_reports,
        rules="reports",
        teams=(ENGLISH,),
    ),
    Scene(
        name="template",
        title="A note by the operator's template",
        words="Short, in the team's own words.",
        play=_answered,
        rules="template",
        teams=(ENGLISH,),
    ),
    Scene(
        name="messages",
        title="Text messages",
        words="SMS and WhatsApp, in and out, in one conversation of the number. No choice is needed for it.",
        play=_messages,
        rules="reports",
        teams=(ENGLISH,),
    ),
    Scene(
        name="cue-card",
        title="The cue card",
        words="What agents see in CloudTalk while a call rings, on the page of the sandbox's CloudTalk.",
        play=_cue_card,
        rules="cue_card",
        teams=(ENGLISH,),
        of="cloudtalk",
    ),
)

__all__ = ["SCENES", "TEAMS", "Scene"]
