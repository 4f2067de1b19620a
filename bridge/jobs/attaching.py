"""A call's recording becomes an attachment of its note, once: registered, uploaded, named.

Kustomer offers no key for it, so each step goes on record before the next. A crash between them costs at
most one registered attachment that nothing names; those are counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from bridge.clients.attachments import FormRefused, UploadForm, reference
from bridge.clients.kustomer import Note
from bridge.domain.plan import AttachmentDraft
from bridge.errors import Rejected, Unavailable
from bridge.jobs.deps import Deps
from bridge.jobs.writing import Pen
from bridge.ledger.record import Output, Record

# The life of an upload form is not documented; S3 policies are made for minutes or an hour.
_FORM_KEPT_MS = 10 * 60_000
_ORPHANED = "attachment:orphaned"


def ensure_attachment(record: Record, pen: Pen, draft: AttachmentDraft) -> dict[str, Any] | None:
    """What the note has to say of the file, uploaded once.

    Returns:
        None when Kustomer will not have it: that is on record then, and the sync due again.
    """
    sent = _fields(draft)
    known = record.outputs.get("attachment")
    if known is None or known.sent != sent:
        try:
            known = _upload(record, pen, draft, sent)
        except Rejected as error:
            if error.status not in (400, 413, 415):
                raise
            # Not its type, or not its size: the note is planned again, with a link in its place.
            pen.note("refused:attachment", error.detail or str(error))
            pen.deps.ledger.schedule("sync", record.key, in_ms=0, under=pen.claim)
            return None
    return {"_id": known.id, **{key: sent[key] for key in ("name", "contentType", "contentLength")}}


def find_attachment(note: Note | None, draft: AttachmentDraft, pen: Pen) -> dict[str, Any] | None:
    """What a note already names under our name for the file: attached by a ledger that was forgotten."""
    for item in note.attachments if note else ():
        id_ = str(item.get("_id") or item.get("id"))
        there = reference(id_, item) or pen.deps.kustomer.attachments.reference(id_)
        if there is not None and there["name"] == draft.name:
            pen.keep("attachment", id_, _fields(draft), done="found")
            return there
    return None


def _fields(draft: AttachmentDraft) -> dict[str, Any]:
    """What is sent of a file, and its sum: another sum is another file."""
    return {
        "name": draft.name,
        "contentType": draft.file.content_type,
        "contentLength": draft.file.size,
        "sha256": draft.file.sha256,
    }


def _upload(record: Record, pen: Pen, draft: AttachmentDraft, sent: Mapping[str, Any]) -> Output:
    """Register and send. A form kept from a run that did not end is used, if it is still taken."""
    attachments, ledger = pen.deps.kustomer.attachments, pen.deps.ledger
    form = _kept_form(record.fields.get("form:attachment"), sent, ledger.now_ms())
    if form is None and "attachment" in record.intents:
        # Registered, and its id never came: an empty one stays behind in Kustomer.
        ledger.count(_ORPHANED)
    for _ in range(2):
        if form is None:
            pen.begin("attachment", sent)
            register = partial(
                attachments.create,
                name=draft.name,
                content_type=draft.file.content_type,
                size=draft.file.size,
            )
            form = pen.while_ours(register)
            kept = {**asdict(form), "sent": dict(sent), "at": ledger.now_ms()}
            ledger.keep(pen.claim, {"form:attachment": kept, "intent:attachment": None})
        try:
            pen.repeat(partial(_send, form, draft, pen.deps))
        except FormRefused:
            ledger.count(_ORPHANED)
            ledger.keep(pen.claim, {"form:attachment": None})
            form = None
            continue
        pen.keep("attachment", form.attachment_id, sent, done="created", created=True)
        ledger.keep(pen.claim, {"form:attachment": None})
        return Output(id=form.attachment_id, sent=sent, created=True)
    raise Unavailable("kustomer's upload host refused two fresh forms")


def _send(form: UploadForm, draft: AttachmentDraft, deps: Deps) -> None:
    deps.kustomer.attachments.upload(
        form,
        name=draft.name,
        content_type=draft.file.content_type,
        size=draft.file.size,
        chunks=deps.open_storage().open(draft.file.name),
    )


def _kept_form(text: str | None, sent: Mapping[str, Any], now_ms: int) -> UploadForm | None:
    """The upload form of an earlier run, if it is for this very file and not long ago."""
    if not text:
        return None
    kept = json.loads(text)
    if kept["sent"] != dict(sent) or now_ms - kept["at"] > _FORM_KEPT_MS:
        return None
    return UploadForm(attachment_id=kept["attachment_id"], url=kept["url"], fields=kept["fields"])


def merged(current: Note, wanted: Sequence[Mapping[str, Any]], deps: Deps) -> list[Any] | None:
    """The note's attachments with ours among them; None where they are, or cannot all be named.

    The list replaces what is there, and what a person attached must not get lost.
    """
    there = {str(item.get("_id") or item.get("id")): item for item in current.attachments}
    missing = [item for item in wanted if item["_id"] not in there]
    if not missing:
        return None
    kept = [reference(id_, item) or deps.kustomer.attachments.reference(id_) for id_, item in there.items()]
    if any(item is None for item in kept):
        raise Unavailable("kustomer does not name the note's other attachments: not replacing them")
    return [*kept, *missing]
