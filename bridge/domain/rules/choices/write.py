"""Choices of `[write]`: which calls are written, and how."""

from __future__ import annotations

from bridge.domain.kustomer_texts.languages import Language
from bridge.domain.rules.choice import BOOL, TEMPLATE_RIGHT, Choice, one_of
from bridge.domain.rules.model import WriteAs, WriteWhen
from bridge.domain.rules.values import NoteTemplateText

_KEPT = "false: they are kept and explained, not written"

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="write", name="write", field="write", kind=WriteWhen, right='true, false or "complete"',
        says="whether calls are written; complete: a call that may have a recording waits for it, at most "
        "30 s after its end, and is written once",
    ),
    Choice(
        section="write", name="internal", field="write_internal", kind=bool, right=BOOL,
        says=f"write calls between colleagues; {_KEPT}",
    ),
    Choice(
        section="write", name="withheld", field="write_withheld", kind=bool, right=BOOL,
        says=f"write calls from withheld numbers; {_KEPT}",
    ),
    Choice(
        section="write", name="short", field="write_short", kind=bool, right=BOOL,
        says=f"write calls of emergency and other short numbers; {_KEPT}",
    ),
    Choice(
        section="write", name="path", field="note_path", kind=bool, right=BOOL,
        says="say in the note how the call went: menus, queues, who rang, transfers",
        costs="1 of CloudTalk: call detail",
    ),
    Choice(
        section="write", name="as", field="write_as", kind=WriteAs, right=one_of(WriteAs),
        says="what a call is written as: an internal note; a message of Kustomer's channel `voice`, which "
        "counts as a contact; or both",
        costs="both: 1, and 2 for each later change; an incoming voice message in a conversation that the "
        "rules close: 1, to close it again",
    ),
    Choice(
        section="write", name="auto", field="auto", kind=bool, right=BOOL,
        says="mark voice messages as automatic: Kustomer leaves them out of its reporting",
    ),
    Choice(
        section="write", name="language", field="language", kind=Language, right=one_of(Language),
        says="language of the note, the title and the texts in fields",
    ),
    Choice(
        section="write", name="template", field="note_template", kind=NoteTemplateText, right=TEMPLATE_RIGHT,
        says="template of the note; empty: the built-in note",
    ),
)  # fmt: skip
