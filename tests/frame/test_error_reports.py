"""What goes to Sentry, and what does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from bridge import error_reports, logs
from bridge.settings import Settings
from tests import sentry

DSN = "https://made-up@sentry.example/1"
NUMBER, NAME, SECRET = "+441632960304", "Ada Example", "made-up-token-for-tests"


class Kept(Transport):
    events: list[dict[str, Any]]

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        Kept.events = []

    def capture_envelope(self, envelope: Envelope) -> None:
        event = envelope.get_event()
        assert event is not None
        Kept.events.append(dict(event))


@pytest.fixture(autouse=True)
def reporting() -> Iterator[None]:
    logs.configure(format="json")
    error_reports.start("worker", DSN, transport=Kept)
    yield
    logs.report_errors_to(None)
    sentry.end()


def fail(text: str) -> None:
    caller, token = NUMBER, SECRET  # what a report of local variables would show
    raise ValueError(f"{text} {caller} {token}")


def test_a_fault_is_reported_with_its_call_and_place_and_nothing_of_others() -> None:
    try:
        fail(NAME)
    except ValueError as error:
        logs.get_logger("workers.test").error(
            "fault in a job", call="uuid:1", job="sync", attempt=2, body={"name": NAME}, exc_info=error
        )

    (event,) = Kept.events
    (value,) = event["exception"]["values"]
    assert value["type"] == "ValueError"
    assert [frame["function"] for frame in value["stacktrace"]["frames"]][-1] == "fail"
    assert {"call": "uuid:1", "job": "sync", "attempt": "2", "log": "fault in a job"}.items() <= event[
        "tags"
    ].items()
    assert event["tags"]["process"] == "worker"
    text = json.dumps(event, default=str)
    for secret in (NUMBER, "960304", NAME, SECRET):
        assert secret not in text


def test_sentry_hooks_into_no_library() -> None:
    """Its integration for Starlette would read the bodies of requests, which then never come."""
    assert sentry_sdk.get_client().integrations == {}


def test_an_error_without_an_exception_is_reported_as_its_text() -> None:
    logs.get_logger("workers.test").error("job parked", cause=f"{NUMBER} is not taken")

    (event,) = Kept.events
    assert event["message"] == "job parked"
    assert "960304" not in json.dumps(event, default=str)


def test_what_is_no_error_is_not_reported() -> None:
    logs.get_logger("workers.test").warning("job failed, to be tried again", exc_info=ValueError("x"))

    assert Kept.events == []


def test_a_fault_that_repeats_is_reported_thirty_times_a_minute() -> None:
    for number in range(100):
        logs.get_logger("workers.test").error(f"fault {number}")

    assert len(Kept.events) == 30


def test_a_dsn_that_is_none_does_not_stop_the_process() -> None:
    logs.report_errors_to(None)

    error_reports.start("web", "not an address")

    logs.get_logger("workers.test").error("fault")


def test_the_dsn_is_a_secret_setting() -> None:
    settings = Settings.from_env({"SENTRY_DSN": DSN}, dotenv=None)

    assert settings.sentry_dsn is not None and DSN not in repr(settings)
