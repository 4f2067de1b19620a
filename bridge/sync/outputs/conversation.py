"""The call's conversation, under an external id made from the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from bridge.clients.kustomer import Conversation
from bridge.domain.kustomer_texts.tags import MOST_TAGS
from bridge.domain.owners import Owner
from bridge.domain.policy import ConversationDraft
from bridge.errors import Rejected
from bridge.ledger.calls.record import Written
from bridge.sync.outputs.custom import as_sent, custom_changes, custom_of, editable_custom, is_as_sent
from bridge.sync.outputs.owned import OWNED, our_part, owned_changes, owned_fields, with_others
from bridge.sync.refused import say_left_out, send_without_refused
from bridge.sync.writer import CallWriter, Fields, Output

_STATE = ("status", "subStatus", "snooze")
_CHOSEN = ("priority", "brand", "queue")
_EDITABLE = ("name", "direction", "status", "subStatus", *_CHOSEN)
_OPTIONAL = frozenset({*_EDITABLE, "tags", "custom", "snooze", *OWNED})
# What Kustomer shows in another form than it is sent in, or what its own rules may add to.
_SHOWN = ("tags", *OWNED)
_NOBODY = Owner()


def look_up(writer: CallWriter) -> Conversation | None:
    """The conversation that Kustomer has under an external id of the call; one request for each.

    A ledger that was lost may have used the other one; where none was lost, the intent says which was used.
    """
    begun = (writer.begun("conversation") or {}).get("externalId")
    current, *others = writer.keys
    others = [key for key in others if writer.search_first or writer.verify or key == begun]
    found = (writer.kustomer.conversations.by_external_id(key) for key in (current, *others))
    return next((one for one in found if one is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationOutput(Output[Conversation]):
    name: ClassVar[str] = "conversation"

    writer: CallWriter
    draft: ConversationDraft
    customer_id: str = ""
    owner: Owner = _NOBODY
    # Found by `look_up` before: it is adopted, whoever its customer is by now.
    there: Conversation | None = None
    # As just read, where somebody has read it.
    current: Conversation | None = None
    # Its state is decided by several calls (`sync/shared.py`): once made, it stays as it was sent.
    is_shared: bool = False

    def fields(self, known: Written | None) -> dict[str, Any]:
        """For one that is to be made: what Kustomer takes then. Its final state follows, after the note."""
        fields = self._fields(known)
        if known is not None and self.is_shared:
            return {name: value for name, value in fields.items() if name not in _STATE} | {
                name: value for name, value in known.sent.items() if name in _STATE
            }
        late = fields.keys() & {"subStatus", "snooze"}
        if known is not None or not late:
            return fields
        return {name: value for name, value in fields.items() if name not in late} | {"status": "open"}

    def state(self) -> dict[str, Any]:
        """Its final state alone."""
        return {name: value for name, value in self._fields(None).items() if name in _STATE}

    def _fields(self, known: Written | None) -> dict[str, Any]:
        draft = self.draft
        chosen: dict[str, Any] = {
            "priority": draft.priority,
            "brand": draft.brand,
            "queue": {"id": draft.queue} if draft.queue else None,
            "custom": dict(draft.custom),
            "subStatus": draft.sub_status,
            "snooze": self._snooze(known),
        }
        is_awake = draft.status == "snoozed" and not chosen["snooze"]
        return {
            "externalId": draft.external_id,
            "name": draft.name,
            "direction": draft.direction,
            "status": "open" if is_awake else draft.status,
            "tags": list(draft.tags),
            **{name: value for name, value in chosen.items() if value},
            **owned_fields(self.owner, known),
        }

    def _snooze(self, known: Written | None) -> dict[str, str] | None:
        """None where it is not to sleep, or would have woken by now."""
        until = self.draft.snooze_until
        if self.draft.status != "snoozed" or until is None:
            return None
        snooze = {"time": until.isoformat(timespec="milliseconds"), "status": "scheduled"}
        is_sent = known is not None and known.sent.get("snooze") == snooze
        return snooze if is_sent or until.timestamp() * 1000 > self.writer.log.claim.now_ms else None

    def is_searched(self) -> bool:
        if self.writer.may_be_written:
            # `look_up` has just been called.
            return self.there is not None
        return self.writer.verify or self.writer.begun(self.name) is not None

    def find(self) -> Written | None:
        there = self.there or look_up(self.writer)
        if there is None:
            return None
        external_id = there.fields.get("externalId")
        self._keep_shown(there)
        return self.writer.adopted(self.name, there.id, self._fields(None), external_id=external_id)

    def create(self, fields: Fields) -> str:
        def send(body: Mapping[str, Any]) -> str:
            given = {name: value for name, value in body.items() if value}
            made = self.writer.kustomer.conversations.create_in_batch({"customer": self.customer_id, **given})
            self._keep_shown(made)
            return made.id

        return send_without_refused(self.writer, self.name, _OPTIONAL, fields, send)

    def read(self, id_: str) -> Conversation | None:
        if self.current is not None and self.current.id == id_:
            return self.current
        return self.writer.kustomer.conversations.get(id_)

    def gone(self, id_: str) -> None:
        raise Rejected(
            f"conversation {id_} no longer exists in Kustomer: deleted, or merged into another", status=404
        )

    def editable(self, current: Conversation) -> Fields:
        shown = {name: current.fields.get(name) for name in _EDITABLE}
        shown |= editable_custom(self.draft.custom, current)
        return {**shown, **our_part(self.writer, self.owner, current)}

    def changes(self, fields: Fields, known: Written, current: Conversation) -> Fields:
        refused = self.writer.refused(self.name)
        changes: dict[str, Any] = {
            name: fields[name]
            for name in _EDITABLE
            if fields.get(name)
            and fields[name] != known.sent.get(name)
            and is_as_sent(name, known.sent.get(name), current.fields, name in refused)
        }
        if changes.get("status") == "snoozed":
            changes["snooze"] = fields["snooze"]
        changes |= custom_changes(fields, known, current, refused=refused)
        if fields["externalId"] != known.sent.get("externalId"):
            changes["externalId"] = fields["externalId"]
        added = [tag for tag in fields["tags"] if tag not in known.sent.get("tags", ())]
        if fitting := self._that_fit(added, current):
            # The list is replaced whole, and read as ids; ids and names may be mixed in writing.
            changes["tags"] = [*current.tags, *fitting]
        return changes | owned_changes(self.writer, self.owner, fields, known, current)

    def update(self, current: Conversation, changes: Fields) -> None:
        def send(body: Mapping[str, Any]) -> None:
            made = self.writer.kustomer.conversations.update(current.id, body)
            if made is not None:
                self._keep_shown(made)

        whole = with_others(self.writer, self.owner, as_sent(changes), current)
        shown = custom_of(current)
        send_without_refused(self.writer, self.name, _OPTIONAL, whole, send, shown=shown)

    def _keep_shown(self, there: Conversation) -> None:
        """So that it shows later what a person has changed."""
        shown = {name: there.fields[name] for name in _SHOWN if there.fields.get(name)}
        self.writer.log.shown[self.name] = shown

    def _that_fit(self, tags: list[str], current: Conversation) -> list[str]:
        """As many of our tags as Kustomer takes beside those that are there, which may be a person's."""
        room = max(0, MOST_TAGS - len(current.tags))
        if tags[room:]:
            text = f"tags left out, Kustomer accepts {MOST_TAGS} in all: {', '.join(tags[room:])}"
            say_left_out(self.writer.log, self.name, "tags", text)
        return tags[:room]
