"""What reaches the log, and what must not."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bridge import logs
from bridge.logs import AtMost, get_logger, masked


class Log:
    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    """The log of a process, as JSON; the test runner's own handlers are put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook
    made = Log()
    # What a job of another test told of itself, in this thread.
    structlog.contextvars.clear_contextvars()
    logs.configure(format="json", level="INFO", stream=made.stream)
    yield made
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks


def test_a_line_is_a_text_with_fields_and_a_time_in_utc(log: Log) -> None:
    get_logger("bridge.jobs").info("note written", call="cloudtalk:call:1", attempts=2)

    (line,) = log.lines
    assert line["event"] == "note written"
    assert line["call"] == "cloudtalk:call:1"
    assert line["attempts"] == 2
    assert line["level"] == "info"
    assert line["logger"] == "bridge.jobs"
    assert line["timestamp"].endswith("Z")


def test_standard_loggers_say_it_the_same_way(log: Log) -> None:
    logging.getLogger("dramatiq.worker").warning("worker %s is slow", "w1", extra={"pid": 12345678})

    (line,) = log.lines
    assert line["event"] == "worker w1 is slow"
    assert line["pid"] == 12345678
    assert line["logger"] == "dramatiq.worker"


@pytest.mark.parametrize(
    "text",
    [
        "+15550100123",
        "441632960123",
        "+1 (555) 010-0123",
        "0044 1632 960123",
        "tel=%2B15550100123&x",
        "1555-010-0123",
    ],
)
def test_a_phone_number_leaves_at_most_three_digits(log: Log, text: str) -> None:
    get_logger("x").info("called " + text, number=text, more={"external": [text]})

    text = log.stream.getvalue()
    assert "123" in text
    assert "0123" not in text
    assert "5550100" not in text
    assert "1632" not in text


@pytest.mark.parametrize(
    "text",
    [
        "2dae93e6-ac4e-4a1d-97be-aa3ef7aeb468",
        "00000000-1234-5678-9012-123456789012",
        "5f0c1b2a3d4e5f6071829304",
        "2026-03-02T09:23:34.500Z",
        "2026-03-02",
        "192.168.100.200:8000",
        "took 123456 bytes",
    ],
)
def test_ids_times_and_addresses_stay_readable(text: str) -> None:
    assert masked(text) == text


def test_keys_of_calls_and_jobs_stay_whole(log: Log) -> None:
    get_logger("x").info("claimed", call="1000000110", key="id:1000000110", job="sync:1000000110")

    (line,) = log.lines
    assert (line["call"], line["key"], line["job"]) == ("1000000110", "id:1000000110", "sync:1000000110")


def test_secrets_never_show(log: Log) -> None:
    get_logger("x").info(
        "asked with Bearer abc.def-1 at redis://user:hunter2@host/0",
        call="https://my.example.com/pub/r/MTAw/Yzlj.wav",
        webhook_token="tok",
        headers={"Authorization": "Basic Zm9v", "x": "whsec_c2VjcmV0"},
    )

    text = log.stream.getvalue()
    for secret in ("abc.def", "hunter2", "YzljM", "MTAw", 'tok"', "Zm9v", "c2VjcmV0"):
        assert secret not in text


def test_an_exception_is_told_by_class_and_place_without_its_text(log: Log) -> None:
    def fail() -> None:
        try:
            raise KeyError("Ada Example")
        except KeyError as cause:
            raise ValueError("refused: +15550100123 of Ada Example") from cause

    try:
        fail()
    except ValueError:
        get_logger("x").error("note not written", exc_info=True)
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")

    assert len(log.lines) == 2
    for line in log.lines:
        assert line["error"] == "ValueError"
        assert line["cause"] == "KeyError"
        assert line["where"].startswith("test_logs.py:")
    assert "Ada" not in log.stream.getvalue()
    assert "Traceback" not in log.stream.getvalue()


def test_the_place_of_an_exception_is_our_line_rather_than_a_librarys(log: Log) -> None:
    from bridge.settings import Settings

    try:
        Settings.from_env({}, dotenv=3)  # type: ignore[arg-type]
    except AttributeError:
        get_logger("x").exception("failed")

    assert log.lines[0]["where"].startswith("bridge/setting_sources.py:")


def test_a_thread_that_crashes_says_so_without_the_text(log: Log) -> None:
    def crash() -> None:
        raise ValueError("Ada Example")

    thread = threading.Thread(target=crash, name="dispatcher")
    hook, threading.excepthook = threading.excepthook, logs._thread_crashed
    try:
        thread.start()
        thread.join()
    finally:
        threading.excepthook = hook

    (line,) = log.lines
    assert (line["error"], line["thread"]) == ("ValueError", "dispatcher")
    assert "Ada" not in log.stream.getvalue()


