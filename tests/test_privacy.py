"""deploy/PRIVACY.md is true: it names every family of keys, and personal data is only where it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from tests.jobs.test_erasure import WORDS, a_full_house, everything_left
from tests.support import Bridge

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "deploy" / "PRIVACY.md").read_text()
# Built in one loop for several families; see `keys.QUEUE_KEYS`.
IN_A_LOOP = {"due", "leased", "handed"}
# In these families a key without an end is removed by whoever wrote it, or by the clock at its time.
ENDED_BY_THE_CLOCK = {
    "calls", "find", "held", "other", "contacts", "jobs", "due", "leased", "handed", "parked", "paused",
    "budget", "assigned", "missed", "messages", "lock", "reconcile", "connections",
}  # fmt: skip


def families_on_the_page() -> dict[str, bool]:
    """Family -> whether the page says that it holds personal data."""
    table = PAGE.partition("\n## Redis\n")[2].partition("\n## ")[0]
    found: dict[str, bool] = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 5:
            for name in re.findall(r"`([a-z-]+)`", cells[0]):
                assert name not in found, f"{name} is on the page twice"
                found[name] = cells[2].startswith("**yes**")
    return found


def families_in_the_code() -> set[str]:
    """The first part of every name of a key that the ledger's modules and scripts make."""
    found = set(IN_A_LOOP)
    for path in (ROOT / "bridge").rglob("*.py"):
        found |= set(re.findall(r"\{(?:keys\.)?TAG\}:([a-z][a-z-]*)", path.read_text()))
    for path in (ROOT / "bridge" / "ledger" / "lua").rglob("*.lua"):
        found |= set(re.findall(r"ROOT\s*\.\.\s*'([a-z][a-z-]*)", path.read_text()))
    return found


def test_the_data_map_names_every_family_of_keys_and_no_other() -> None:
    assert set(families_on_the_page()) == families_in_the_code()


def test_each_name_in_the_ledgers_list_of_keys_is_of_a_family_on_the_page() -> None:
    names = [value for value in vars(keys).values() if isinstance(value, str) and value.startswith(keys.TAG)]
    names += keys.QUEUE_KEYS
    assert len(names) > 40

    families = {name.removeprefix(f"{keys.TAG}:").partition(":")[0] for name in names} - {keys.TAG}

    assert families <= set(families_on_the_page())


def test_every_setting_on_the_page_exists() -> None:
    names = set(re.findall(r"`([A-Z][A-Z_]{4,})`", PAGE))

    assert {"EVENT_RETENTION_DAYS", "OUTPUT_RETENTION_DAYS", "RECORDING_RETENTION_DAYS"} <= names
    assert {name.lower() for name in names} <= set(Settings.model_fields)


@pytest.fixture
def house(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Bridge]:
    """All that the bridge can come to hold of a person."""
    server = EmbeddedRedis(tmp_path / "data", appendfsync="everysec")
    server.start()
    with connect(server.url) as client:
        bridge = Bridge(client, sandbox, data_dir=tmp_path / "data")
        a_full_house(bridge, sandbox)
        yield bridge
    server.stop()


def family_of(key: str) -> str:
    return key.removeprefix(f"{keys.TAG}:").partition(":")[0]


def test_personal_data_is_only_in_families_that_the_page_marks(house: Bridge) -> None:
    personal = {name for name, is_personal in families_on_the_page().items() if is_personal}

    with_traces = {
        family_of(place.removeprefix("key "))
        for place, text in everything_left(house).items()
        if place.startswith("key ") and any(word in text for word in WORDS)
    }

    # So that an empty house does not pass.
    assert {"events", "call", "log", "held", "parked", "customer", "cache", "assigned"} <= with_traces
    assert with_traces <= personal


def test_what_holds_personal_data_ends_by_itself(house: Bridge) -> None:
    client: redis.Redis = house.ledger.redis
    personal = {name for name, is_personal in families_on_the_page().items() if is_personal}

    endless = {
        family_of(str(name))
        for name in client.scan_iter(f"{keys.TAG}:*")
        if family_of(str(name)) in personal and client.ttl(name) == -1
    }

    assert endless <= ENDED_BY_THE_CLOCK
