"""deploy/SECURITY.md: each claim names a test that exists, and each secret has a way to change it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.secret_files import secret_variables
from bridge.secrets_source import AT_THE_NEXT_START
from bridge.settings import Settings

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "deploy" / "SECURITY.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+(?:::\w+)?)`", PAGE)))


def test_every_claim_names_a_test() -> None:
    table = PAGE.partition("\n## What is defended against\n")[2].partition("\n## ")[0]
    claims = [line for line in table.splitlines()[3:] if line.startswith("| ")]

    assert len(claims) > 10
    assert all("`tests/" in line.rpartition(" | ")[2] for line in claims)


@pytest.mark.parametrize("name", NAMED)
def test_a_named_test_exists(name: str) -> None:
    path, _, test = name.partition("::")
    text = (ROOT / path).read_text()

    assert f"def {test}(" in text if test else "\ndef test_" in text


def test_every_secret_has_a_way_to_change_it() -> None:
    table = PAGE.partition("\n## Change a secret\n")[2]
    rows = {name: line for line in table.splitlines() for name in re.findall(r"`([A-Z_]+)`", line)}

    assert {one.field for one in secret_variables(Settings).values()} <= {name.lower() for name in rows}
    assert {name.lower() for name, line in rows.items() if "restart" in line} == AT_THE_NEXT_START
