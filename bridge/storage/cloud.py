"""Recordings in a bucket: S3 and what speaks like it, Google Cloud Storage, Azure; through `obstore`."""

from __future__ import annotations

import contextlib
import importlib
import re
import tempfile
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from bridge.errors import Rejected, Unauthorized, Unavailable, WrongUse
from bridge.storage.contract import (
    MOST_DELETED,
    PIECE,
    Counted,
    Exists,
    Missing,
    Stored,
    check_name,
    day_of,
)

# The smallest part that S3 takes; objects up to this size go up in one request.
_PART = 5 * 1024 * 1024
# What it is given at once to fill a part: less or more makes it take several times the memory (measured).
_READ = 1024 * 1024
# So that ten recordings at once do not keep ten parts in memory.
_UPLOADS_AT_ONCE = 2
# A short recording never touches the disk on its way up.
_KEPT_IN_MEMORY = PIECE
_INCOMING = ".incoming"
_LEFTOVER = timedelta(days=1)

# The ledger retries; these two are for a connection that was closed while idle. The time limit is for
# silence, as a long recording that is played takes as long as it takes.
_RETRY = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=1), "base": 2},
}
_CLIENT = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "6h"}

_STORES = {"s3": ("S3Store", "bucket"), "gs": ("GCSStore", "bucket"), "az": ("AzureStore", "container_name")}
# What may stand in the URL; everything else, above all keys, comes from the environment.
_OPTIONS: dict[str, set[str]] = {
    "s3": {
        "region",
        "endpoint",
        "virtual_hosted_style_request",
        "copy_if_not_exists",
        "server_side_encryption",
        "sse_kms_key_id",
    },
    "gs": set(),
    "az": {"account_name", "endpoint"},
}
_KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's own role",
    "gs": "GOOGLE_SERVICE_ACCOUNT (path of the key file), or the machine's own account",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or the machine's own identity",
}
_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|specified bucket does not exist")


