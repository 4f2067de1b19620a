"""The command over all benchmarks: what makes it red, what it writes, and when CI calls a ratio lost."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks import ratios
from tests.benchmarks.__main__ import guard
from tests.benchmarks.charts import bars
from tests.benchmarks.parts import PARTS, Part
from tests.benchmarks.report import Row, table
from tests.benchmarks.results import Outcome, write

PART = Part(name="made_up", section="Made up", about="Nothing is measured.")
FAST = Row(what="requests/s", value=12.5, unit="x", at_least=10, chart="rates")
SLOW = Row(what="p99 < all & more", value=12.5, unit="ms", at_most=10, chart="rates")
PLAIN = Row(what="memory", value=61, unit="MB")


def outcomes(*rows: Row) -> list[Outcome]:
    return [Outcome(PART, list(rows))]


@pytest.mark.parametrize(
    ("value", "goal", "reached"),
    [
        (0.7, {"at_least": 0.7}, True),
        (0.69, {"at_least": 0.7}, False),
        (8.0, {"at_most": 8.0}, True),
        (8.01, {"at_most": 8.0}, False),
        (5.0, {}, None),
    ],
)
def test_a_goal_is_reached_at_its_limit(value: float, goal: dict[str, float], reached: bool | None) -> None:
    assert Row(what="a", value=value, **goal).reached is reached  # type: ignore[arg-type]


def test_what_speaks_against_green_is_named() -> None:
    assert Outcome(PART, [FAST, SLOW, PLAIN]).missed == ["made_up: p99 < all & more: 12.5 ms, goal ≤ 10"]


def test_a_part_that_could_not_measure_is_against_green() -> None:
    assert Outcome(PART, failure="Traceback\nOSError: no space").missed == [
        "made_up did not run: OSError: no space"
    ]


def test_the_table_says_which_goals_are_reached() -> None:
    lines = table([FAST, SLOW, PLAIN]).splitlines()

    assert lines[2:] == [
        "| requests/s | 12.5 x | ≥ 10 | yes |",
        "| p99 < all & more | 12.5 ms | ≤ 10 | **no** |",
        "| memory | 61 MB |  |  |",
    ]


def test_the_document_counts_goals_and_links_its_charts(tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "of-an-earlier-run.svg").touch()

    write(tmp_path / "RESULTS.md", outcomes(FAST, SLOW, PLAIN), {"commit": "abc"}, whole=True)

    text = (tmp_path / "RESULTS.md").read_text()
    assert "**Red: 1 of 2 goals reached.**" in text
    assert "| commit | abc |" in text
    (chart,) = re.findall(r"\(charts/(.+)\)", text)
    assert [path.name for path in (tmp_path / "charts").iterdir()] == [chart]


def test_a_document_without_a_missed_goal_is_green(tmp_path: Path) -> None:
    write(tmp_path / "RESULTS.md", outcomes(FAST), {}, whole=True)

    assert "**Green: 1 of 1 goals reached.**" in (tmp_path / "RESULTS.md").read_text()


def test_a_chart_has_a_bar_a_row_and_a_line_a_goal() -> None:
    chart = ElementTree.fromstring(bars("a < b", [FAST, SLOW, PLAIN]))  # noqa: S314 - ours

    drawn = [element.tag.rpartition("}")[2] for element in chart]
    assert (drawn.count("rect"), drawn.count("line")) == (3, 2)
    widths = [float(element.get("width", "0")) for element in chart if element.tag.endswith("rect")]
    assert widths == sorted(widths)
    assert widths[2] / widths[0] == pytest.approx(61 / 12.5, rel=0.01)


@pytest.mark.parametrize(("now", "is_lost"), [(3.0, False), (2.01, False), (1.99, True)])
def test_a_ratio_is_lost_below_two_thirds(now: float, is_lost: bool) -> None:
    row = Row(what="a", value=now, guard=True)

    assert bool(ratios.lost("part", [row], {"part": {"a": 3.0}})) is is_lost


@pytest.mark.parametrize("limit", [{"at_most": 1.0}, {"less_is_better": True}])
@pytest.mark.parametrize(("now", "is_lost"), [(2.0, False), (2.99, False), (3.01, True)])
def test_what_should_be_small_is_lost_above_one_and_a_half(
    limit: dict[str, float], now: float, is_lost: bool
) -> None:
    row = Row(what="a", value=now, guard=True, **limit)  # type: ignore[arg-type]

    assert bool(ratios.lost("part", [row], {"part": {"a": 2.0}})) is is_lost


def test_a_ratio_that_is_only_stored_or_only_measured_is_lost() -> None:
    row = Row(what="new", value=1.0, guard=True)

    assert len(ratios.lost("part", [row, PLAIN], {"part": {"old": 1.0}})) == 2


def measuring(*values: float) -> Callable[[Part], Outcome]:
    """Runs of a part, one after the other; `seen` has what is left."""
    left: Iterable[float] = iter(values)
    return lambda part: Outcome(part, [Row(what="a", value=next(iter(left)), guard=True)])


@pytest.mark.parametrize(
    ("values", "is_red"), [((3.0,), False), ((1.0, 3.0), False), ((1.0, 1.1), True), ((1.0, 1.1, 3.0), True)]
)
def test_ci_is_red_when_a_second_run_finds_the_loss_too(values: tuple[float, ...], is_red: bool) -> None:
    assert bool(guard([PART], {"made_up": {"a": 3.0}}, measuring(*values))) is is_red


def test_ci_is_red_when_a_part_does_not_run() -> None:
    assert guard([PART], {}, lambda part: Outcome(part, failure="ended")) == ["made_up did not run: ended"]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_part_is_a_module_that_can_be_run(part: Part) -> None:
    assert callable(importlib.import_module(f"tests.benchmarks.{part.name}").run)


def test_the_stored_ratios_are_of_parts_that_ci_runs() -> None:
    assert ratios.stored().keys() <= {part.name for part in PARTS if part.short}
