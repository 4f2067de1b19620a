"""What became of a day: the list of what was expected against what the services hold in the end.

Knows the list and the final state, and nothing else: no ledger, no log, no code of the bridge.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.chaos.days import Day, Expected
from tests.chaos.options import check_options, is_of_texts

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What Kustomer holds, as its API shows it."""

    customers: Sequence[Document]
    conversations: Sequence[Document]
    notes: Sequence[Document]
    attachments: Sequence[Document]
    messages: Sequence[Document] = ()


@dataclass(slots=True, kw_only=True)
class Verdict:
    """Each finding is one line that names the call. Orphans are told, not counted as duplicates: no note
    names them, so nobody sees them, and a lost reply to a registration cannot be told from a lost request.
    """

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    orphans: int = 0
    # Call number -> Unix time at which its note was there, and was last changed.
    written_at: dict[int, float] = field(default_factory=dict)
    settled_at: dict[int, float] = field(default_factory=dict)

    @property
    def findings(self) -> list[str]:
        return [
            *(f"lost: {one}" for one in self.lost),
            *(f"duplicated: {one}" for one in self.duplicated),
            *(f"wrong: {one}" for one in self.wrong),
        ]


def check(day: Day, held: Held, options: Collection[str] = ()) -> Verdict:
    """Compare; finds everything there is to find rather than stopping at the first.

    Args:
        options: those of `tests.chaos.options` that were on.
    """
    verdict = Verdict()
    phones = {customer["id"]: _phones(customer) for customer in held.customers}
    _check_customers(day, held, verdict)
    by_key = _by_external_id(held.conversations, "conversation", verdict)
    notes = _by_external_id(held.notes, "note", verdict)
    files = {one["id"]: one for one in held.attachments}
    verdict.orphans = sum(not one["referenced"] for one in held.attachments)
    _check_files(held, verdict)

    contacts = _last_contacts(day)
    for number, call in enumerate(day.calls):
        key = f"cloudtalk:call:{call.uuid}"
        conversation, note = by_key.pop(key, None), notes.pop(f"{key}:note", None)
        if not call.written:
            if conversation or note:
                verdict.wrong.append(f"{_name(call)} was not to be written")
            continue
        if conversation is None:
            verdict.lost.append(f"{_name(call)}: no conversation")
            continue
        verdict.wrong += [
            f"{_name(call)}: {one}" for one in _of_conversation(call, conversation, phones, contacts)
        ]
        if note is None:
            verdict.lost.append(f"{_name(call)}: no note")
            continue
        if note["relationships"]["conversation"]["data"]["id"] != conversation["id"]:
            verdict.wrong.append(f"{_name(call)}: its note is in another conversation")
        verdict.wrong += [f"{_name(call)}: {one}" for one in _of_text(call, note)]
        said = day.said.get(number)
        _check_attachment(call, note, files, verdict, transcript=said.file if said else None)
        verdict.written_at[number] = _unix(note["attributes"]["createdAt"])
        verdict.settled_at[number] = _unix(note["attributes"]["updatedAt"])
    verdict.wrong += [f"a conversation of no call: {key}" for key in by_key if not is_of_texts(key)]
    verdict.wrong += [f"a note of no call: {key}" for key in notes]
    check_options(day, held, verdict, options)
    return verdict


def _name(call: Expected) -> str:
    return f"call {call.call_id} ({call.kind}, {call.uuid})"


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _phones(customer: Document) -> set[str]:
    return {str(one["phone"]) for one in customer["attributes"]["phones"]}


def _by_external_id(found: Sequence[Document], what: str, verdict: Verdict) -> dict[str, Document]:
    keys = Counter(str(one["attributes"].get("externalId")) for one in found)
    verdict.duplicated += [f"{count} {what}s with the key {key}" for key, count in keys.items() if count > 1]
    return {str(one["attributes"].get("externalId")): one for one in found}


