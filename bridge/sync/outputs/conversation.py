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
from bridge.sync.outputs.owned import OWNED, our_part, owned_changes, owned_fields, with_others
from bridge.sync.refused import say_left_out, send_without_refused
from bridge.sync.writer import CallWriter, Fields, Output

_EDITABLE = ("name", "direction", "status")
_OPTIONAL = frozenset({*_EDITABLE, "tags", *OWNED})
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

    def fields(self, known: Written | None) -> dict[str, Any]:
        return {
            "externalId": self.draft.external_id,
            "name": self.draft.name,
            "direction": self.draft.direction,
            "status": self.draft.status,
            "tags": list(self.draft.tags),
            **owned_fields(self.owner, known),
        }

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
        return self.writer.adopted(self.name, there.id, self.fields(None), external_id=external_id)

    def create(self, fields: Fields) -> str:
        def send(body: Mapping[str, Any]) -> str:
            given = {name: value for name, value in body.items() if value}
            return self.writer.kustomer.conversations.create({"customer": self.customer_id, **given}).id

        return send_without_refused(self.writer, self.name, _OPTIONAL, fields, send)

    def read(self, id_: str) -> Conversation | None:
        return self.writer.kustomer.conversations.get(id_)

    def gone(self, id_: str) -> None:
        raise Rejected(
            f"conversation {id_} no longer exists in Kustomer: deleted, or merged into another", status=404
        )

    def editable(self, current: Conversation) -> Fields:
        shown = {name: current.fields.get(name) for name in _EDITABLE}
        return {**shown, **our_part(self.writer, self.owner, current)}

    def changes(self, fields: Fields, known: Written, current: Conversation) -> Fields:
        changes: dict[str, Any] = {
            name: fields[name]
            for name in _EDITABLE
            if fields[name]
            and fields[name] != known.sent.get(name)
            and current.fields.get(name) in (known.sent.get(name), None)
        }
        if fields["externalId"] != known.sent.get("externalId"):
            changes["externalId"] = fields["externalId"]
        added = [tag for tag in fields["tags"] if tag not in known.sent.get("tags", ())]
        if fitting := self._that_fit(added, current):
            # The list is replaced whole, and read as ids; ids and names may be mixed in writing.
            changes["tags"] = [*current.tags, *fitting]
        return changes | owned_changes(self.writer, self.owner, fields, known, current)

    def update(self, current: Conversation, changes: Fields) -> None:
        def send(body: Mapping[str, Any]) -> None:
            self.writer.kustomer.conversations.update(current.id, body)

        whole = with_others(self.writer, self.owner, changes, current)
        send_without_refused(self.writer, self.name, _OPTIONAL, whole, send)

    def _that_fit(self, tags: list[str], current: Conversation) -> list[str]:
        """As many of our tags as Kustomer takes beside those that are there, which may be a person's."""
        room = max(0, MOST_TAGS - len(current.tags))
        if tags[room:]:
            text = f"tags left out, Kustomer accepts {MOST_TAGS} in all: {', '.join(tags[room:])}"
            say_left_out(self.writer.log, self.name, "tags", text)
        return tags[:room]