class CloudStorage:
    """One bucket, below a prefix; see `Storage`.

    An object is first received to the disk, then sent: so a slow sender keeps no upload open, few parts are
    in memory, and nothing goes up that is not whole. Up to one part is one create-only request. A larger one
    goes up under a name of its own, is copied to its place only if that is free, and deleted. What is killed
    meanwhile is out of sight, and `clear_leftovers` clears it away; parts of an upload that was never
    completed are removed by a lifecycle rule of the bucket, as S3 recommends for all uploads.

    Args:
        scheme: `s3`, `gs` or `az`.
        options: of the URL: where the bucket is and how to speak to it.
        spool: folder for what waits to be sent.
    Raises:
        WrongUse: `obstore` is not installed, or an option is none.
    """

    def __init__(
        self, scheme: str, bucket: str, *, prefix: str, options: Mapping[str, str], spool: Path
    ) -> None:
        self.where = f"{scheme}://{bucket}" + (f"/{prefix}" if prefix else "")
        self._scheme = scheme
        self._bucket = bucket
        self._prefix = prefix
        self._options = _check_options(scheme, options)
        self._spool = spool
        self._uploading = threading.BoundedSemaphore(_UPLOADS_AT_ONCE)
        self._stores: dict[str, Any] = {}
        self._opening = threading.Lock()
        try:
            # Loaded by name: it is an extra.
            self._obstore = importlib.import_module("obstore")
            self._store_module = importlib.import_module("obstore.store")
        except ImportError as cause:
            raise WrongUse(
                f"RECORDINGS_URL: {scheme}:// needs a library that is not installed: pip install obstore"
            ) from cause

    def __repr__(self) -> str:
        return f"CloudStorage({self.where!r})"

    def write(
        self, name: str, chunks: Iterable[bytes], *, content_type: str, expect_bytes: int | None = None
    ) -> Stored:
        check_name(name)
        self._refuse_if_there(name)
        counted = Counted(chunks, expect_bytes=expect_bytes)
        with self._spooled() as file:
            for chunk in counted:
                with self._disk_errors():
                    file.write(chunk)
            with self._disk_errors():
                file.seek(0)
            with self._uploading:
                if counted.size <= _PART:
                    self._put(name, file, content_type)
                else:
                    self._put_large(name, file, content_type)
        return counted.stored(name)

    def replace(self, name: str, chunks: Iterable[bytes], *, content_type: str) -> None:
        """See `Storage.replace`. An object appears whole in its place once all of it went up."""
        if self.size(name) is None:
            raise Missing(name)
        with self._spooled() as file:
            for chunk in chunks:
                with self._disk_errors():
                    file.write(chunk)
            with self._disk_errors():
                size = file.tell()
                file.seek(0)
            with self._uploading, self._errors(f"write {name}"):
                if size <= _PART:
                    self._obstore.put(self._store(content_type), name, file.read())
                else:
                    self._put_parts(self._store(content_type), name, file)

    def open(self, name: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        if start < 0:
            raise ValueError("a range begins at 0 or later")
        size = self.size(name)
        if size is None:
            raise Missing(name)
        end = size if end is None else min(end, size)
        if start >= end:
            # An empty range is refused by all of them.
            return iter(())
        with self._errors(f"read {name}"):
            try:
                found = self._obstore.get(self._store(), name, options={"range": (start, end)})
            except FileNotFoundError as cause:
                raise Missing(name) from cause
            pieces = iter(found.stream(min_chunk_size=PIECE))
        return self._read(pieces, name, end - start)

    def size(self, name: str) -> int | None:
        check_name(name)
        with self._errors(f"look for {name}"):
            try:
                return int(self._obstore.head(self._store(), name)["size"])
            except FileNotFoundError:
                return None

    def delete(self, name: str) -> bool:
        # Two requests, as S3 does not say whether there was anything to delete.
        if self.size(name) is None:
            return False
        return self._delete(name)

    def clear_leftovers(self) -> int:
        leftover = datetime.now(UTC) - _LEFTOVER
        old = [name for name, written_at in self._list(_INCOMING) if written_at < leftover]
        return sum(map(self._delete, old))

    def usage(self) -> tuple[int, int]:
        size = count = 0
        with self._errors("list recordings"):
            for batch in self._obstore.list(self._store(), chunk_size=1000):
                size += sum(found["size"] for found in batch)
                count += len(batch)
        return size, count

    def names(self) -> Iterator[str]:
        return (name for name, _ in self._list(None) if day_of(name) is not None)

    def delete_older_than(self, when: datetime) -> int:
        before = when.astimezone(UTC).date()
        deleted = 0
        # Buckets list by name, and so by day.
        for name, _ in self._list(None):
            day = day_of(name)
            if day is None:
                continue
            if day >= before or deleted == MOST_DELETED:
                break
            deleted += self._delete(name)
        return deleted

    def _put(self, name: str, file: IO[bytes], content_type: str) -> None:
        with self._errors(f"write {name}"):
            try:
                self._obstore.put(self._store(content_type), name, file.read(), mode="create")
            except self._obstore.exceptions.AlreadyExistsError:
                self._refuse_if_there(name)
                raise

    def _put_large(self, name: str, file: IO[bytes], content_type: str) -> None:
        new = f"{_INCOMING}/{uuid.uuid4().hex}"
        store = self._store(content_type)
        with self._errors(f"write {name}"):
            try:
                self._put_parts(store, new, file)
                self._obstore.copy(store, new, name, overwrite=False)
            except self._obstore.exceptions.AlreadyExistsError:
                self._refuse_if_there(name)
                raise
            finally:
                with contextlib.suppress(Exception):
                    self._obstore.delete(store, new)

    def _put_parts(self, store: Any, name: str, file: IO[bytes]) -> None:
        pieces = iter(lambda: file.read(_READ), b"")
        self._obstore.put(store, name, pieces, use_multipart=True, chunk_size=_PART, max_concurrency=1)

    def _read(self, pieces: Iterator[Any], name: str, left: int) -> Iterator[bytes]:
        while True:
            with self._errors(f"read {name}"):
                piece = next(pieces, None)
            if piece is None:
                break
            left -= len(piece)
            yield bytes(piece)
        if left:
            raise Unavailable(f"Could not read {name} in {self.where}: the transfer ended {left} bytes early")

    def _delete(self, name: str) -> bool:
        with self._errors(f"delete {name}"):
            try:
                self._obstore.delete(self._store(), name)
            except FileNotFoundError:
                return False
        return True

    def _list(self, prefix: str | None) -> Iterator[tuple[str, datetime]]:
        with self._errors("list recordings"):
            for batch in self._obstore.list(self._store(), prefix=prefix, chunk_size=200):
                for found in batch:
                    yield found["path"], found["last_modified"]

    def _refuse_if_there(self, name: str) -> None:
        size = self.size(name)
        if size is not None:
            raise Exists(Stored(name, size))

    def _store(self, content_type: str = "application/octet-stream") -> Any:
        # One for each content type, as its default: the library's conditional copy on S3 takes no attributes
        # along, and would leave a large recording without its type.
        with self._opening:
            store = self._stores.get(content_type)
            if store is None:
                store = self._stores[content_type] = self._open(content_type)
            return store

    def _open(self, content_type: str) -> Any:
        kind, bucket = _STORES[self._scheme]
        plain = self._options.get("endpoint", "").startswith("http://")
        options: dict[str, Any] = {bucket: self._bucket, **self._options}
        if self._scheme == "s3":
            # One by one: not all that speak S3 know the request for many.
            options = {"copy_if_not_exists": "multipart", "disable_bulk_delete": True, **options}
        with self._errors("open the storage"):
            return getattr(self._store_module, kind)(
                prefix=self._prefix or None,
                client_options={**_CLIENT, "allow_http": plain, "default_content_type": content_type},
                retry_config=_RETRY,
                **options,
            )

    @contextlib.contextmanager
    def _spooled(self) -> Iterator[IO[bytes]]:
        with self._disk_errors():
            self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Without a name once it is on disk: what is killed leaves nothing.
            file = tempfile.SpooledTemporaryFile(  # noqa: SIM115
                max_size=_KEPT_IN_MEMORY, dir=str(self._spool)
            )
        with file:
            yield file

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as cause:
            raise Unavailable(
                f"No space to buffer a recording for {self.where}: {cause.strerror or cause} in "
                f"{self._spool}; free some space there or make it writable; the bridge will retry"
            ) from cause

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        errors = self._obstore.exceptions
        try:
            yield
        except errors.AlreadyExistsError as cause:
            raise Unavailable(
                f"Could not {what} in {self.where}: it kept disappearing; the bridge will retry"
            ) from cause
        except (errors.BaseError, OSError, ValueError) as cause:
            # The library's messages go on for pages, and name every header.
            said = str(cause).partition("\n")[0][:300]
            status = int(found[1]) if (found := _STATUS.search(str(cause))) else 0
            if isinstance(cause, FileNotFoundError) or _NO_BUCKET.search(str(cause)):
                raise Rejected(
                    f"Could not {what}: there is no bucket {self.where}, or it is in another region; "
                    "create it, or correct RECORDINGS_URL",
                    status=404,
                    detail=said,
                ) from cause
            # A refused listing is a plain error with its status in the text.
            keys = isinstance(cause, (errors.UnauthenticatedError, errors.PermissionDeniedError))
            if keys or status in (401, 403):
                raise Unauthorized(
                    f"Could not {what} in {self.where}: the keys were refused or lack permission. "
                    f"They come from {_KEYS[self._scheme]}"
                ) from cause
            refused = 400 <= status < 500 and status not in (408, 425, 429)
            if refused or isinstance(cause, (errors.NotSupportedError, ValueError)):
                raise Rejected(
                    f"Could not {what} in {self.where}: {said}", status=status, detail=said
                ) from cause
            raise Unavailable(f"Could not {what} in {self.where}: {said}; the bridge will retry") from cause


def _check_options(scheme: str, options: Mapping[str, str]) -> dict[str, str]:
    unknown = sorted(set(options) - _OPTIONS[scheme])
    if unknown:
        known = ", ".join(sorted(_OPTIONS[scheme])) or "none"
        raise WrongUse(
            f"RECORDINGS_URL: {scheme}:// has no option {', '.join(unknown)} (there are: {known}). Keys "
            f"come from the environment: {_KEYS[scheme]}"
        )
    return dict(options)
