"""`callbridge doctor` where services are reached through Membrane."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.checks.check import Check
from bridge.checks.examine import examine
from bridge.clients.http import make_client
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings

Checked = Callable[..., dict[str, Check]]


@pytest.fixture
def checked(sandbox: RunningSandbox, tmp_path: Path) -> Checked:
    def run(*through: str, **environ: str) -> dict[str, Check]:
        result = {
            "DATA_DIR": str(tmp_path),
            **sandbox.environ(through_membrane=through or ("cloudtalk", "kustomer")),
            **environ,
        }
        with make_client() as client:
            checks = examine(Settings.from_env(result, dotenv=None), client)
            return {
                check.name: check
                for check in checks
                if any(n in check.name for n in ("Membr", "Talk", "Kust"))
            }

    return run


def test_a_road_that_carries_is_ok_and_wants_no_keys(checked: Checked) -> None:
    found = checked()

    assert {name: check.state for name, check in found.items()} == {
        "Membrane": "ok",
        "CloudTalk (Membrane)": "ok",
        "Kustomer (Membrane)": "ok",
    }


def test_the_other_service_is_still_asked_with_its_key(checked: Checked, sandbox: RunningSandbox) -> None:
    found = checked("kustomer")

    assert {"Membrane", "Kustomer (Membrane)", "CloudTalk"} <= set(found)
    assert "CloudTalk (Membrane)" not in found
    assert {check.state for check in found.values()} == {"ok"}


def test_a_connection_that_is_down_is_told_with_its_link(checked: Checked, sandbox: RunningSandbox) -> None:
    sandbox.membrane.disconnect("kustomer")

    check = checked()["Kustomer (Membrane)"]

    assert (check.state, check.says) == ("FAIL", "connection kustomer is CLIENT_ACTION_REQUIRED")
    assert check.do.startswith("Sign in to Kustomer")
    assert f"open {sandbox.membrane.url}" in check.do


def test_a_connection_that_does_not_exist_is_named(checked: Checked) -> None:
    check = checked(MEMBRANE_KUSTOMER_CONNECTION="typo")["Kustomer (Membrane)"]

    assert (check.state, check.says) == ("FAIL", "connection typo is GONE")
    assert "callbridge connection list" in check.do


def test_a_token_that_is_not_taken_ends_it_there(checked: Checked) -> None:
    found = checked(MEMBRANE_WORKSPACE_SECRET="another")

    assert list(found) == ["Membrane"]
    assert found["Membrane"].state == "FAIL"
    assert "MEMBRANE_WORKSPACE_SECRET" in found["Membrane"].says


def test_a_key_behind_it_that_lacks_a_role_is_told_so(checked: Checked, sandbox: RunningSandbox) -> None:
    sandbox.kustomer.fail_next(403)

    check = checked()["Kustomer (Membrane)"]

    assert check.state == "FAIL"
    assert "roles" in check.do


def test_trouble_of_theirs_that_passes_is_no_failure(checked: Checked, sandbox: RunningSandbox) -> None:
    sandbox.membrane.fail_next(503)

    assert {name: check.state for name, check in checked().items()} == {"Membrane": "warn"}


def test_what_is_missing_is_named(checked: Checked) -> None:
    found = checked(MEMBRANE_KUSTOMER_CONNECTION="", MEMBRANE_TENANT_KEY="")

    assert "MEMBRANE_TENANT_KEY, MEMBRANE_KUSTOMER_CONNECTION" in found["Membrane"].do