def _check_customers(day: Day, held: Held, verdict: Verdict) -> None:
    wanted = {call.phone for call in day.calls if call.written and call.phone}
    wanted |= {text.phone for text in day.texts}
    owners = defaultdict(list)
    for customer in held.customers:
        for phone in _phones(customer) or {""}:
            owners[phone].append(customer)
    for phone, found in owners.items():
        who = f"the customer of …{phone[-3:]}"
        if len(found) > 1:
            verdict.duplicated.append(f"{who} is there {len(found)} times")
        if phone not in wanted:
            verdict.wrong.append(f"{who}: nobody called from that number")
        elif found[0]["attributes"]["name"] not in day.names[phone]:
            verdict.wrong.append(f"{who} is called {found[0]['attributes']['name']!r}")
    verdict.lost += [f"the customer of …{phone[-3:]}" for phone in wanted - owners.keys()]


def _last_contacts(day: Day) -> dict[str, datetime]:
    """Of each number when the last call began in which somebody spoke with it."""
    found: dict[str, datetime] = {}
    for call in day.calls:
        if call.talked and call.phone and call.started_at:
            found[call.phone] = max(call.started_at, found.get(call.phone, call.started_at))
    return found


def _of_conversation(
    call: Expected, found: Document, phones: Mapping[str, set[str]], contacts: Mapping[str, datetime]
) -> Iterator[str]:
    owner = found["relationships"]["customer"]["data"]["id"]
    if call.phone not in phones.get(owner, set()):
        yield "its conversation is another customer's"
    contact = contacts.get(call.phone or "")
    closed = contact is not None and call.started_at is not None and contact > call.started_at
    status = "done" if closed else call.status
    for name, wanted in (("status", status), ("direction", call.direction)):
        if found["attributes"][name] != wanted:
            yield f"its conversation's {name} is {found['attributes'][name]}, not {wanted}"


def _of_text(call: Expected, note: Document) -> Iterator[str]:
    lines = str(note["attributes"]["body"]).splitlines()
    if lines[0] != call.headline:
        yield f"its note says {lines[0]!r}, not {call.headline!r}"
    for wanted in call.lines:
        if not any(line.startswith(wanted) for line in lines):
            start = wanted.split(":")[0]
            said = next((line for line in lines if line.startswith(f"{start}:")), "nothing of it")
            yield f"its note lacks {wanted!r}, and says {said!r}"
    for unwanted in call.never:
        yield from (f"its note says {line!r}" for line in lines if line.startswith(unwanted))


def _check_attachment(
    call: Expected,
    note: Document,
    files: Mapping[str, Document],
    verdict: Verdict,
    *,
    transcript: str | None,
) -> None:
    named = [one["id"] for one in note["relationships"].get("attachments", {}).get("data", [])]
    names = [str(files[one]["attributes"]["name"]) if one in files else "?" for one in named]
    wanted = [call.attachment] if call.attachment else []
    if transcript and (transcript in names or any(line.startswith("CloudTalk call:") for line in call.lines)):
        wanted.append(transcript)
    if len(named) > len(wanted):
        verdict.duplicated.append(f"{_name(call)}: {len(named)} attachments at its note, not {len(wanted)}")
    elif len(named) < len(wanted):
        verdict.lost.append(f"{_name(call)}: its recording is not attached, or its transcript")
    elif sorted(names) != sorted(wanted):
        verdict.wrong.append(f"{_name(call)}: {names} is attached, not {wanted}")
    elif any(not files[one]["uploaded"] or not files[one]["size"] for one in named):
        verdict.lost.append(f"{_name(call)}: its attachment is empty")


def _check_files(held: Held, verdict: Verdict) -> None:
    named = Counter(
        one["id"]
        for note in held.notes
        for one in note["relationships"].get("attachments", {}).get("data", [])
    )
    verdict.duplicated += [
        f"attachment {one} is named by {count} notes" for one, count in named.items() if count > 1
    ]
