"""How the bridge logs: constant texts with fields, and nothing in them that belongs to a caller.

Our own loggers, standard ones and those of the libraries go through one chain, which masks phone
numbers and secrets and gives an exception as its class and place. Its text stays out: a vendor's
error may quote the number or the name that it is about.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO

from bridge.plain import plain_line


@contextmanager
def _not_found(name: str) -> Iterator[None]:
    """A module that is not found while others are imported that could do without it."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # documented: importing it raises
    try:
        yield
    finally:
        del sys.modules[name]


# structlog would use rich for tracebacks, which our logs never show (`tell_error`). Importing it takes a
# tenth of a worker's start, and memory in each process.
with _not_found("rich"):
    import structlog
    from structlog.types import EventDict, Processor, WrappedLogger

_ROOT = Path(__file__).resolve().parent.parent
_OUR_FOLDERS = tuple(f"{_ROOT / name}/" for name in ("bridge", "workers"))

# Fields that hold ids, sizes and times, and never a phone number.
_OPEN_FIELDS = frozenset(
    {
        "call",
        "call_id",
        "key",
        "job",
        "pid",
        "port",
        "timestamp",
        "level",
        "logger",
        "error",
        "where",
        "cause",
        "request_id",
    }
)
_SECRET_FIELD = re.compile(r"token|secret|passw|authorization|api_?key|credential", re.IGNORECASE)

# Plain words, and the key of a call: most of what a line holds, and known without a closer look.
_HARMLESS = re.compile(
    r"(?:[a-z]{1,20}[ -]){0,8}[a-z]{1,20}|uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_SIGN_IN_WORD = re.compile(r"bearer|basic")

_SECRETS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), r"\1 ***"),
    (re.compile(r"whsec_\S+"), "whsec_***"),
    # user:password@ in an address
    (re.compile(r"://[^/@\s]+@"), "://***@"),
    # Whoever has the address of a recording can listen to it.
    (re.compile(r"(/pub/r/)\S+"), r"\1***"),
)

_NUMBERS = re.compile(
    # What only looks like a phone number: a uuid, an id in hex, a time, an address of the network.
    r"(?P<other>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|\b(?=\d*[a-f])[0-9a-f]{16,64}\b"
    r"|\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}[\d:.]*)?"
    # a file of the journal (the longest phone number has 15 digits)
    r"|\b\d{20}-\d+\.journal\b"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b)"
    r"|(?:%2[Bb]|\+)?\d(?:[ ()./-]{0,2}\d){6,}"
)


