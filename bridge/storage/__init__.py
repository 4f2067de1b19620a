"""Where recordings are kept: a local folder, or a bucket of S3, Google Cloud or Azure."""

from bridge.storage.contract import (
    CONTENT_TYPES,
    MOST_DELETED,
    Exists,
    Missing,
    Storage,
    Stored,
    measure,
    name_of,
)
from bridge.storage.opening import open_storage

__all__ = [
    "CONTENT_TYPES",
    "MOST_DELETED",
    "Exists",
    "Missing",
    "Storage",
    "Stored",
    "measure",
    "name_of",
    "open_storage",
]
