"""What commands say of a ledger that is not for this version."""

from __future__ import annotations

import json

import pytest
import redis

from bridge.checks.redis_server import look_at_schema
from bridge.commands import main
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger
from bridge.ledger.schema import VERSION, begin_restore, take_up

pytestmark = pytest.mark.usefixtures("at_a_terminal")

NEWER = VERSION + 1


def _make_newer(client: redis.Redis) -> None:
    client.hset(keys.SCHEMA, "version", NEWER)


def test_one_that_works_with_calls_refuses_a_newer_ledger(
    redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_newer(redis_client)

    assert main(["calls", "ls"]) == 2
    assert f"schema {NEWER}" in capsys.readouterr().err
    assert main(["parked", "ls"]) == 2


def test_status_says_the_schema_and_that_it_is_refused(
    redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    take_up(Ledger(redis_client))
    main(["status", "--json"])
    assert json.loads(capsys.readouterr().out)["schema"] == {
        "version": VERSION,
        "known": VERSION,
        "refused": None,
    }

    _make_newer(redis_client)
    assert main(["status", "--json"]) == 3
    result = json.loads(capsys.readouterr().out)
    assert result["schema"]["version"] == NEWER and f"schema {NEWER}" in result["says"][0]


def test_doctor_says_it(redis_client: redis.Redis) -> None:
    assert look_at_schema(redis_client).state == "ok"
    _make_newer(redis_client)
    check = look_at_schema(redis_client)
    assert check.state == "FAIL" and "install the newer version" in check.do


def test_a_half_restored_ledger_is_refused_until_it_is_restored_again(
    redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    begin_restore(redis_client)

    assert main(["calls", "ls"]) == 2
    assert "restore FILE --replace" in capsys.readouterr().err
    assert look_at_schema(redis_client).state == "FAIL"
