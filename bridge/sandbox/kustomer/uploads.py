"""The storage host to which attachments are uploaded. It is not Kustomer: no key, no budget, XML."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.front import LOG_ENTRY, UPLOAD_PREFIX
from bridge.sandbox.kustomer.forms import StorageRefusal, check_form, check_read_link, id_in
from bridge.sandbox.multipart import Malformed, Part, boundary_of, read_form
from bridge.sandbox.ranges import answer_with
from bridge.sandbox.sounds import Given
from bridge.sandbox.world import LoggedUpload, World

# Files from this size on are counted and hashed, and forgotten.
LARGEST_KEPT = 20_000_000
_LARGEST_FIELDS = 20_000


@dataclass(slots=True)
class _Form:
    fields: dict[str, str] = field(default_factory=dict)  # names in lower case
    has_file: bool = False
    size: int = 0
    sha256: str = ""
    content: bytearray | None = field(default_factory=bytearray)  # None: too large to be kept


class UploadHost:
    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[Route]:
        path = UPLOAD_PREFIX + "/{key:path}"
        return [
            Route(path, self.upload, methods=["POST"]),
            Route(path, self.show, methods=["GET"]),
            Route(path, self.refuse_method, methods=["PUT", "PATCH", "DELETE"]),
        ]

    async def upload(self, request: Request) -> Response:
        entry: LoggedUpload = request.scope[LOG_ENTRY]
        entry.authorization = "authorization" in request.headers
        incoming = request.stream()
        try:
            _refuse_before_reading(request)
            form = await _read(request, incoming)
            entry.size, entry.sha256 = form.size, form.sha256
            with self.world.lock:
                self._take(form, entry)
        except ClientDisconnect:
            refusal = StorageRefusal(400, "IncompleteBody", "The request body terminated unexpectedly")
        except StorageRefusal as error:
            refusal = error
            # So that a client still sending sees our answer and not a reset.
            async for _ in incoming:
                pass
        else:
            return Response(status_code=204, headers={"etag": f'"{form.sha256[:32]}"'})
        entry.code = refusal.code
        return refusal.response()

    async def show(self, request: Request) -> Response:
        key = request.path_params["key"]
        try:
            _refuse_a_key(request)
            with self.world.lock:
                check_read_link(key, request.query_params, self.world)
                attachment = self.world.store.get("attachment", id_in(key))
                content = self.world.store.bytes_of("attachment", id_in(key))
            if attachment is None or content is None:
                raise StorageRefusal(404, "NoSuchKey", "The specified key does not exist.")
        except StorageRefusal as refusal:
            return refusal.response()
        return answer_with(Given(content), request.headers, attachment["given"]["contentType"])

    async def refuse_method(self, request: Request) -> Response:
        async for _ in request.stream():
            pass
        return StorageRefusal(403, "AccessDenied", "Access Denied").response()

    def _take(self, form: _Form, entry: LoggedUpload) -> None:
        entry.attachment = form.fields.get("x-amz-meta-attachment-id")
        attachment_id = check_form(form.fields, form.size, self.world)
        attachment = self.world.store.get("attachment", attachment_id)
        if attachment is None:
            raise StorageRefusal(403, "AccessDenied", "Access Denied")
        self.world.store.put_bytes(
            "attachment", attachment_id, None if form.content is None else bytes(form.content)
        )
        stored = {
            "uploaded": True,
            "size": form.size,
            "sha256": form.sha256,
            "upload_count": attachment["upload_count"] + 1,
            "updated_at": self.world.timestamp(),
        }
        self.world.store.put("attachment", attachment_id, attachment | stored)


async def _read(request: Request, incoming: AsyncIterator[bytes]) -> _Form:
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is None:
        raise StorageRefusal(
            412,
            "PreconditionFailed",
            "Bucket POST must be of the enclosure-type multipart/form-data",
        )
    form = _Form()
    hashed = hashlib.sha256()
    name = ""
    value = bytearray()
    fields_size = 0
    try:
        async for one in read_form(incoming, boundary):
            if isinstance(one, Part):
                if form.has_file:
                    raise StorageRefusal(
                        400, "InvalidArgument", f"'{one.name}' comes after the file, which must be last."
                    )
                if name:
                    _keep(form, name, value)
                name, value = one.name.lower(), bytearray()
                form.has_file = name == "file"
            elif form.has_file:
                hashed.update(one)
                form.size += len(one)
                if form.size >= LARGEST_KEPT:
                    form.content = None
                elif form.content is not None:
                    form.content += one
            else:
                value += one
                fields_size += len(one)
                if fields_size > _LARGEST_FIELDS:
                    raise StorageRefusal(
                        400,
                        "MaxPostPreDataLengthExceeded",
                        "Your POST request fields preceding the upload file were too large.",
                    )
    except Malformed as error:
        raise StorageRefusal(
            400,
            "MalformedPOSTRequest",
            f"The body of your POST request is not well-formed multipart/form-data: {error}.",
        ) from error
    if not form.has_file:
        raise StorageRefusal(
            400,
            "IncorrectNumberOfFilesInPostRequest",
            "POST requires exactly one file upload per request.",
        )
    form.sha256 = hashed.hexdigest()
    return form


def _keep(form: _Form, name: str, value: bytearray) -> None:
    if name in form.fields:
        raise StorageRefusal(400, "InvalidArgument", f"The field '{name}' was sent twice.")
    form.fields[name] = value.decode("utf-8", "replace")


def _refuse_before_reading(request: Request) -> None:
    _refuse_a_key(request)
    if "content-length" not in request.headers:
        raise StorageRefusal(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")


def _refuse_a_key(request: Request) -> None:
    if "authorization" in request.headers:
        raise StorageRefusal(400, "InvalidArgument", "Unsupported Authorization Type")
