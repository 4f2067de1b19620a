"""The documents match the code: settings, rules, links and the files they name."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from pydantic import AliasChoices

from bridge.domain.rules.writing import sections_of_handbook
from bridge.reports.rules_handbook import PAGES, written
from bridge.secret_files import secret_variables
from bridge.settings import Settings
from tests import cloudtalk_page
from tests.documents import commands, headings, sections, slug, unknown_in

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
HANDBOOK = DEPLOY / "README.md"
DOCUMENTS = [*sorted(ROOT.glob("*.md"))] + [
    path
    for folder in ("deploy", "bridge", "workers", "tests")
    for path in sorted((ROOT / folder).rglob("*.md"))
]
SOURCES = [
    path for folder in ("bridge", "workers", "tests") for path in sorted((ROOT / folder).rglob("*.py"))
]


def settings_in_the_handbook() -> dict[str, str]:
    """Each setting of the table, with its default as written."""
    found: dict[str, str] = {}
    table = HANDBOOK.read_text().partition("\n## Settings\n")[2]
    for cell, default in re.findall(r"(?m)^\| (`[A-Z][A-Z_]+`.*?) \| (.*?) \|", table.partition("\n## ")[0]):
        names = re.findall(r"`(\w+)`", cell.partition(" (or ")[0])
        defaults = [part.strip("`") for part in default.split(", ")]
        # One default for all names of a row, or one for each.
        of_each = defaults if len(defaults) == len(names) else [default.strip("`")] * len(names)
        found |= dict(zip(names, of_each, strict=True))
    return found


def test_the_handbook_lists_every_setting() -> None:
    names = {name.upper() for name, field in Settings.model_fields.items() if not field.exclude}

    assert set(settings_in_the_handbook()) == names


def test_the_handbook_lists_every_secret_that_can_be_read_from_a_file() -> None:
    part = HANDBOOK.read_text().partition("This works for ")[2].partition(". The file")[0]

    assert set(re.findall(r"`(\w+)`", part)) == {name.upper() for name in secret_variables(Settings)}


def test_the_handbook_names_the_second_spelling_of_a_setting() -> None:
    text = HANDBOOK.read_text()

    for name, field in Settings.model_fields.items():
        if isinstance(field.validation_alias, AliasChoices):
            _, other = field.validation_alias.choices
            assert f"`{name.upper()}` (or `{str(other).upper()}`)" in text


@pytest.mark.parametrize("name", sorted(settings_in_the_handbook()))
def test_the_handbook_gives_the_default_of_a_setting(name: str) -> None:
    written = settings_in_the_handbook()[name]
    default = Settings().model_dump()[name.lower()]

    if default in (None, []):
        assert written.startswith(("none", "generated"))
    elif isinstance(default, float):
        assert float(written) == default
    else:
        assert written == (str(default).lower() if isinstance(default, bool) else str(default))


def test_the_rules_in_the_handbook_are_the_defaults(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text((DEPLOY / "rules.md").read_text().partition("```toml\n")[2].partition("```")[0])

    settings = Settings.from_env({"CALLBRIDGE_RULES": str(rules)}, dotenv=None)

    assert replace(settings.rules, version="default") == Settings.from_env({}, dotenv=None).rules


def test_the_handbook_has_every_choice_of_the_rules() -> None:
    pages = [(DEPLOY / name).read_text() for name in PAGES]

    assert [written(page) for page in pages] == pages, "run python -m bridge.reports.rules_handbook"
    made = re.findall(r"<!-- (.+): made by python -m bridge.reports.rules_handbook", "".join(pages))
    assert sorted(made) == sorted([*(name for name, _ in sections_of_handbook()), "notes"])


def test_the_workflows_of_the_guide_are_those_of_the_templates() -> None:
    page = cloudtalk_page.PAGE.read_text()

    assert cloudtalk_page.written(page) == page, "run python -m tests.cloudtalk_page"


@cache
def anchors_of(document: Path) -> set[str]:
    """The anchors that GitHub makes of the headings, and those set by hand."""
    text = document.read_text()
    return {slug(heading) for _, heading in headings(text)} | set(re.findall(r'<a id="([^"]+)"></a>', text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document

        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_document_exists(document: Path) -> None:
    if document.name == "CHANGELOG.md":
        pytest.skip("tells of what was, too")
    shown = commands(document.read_text())

    assert [(words, wrong) for words in shown if (wrong := unknown_in(words))] == []


# Of other programs and libraries, of the compose file, and what stands for any name.
_NO_SETTINGS = re.compile(r"OTEL_\w+|BRIDGE_HOST|NAME_FILE|CALLBRIDGE_\w+|HTTPS?_PROXY|NO_PROXY")


@pytest.mark.parametrize("document", sorted(DEPLOY.glob("*.md")), ids=lambda path: path.name)
def test_every_setting_that_a_guide_names_exists(document: Path) -> None:
    fields = Settings.model_fields
    known = {name.upper() for name in fields} | {
        str(choice).upper()
        for field in fields.values()
        if isinstance(field.validation_alias, AliasChoices)
        for choice in field.validation_alias.choices
    }
    named = set(re.findall(r"`([A-Z]+_[A-Z_]*[A-Z])(?:=[^`]*)?`", document.read_text()))

    unknown = {name for name in named if name not in known and name.removesuffix("_FILE") not in known}
    assert {name for name in unknown if not _NO_SETTINGS.fullmatch(name)} == set()


def test_every_heading_that_the_code_refers_to_exists() -> None:
    for source in SOURCES:
        for document, heading in re.findall(r'(\w+/[\w-]+\.md), "([^"]+)"', source.read_text()):
            assert f"\n## {heading}\n" in (ROOT / document).read_text(), source


@pytest.mark.parametrize("folder", ["bridge", "workers", "tests/chaos"])
def test_every_file_that_a_map_names_exists(folder: str) -> None:
    """In a folder's README, paths start at that folder or at the project's."""
    text = (ROOT / folder / "README.md").read_text()

    named = set(re.findall(r"(?<![\w/.*-])((?:[a-z_]+/)*[a-z_]+\.(?:py|lua))\b", text))
    # A folder as code, or at the start of a line of a map.
    named |= set(re.findall(r"(?:`|^ {4})((?:[a-z_]+/)+)(?:`| )", text, re.MULTILINE))

    assert named
    missing = [path for path in sorted(named) if not any((ROOT / at / path).exists() for at in (folder, "."))]
    assert missing == []


def test_every_test_named_beside_the_features_of_others_exists() -> None:
    text = (ROOT / "deploy" / "others.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)

    assert len(named) > 40
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"
    assert "`?" not in text


def checked() -> list[list[str]]:
    """Target, command, outcome and what could not be run, of each row of the table."""
    table = sections(HANDBOOK.read_text())["What was checked"]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_the_table_says_of_each_target_by_what_it_was_checked_and_how_that_ended() -> None:
    for cells in checked():
        assert len(cells) == 4, cells
        assert all(cells[:3]), cells
        # A part that was not tried says so in the last column.
        assert "`" in cells[1] or (cells[1].startswith("none") and cells[3]), cells


def test_every_test_and_program_named_in_the_table_exists() -> None:
    named = [
        path
        for _, command, *_ in checked()
        for path in re.findall(r"(?<![\w./])((?:tests|deploy)/[\w/.]+)", command)
    ]
    modules = [
        name for _, command, *_ in checked() for name in re.findall(r"python -m (tests[\w.]+)", command)
    ]

    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []
    for name in modules:
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name


def test_every_target_of_the_folder_has_its_row() -> None:
    text = " ".join(" ".join(cells) for cells in checked())
    guides = {
        "compose.yml",
        "systemd/",
        "proxy/nginx.conf",
        "proxy/Caddyfile",
        "Dockerfile",
        "platforms/",
        "helm/",
    }

    assert [name for name in guides if (DEPLOY / name).exists() and name not in text] == []
    assert "\n| " not in (DEPLOY / "CHECKED.md").read_text(), "its rows stand in deploy/README.md"
