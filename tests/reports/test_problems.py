"""What is wrong, as a table: no Redis and no clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.ledger.health import health_of
from bridge.reports.problem_facts import Closed, Disk, Facts, RedisFacts
from bridge.reports.problem_kinds import KINDS
from bridge.reports.problems import find_problems

RUNBOOK = (Path(__file__).parents[2] / "deploy" / "runbook.md").read_text()
PAUSED = Closed(
    scope="kustomer",
    title="Kustomer is paused",
    state="KEY_REFUSED",
    why="Kustomer refuses the API key",
    jobs_waiting=3,
)
GIGA = 1_000_000_000

# What is different from a good day -> names of the problems.
TABLE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all is well": ({}, []),
    "no web": ({"running": {"web": 0, "worker": 1, "clock": 1}}, ["no-web"]),
    "no worker and no clock": ({"running": {"web": 1, "worker": 0, "clock": 0}}, ["no-worker", "no-clock"]),
    "a service is paused": ({"closed": (PAUSED,)}, ["paused:kustomer"]),
    "a 429 just now": ({"budget_closed_s": {"CloudTalk": 59.0}}, []),
    "429s for a minute": ({"budget_closed_s": {"CloudTalk": 60.0}}, ["budget-closed:CloudTalk"]),
    "a late live call": ({"live_late": 1, "live_late_s": 61.0}, ["live-late"]),
    "a parked job": ({"parked": 1}, ["parked"]),
    "calls missing": ({"calls_missing": 2}, ["calls-missing"]),
    "a stranger knocks": ({"refused": 4}, []),
    "webhooks refused in a row": ({"refused": 5, "refused_cause": "wrong-token"}, ["webhooks-refused"]),
    "a quiet hour, no hours set": ({"silent_s": None}, []),
    "a quiet hour": ({"silent_s": 3599.0}, []),
    "a quiet hour and more": ({"silent_s": 3600.0}, ["no-webhook"]),
    "calls without webhooks": ({"unannounced": True}, ["no-webhook"]),
    "no append-only file": (
        {"server": RedisFacts(not_durable="it keeps no append-only file")},
        ["redis-not-durable"],
    ),
    "Redis at 89 %": ({"server": RedisFacts(used=0.89)}, []),
    "Redis at 90 %": ({"server": RedisFacts(used=0.9)}, ["redis-full"]),
    "Redis at 81 %, told of before": (
        {"server": RedisFacts(used=0.81), "active": frozenset({"redis-full"})},
        ["redis-full"],
    ),
    "Redis at 79 %, told of before": (
        {"server": RedisFacts(used=0.79), "active": frozenset({"redis-full"})},
        [],
    ),
    "half a small disk": ({"disks": (Disk(host="a", free=GIGA // 4, total=GIGA // 2),)}, []),
    "a twentieth of a usual disk": (
        {"disks": (Disk(host="a", free=4 * GIGA, total=100 * GIGA),)},
        ["disk-full:a"],
    ),
    "a twentieth of a large disk": ({"disks": (Disk(host="a", free=100 * GIGA, total=2000 * GIGA),)}, []),
    "a disk with 5.5 % left, told of before": (
        {
            "disks": (Disk(host="a", free=int(5.5 * GIGA), total=100 * GIGA),),
            "active": frozenset({"disk-full:a"}),
        },
        ["disk-full:a"],
    ),
    "recordings cannot be stored": ({"storage_failing": "disk full"}, ["storage-failing"]),
    "a key that may not search": ({"search_refused": True}, ["search-refused"]),
    "an add-on that the account lacks": ({"add_on_missing": True}, ["add-on-missing"]),
    "a class of custom objects that is missing": ({"klass_refused": ("call", "missing")}, ["klass-refused"]),
    "a mistake in the rules file": (
        {
            "rules_wrong": "rules.toml:3:1: unknown name",
            "rules_versions": {"a1": ("web",), "b2": ("clock",)},
        },
        ["rules-wrong"],
    ),
    "a secret whose file is wrong": (
        {"secrets_wrong": "OPS_TOKEN_FILE  /run/secrets/ops: is empty"},
        ["secrets-wrong"],
    ),
    "an accounts file that is no TOML": (
        {"accounts_wrong": "accounts.toml: is not TOML: Expected '='; correct that line"},
        ["secrets-wrong"],
    ),
    "both files wrong": (
        {"secrets_wrong": "OPS_TOKEN_FILE  /run/secrets/ops: is empty", "accounts_wrong": "accounts.toml: x"},
        ["secrets-wrong"],
    ),
    "a key that is not there": ({"key_missing": "0f3a9c21"}, ["key-missing"]),
    "one version of the rules": ({"rules_versions": {"a1": ("web", "clock")}}, []),
    "two versions of the rules": (
        {"rules_versions": {"a1": ("web",), "b2": ("clock",)}},
        ["rules-differ"],
    ),
    "the synthetic call is late": (
        {"synthetic_late_s": 1.0, "synthetic_says": "written after 95 s"},
        ["synthetic-late"],
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_facts_lead_to_problems(case: str) -> None:
    facts, names = TABLE[case]

    found = find_problems(replace(Facts(), **facts))

    assert [problem.name for problem in found] == names
    for problem in found:
        assert problem.kind in KINDS and problem.page.startswith("/")
        assert problem.line == f"{problem.says}: {problem.do}"
        # One sentence each, without its full stop.
        assert not problem.says.endswith(".") and not problem.do.endswith(".") and problem.well


def test_a_wrong_file_is_named_for_what_is_in_it() -> None:
    wrong = "/etc/some.toml: cannot be read: Permission denied; name a file that this process may read"

    (secret,) = find_problems(Facts(secrets_wrong=wrong))
    (accounts,) = find_problems(Facts(accounts_wrong=wrong))

    assert secret.says.startswith("a secret's file is wrong") and secret.page == "/setup"
    assert accounts.says.startswith("the accounts file has a mistake") and accounts.page == "/accounts"


def test_every_kind_of_problem_is_in_the_table() -> None:
    kinds = {
        problem.kind for facts, _ in TABLE.values() for problem in find_problems(replace(Facts(), **facts))
    }

    assert kinds == KINDS.keys() - {"redis-unavailable"}


def test_every_kind_of_problem_has_its_heading_in_the_runbook() -> None:
    headings = [line.removeprefix("## ") for line in RUNBOOK.splitlines() if line.startswith("## ")]

    assert [name for name in headings if name in {kind.heading for kind in KINDS.values()}] == [
        kind.heading for kind in KINDS.values()
    ]


def test_a_kind_follows_only_kinds_that_exist() -> None:
    for kind in KINDS.values():
        assert set(kind.follows) <= KINDS.keys()


@pytest.mark.parametrize(
    ("result", "not_durable", "used"),
    [
        ({}, "", None),
        ({"aof_enabled": 1, "aof_last_write_status": "ok"}, "", None),
        ({"aof_enabled": 0}, "it keeps no append-only file", None),
        (
            {"aof_enabled": 1, "aof_last_write_status": "err"},
            "its last write to its append-only file failed",
            None,
        ),
        ({"used_memory": 50, "maxmemory": 100, "maxmemory_policy": "noeviction"}, "", 0.5),
        (
            {"used_memory": 50, "maxmemory": 100, "maxmemory_policy": "allkeys-lru"},
            "when its memory is full, it deletes records",
            0.5,
        ),
        ({"used_memory": 50, "maxmemory": 0, "total_system_memory": 200}, "", 0.25),
    ],
)
def test_what_redis_says_of_itself(result: dict[str, object], not_durable: str, used: float | None) -> None:
    health = health_of(result)

    assert (health.not_durable, health.used) == (not_durable, used)
