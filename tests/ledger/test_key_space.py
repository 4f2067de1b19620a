"""No work of the bridge takes longer because Redis holds more: none walks the whole key space."""

from __future__ import annotations

import re
from pathlib import Path

from bridge.ledger import scripts

ROOT = Path(__file__).parents[2]
# KEYS, SCAN and RANDOMKEY walk it, by whatever name a client has for them.
WALKS = re.compile(
    r"""\.(?:keys\(\s*f?["']|scan\(|scan_iter\(|randomkey\()|["'](?:KEYS|SCAN|RANDOMKEY)\b["' ]"""
)
MAY = {
    # `callbridge forget --number`, which a person runs: looks for that number in every record.
    "bridge/ledger/calls/erasing.py",
    # A part of it at each beat of the clock, the same number of keys whatever there is.
    "bridge/ledger/calls/retention.py",
    # Spells the names that others get for a named account; asks for none itself.
    "bridge/ledger/account_clients.py",
    # `callbridge backup`, which a person runs: all that is kept goes into a file.
    "bridge/ledger/dump.py",
    # `callbridge encryption`, which a person runs, and `doctor`, for two seconds at most.
    "bridge/ledger/reencrypting.py",
    "bridge/ledger/renaming.py",
}


def test_only_these_places_walk_the_key_space() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("bridge", "workers")
        for path in (ROOT / folder).rglob("*.py")
        if WALKS.search(path.read_text("utf-8"))
    }

    assert found == MAY


def test_no_script_walks_the_key_space() -> None:
    walking = re.compile(r"'(?:keys|scan|randomkey)'", re.IGNORECASE)

    assert [name for name in (*scripts.NAMES, *scripts.APART) if walking.search(scripts.source(name))] == []


def test_what_walks_is_seen_under_each_of_its_names() -> None:
    for text in (
        'client.keys("x*")', "client.scan_iter(match)", "client.scan(0)", 'execute_command("KEYS", "*")',
        "client.randomkey()", 'execute_command("SCAN 0")',
    ):  # fmt: skip
        assert WALKS.search(text), text
    for text in ("fields.keys()", "keys.record(key)", 'redis.hscan("x")'):
        assert not WALKS.search(text), text
