"""Lines and columns of names and values in a TOML text."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from bridge.domain.rules.positions import Path, TooDeepError, places_of

TEXT = """\
# a comment = 1
version = 2   # two
"quoted name" = 'x'

[conversation]
  tags = [
\t"phone",   # ]
    "vip",
  ]
status = { answered = "done", missed = "open" }
custom.deep . "er" = 1979-05-27 07:32:00
name = \"\"\"
Call "of"
{{ caller }}\"\"\"

[[rule]]
when = { line = ["+15550100101", "+15550100102"] }
then.status = "done"

[[rule]]
[rule.when]
\ttag = "x"
[rule.then]
write = false
"""


def spot(text: str, path: Path, *, value: bool = False) -> tuple[int, int]:
    places = places_of(text)
    return places.line_and_column(places.of_value(path) if value else places.of_key(path))


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("version",), (2, 1), (2, 11)),
        (("quoted name",), (3, 1), (3, 17)),
        (("conversation",), (5, 1), (5, 1)),
        (("conversation", "tags"), (6, 3), (6, 10)),
        (("conversation", "tags", 0), (7, 2), (7, 2)),
        (("conversation", "tags", 1), (8, 5), (8, 5)),
        (("conversation", "status"), (10, 1), (10, 10)),
        (("conversation", "status", "missed"), (10, 31), (10, 40)),
        (("conversation", "custom"), (11, 1), (11, 1)),
        (("conversation", "custom", "deep", "er"), (11, 15), (11, 22)),
        (("conversation", "name"), (12, 1), (12, 8)),
        (("rule", 0), (16, 1), (16, 1)),
        (("rule", 0, "when", "line", 1), (17, 34), (17, 34)),
        (("rule", 0, "then", "status"), (18, 6), (18, 15)),
        (("rule", 1), (20, 1), (20, 1)),
        (("rule", 1, "when"), (21, 1), (21, 1)),
        (("rule", 1, "when", "tag"), (22, 2), (22, 8)),
        (("rule", 1, "then", "write"), (24, 1), (24, 9)),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_name_and_value_has_its_place(
    path: Path, key: tuple[int, int], value: tuple[int, int], ends: str
) -> None:
    text = TEXT.replace("\n", ends)

    assert (spot(text, path), spot(text, path, value=True)) == (key, value)


def paths(value: Any, path: Path = ()) -> list[Path]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, one in inner for found in paths(one, (*path, name)))]


def test_all_that_tomllib_reads_has_a_place() -> None:
    places = places_of(TEXT)

    for path in paths(tomllib.loads(TEXT))[1:]:
        assert path in places.keys or path in places.values, path


def test_a_value_is_found_as_it_is_written() -> None:
    places = places_of(TEXT)

    assert places.raw(("conversation", "custom", "deep", "er")) == "1979-05-27 07:32:00"
    assert places.raw(("conversation", "tags")).splitlines()[-1] == "  ]"


def test_what_is_not_there_is_shown_at_what_is_around_it() -> None:
    assert spot(TEXT, ("conversation", "status", "voicemail"), value=True) == (10, 10)
    assert spot(TEXT, ("nothing", "at", "all")) == (1, 1)


@pytest.mark.parametrize(
    ("text", "path", "second", "first"),
    [
        ("a = 1\nb = 2\n  a = 3", ("a",), (3, 3), (1, 1)),
        ("[a]\nb = 1\n[c]\n[a]\n", ("a",), (4, 1), (1, 1)),
        ("[a]\nb = { c = 1, c = 2 }", ("a", "b", "c"), (2, 14), (2, 7)),
        ("a = 1\na.b = 2", ("a",), (2, 1), (1, 1)),
    ],
)
def test_a_repeated_name_is_found(
    text: str, path: Path, second: tuple[int, int], first: tuple[int, int]
) -> None:
    places = places_of(text)
    repeat = places.repeats[0]

    assert repeat.path == path
    assert (places.line_and_column(repeat.offset), places.line_and_column(repeat.first)) == (second, first)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "{b = " * 5000, ".".join("a" * 5000)])
def test_what_is_nested_without_end_is_refused(text: str) -> None:
    with pytest.raises(TooDeepError):
        places_of(text)


@pytest.mark.parametrize(
    "text", ["a", "a =", "= 1", "[a", "a = [1", "a = {", 'a = "', "[[a]", '"\\q" = 1', "a = ["]
)
def test_a_broken_text_gives_the_places_before_it(text: str) -> None:
    assert spot(f"b = 1\n{text}", ("b",)) == (1, 1)
