"""The workflows of deploy/cloudtalk.md, key by key: `python -m tests.cloudtalk_page` puts them there.

The keys are those of `callbridge templates`. What is said of CloudTalk itself was read in November 2026, in
its help centre and in public captures of real webhooks. No account was used.
"""

from __future__ import annotations

from pathlib import Path

from bridge.domain.webhook.templates import TEMPLATES, Key, Template, variable

PAGE = Path(__file__).parents[1] / "deploy" / "cloudtalk.md"
BEGIN = "<!-- workflows: made by python -m tests.cloudtalk_page -->"
END = "<!-- end of workflows -->"

_USED_FOR = {
    "event": "says which trigger it is, if the workflow's URL is wrong",
    "template": "version of this list of keys",
    "call_id": "CloudTalk's number of the call: recording and details are fetched by it",
    "call_uuid": "the other id of the call: ties events together, and is the key in Kustomer",
    "external_number": "the customer: Kustomer is searched by it",
    "internal_number": "our line, in the note and for rules",
    "direction": "incoming, outgoing or internal",
    "agent_id": "who dealt with it: name from CloudTalk's list of agents, owner in Kustomer",
    "agent_first_name": "name in the note without a request",
    "agent_last_name": "name in the note without a request",
    "contact_id": "CloudTalk's contact of the caller",
    "contact_name": "name of a new customer",
    "talking_time": "0 or empty: nobody talked, so it was missed",
    "waiting_time": "in the note",
    "wrapup_time": "tells the end of the call from the end of the agent's work after it",
    "started_at": "time of the call; without it, the time when the webhook came",
    "answered_at": "in the note",
    "ended_at": "in the note, and to measure how late the note is",
    "is_voicemail": "voicemail in place of missed",
    "tags": "in the note; on the conversation with `call_tags`; in rules",
    "notes": "the agent's notes, in the note",
    "disposition": "stored and shown; in no note",
    "voice_agent_name": "name of the AI agent, in the note",
    "text": "the message",
    "message_id": "recognises the same message when it comes again",
    "sent_at": "time of the message",
}
_SEEN = {
    "call": {
        "call_uuid",
        "call_id",
        "internal_number",
        "external_number",
        "direction",
        "agent_id",
        "contact_id",
    },
    "recording": {"call_id", "internal_number", "external_number"},
    "transcription": {"call_id"},
}
_DOUBTFUL = {"is_voicemail"}


def standing(trigger: str, key: Key) -> str:
    """Where it is known from that CloudTalk offers this variable."""
    if key.fixed is not None:
        return "typed in"
    if key.name in _SEEN.get(trigger.partition("-")[0], ()):
        return "seen in real webhooks"
    if key.name in _DOUBTFUL:
        return "doubtful: named once"
    if trigger.startswith("call-"):
        return "used by other integrations"
    return "not verified"


def workflow(template: Template) -> str:
    note = f". {template.note}" if template.note else ""
    rows = [
        f"### {template.title}",
        "",
        f"URL: `https://YOUR-BRIDGE/webhooks/cloudtalk/{template.trigger}`{note}",
        "",
        "| key | value | needed | used for | how sure the value is |",
        "|---|---|---|---|---|",
    ]
    for key in template.keys:
        value = f'"{key.fixed}"' if key.fixed is not None else f"`{variable(key.name)}`"
        needed = "yes" if key.needed else key.note
        sure = standing(template.trigger, key)
        rows.append(f"| `{key.name}` | {value} | {needed} | {_USED_FOR[key.name]} | {sure} |")
    return "\n".join(rows)


def written(document: str) -> str:
    """The page with the workflows of now."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = "\n\n".join(workflow(template) for template in TEMPLATES.values())
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
