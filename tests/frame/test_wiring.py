"""One module builds what reaches Redis, the services and the storage, and only the ledger talks to Redis."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from bridge.settings import Settings
from bridge.wiring import opened_ledger

_ROOT = Path(__file__).parents[2]
_WIRING = "bridge/wiring.py"
# What is built -> where. `rehearsal` hands its clients a transport that sends nothing.
_BUILT_IN = {
    "connect": {_WIRING},
    "connect_web": {_WIRING},
    "Ledger": {_WIRING},
    "Inbox": {_WIRING},
    "Budget": {"bridge/ledger/budgets/budget.py"},
    "budgets_of": {_WIRING},
    "Deps": {_WIRING},
    "CloudTalk": {"bridge/client_factory.py", "bridge/actions/rehearsal.py"},
    "Kustomer": {"bridge/client_factory.py", "bridge/actions/rehearsal.py"},
    "Membrane": {"bridge/client_factory.py"},
    # A URL of a storage is tried when the settings are read.
    "open_storage": {_WIRING, "bridge/setting_sources.py"},
}


def test_only_the_wiring_builds_what_reaches_redis_the_services_and_the_storage() -> None:
    found = defaultdict(set)
    for path, node in _nodes():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found[node.func.id].add(path)

    assert {name: found[name] for name in _BUILT_IN} == _BUILT_IN


def test_a_reader_who_had_enough_is_no_fault_of_redis(redis_url: str) -> None:
    settings = Settings.from_env({"REDIS_URL": redis_url}, dotenv=None)

    with pytest.raises(BrokenPipeError), opened_ledger(settings):
        raise BrokenPipeError(32, "Broken pipe")


def test_only_the_ledger_uses_its_redis_client() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, node in _nodes()
        if isinstance(node, ast.Attribute) and node.attr == "redis" and not path.startswith("bridge/ledger/")
    ]

    assert found == []


@cache
def _nodes() -> list[tuple[str, ast.AST]]:
    files = sorted([*_ROOT.glob("bridge/**/*.py"), *_ROOT.glob("workers/**/*.py")])
    # The sandbox has classes of the same names.
    return [
        (file.relative_to(_ROOT).as_posix(), node)
        for file in files
        if "/sandbox/" not in file.as_posix()
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
    ]
