"""The files of a text message: fetched, registered, uploaded; one that fails is named in the text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from bridge.clients.kustomer.attachments import FormRefused
from bridge.clients.media import Media, NotFetched, place_of
from bridge.errors import Rejected
from bridge.ledger.calls.record_fields import Family
from bridge.sync.writer import CallWriter

_ORPHANED = "attachment:orphaned"
_DESCRIBED = ("name", "contentType", "contentLength")


def ensure_media(writer: CallWriter, urls: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """How a message refers to its files, and a line for each that cannot be attached."""
    attached, lacking = [], []
    for number, url in enumerate(urls, 1):
        name = f"file{number}"
        known = writer.record.outputs.get(name)
        if known is not None:
            attached.append({"_id": known.id, **{one: known.sent[one] for one in _DESCRIBED}})
            continue
        try:
            media = writer.log.deps.media.fetch(url, number=number)
            attached.append(_upload(writer, name, media))
        except NotFetched as error:
            lacking.append(f"Not attached: {place_of(url)}: {error}")
        except FormRefused:
            lacking.append(f"Not attached: {place_of(url)}: Kustomer's storage refused it")
        except Rejected as error:
            if error.status not in (400, 413, 415):
                raise
            lacking.append(f"Not attached: {place_of(url)}: Kustomer does not take it")
    return attached, lacking


def _upload(writer: CallWriter, name: str, media: Media) -> dict[str, Any]:
    """A run that is cut short leaves at most one registered attachment that nothing refers to."""
    log, attachments = writer.log, writer.kustomer.attachments
    sent = {"name": media.name, "contentType": media.content_type, "contentLength": len(media.content)}
    if name in writer.record.intents:
        log.deps.ledger.count(_ORPHANED)
    log.begin(name, sent)
    size = len(media.content)
    register = partial(attachments.create, name=media.name, content_type=media.content_type, size=size)
    try:
        form = log.while_ours(register)
    except Rejected:
        log.note(Family.INTENT.field(name), None)
        raise
    send = partial(
        attachments.upload,
        form,
        name=media.name,
        content_type=media.content_type,
        size=size,
        chunks=[media.content],
    )
    log.repeat(send)
    log.keep(name, form.attachment_id, sent, done="created", created=True)
    return {"_id": form.attachment_id, **sent}
