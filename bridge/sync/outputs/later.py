"""The call's second note: what is new since a person edited the first one, which is left alone.

There is never a third: once a person has edited this one too, it stays as it is, and the record says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from bridge.clients.kustomer import Note
from bridge.domain.external_ids import key_of, later_key, object_id
from bridge.ledger.calls.record import Written
from bridge.sync.outputs.note import EDITED, SECOND, NoteOutput
from bridge.sync.refused import forget_left_out, say_left_out
from bridge.sync.writer import CallWriter, Fields

_LEFT = "a person edited the second note as well: what is new since is not written"


def write_later(writer: CallWriter, note: NoteOutput, written: Written) -> None:
    """Write the second note, if there is anything to say in it.

    Args:
        written: what is on record of the first note now.
    """
    before = written.sent.get(EDITED)
    if before is None:
        return
    draft, texts = note.draft, note.draft.later
    text = texts.note(before.get("body", ""), draft.body)
    known_files = {item["_id"] for item in before.get("attachments", ())}
    files = tuple(item for item in note.attachments if item["_id"] not in known_files)
    if not text and not files:
        if SECOND not in writer.record.outputs and writer.begun(SECOND) is None:
            return
        text = texts.note_of_nothing()
    key = later_key(draft.external_id)
    body = text or texts.note_of_files()
    own = replace(draft, external_id=key, id=object_id(key), body=body, former=str)
    second, _ = writer.ensure(
        LaterNoteOutput(
            writer=writer,
            draft=own,
            conversation_id=note.conversation_id,
            conversation_is_new=note.conversation_is_new,
            attachments=files,
        )
    )
    if EDITED in second.sent:
        say_left_out(writer.log, SECOND, "body", _LEFT)
    else:
        forget_left_out(writer, SECOND, "body")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterNoteOutput(NoteOutput):
    name: ClassVar[str] = SECOND

    def keys(self) -> Iterable[str]:
        return (later_key(key_of(NoteOutput.name, key)) for key in self.writer.keys)

    def kept(self, fields: Fields, known: Written, current: Note | None) -> Fields:
        # What is gone was deleted by a person, who wants no second note.
        return fields if current is None else NoteOutput.kept(self, fields, known, current)
