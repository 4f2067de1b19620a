"""What notes and voice messages have in common: a text that people may edit, files, an id that we choose."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from bridge.clients.kustomer import Conversation
from bridge.clients.kustomer.resources import InConversation
from bridge.domain.external_ids import key_of
from bridge.domain.outputs import OUTPUTS
from bridge.errors import Conflict, Rejected
from bridge.ledger.calls.record import Written
from bridge.sync.writer import CallWriter, Fields, Output

_NO_CHOSEN_IDS_FOR_S = 86_400


class TextDraft(Protocol):
    """Args: id: 24 hex digits made from the external id."""

    @property
    def external_id(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def text(self) -> str: ...


DraftT = TypeVar("DraftT", bound=TextDraft)
CurrentT = TypeVar("CurrentT", bound=InConversation)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOutput(Output[CurrentT]):
    """Found by the id that we choose, else by its external id among those of its conversation."""

    # Kustomer's name of the text that people read.
    text_field: ClassVar[str]

    writer: CallWriter
    draft: Any
    conversation_id: str
    conversation_is_new: bool
    # How it refers to its files.
    attachments: Sequence[Fields] = ()
    # As just read, where somebody has read it.
    current: CurrentT | None = None
    # Its conversation as just read, where somebody has read it.
    conversation: Conversation | None = None
    # Whether Kustomer refuses ids of our choice, where that was asked for in time; see `refuses_ids`.
    refuses_ids: Callable[[], bool] | None = None

    @abstractmethod
    def get(self, id_: str) -> CurrentT | None:
        """By its id."""

    @abstractmethod
    def every(self) -> Iterable[CurrentT]:
        """All of its kind in the conversation."""

    @abstractmethod
    def send(self, fields: Fields) -> str:
        """Create it; its id."""

    def attached(self) -> dict[str, Any]:
        return {"attachments": list(self.attachments)} if self.attachments else {}

    def is_searched(self) -> bool:
        writer = self.writer
        lost = (writer.search_first or writer.verify) and not self.conversation_is_new
        return lost or writer.begun(self.name) is not None

    def there(self) -> CurrentT | None:
        """What Kustomer has of it, whether it is on record or not."""
        known = self.writer.record.outputs.get(self.name)
        return self.get(known.id) if known is not None else self._look_up()

    def find(self) -> Written | None:
        there = self._look_up()
        if there is None:
            return None
        return self.writer.adopted(self.name, there.id, self.fields(None), external_id=there.external_id)

    def create(self, fields: Fields) -> str:
        refused = self.refuses_ids or refuses_ids(self.writer, self.name)
        if refused():
            return self.send(fields)
        try:
            return self.send({**fields, "id": self.draft.id})
        except Rejected as error:
            if error.status != 400 or not names_id(error.detail):
                raise
            # An org that lets nobody choose ids (documented as allowed, never seen): the external id and the
            # search before writing remain.
            self.writer.memory.cache(_no_ids(self.name), True, for_s=_NO_CHOSEN_IDS_FOR_S)
            return self.send(fields)

    def create_hidden(self, fields: Fields, conflict: Conflict) -> str:
        """The id is taken and it is not there: a person deleted it, and it is wanted again."""
        return self.send(fields)

    def read(self, id_: str) -> CurrentT | None:
        if self.current is not None and self.current.id == id_:
            return self.current
        return self.get(id_)

    def editable(self, current: CurrentT) -> Fields:
        return {self.text_field: self.text_of(current)}

    def text_of(self, current: CurrentT) -> str:
        return str(current.fields.get(self.text_field) or "").strip()

    def keys(self) -> Iterable[str]:
        """The external ids that it may have."""
        return (key_of(self.name, key) for key in self.writer.keys)

    def _look_up(self) -> CurrentT | None:
        found = self.get(self.draft.id)
        if found is not None:
            return found
        ours = set(self.keys())
        return next((one for one in self.every() if one.external_id in ours), None)


def refuses_ids(writer: CallWriter, output: str) -> Callable[[], bool]:
    """Whether Kustomer lately refused ids of our choice for this output; asked with the next command."""
    refused = writer.memory.cached_soon(_no_ids(output))
    return lambda: bool(refused())


def _no_ids(output: str) -> str:
    return f"kustomer:no-ids-of-{OUTPUTS[output].place}"


def new_files(fields: Fields, sent: Fields) -> list[Fields]:
    """The files that it was never sent: one that is gone was removed by a person."""
    old = {item["_id"] for item in sent.get("attachments", ())}
    return [item for item in fields.get("attachments", ()) if item["_id"] not in old]


def names_id(detail: str) -> bool:
    """Whether a refusal is about the property `id`."""
    return "id" in re.findall(r"[A-Za-z_]+", detail)
