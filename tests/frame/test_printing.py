"""Text of callers, agents and services never steers the terminal, and never passes for lines of ours."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from bridge import logs
from bridge.commands import main
from bridge.commands.printing import PlainTerminal
from bridge.commands.tables import show
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, Held, read_event
from bridge.ledger import trail
from bridge.ledger.ledger import Ledger
from bridge.local.supervisor import Speaker
from bridge.plain import plain, plain_line
from bridge.sandbox.running import RunningSandbox
from tests.support import ended

# A title, a colour, 8-bit sequences, a turned direction, an invisible tag, lines of Unicode, a return.
EVIL = "A\x1b]0;owned\x07\x1b[31m\x9b31m\x85\u202egnp.exe\u2066\u200f\u2028x\U000e0041\r\nOK  all well"
STEERS = [chr(code) for code in (*range(0x00, 0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0))]
STEERS += list("\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\U000e0041")


JOB = "sync|uuid:11111111-2222-4333-8444-555555555500"


def steers(text: str) -> list[str]:
    return [repr(one) for one in STEERS if one in text]


@pytest.mark.slow
@given(st.text())
def test_no_text_steers_a_terminal(text: str) -> None:
    assert steers(plain(text)) == [] and steers(plain_line(text)) == []
    assert "\n" not in plain_line(text)
    plain(text).encode()


@pytest.mark.parametrize("text", ["Zoë Müller", "山田太郎", "محمد", "👩‍👩‍👧", "a\tb\nc", "plain", "", "क्‍ष"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


@given(st.dictionaries(st.text(), st.text()))
def test_json_stays_json(value: dict[str, str]) -> None:
    for ascii_only in (True, False):
        said = plain(json.dumps(value, indent=2, ensure_ascii=ascii_only))
        assert json.loads(said) == value


@pytest.fixture
def evil_bridge(at_a_terminal: None, redis_client: redis.Redis) -> Ledger:
    """A held event, a call and a parked job whose every text is evil."""
    ledger, body = (
        Ledger(redis_client),
        ended(contact_name=EVIL, agent_first_name=EVIL, notes=EVIL, tags=EVIL),
    )
    event = read_event("call-ended", body, Rules())
    assert isinstance(event, Event)
    ledger.record_event(event, body)
    claim = ledger.claim("sync", "uuid:11111111-2222-4333-8444-555555555500")
    assert claim is not None
    ledger.park(claim, cause=EVIL, error=EVIL)
    held = Held(trigger=EVIL, reason=EVIL, fingerprint="f" * 64)
    ledger.hold(held, {"text": EVIL, EVIL: EVIL})
    trail.leave(ledger, who="ops", what=f"dropped: {EVIL}", call=EVIL)
    return ledger


@pytest.mark.parametrize(
    "argv",
    [
        ["held", "ls"], ["held", "show", "ffff"], ["held", "assign", "ffff", "1000000500"],
        ["held", "assign", "ffff", EVIL], ["calls", "ls"], ["calls", "ls", "--q", EVIL],
        ["calls", "show", "1000000500"], ["calls", "show", EVIL], ["parked", "ls"], ["parked", "show", JOB],
        ["parked", "ls", "--cause", EVIL], ["parked", "drop", "--reason", EVIL, "--kind", "sync"], ["trail"],
        ["forget", "--number", "+441632960304", "--yes"], ["action", "run", EVIL],
        ["request", "kustomer", EVIL],
    ],
)  # fmt: skip
@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.usefixtures("evil_bridge")
def test_no_command_prints_what_steers(
    argv: list[str], as_json: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    code = main([*argv, "--json"] if as_json else argv)

    out, err = capfd.readouterr()
    assert steers(out) == [] and steers(err) == []
    assert not [line for line in (out + err).splitlines() if line.startswith("OK  all well")]
    if as_json and out.strip() and code == 0:
        json.loads(out)


@pytest.mark.usefixtures("at_a_terminal")
@pytest.mark.parametrize("as_json", [False, True])
def test_what_a_service_answers_to_an_action_does_not_steer_either(
    sandbox: RunningSandbox, as_json: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    id_ = sandbox.kustomer.add_customer(name=EVIL, emails=[])
    argv = ["action", "run", "get-customer-by-id", "--input", json.dumps({"customer_id": id_})]

    main([*argv, "--json"] if as_json else argv)
    main(["action", "run", "list-customers", *(["--json"] if as_json else [])])

    out, err = capfd.readouterr()
    assert "owned" in out
    assert steers(out) == [] and steers(err) == []


def test_what_an_action_gives_reads_as_fields_of_ours_only(capsys: pytest.CaptureFixture[str]) -> None:
    show({"id": "5", "name": "Ada\nid  666\u2028id  666"}, as_json=False)

    assert not [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("id") and "666" in line
    ]


def test_an_answer_shown_at_a_terminal_is_plain_also_across_pieces(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = PlainTerminal()
    raw = "é\x1b[2J\u202e".encode()

    for at in range(len(raw)):
        screen.write(raw[at : at + 1])

    assert capsys.readouterr().out == "é\\u001b[2J\\u202e"


@pytest.mark.parametrize("form", ["console", "json"])
def test_logs_do_not_steer_the_terminal_they_are_read_on(form: Any) -> None:
    out = io.StringIO()
    logs.configure(format=form, stream=out)

    logs.get_logger("test").warning(f"said {EVIL}", reason=EVIL, more={EVIL: [EVIL]})
    logging.getLogger("test").warning("said %s", EVIL)

    text = out.getvalue()
    assert text.count("\n") == 2 and "owned" in text
    assert steers(text) == []


def test_what_programs_of_up_say_does_not_steer_either() -> None:
    out = io.BytesIO()
    Speaker(out, colour=False).say("web", plain(EVIL))

    assert steers(out.getvalue().decode()) == []
