"""`RECORDINGS_URL` -> the storage it names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from bridge.errors import WrongUse
from bridge.storage.contract import Storage
from bridge.storage.local import LocalStorage

_CLOUDS = ("s3", "gs", "az")
_FORMS = "file: (below DATA_DIR), file:/folder, s3://bucket/prefix?region=…&endpoint=…, gs://…, az://…"


def open_storage(url: str, *, data_dir: Path) -> Storage:
    """The storage of this URL; nothing is made or asked until it is used.

    Args:
        data_dir: for `file:` alone, and where uploads to a bucket wait for their turn.
    Raises:
        WrongUse: no such storage, or its library is not installed; says what to do.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise WrongUse(f"RECORDINGS_URL: cannot be read. There are {_FORMS}") from None
    if parts.scheme == "file":
        if parts.netloc or parts.query or parts.fragment or parts.path[:1] not in ("", "/"):
            raise WrongUse(f"RECORDINGS_URL: write a folder as file:/its/full/path, not {url!r}")
        folder = Path(unquote(parts.path)) if parts.path else data_dir.absolute() / "recordings"
        return LocalStorage(folder)
    # Not the URL itself: it may hold a password.
    if parts.scheme in _CLOUDS and (not parts.netloc or parts.fragment):
        raise WrongUse(f"RECORDINGS_URL: must name a bucket, and end before any #. There are {_FORMS}")
    if parts.scheme not in _CLOUDS:
        begins = (
            f"no storage begins with '{parts.scheme}:'" if parts.scheme else "must say what storage it is"
        )
        raise WrongUse(f"RECORDINGS_URL: {begins}. There are {_FORMS}")
    if "@" in parts.netloc:
        raise WrongUse("RECORDINGS_URL: keys must not be in the URL; set them in the environment")
    from bridge.storage.cloud import CloudStorage

    return CloudStorage(
        parts.scheme,
        parts.netloc,
        prefix=unquote(parts.path).strip("/"),
        options=dict(parse_qsl(parts.query, keep_blank_values=True)),
        spool=data_dir.absolute() / "spool",
    )
