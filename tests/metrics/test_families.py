"""The list of metrics: its names, its form, its table in the handbook, and what it costs to write it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as read_text

from bridge.metrics.families import ALL, OPERATIONS
from bridge.metrics.family import MOST_SERIES, Buckets, Family, Labels
from bridge.metrics.table import BEGIN, END, table
from tests.chaos.crash.source import names_in_source


def read_openmetrics(text: str) -> list[Metric]:
    return list(openmetrics_parser.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_table_in_the_handbook_is_made_from_the_list() -> None:
    written = (DEPLOY / "metrics.md").read_text().partition(BEGIN)[2].partition(END)[0]

    assert written.strip() == table()


def test_each_name_is_there_once() -> None:
    names = [name for family in ALL for name in family.names]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("openmetrics", [False, True])
@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_prometheus_reads_each_family_with_its_series_at_zero(family: Family, openmetrics: bool) -> None:
    text = family.text({}, openmetrics=openmetrics)

    (found,) = read_openmetrics(f"{text}# EOF\n") if openmetrics else read_text(text)

    assert found.documentation == family.help
    assert {sample.value for sample in found.samples} <= {0.0}
    # The value of these labels comes from the process.
    given_later = {"callbridge_http_cut", "callbridge_build"}
    assert bool(found.samples) is (family.name not in given_later)


def test_a_histogram_is_cumulated_and_tells_a_trace_only_in_openmetrics() -> None:
    family = Family(name="x_seconds", kind="histogram", help="x", labels={"a": ("b",)}, edges=(1, 2))
    values: dict[Labels, float | Buckets] = {("b",): Buckets([2, 1, 4], 40.5, {1: ("abc", 1.5, 7.0)})}

    (plain,) = read_text(family.text(values, openmetrics=False))
    (rich,) = read_openmetrics(family.text(values, openmetrics=True) + "# EOF\n")

    for found in (plain, rich):
        assert [sample.value for sample in found.samples] == [2, 3, 7, 7, 40.5]
    assert [sample.exemplar.labels for sample in rich.samples if sample.exemplar] == [{"trace_id": "abc"}]


def test_text_of_others_in_a_label_is_escaped_and_cut() -> None:
    family = Family(name="x", kind="gauge", help="x", labels={"a": ()})

    (found,) = read_text(family.text({('"\\\n' + "y" * 100,): 1}, openmetrics=False))

    assert [sample.labels for sample in found.samples] == [{"a": '"\\\n' + "y" * 57}]


def test_a_family_has_so_many_series_and_no_more() -> None:
    family = Family(name="x", kind="gauge", help="x", labels={"a": ()})

    text = family.text({(str(number),): 1 for number in range(5000)}, openmetrics=False)

    assert text.count("\n") == MOST_SERIES + 2


@pytest.mark.slow
def test_the_requests_at_zero_are_those_of_workers() -> None:
    """One that is not listed is shown once it was sent; the names here must exist."""
    assert {f"{service}.{operation}" for service, operation in OPERATIONS} <= {
        *names_in_source(), "cloudtalk.check", "kustomer.check",
    }  # fmt: skip


def test_every_metric_named_in_the_documents_exists() -> None:
    names = {name for family in ALL for name in (family.name, *family.names)}
    for document in (
        *DEPLOY.glob("*.md"),
        DEPLOY.parent / "README.md",
        DEPLOY.parent / "bridge" / "README.md",
    ):
        found = set(re.findall(r"`(callbridge_[a-z_]+[a-z])", document.read_text()))
        assert found <= names | {"callbridge_ledger"}, document


def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        assert not os.environ.get("CI"), "CI must have promtool"
        pytest.skip("promtool is not here (Debian: in the package prometheus)")
    return found


def test_promtool_finds_nothing_to_complain_about() -> None:
    text = "".join(family.text({}, openmetrics=False) for family in ALL)

    done = subprocess.run(
        [promtool(), "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
