"""A file of a call, such as its recording, becomes an attachment, once: registered, uploaded, referenced.

Not an `Output`: Kustomer offers no key to find it by, and it is never updated. Each step goes on record
before the next. A crash between them costs at most one registered attachment that nothing refers to; those
are counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from bridge.clients.kustomer import Kustomer
from bridge.clients.kustomer.attachments import FormRefused, UploadForm, reference
from bridge.clients.kustomer.resources import InConversation
from bridge.deps import Deps
from bridge.domain.files import AttachmentDraft
from bridge.errors import Rejected, Unavailable
from bridge.ledger.calls.record import Written
from bridge.ledger.calls.record_fields import Family
from bridge.sync.writer import CallWriter

# The life of an upload form is not documented; S3 policies are made for minutes or an hour.
_FORM_KEPT_MS = 10 * 60_000
_ORPHANED = "attachment:orphaned"


def ensure_attachment(writer: CallWriter, draft: AttachmentDraft) -> dict[str, Any] | None:
    """How a note or message refers to the file, uploaded once.

    Returns:
        None where Kustomer refuses it: that is on record then, and the sync is due again.
    """
    sent, log = _fields(draft), writer.log
    known = writer.record.outputs.get(draft.output)
    if known is None or known.sent != sent:
        try:
            known = _upload(writer, draft, sent)
        except Rejected as error:
            if error.status not in (400, 413, 415):
                raise
            # Its type or its size is not accepted: the note is planned again, with a link instead.
            log.note(Family.REFUSED.field(draft.output), error.detail or str(error))
            log.deps.ledger.schedule("sync", writer.record.key, in_ms=0, under=log.claim)
            return None
    return {"_id": known.id, **{key: sent[key] for key in ("name", "contentType", "contentLength")}}


def find_attachment(
    writer: CallWriter, there: InConversation | None, draft: AttachmentDraft
) -> dict[str, Any] | None:
    """What a note or message has under our name for the file: attached by a ledger that was lost."""
    for item in there.attachments if there else ():
        id_ = str(item.get("_id") or item.get("id"))
        found = reference(id_, item) or writer.kustomer.attachments.reference(id_)
        if found is not None and found["name"] == draft.name:
            writer.log.keep(draft.output, id_, _fields(draft), done="found")
            return found
    return None


def all_attachments(
    current: InConversation, wanted: Sequence[Mapping[str, Any]], kustomer: Kustomer
) -> list[Any] | None:
    """The attachments of a note or message and ours; None where ours are among them.

    The list replaces what is there, and what a person attached must not get lost.

    Raises:
        Unavailable: Kustomer does not say what the others are.
    """
    there = {str(item.get("_id") or item.get("id")): item for item in current.attachments}
    missing = [item for item in wanted if item["_id"] not in there]
    if not missing:
        return None
    kept = [reference(id_, item) or kustomer.attachments.reference(id_) for id_, item in there.items()]
    if any(item is None for item in kept):
        raise Unavailable("kustomer does not list the other attachments of what it shows; not replacing them")
    return [*kept, *missing]


def _fields(draft: AttachmentDraft) -> dict[str, Any]:
    """What is sent of a file, and its sum: another sum is another file."""
    return {
        "name": draft.name,
        "contentType": draft.file.content_type,
        "contentLength": draft.file.size,
        "sha256": draft.file.sha256,
    }


def _upload(writer: CallWriter, draft: AttachmentDraft, sent: Mapping[str, Any]) -> Written:
    """Register and send. The form of a run that did not end is used, if it is still accepted."""
    record, log = writer.record, writer.log
    attachments, ledger = writer.kustomer.attachments, log.deps.ledger
    kept_as = Family.FORM.field(draft.output)
    form = _kept_form(record.fields.get(kept_as), sent, log.claim.time_ms())
    if form is None and draft.output in record.intents:
        # Registered, and the reply with its id was lost: an empty one stays behind in Kustomer.
        ledger.count(_ORPHANED)
    for _ in range(2):
        if form is None:
            log.begin(draft.output, sent)
            register = partial(
                attachments.create,
                name=draft.name,
                content_type=draft.file.content_type,
                size=draft.file.size,
            )
            form = log.while_ours(register)
            kept = {**asdict(form), "sent": dict(sent), "at": log.claim.time_ms()}
            ledger.keep_soon(log.claim, {kept_as: kept, Family.INTENT.field(draft.output): None})
        try:
            log.repeat(partial(_send, form, draft, log.deps))
        except FormRefused:
            ledger.count(_ORPHANED)
            ledger.keep(log.claim, {kept_as: None})
            form = None
            continue
        log.keep(draft.output, form.attachment_id, sent, done="created", created=True)
        ledger.keep_soon(log.claim, {kept_as: None})
        return Written(id=form.attachment_id, sent=sent, created=True)
    raise Unavailable("kustomer's upload host refused two new upload forms")


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