def configure(
    *, format: Literal["console", "json"] | None = None, level: str = "INFO", stream: TextIO | None = None
) -> None:
    """Set up logging for this process, for all libraries too; calling it again starts over.

    Args:
        format: None is `console` on a terminal and `json` elsewhere.
        stream: standard error when None.
    """
    out = sys.stderr if stream is None else stream
    terminal = out.isatty()
    as_lines = (format or ("console" if terminal else "json")) == "console"
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=terminal)
        if as_lines
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    structlog.configure(
        processors=[_unless_hidden, *_CHAIN, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # Not cached: a logger made at import would keep the configuration of before.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    kind = structlog.stdlib.ProcessorFormatter if as_lines else _QuickFormatter
    handler.setFormatter(
        kind(
            foreign_pre_chain=_CHAIN,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The traceback it would print for a bad format string shows the arguments.
    logging.raiseExceptions = False
    _tame_libraries()
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed


def _tame_libraries() -> None:
    """Have the libraries' lines go the way of ours, without those that say too much."""
    for name in ("uvicorn", "uvicorn.error", "dramatiq"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    # One line a request, each with an address, says nothing that the counters do not.
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
    # They log every URL, and a search by phone has the number in its URL.
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)


class AtMost(logging.Filter):
    """Lets so many lines of each message through a second; the next one says how many were left out.

    For messages that strangers can cause. The metrics count all of them.
    """

    def __init__(self, lines: int = 5, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._lines, self._clock = lines, clock
        # Message -> second, lines in it, left out since the last line.
        self._seen: dict[str, tuple[int, int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = int(self._clock())
        second, lines, left_out = self._seen.get(record.msg, (now, 0, 0))
        if second != now:
            lines = 0
        if lines >= self._lines:
            self._seen[record.msg] = (now, lines, left_out + 1)
            return False
        self._seen[record.msg] = (now, lines + 1, 0)
        if left_out:
            record.left_out = left_out
        return True


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that takes fields by keyword: `log.info("note written", call=key)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


_report: Callable[[BaseException | None, Mapping[str, Any]], None] | None = None


def report_errors_to(report: Callable[[BaseException | None, Mapping[str, Any]], None] | None) -> None:
    """Give this what is logged as an error, with its exception. It must not log."""
    global _report
    _report = report


_BELOW_ERROR = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}


def _unless_hidden(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Let go of a line that LOG_LEVEL hides, before it costs anything. Errors go on, as they are reported."""
    level = _BELOW_ERROR.get(method)
    if level is not None and not logger.isEnabledFor(level):
        raise structlog.DropEvent
    return event


def tell_error(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Put the class and the place of an exception for the exception itself."""
    info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    event.pop("exception", None)
    error: BaseException | None = None
    if isinstance(info, BaseException):
        error = info
    elif isinstance(info, tuple):
        error = info[1]
    elif info:
        error = sys.exc_info()[1]
    if _report is not None and method in ("error", "critical", "exception"):
        _report(error, event)
    if error is not None:
        event["error"] = type(error).__qualname__
        event["where"] = _place(error.__traceback__)
        cause = error.__cause__ or error.__context__
        if cause is not None:
            event["cause"] = type(cause).__qualname__
    return event


def _place(traceback: TracebackType | None) -> str:
    """The innermost line of ours that it passed, or the innermost one when none of ours is there."""
    ours = last = ""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file.startswith(_OUR_FOLDERS):
            ours = f"{Path(file).relative_to(_ROOT)}:{traceback.tb_lineno}"
        last = f"{Path(file).name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return ours or last


def mask(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Leave at most the last three digits of what may be a phone number, and nothing of a secret."""
    for name, value in event.items():
        if name.startswith("_"):  # structlog's own
            continue
        event[name] = _masked(name, value)
    return event


def _masked(name: str, value: object) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _is_secret(name):
        return "***"
    if isinstance(value, Mapping):
        return {str(key): _masked(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(name, item) for item in value]
    text = value if isinstance(value, str) else str(value)
    is_open = name in _OPEN_FIELDS
    return _masked_short(text, is_open) if len(text) <= _SHORT else _masked_text(text, is_open)


def _masked_text(text: str, is_open: bool) -> str:
    if _HARMLESS.fullmatch(text) and not _SIGN_IN_WORD.search(text):
        return text
    return without_secrets(text) if is_open else masked(text)


# The same keys and words stand in several lines.
_SHORT = 64
_masked_short = lru_cache(maxsize=1024)(_masked_text)


@lru_cache(maxsize=256)
def _is_secret(name: str) -> bool:
    return _SECRET_FIELD.search(name) is not None


def masked(text: str) -> str:
    """The text without secrets, and phone numbers down to their last three digits."""
    return _NUMBERS.sub(_hidden, without_secrets(text))


def without_secrets(text: str) -> str:
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def _hidden(found: re.Match[str]) -> str:
    return found[0] if found["other"] else f"…{found[0][-3:]}"


def _plain(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """No text of others steers the terminal that a log is read on, or begins a line of its own."""
    for name, value in event.items():
        if not name.startswith("_"):
            event[name] = _plain_value(value)
    return event


def _plain_value(value: Any) -> Any:
    if isinstance(value, str):
        return plain_line(value)
    if isinstance(value, Mapping):
        return {plain_line(str(key)): _plain_value(item) for key, item in value.items()}
    return [_plain_value(item) for item in value] if isinstance(value, list) else value


def _flatten(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    # uvicorn's copy of the message, with colours in it.
    event.pop("color_message", None)
    # `extra=` as standard loggers take it, given to one of structlog's.
    extra = event.pop("extra", None)
    if isinstance(extra, MutableMapping):
        event.update(extra)
    event["event"] = str(event.get("event", "")).strip()
    return event


def _json(value: object, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _crashed(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    get_logger("callbridge").critical("crashed", exc_info=error.with_traceback(traceback))


def _thread_crashed(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        get_logger("callbridge").error(
            "a thread crashed",
            thread=args.thread.name if args.thread else "?",
            exc_info=args.exc_value.with_traceback(args.exc_traceback),
        )


class _QuickFormatter(structlog.stdlib.ProcessorFormatter):
    """Writes the line of a webhook as the chain would, which takes longer than all else for that webhook.

    Only where each value is seen to be one that the chain leaves as it is: a word, a key, an id. All else
    goes through the chain.
    """

    def format(self, record: logging.LogRecord) -> str:
        if record.msg != _WEBHOOK or record.args or record.exc_info or record.levelno != logging.INFO:
            return super().format(record)
        given = record.__dict__
        trigger, answer = given.get("trigger"), given.get("answer")
        call, request, ms = given.get("call"), given.get("request_id"), given.get("ms")
        named = f"{trigger} {answer} {call} {request}"
        if not _WEBHOOK_VALUES.fullmatch(named) or ms.__class__ is not float or "whsec_" in named:
            return super().format(record)
        key = "null" if call is None else f'"{call}"'
        return (
            f'{{"event": "{_WEBHOOK}", "level": "info", "logger": "{record.name}", "trigger": "{trigger}", '
            f'"answer": "{answer}", "call": {key}, "request_id": "{request}", "ms": {ms}, '
            f'"timestamp": "{_second(int(record.created))}.{int(record.created % 1 * 1e6):06}Z"}}'
        )


_WEBHOOK = "webhook received"
_WEBHOOK_VALUES = re.compile(
    r"[a-z-]{1,40} [a-z]{1,20} (?:None|(?:uuid|id|message|contact):[a-z0-9-]{1,64}) [A-Za-z0-9._-]{1,64}"
)


@lru_cache(maxsize=2)
def _second(since_1970: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since_1970))


# What every line goes through, ours and those of the libraries.
_CHAIN: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _flatten,
    tell_error,
    mask,
    _plain,
]
