"""The forms that Kustomer hands out for an upload, and its links for reading: S3's POST policies.

As there, nothing is remembered of a form: it carries its own conditions, and a signature over them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from starlette.responses import Response

from bridge.sandbox.front import UPLOAD_PREFIX
from bridge.sandbox.kustomer.shapes import ORG_ID
from bridge.sandbox.store import Document
from bridge.sandbox.world import World, iso

BUCKET = "sandbox-attachments"
# What the published example says of a link for reading.
READ_LINK_S = 600
# Not a secret: it opens nothing but the sandbox.
_KEY = b"sandbox-upload-key"
_NOT_SIGNED = ("policy", "x-amz-signature", "file")


@dataclass(slots=True)
class StorageRefusal(Exception):
    status: int
    code: str
    message: str

    def response(self) -> Response:
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message>"
            "<RequestId>SANDBOX</RequestId><HostId>sandbox</HostId></Error>"
        )
        return Response(body, self.status, media_type="application/xml")


def key_of(attachment_id: str, name: str) -> str:
    return f"attachments/{ORG_ID}/{attachment_id}-{name}"


def id_in(key: str) -> str:
    return key.rpartition("/")[2].partition("-")[0] if key.startswith("attachments/") else ""


def form_for(attachment: Document, world: World, base_url: str) -> Document:
    """What `meta.upload` holds."""
    now = datetime.fromtimestamp(world.now(), tz=UTC)
    given = attachment["given"]
    signed = {
        "key": attachment["key"],
        "acl": "private",
        "Content-Type": given["contentType"],
        "X-Amz-Meta-Attachment-Id": attachment["id"],
        "bucket": BUCKET,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        # The generation is ours: theirs would be a temporary key that ends as well.
        "X-Amz-Credential": f"SANDBOX-{world.form_generation}/{now:%Y%m%d}/us-east-1/s3/aws4_request",
        "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
    }
    conditions: list[Any] = [["eq", f"${name}", value] for name, value in signed.items()]
    conditions.append(["content-length-range", given["contentLength"], given["contentLength"]])
    lifetime = timedelta(seconds=world.kustomer.readings.upload_lifetime_s)
    policy = {"expiration": iso(now + lifetime), "conditions": conditions}
    encoded = base64.b64encode(json.dumps(policy).encode()).decode()
    fields = {**signed, "Policy": encoded, "X-Amz-Signature": _sign(encoded)}
    return {"url": f"{base_url}{UPLOAD_PREFIX}/", "fields": fields}


def check_form(fields: Mapping[str, str], size: int, world: World) -> str:
    """Returns: the attachment that the form is for.

    Args:
        fields: all that came before the file, names in lower case.
        size: of the file, in bytes.
    Raises:
        StorageRefusal: the form is not as it was handed out, has expired, or is for another file.
    """
    for name in ("key", "policy", "x-amz-signature"):
        if name not in fields:
            raise StorageRefusal(
                400, "InvalidArgument", f"Bucket POST must contain a field named '{name}' before the file."
            )
    if not hmac.compare_digest(fields["x-amz-signature"].encode(), _sign(fields["policy"]).encode()):
        raise StorageRefusal(
            403, "SignatureDoesNotMatch", "The signature does not match the policy that was sent."
        )
    policy = json.loads(base64.b64decode(fields["policy"]))
    wanted: dict[str, str] = {}
    least = most = 0
    for kind, first, second in policy["conditions"]:
        if kind == "eq":
            wanted[first[1:].lower()] = second
        else:
            least, most = first, second
    generation = int(wanted["x-amz-credential"].partition("/")[0].removeprefix("SANDBOX-"))
    ends_at = datetime.fromisoformat(policy["expiration"]).timestamp()
    if world.now() >= ends_at or generation < world.form_generation:
        raise _not_by_policy("Policy expired.")
    for name, value in wanted.items():
        if fields.get(name) != value:
            raise _not_by_policy(f'Policy Condition failed: ["eq", "${name}", "{value}"]')
    extra = [name for name in fields if name not in wanted and name not in _NOT_SIGNED]
    if extra:
        raise _not_by_policy(f"Extra input fields: {extra[0]}")
    if size < least:
        raise StorageRefusal(
            400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"
        )
    if size > most:
        raise StorageRefusal(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    return wanted["x-amz-meta-attachment-id"]


def read_link(attachment: Document, world: World, base_url: str) -> str:
    """Where the bytes can be read for a while, without a key."""
    external = attachment["given"].get("externalUrl")
    if external is not None:
        return str(external)
    ends_at = str(int(world.now()) + READ_LINK_S)
    # Theirs has the date of signing and a length; one number says the same.
    query = {"Expires": ends_at, "Signature": _sign(f"{attachment['key']}:{ends_at}")}
    return f"{base_url}{UPLOAD_PREFIX}/{quote(attachment['key'])}?{urlencode(query)}"


def check_read_link(key: str, query: Mapping[str, str], world: World) -> None:
    ends_at, signature = query.get("Expires", ""), query.get("Signature", "")
    if not hmac.compare_digest(signature.encode(), _sign(f"{key}:{ends_at}").encode()):
        raise StorageRefusal(403, "AccessDenied", "Access Denied")
    if world.now() >= int(ends_at):
        raise StorageRefusal(403, "AccessDenied", "Request has expired")


def _not_by_policy(message: str) -> StorageRefusal:
    return StorageRefusal(403, "AccessDenied", f"Invalid according to Policy: {message}")


def _sign(text: str) -> str:
    return hmac.new(_KEY, text.encode(), hashlib.sha256).hexdigest()
