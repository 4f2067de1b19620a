"""The token of the pages and `/api` where OPS_TOKEN is not set: made once, kept in the data folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

_NAME = "ops-token"
# A person may have put one of their own there.
_TOKEN = re.compile(r"[!-~]{16,512}", re.ASCII)
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


class CannotKeep(Exception):
    """There is no token, and none can be kept; says why and what to do."""


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token, and whether this process has just made it: only that one shows it."""

    token: SecretStr
    path: Path
    is_new: bool = False

    @property
    def announcement(self) -> str:
        """What a person reads once."""
        return (
            f"\n  A token for the pages and /api was made. It is kept in {self.path} and not shown again:\n\n"
            f"    {self.token.get_secret_value()}\n\n"
            "  Sign in with it at /login, or send it as Authorization: Bearer TOKEN.\n"
            "  To use another, set OPS_TOKEN.\n"
        )


def ops_token(data_dir: Path) -> KeptToken:
    """The data folder's token; made if there is none. Processes that start at once agree on one.

    Raises:
        CannotKeep: the folder cannot be written, or its file holds no token.
    """
    path = data_dir.absolute() / _NAME
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as cause:
        if cause.errno in _READ_ONLY and (token := read_ops_token(data_dir)):
            return KeptToken(token, path)
        raise _cannot(path, cause.strerror or type(cause).__name__) from cause
    try:
        # Ends with the file, however this process ends.
        fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(PermissionError):
            os.fchmod(file, 0o600)
        text = os.pread(file, 1024, 0).decode("ascii", "replace").strip()
        if not text:
            text = secrets.token_urlsafe(24)
            os.pwrite(file, f"{text}\n".encode(), 0)
            os.fsync(file)
            return KeptToken(SecretStr(text), path, is_new=True)
    except OSError as cause:
        raise _cannot(path, cause.strerror or type(cause).__name__) from cause
    finally:
        os.close(file)
    if not _TOKEN.fullmatch(text):
        raise _cannot(path, "it holds no token of at least 16 characters; remove it, and one is made")
    return KeptToken(SecretStr(text), path)


def read_ops_token(data_dir: Path) -> SecretStr | None:
    """The data folder's token, for a command that asks `/api`; None where there is none."""
    try:
        text = (data_dir / _NAME).read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return SecretStr(text) if _TOKEN.fullmatch(text) else None


def _cannot(path: Path, why: str) -> CannotKeep:
    return CannotKeep(f"OPS_TOKEN is not set, and no token can be kept in {path}: {why}")
