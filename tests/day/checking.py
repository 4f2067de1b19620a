"""Compares all that Kustomer holds after the day with what it should hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.sandbox.running import RunningSandbox
from tests.day.expected import Expected, NoteWanted, Talk

Document = Mapping[str, Any]
_KEY = "externalId"


@dataclass(slots=True)
class Held:
    """What Kustomer holds, as its API shows it, by its ids."""

    customers: dict[str, Document]
    talks: dict[str, Document]
    notes: Sequence[Document]
    files: dict[str, Document]
    users: dict[str, str]
    teams: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, sandbox: RunningSandbox) -> Held:
        desk, world = sandbox.kustomer, sandbox.world
        with world.lock:
            users = {one["id"]: str(one["given"].get("email")) for one in world.store.all("user")}
            teams = {one["id"]: str(one["given"]["name"]) for one in world.store.all("team")}
        return cls(
            customers={one["id"]: one for one in desk.customers},
            talks={one["id"]: one for one in desk.conversations},
            notes=desk.notes,
            files={one["id"]: one for one in desk.attachments},
            users=users,
            teams=teams,
        )

    def customer_of(self, talk: Document) -> str:
        found = self.customers.get(talk["relationships"]["customer"]["data"]["id"])
        return str(_name(found)) if found else "a customer who is gone"


def compare(wanted: Expected, held: Held) -> list[str]:
    """Each finding is one line; none: Kustomer holds exactly what it should."""
    return [*_of_customers(wanted, held), *_of_talks(wanted, held), *_of_notes(wanted, held)]


def _name(customer: Document) -> str:
    attributes = customer["attributes"]
    return str(attributes["name"] or (attributes["phones"] or [{"phone": "nameless"}])[0]["phone"])


def _of_customers(wanted: Expected, held: Held) -> Iterator[str]:
    found: dict[str, list[set[str]]] = defaultdict(list)
    for customer in held.customers.values():
        found[_name(customer)].append({one["phone"] for one in customer["attributes"]["phones"]})
    owners = Counter(phone for sets in found.values() for phones in sets for phone in phones)
    yield from (f"duplicate: {count} customers have {phone}" for phone, count in owners.items() if count > 1)
    for name, sets in found.items():
        if name not in wanted.customers:
            yield f"a customer too many: {name}"
        elif sets != [wanted.customers[name]]:
            yield f"customer {name}: numbers {sets}, not {[wanted.customers[name]]}"
    yield from (f"customer missing: {name}" for name in wanted.customers.keys() - found.keys())


def _of_talks(wanted: Expected, held: Held) -> Iterator[str]:
    """A conversation is the one that has the notes of its calls."""
    by_note = {
        one["attributes"].get(_KEY): one["relationships"]["conversation"]["data"]["id"] for one in held.notes
    }
    by_key: dict[str, list[str]] = defaultdict(list)
    for id_, one in held.talks.items():
        by_key[str(one["attributes"].get(_KEY))].append(id_)
    yield from (f"duplicate: {len(ids)} conversations {key}" for key, ids in by_key.items() if len(ids) > 1)
    seen: set[str] = set()
    for talk in wanted.talks:
        about = ", ".join(f"call {one.number} {one.story}" for one in talk.calls)
        ids = {by_note.get(f"cloudtalk:call:{one.uuid}:note") for one in talk.calls}
        ids |= set(by_key.get(talk.key or "", ()))
        ids.discard(None)
        if len(ids) != 1:
            yield f"{about}: {len(ids)} conversations hold it, not one"
            continue
        id_ = str(ids.pop())
        if id_ in seen:
            yield f"{about}: shares a conversation with another"
        seen.add(id_)
        readings = [list(_of_talk(one, held.talks[id_], held)) for one in (talk, *talk.others)]
        yield from (f"{about}: {one}" for one in min(readings, key=len))
    yield from (
        f"a conversation too many: {one['attributes']['name']}, {one['attributes'].get(_KEY)}"
        for id_, one in held.talks.items()
        if id_ not in seen
    )


def _of_talk(talk: Talk, found: Document, held: Held) -> Iterator[str]:
    has = found["attributes"]
    pairs: dict[str, tuple[Any, Any]] = {
        "customer": (held.customer_of(found), talk.customer),
        "status": (has["status"], talk.status),
        "tags": (frozenset(found["tagNames"]), talk.tags),
        "owner": (
            [held.users.get(one, one) for one in has["assignedUsers"]],
            [talk.owner] if talk.owner else [],
        ),
        "teams": ([held.teams.get(one, one) for one in has["assignedTeams"]], list(talk.teams)),
        "priority": (has.get("priority"), talk.priority),
    }
    if talk.key is not None:
        pairs["key"] = (has.get(_KEY), talk.key)
    if talk.name is not None:
        pairs["name"] = (has["name"], talk.name)
    if talk.direction is not None:
        pairs["direction"] = (has["direction"], talk.direction)
    for what, (is_now, should) in pairs.items():
        if is_now != should:
            yield f"{what} is {is_now}, not {should}"


def _of_notes(wanted: Expected, held: Held) -> Iterator[str]:
    found: dict[str, list[Document]] = defaultdict(list)
    for note in held.notes:
        found[str(note["attributes"].get(_KEY))].append(note)
    for want in wanted.notes:
        notes = [note for key in want.keys for note in found.pop(key, [])]
        if len(notes) != 1:
            yield f"{'lost' if not notes else 'duplicate'}: {len(notes)} notes {sorted(want.keys)}"
        else:
            yield from (
                f"note {notes[0]['attributes'][_KEY]}: {one}" for one in _of_note(want, notes[0], held)
            )
    yield from (f"{len(notes)} notes too many: {key}" for key, notes in found.items())
    named = Counter(one for note in held.notes for one in _attached(note))
    yield from (f"attachment {id_} is at {count} notes" for id_, count in named.items() if count > 1)


def _attached(note: Document) -> list[str]:
    return [one["id"] for one in note["relationships"].get("attachments", {}).get("data", [])]


def _of_note(want: NoteWanted, note: Document, held: Held) -> Iterator[str]:
    lines = str(note["attributes"]["body"]).splitlines()
    for line in want.lines:
        if not any(one.startswith(line) for one in lines):
            near = [one for one in lines if one.split(":")[0] == line.split(":")[0]]
            yield f"lacks {line!r}, says {near or lines}"
    if want.names and not any(want.names in one and not one.startswith("CloudTalk call:") for one in lines):
        yield f"does not name call {want.names}: {lines}"
    yield from (f"says {one!r}" for one in lines for line in want.never if one.startswith(line))
    names = [
        str(held.files[one]["attributes"]["name"]) if one in held.files else "?" for one in _attached(note)
    ]
    if names != ([want.attachment] if want.attachment else []):
        yield f"attached is {names}, not {want.attachment}"
