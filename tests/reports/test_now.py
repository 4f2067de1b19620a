"""What the first page says first, and the button beside it: problems as a table."""

from __future__ import annotations

import pytest

from bridge.reports.now import headline_of
from bridge.reports.problem_facts import Closed, Disk, Facts, RedisFacts
from bridge.reports.problems import find_problems

PAGES = {"/", "/calls", "/parked", "/held", "/refused", "/setup", "/audit"}
DOWN = Closed(scope="kustomer", title="Kustomer is paused", state="KEY_REFUSED", why="the key is refused")
LINKED = {"kustomer": {"link": "https://app.example/connect?a=1&b=2"}}
TRICKED = {"kustomer": {"link": "javascript:alert(1)"}}


@pytest.mark.parametrize(
    ("facts", "connections", "says", "button"),
    [
        (Facts(running={"web": 1, "worker": 0, "clock": 1}), {}, "No worker runs", "callbridge worker"),
        (Facts(running={"web": 1, "worker": 1, "clock": 0}), {}, "No clock runs", "callbridge clock"),
        (Facts(closed=(DOWN,)), LINKED, "Kustomer is paused", "https://app.example/connect?a=1&b=2"),
        (Facts(closed=(DOWN,)), TRICKED, "Kustomer is paused", "/setup"),
        (Facts(parked=2), {}, "2 jobs are parked.", "/parked"),
        (Facts(calls_missing=1), {}, "1 call of CloudTalk's list is missing in Kustomer.", "/audit"),
        (Facts(refused=7), {}, "The last 7 webhooks were refused", "/refused"),
        (Facts(unannounced=True), {}, "CloudTalk lists calls, but sends no webhooks", "/setup"),
        (Facts(server=RedisFacts(not_durable="no file")), {}, "Redis may lose", "callbridge doctor"),
        (Facts(disks=(Disk(host="a", free=1, total=10**12),)), {}, "A disk of a is nearly full", ""),
        # What the others may follow from comes first.
        (
            Facts(parked=3, calls_missing=4, live_late=2, running={"web": 1, "worker": 0, "clock": 1}),
            {},
            "No worker runs",
            "callbridge worker",
        ),
        (Facts(parked=3, calls_missing=4, closed=(DOWN,)), {}, "Kustomer is paused", "/setup"),
    ],
)
def test_the_first_sentence_has_the_button_that_mends_it(
    facts: Facts, connections: dict[str, dict[str, str]], says: str, button: str
) -> None:
    first = headline_of(find_problems(facts)[0], connections, pages=PAGES)

    assert first.says.startswith(says) and first.says.endswith(".")
    assert (first.link[0] if first.link else first.command) == button


def test_a_button_leads_only_to_a_page_that_there_is() -> None:
    (problem,) = find_problems(Facts(parked=1))

    result = headline_of(problem, {}, pages={"/"})

    assert result.link is None and result.command == "callbridge parked ls"


def test_nothing_is_wrong_by_default() -> None:
    assert find_problems(Facts()) == []