def test_a_message_that_does_not_fit_its_arguments_tells_nothing_of_them(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("x").info("%s and %s", "+15550100123")

    assert "15550100123" not in capsys.readouterr().err + log.stream.getvalue()


def test_requests_with_numbers_in_their_addresses_are_not_logged(log: Log) -> None:
    logging.getLogger("httpx2").info("HTTP Request: GET https://api.example.com/?phone=%2B15550100123")
    logging.getLogger("uvicorn.access").info("GET /webhooks")

    assert log.lines == []


def test_on_no_terminal_it_is_json_unless_told_otherwise() -> None:
    handlers = logging.getLogger().handlers[:]
    hooks = sys.excepthook, threading.excepthook
    stream = io.StringIO()
    try:
        logs.configure(level="INFO", stream=stream)
        get_logger("x").info("one")
        logs.configure(format="console", level="INFO", stream=stream)
        get_logger("x").info("two", n=1)
    finally:
        logging.getLogger().handlers[:] = handlers
        sys.excepthook, threading.excepthook = hooks

    first, second = stream.getvalue().splitlines()
    assert json.loads(first)["event"] == "one"
    assert "two" in second
    assert "n=1" in second


def test_of_a_message_that_strangers_cause_so_many_lines_a_second_are_logged(log: Log) -> None:
    now = [100.2]
    logger = logging.getLogger("test.of.strangers")
    logger.addFilter(AtMost(2, clock=lambda: now[0]))

    for number in range(5):
        logger.warning("refused", extra={"number": number})
    logger.warning("something else")
    now[0] = 101.0
    logger.warning("refused", extra={"number": 5})
    logger.warning("refused", extra={"number": 6})

    text = [(line["event"], line.get("number"), line.get("left_out")) for line in log.lines]
    assert text == [
        ("refused", 0, None),
        ("refused", 1, None),
        ("something else", None, None),
        ("refused", 5, 3),
        ("refused", 6, None),
    ]


def test_words_that_look_harmless_hide_no_token(log: Log) -> None:
    logs.get_logger("callbridge").info("sent bearer abcdefgh", header="basic abcdefgh", note="whsec_abcdefgh")

    (line,) = log.lines
    assert "abcdefgh" not in json.dumps(line)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"call": None, "answer": "held"},
        {"call": "id:15550100123"},
        {"call": "message:0b3cdb541c6e"},
        {"request_id": "whsec_0123456789"},
        {"request_id": "+15550100123"},
        {"trigger": "+15550100123"},
        {"trigger": 'x", "level": "error'},
        {"answer": "Bearer 0123456789abcdef"},
        {"call": "uuid:\x1b[31m"},
        {"ms": "+15550100123"},
    ],
)
def test_the_line_of_a_webhook_is_the_one_that_the_chain_would_write(
    log: Log, values: dict[str, object]
) -> None:
    fields: dict[str, object] = {
        "trigger": "call-ended",
        "answer": "accepted",
        "call": "uuid:0b3cdb54-1c6e-4a54-9a70-6a2b1d1b5c11",
        "request_id": "563aab5ce9f138d3",
        "ms": 3.4,
        **values,
    }
    handlers = logging.getLogger().handlers
    formatter = next(
        one.formatter for one in handlers if isinstance(one.formatter, structlog.stdlib.ProcessorFormatter)
    )
    record = logging.getLogger("bridge.web").makeRecord(
        "bridge.web", logging.INFO, "", 0, "webhook received", (), None, extra=fields
    )

    written = json.loads(formatter.format(record))
    chained = json.loads(structlog.stdlib.ProcessorFormatter.format(formatter, record))

    times = written.pop("timestamp"), chained.pop("timestamp")
    assert [*written.items()] == [*chained.items()]
    assert len(times[0]) == len(times[1]) or times[1].endswith("00Z")


def test_a_line_that_the_level_hides_is_not_even_put_together(log: Log) -> None:
    class Costly:
        def __str__(self) -> str:
            raise AssertionError("nobody is to see this line")

    logging.getLogger().setLevel("ERROR")
    get_logger("bridge.jobs").info("job started", attempt=Costly())
    get_logger("bridge.jobs").log(logging.WARNING, "job dropped", attempt=Costly())

    assert log.lines == []


def test_an_error_that_the_level_hides_is_reported_all_the_same(log: Log) -> None:
    told: list[str] = []
    logs.report_errors_to(lambda error, event: told.append(event["event"]))
    logging.getLogger().setLevel("CRITICAL")
    try:
        get_logger("bridge.jobs").error("fault in a job")
    finally:
        logs.report_errors_to(None)

    assert (log.lines, told) == ([], ["fault in a job"])
