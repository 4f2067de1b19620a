"""The data folder belongs to its owner alone: it holds tokens, keys, recordings and what callers said."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# The last sample that `send` made up.
LAST_CALL = "last-call.json"
# What the bridge keeps there. Nothing else is touched: other things may be in the folder, too.
_FILES = ("ops-token", "webhook-token", "run.json", "up.lock", LAST_CALL)
_FOLDERS = ("redis", "journal", "recordings", "spool", "sandbox")


def make_private(folder: Path) -> str:
    """Make the folder if it is not there, and close it and what is ours in it to other users.

    Returns:
        What a person should know, where it stays open; else nothing.
    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & stat.S_ISVTX:
        return f"{folder} is shared by all users of this machine. Give DATA_DIR a folder of its own."
    places = [(folder, 0o700)]
    places += [(folder / name, 0o600) for name in _FILES]
    places += [(folder / name, 0o700) for name in _FOLDERS]
    for path, mode in places:
        try:
            if not path.is_symlink():
                path.chmod(mode)
        except FileNotFoundError:
            continue
        except PermissionError:
            return f"{path} belongs to another user: who else may read it is not known."
    return ""


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "w") as out:
            out.write(text)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
