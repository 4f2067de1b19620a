"""Variables that look like a misspelt setting; nothing else would report them.

An environment is full of variables of other programs, so only near ones count: nearer where the name is one
that other programs use as well.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator

# What begins so is meant for the bridge, and for nothing else on most machines.
_OURS = ("cloudtalk", "kustomer", "membrane", "webhook", "webhooks", "callbridge", "ops")
# Set by `callbridge up` for its children.
_NO_SETTINGS = ("callbridge_run",)
# Too common to guess at: HOSTNAME, PORTS.
_COMMON = ("host", "port")
_NEAR, _VERY_NEAR = 0.8, 0.88
# Names that services use for what is called otherwise here.
_THEIRS = {
    "cloudtalk_api_key": "cloudtalk_access_key_id",
    "cloudtalk_api_secret": "cloudtalk_access_key_secret",
    "kustomer_token": "kustomer_api_key",
}


def misspelt(names: Iterable[str], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each of the names that is no setting, with the setting that was probably meant.

    Args:
        known: all settings, in lower case.
    """
    for name in sorted(names):
        lower = name.lower()
        if lower not in known and lower not in _NO_SETTINGS and (near := _nearest(lower, known)) is not None:
            yield name, near.upper()


def _nearest(name: str, known: Collection[str]) -> str | None:
    if name in _THEIRS:
        return _THEIRS[name]
    within = name.removeprefix("callbridge_")
    if within != name and within in known and within not in _COMMON:
        # Kubernetes sets CALLBRIDGE_PORT for a service of that name.
        return within
    candidates = [one for one in known if one not in _COMMON]
    for one in candidates:
        if _letters(one) == _letters(name):
            return one
    is_ours = name.split("_")[0] in _OURS
    found = difflib.get_close_matches(name, candidates, n=1, cutoff=_NEAR if is_ours else _VERY_NEAR)
    if not found and is_ours:
        words = _words(name)
        found = sorted((one for one in candidates if len(words) > 1 and words <= _words(one)), key=len)
    return found[0] if found else None


def _letters(name: str) -> str:
    return name.replace("_", "").replace("-", "")


def _words(name: str) -> set[str]:
    return {word.removesuffix("s") for word in name.split("_")}
