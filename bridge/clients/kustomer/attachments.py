"""Files in Kustomer: registered, sent to a form of its storage, then named by a note.

Source: Kustomer's attachments guide. The form is an S3 POST policy: every field first, the file last.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from bridge.boundary import boundary
from bridge.clients.bounds import UPLOAD, Bounds
from bridge.clients.causes import cause_of
from bridge.clients.http import Service
from bridge.clients.paths import id_part, is_id
from bridge.errors import NotSent, Rejected, Unavailable
from bridge.loopback import is_loopback_host

# For each chunk; the whole has to keep to a rate as well.
_UPLOAD_TIMEOUT = httpx2.Timeout(connect=5, read=60, write=30, pool=10)


class FormRefused(Unavailable):
    """The form is used up or has run out: register the attachment anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadForm:
    """Where and how to send the bytes of a registered attachment."""

    attachment_id: str
    url: str
    fields: Mapping[str, str]


class Attachments:
    """The part of Kustomer's API that deals with files."""

    def __init__(self, service: Service, client: httpx2.Client, url: str, *, bounds: Bounds = UPLOAD) -> None:
        self._service, self._client, self._url, self._bounds = service, client, url, bounds

    def create(self, *, name: str, content_type: str, size: int) -> UploadForm:
        """Register an attachment; its bytes follow at once, as the form's life is not documented.

        Args:
            size: the true byte count; the form fixes it.

        Raises:
            Rejected: 400, 413 or 415 where the type or the size is not taken.
        """
        body = {"name": name, "contentType": content_type, "contentLength": size}
        reply = self._service.request("create_attachment", "POST", f"{self._url}/attachments", json=body)
        data = reply.body.get("data") if isinstance(reply.body, dict) else None
        meta = reply.body.get("meta") if isinstance(reply.body, dict) else None
        upload = meta.get("upload") if isinstance(meta, dict) else None
        if (
            not isinstance(data, dict)
            or not is_id(data.get("id"))
            or not isinstance(upload, dict)
            or not isinstance(upload.get("fields"), dict)
        ):
            raise Unavailable("kustomer answered create_attachment without an upload form")
        return UploadForm(
            attachment_id=data["id"],
            url=str(upload.get("url", "")),
            fields={str(key): str(value) for key, value in upload["fields"].items()},
        )

    def upload(
        self, form: UploadForm, *, name: str, content_type: str, size: int, chunks: Iterable[bytes]
    ) -> None:
        """Send a file to its form; no key of ours goes to that host. Streams, in constant memory.

        Raises:
            FormRefused: 4xx.
            Rejected: the form leads to an address that is not https, or is none.
            NotSent, Unavailable: no answer, or 5xx; sending to the same form again does no harm.
        """
        url = _checked_url(form.url)
        mark = secrets.token_hex(16)
        head, tail = _around(form.fields, mark=mark, name=name, content_type=content_type)
        headers = {
            "content-type": f"multipart/form-data; boundary={mark}",
            "content-length": str(len(head) + size + len(tail)),
            "accept": "*/*",
        }
        try:
            with boundary("kustomer.upload"):
                response = self._client.post(
                    url,
                    content=_joined(head, chunks, tail),
                    headers=headers,
                    timeout=_UPLOAD_TIMEOUT,
                    extensions=self._bounds.as_extension(),
                )
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as cause:
            raise NotSent(f"kustomer's upload host could not be reached: {cause_of(cause)}") from cause
        except httpx2.HTTPError as cause:
            raise Unavailable(f"kustomer's upload host did not reply: {cause_of(cause)}") from cause
        if response.status_code >= 500:
            raise Unavailable(f"kustomer's upload host answered {response.status_code}")
        if response.status_code >= 300:
            raise FormRefused(f"kustomer's upload host answered {response.status_code} to the form")

    def reference(self, attachment_id: str) -> dict[str, Any] | None:
        """An attachment as a note has to name it; None where there is none, or where this is no id."""
        if not is_id(attachment_id):
            return None
        try:
            reply = self._service.request(
                "attachment", "GET", f"{self._url}/attachments/{id_part(attachment_id)}"
            )
        except Rejected as error:
            if error.status == 404:
                return None
            raise
        data = reply.body.get("data") if isinstance(reply.body, dict) else None
        attributes = data.get("attributes") if isinstance(data, dict) else None
        return reference(attachment_id, attributes) if isinstance(attributes, dict) else None


def _checked_url(text: str) -> httpx2.URL:
    """Where a form leads, read once, by the library that sends it there.

    Raises:
        Rejected: plain http to another machine than this one, a user in the address, or no address at all.
    """
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError) as cause:
        raise Rejected("kustomer's upload form has an invalid URL") from cause
    is_private = url.scheme == "https" or (url.scheme == "http" and is_loopback_host(url.host))
    if not url.host or url.userinfo or not is_private:
        raise Rejected("kustomer's upload form has a URL that is not https")
    return url


def reference(attachment_id: str, about: Mapping[str, Any]) -> dict[str, Any] | None:
    """`{_id, name, contentType, contentLength}`, all of which a note must give (note the underscore)."""
    described = {key: about.get(key) for key in ("name", "contentType", "contentLength")}
    if any(value is None for value in described.values()):
        return None
    return {"_id": attachment_id, **described}


def _around(fields: Mapping[str, str], *, mark: str, name: str, content_type: str) -> tuple[bytes, bytes]:
    """What stands before and after the file in the form."""
    lines = [
        f'--{mark}\r\ncontent-disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    ]
    safe = name.replace('"', "").replace("\r", "").replace("\n", "")
    lines.append(
        f'--{mark}\r\ncontent-disposition: form-data; name="file"; filename="{safe}"\r\n'
        f"content-type: {content_type}\r\n\r\n"
    )
    return "".join(lines).encode(), f"\r\n--{mark}--\r\n".encode()


def _joined(head: bytes, chunks: Iterable[bytes], tail: bytes) -> Iterator[bytes]:
    yield head
    yield from chunks
    yield tail
