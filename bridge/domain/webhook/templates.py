"""The recommended webhook templates: what to set up in CloudTalk for each trigger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

VERSION = "1"
VOICE_AGENT_PLACE = "CloudTalk's voice agent > configuration > extractData > endpoint"
PLACE = "Account menu > Workflow Automations > New workflow"


@dataclass(frozen=True, slots=True)
class Key:
    """One line of a template: what to type as key, and the variable to click for its value."""

    name: str
    needed: bool = False
    # A text to type in, where the value is no variable.
    fixed: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """What to set up in CloudTalk for one trigger."""

    trigger: str
    title: str
    keys: tuple[Key, ...]
    note: str = ""
    place: str = PLACE

    @property
    def event(self) -> str:
        return self.trigger.replace("-", "_")


def _template(trigger: str, title: str, keys: str, *, note: str = "", **notes: str) -> Template:
    """A template from its keys in one text; `!` marks what the bridge needs."""
    head = (Key("event", needed=True, fixed=trigger.replace("-", "_")), Key("template", fixed=VERSION))
    named = tuple(
        Key(word.rstrip("!"), needed=word.endswith("!"), note=notes.get(word.rstrip("!"), ""))
        for word in keys.split()
    )
    return Template(trigger, title, head + named, note)


_IF_OFFERED = "leave out if the editor does not offer it"

# Source: what CloudTalk's editor offers, and what its events were seen to hold. The smallest useful
# set is Call Ended and Recording Uploaded.
TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        template.trigger: template
        for template in (
            _template(
                "call-ended",
                "Call / Ended",
                "call_id! call_uuid! external_number! internal_number! direction! agent_id agent_first_name "
                "agent_last_name contact_id contact_name talking_time! waiting_time wrapup_time started_at! "
                "answered_at ended_at is_voicemail tags notes",
                note="Start with this one. Send both ids; without them a missed call costs several requests.",
            ),
            _template(
                "recording-uploaded",
                "Recording / Uploaded",
                "call_id! call_uuid external_number internal_number",
                note="Leave recording_url out: anyone who has it can listen, and the bridge fetches by id.",
                call_uuid=_IF_OFFERED,
            ),
            _template(
                "call-modified",
                "Call / Modified",
                "call_id! call_uuid! external_number tags notes disposition",
                note="Adds tags and notes made after the call.",
            ),
            _template(
                "transcription-created",
                "Transcription / Created",
                "call_id! call_uuid",
                note="Only for [insights] transcript in the rules, which is then asked for as soon as it is "
                "ready. Without that, for one in the note, add the key transcript; a body over 64 KiB is "
                "refused.",
                call_uuid=_IF_OFFERED,
            ),
            _template(
                "call-started",
                "Call / Started",
                "call_uuid! call_id external_number! internal_number direction contact_id contact_name "
                "agent_id started_at",
                note="Not needed for logging calls. Needed for cue cards ([cue_card] show = true).",
                call_id=_IF_OFFERED,
            ),
            _template(
                "call-ringing",
                "Call / Ringing on Agent",
                "call_uuid! external_number internal_number agent_id!",
                note="Not needed for logging calls; sent once for each agent that rings. Good for "
                "cue cards: CloudTalk may not know a call as active before an agent rings.",
            ),
            _template(
                "call-answered",
                "Call / Answered",
                "call_uuid! call_id external_number internal_number direction agent_id contact_id started_at "
                "answered_at",
                note="Not needed for logging calls.",
                call_id=_IF_OFFERED,
            ),
            replace(
                _template(
                    "voice-agent",
                    "AI voice agent / extractData",
                    "call_id! call_uuid voice_agent_name",
                    note="Add a key for each value that the agent extracts, such as order_number: the note "
                    "and the page of the call show the first 20. Without an id of the call it is held.",
                ),
                place=VOICE_AGENT_PLACE,
            ),
            _template(
                "message-received",
                "Message / Received",
                "external_number! internal_number! text! message_id sent_at contact_id contact_name",
                note="Becomes a message in Kustomer. Without an id, the same words again within 10 minutes "
                "count as one message.",
                message_id=_IF_OFFERED,
                sent_at=_IF_OFFERED,
            ),
            _template(
                "message-sent",
                "Message / Sent",
                "external_number! internal_number! text! message_id sent_at contact_id contact_name",
                note="Becomes a message in Kustomer. Without an id, the same words again within 10 minutes "
                "count as one message.",
                message_id=_IF_OFFERED,
                sent_at=_IF_OFFERED,
            ),
            _template(
                "contact-created",
                "Contact / Created",
                "contact_id!",
                note="Only with [contacts] to_kustomer. The bridge reads the contact itself.",
            ),
            _template(
                "contact-updated",
                "Contact / Updated",
                "contact_id!",
                note="Only with [contacts] to_kustomer. The bridge reads the contact itself.",
            ),
            _template(
                "contact-deleted",
                "Contact / Deleted",
                "contact_id!",
                note="Stored and shown; the customer in Kustomer stays.",
            ),
        )
    }
)


def variable(name: str) -> str:
    """As the editor writes it; there one clicks it in the list of variables."""
    return f"{{{{ event.properties.{name} }}}}"


def as_data(template: Template, base: str, *, below: str = "/webhooks") -> dict[str, Any]:
    """Everything to fill in for one trigger.

    Args:
        base: the bridge's public address.
        below: what the paths of the account's webhooks begin with.
    """
    return {
        "trigger": template.trigger,
        "cloudtalk_trigger": template.title,
        "where": template.place,
        "action": "API Request",
        "method": "POST",
        "url": f"{base}{below}/cloudtalk/{template.trigger}",
        "headers": {"Authorization": "Bearer YOUR-TOKEN", "Content-Type": "application/json"},
        "keys": [
            {
                "key": key.name,
                "value": key.fixed if key.fixed is not None else variable(key.name),
                "kind": "text" if key.fixed is not None else "variable",
                "needed": key.needed,
                "note": key.note,
            }
            for key in template.keys
        ],
        "note": template.note,
    }
