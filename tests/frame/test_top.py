"""`callbridge top`: queue, problems and calls on one screen."""

from __future__ import annotations

import pytest

from bridge.commands import main
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger.ledger import Ledger
from tests.support import ended

pytestmark = pytest.mark.usefixtures("at_a_terminal")


def test_one_screen_shows_what_is_wrong_the_queue_and_the_last_calls(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    body = ended(contact_name="Ada\x1b]0;owned\x07 Example")
    event = read_event("call-ended", body, Rules())
    assert isinstance(event, Event)
    ledger.record_event(event, body)

    code = main(["top", "--once"])

    said = capsys.readouterr().out
    assert code == 0
    for text in (
        "last hour: 1 call, 0 written",
        "▲ No worker runs",
        "live",
        "CloudTalk",
        "50 of 50",
        "1000000500",
        "…304",
        "waiting",
    ):
        assert text in said, text
    assert "441632960304" not in said and "\x1b]" not in said


def test_without_a_call_it_says_what_to_do(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    main(["top", "--once"])

    assert "callbridge listen shows whether webhooks arrive" in capsys.readouterr().out


def test_without_a_terminal_it_names_the_ways_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top"]) == 2
    assert "--once" in capsys.readouterr().err
