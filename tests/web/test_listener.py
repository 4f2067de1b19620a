"""The listener: the newest webhooks, kept by name, shown by `callbridge listen`, gone with their call."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis

from bridge.commands import main
from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls.held import assign, held_events
from bridge.ledger.calls.received import newest_mark, received
from bridge.ledger.ledger import Ledger
from bridge.reports.listener import delivery_view
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED, UUID, Site

NAMELESS = {"event": "call_answered", "external_number": "+441632960304", "started_at": ENDED["started_at"]}


@pytest.fixture(autouse=True)
def _settings(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))


def listened(capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    assert main(["listen", "--once", "--json", "--wait-s", "10", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_last_webhook_is_told_also_when_nobody_listened(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.post({**ENDED, "Nummer": "7"})

    result = listened(capsys)

    values = {one["name"]: one["value"] for one in result["variables"]}
    assert values == {**ENDED, "Nummer": "7"}
    assert (result["trigger"], result["answer"], result["call"]) == ("call-ended", "accepted", f"uuid:{UUID}")
    assert {one["name"] for one in result["missing"] if one["needed"]} == set()


def test_a_repeat_and_a_held_one_are_told_as_such(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.post(ENDED)
    site.post(ENDED)
    assert (listened(capsys)["answer"], listened(capsys)["times"]) == ("duplicate", 2)

    site.post({"event": "call_ended", "contact_name": "Ada Example"})

    result = listened(capsys)
    assert result["answer"] == "held"
    assert result["call"] is None
    assert "call_id" in result["reason"]
    assert result["variables"][1]["means"] == "Ada Example"


def test_the_next_webhook_is_told_as_it_comes_and_the_last_one_is_not(
    site: Site, capsys: pytest.CaptureFixture[str], ledger: Ledger
) -> None:
    site.post(ENDED)
    before = newest_mark(ledger)
    later = threading.Timer(0.2, site.post, [{**ENDED, "call_id": "1000000111", "call_uuid": ""}])
    later.start()

    result = listened(capsys, "--next")

    later.join()
    assert result["call"] == "id:1000000111"
    assert result["mark"] != before


def test_nothing_heard_in_time_is_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen", "--once", "--wait-s", "0"]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_a_refused_webhook_is_told_with_its_cause(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    later = threading.Timer(0.2, site.post, [ENDED], {"headers": {"Authorization": "Bearer wrong-one"}})
    later.start()

    assert main(["listen", "--wait-s", "1.5"]) == 1

    later.join()
    assert "Refused: a webhook for call-ended (wrong-token)." in capsys.readouterr().err


def test_people_read_lines_and_no_text_of_others_steers_their_terminal(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.post({**ENDED, "contact_name": "Ada \x1b[2J\nExample", "talking_time": ""})

    assert main(["listen", "--once"]) == 0

    result = capsys.readouterr().out
    assert "\x1b" not in result
    assert "external_number   +441632960304  -> customer's number" in result
    assert "missing: talking_time" in result


def test_a_held_event_that_was_put_to_its_call_is_told_as_the_delivery_that_it_was(
    site: Site, ledger: Ledger
) -> None:
    site.post(ENDED)
    site.post(NAMELESS, "call-answered")
    mark = newest_mark(ledger)

    event = next(iter(held_events(ledger)))
    record = ledger.find(UUID)
    assert record is not None
    assign(ledger, event, record, Rules(), who="Bo")

    assert newest_mark(ledger) == mark
    (one,) = received(ledger)
    assert (one.answer, one.trigger, one.call) == ("held", "call-answered", f"uuid:{UUID}")


def test_only_the_newest_are_listed_however_many_come(site: Site, store: redis.Redis, ledger: Ledger) -> None:
    for number in range(230):
        site.post({**ENDED, "call_id": str(2_000_000_000 + number), "call_uuid": ""})

    assert 50 <= store.llen(keys.RECEIVED) < 100
    assert [one.call for one in received(ledger, most=2)] == ["id:2000000229", "id:2000000228"]


def test_what_was_forgotten_or_dropped_is_not_told(site: Site, store: redis.Redis, ledger: Ledger) -> None:
    site.post({**ENDED, "call_uuid": "", "call_id": "1000000999"})
    site.post(ENDED)
    record = ledger.find(UUID)
    assert record is not None

    ledger.forget(record)

    assert [one.call for one in received(ledger, most=9)] == ["id:1000000999"]
    assert UUID not in json.dumps(store.lrange(keys.RECEIVED, 0, -1))
    # A late event of the forgotten call is let in, and not told either.
    site.post({**ENDED, "talking_time": "98"})
    assert [one.call for one in received(ledger, most=9)] == ["id:1000000999"]


def test_readers_see_no_names_numbers_or_texts(site: Site, ledger: Ledger) -> None:
    secret = {"notes": "made-up secret", "made up key": "another secret", "agent_first_name": "Bo"}
    site.post({**ENDED, **secret, "recording_url": "https://my.cloudtalk.io/pub/r/MTA/token.wav"})

    result = delivery_view(received(ledger)[0], Rules(), hides_people=True)

    text = json.dumps(result)
    for hidden in ("Ada", "secret", "1632960304", "token.wav", '"Bo"', "Sample"):
        assert hidden not in text
    values = {one["name"]: one["value"] for one in result["variables"]}
    assert values["external_number"] == "…304"
    assert values["talking_time"] == "97"


def test_headers_and_tokens_are_not_kept(site: Site, store: redis.Redis) -> None:
    site.post(ENDED, headers={"Authorization": "Bearer made-up-token-for-tests", "X-Made-Up": "a header"})

    kept = json.dumps([store.lrange(keys.RECEIVED, 0, -1), store.hgetall(keys.events(f"uuid:{UUID}"))])
    assert "made-up-token" not in kept
    assert "a header" not in kept


def test_the_check_of_readiness_leaves_no_delivery(
    site: Site, ledger: Ledger, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    site.post(ENDED)
    mark = newest_mark(ledger)

    assert site.get("/readyz").status in (200, 503)

    assert newest_mark(ledger) == mark
