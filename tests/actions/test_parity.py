"""The same reads over both roads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.actions.parity import READS, differences
from bridge.commands import main
from bridge.sandbox.running import RunningSandbox


@pytest.fixture
def parity(
    sample_sandbox: RunningSandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str]]:
    """`parity("--json")`: exit code and what it printed. Both roads are set up, unless left out."""
    for service in ("cloudtalk", "kustomer"):
        sample_sandbox.membrane.reconnect(service)
    for handle in (sample_sandbox.cloudtalk, sample_sandbox.kustomer, sample_sandbox.membrane):
        handle.forget_requests()
    keys = sample_sandbox.environ()
    through = sample_sandbox.environ(through_membrane=("cloudtalk", "kustomer"))

    def run(*arguments: str, without: str = "") -> tuple[int, str]:
        monkeypatch.chdir(tmp_path)
        for name, value in {**through, **keys}.items():
            if without and name.startswith(without):
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        code = main(["parity", *arguments])
        result = capsys.readouterr()
        return code, result.out + result.err

    return run


def rows(text: str) -> dict[str, dict[str, Any]]:
    return {row["operation"]: row for row in json.loads(text)}


def test_both_roads_tell_the_same_and_a_recording_has_the_same_bytes(
    parity: Callable[..., tuple[int, str]], sample_sandbox: RunningSandbox
) -> None:
    code, text = parity("--json")

    found = rows(text)
    assert code == 0, text
    assert [one.key for one in READS] == list(found)
    assert {name for name, row in found.items() if row["state"] != "same"} == set()
    recordings = [one for one in sample_sandbox.cloudtalk.requests if "/calls/recording/" in one.path]
    assert len(recordings) >= 2
    # Half of all came through Membrane, and nothing was written.
    proxied = [one for one in sample_sandbox.membrane.requests if "/proxy/" in one.path]
    assert len(proxied) >= len(READS)
    assert sample_sandbox.cloudtalk.writes == sample_sandbox.kustomer.writes == []


def test_a_road_that_tells_something_else_is_shown_with_the_place(
    parity: Callable[..., tuple[int, str]], sample_sandbox: RunningSandbox
) -> None:
    # Both times that it is asked through Membrane, which is the first and the last of four.
    other = json.dumps({"responseData": {"itemsCount": 0, "pageCount": 0, "pageNumber": 1, "data": []}})
    sample_sandbox.membrane.answer_next(other, "application/json", path="agents/index", times=2)

    code, text = parity("--service", "cloudtalk")

    assert code == 3
    assert "differs  cloudtalk  list-agents" in text
    assert "items: 2 direct, 0 through Membrane" in text
    assert "Bo Sample" not in text
    assert "1 differ" in text


def test_what_changes_between_two_questions_is_no_difference(
    parity: Callable[..., tuple[int, str]], sample_sandbox: RunningSandbox
) -> None:
    other = json.dumps({"responseData": {"itemsCount": 0, "pageCount": 0, "pageNumber": 1, "data": []}})
    sample_sandbox.membrane.answer_next(other, "application/json", path="agents/index")

    assert parity("--service", "cloudtalk")[0] == 0


def test_a_connection_that_is_down_is_no_parity(
    parity: Callable[..., tuple[int, str]], sample_sandbox: RunningSandbox
) -> None:
    sample_sandbox.membrane.disconnect("kustomer")

    code, text = parity("--service", "kustomer")

    assert code == 3
    assert "membrane: Disconnected: the Membrane connection kustomer is CLIENT_ACTION_REQUIRED" in text
    assert "list-agents" not in text


@pytest.mark.parametrize(
    ("without", "named"),
    [("KUSTOMER_API_KEY", "KUSTOMER_API_KEY"), ("MEMBRANE_KUSTOMER", "MEMBRANE_KUSTOMER_CONNECTION")],
)
def test_a_road_that_is_not_set_up_is_named(
    parity: Callable[..., tuple[int, str]], without: str, named: str
) -> None:
    code, text = parity(without=without)

    assert code == 2
    assert named in text
    assert parity("--service", "cloudtalk", without=without)[0] == 0


@pytest.mark.parametrize(
    ("direct", "membrane", "result"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a: differs"]),
        ({"a": 1}, {"a": "1"}, ["a: int direct, str through Membrane"]),
        ({"a": 1}, {}, ["a: only direct"]),
        ({}, {"a": None}, ["a: only through Membrane"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}, {}]}, ["a: 1 direct, 2 through Membrane", "a[0].b: differs"]),
    ],
)
def test_differences_are_told_by_their_place(direct: Any, membrane: Any, result: list[str]) -> None:
    assert list(differences(direct, membrane)) == result
