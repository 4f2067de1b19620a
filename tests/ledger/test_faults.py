"""What an error from Redis is about, by the real texts of every supported server and of managed services.

`server_texts.json` was collected by `collect_texts.py` from Redis 6.2.5, 6.2.14, 7.0.15, 7.2.6 and 8.2.3,
and from Valkey 8.1.8 and 9.1.2. No server is needed here.
"""

from __future__ import annotations

import json
import re
import ssl
from pathlib import Path

import pytest
import redis
from redis._parsers.base import BaseParser

from bridge.ledger.faults import server_fault

_TEXTS = json.loads(Path(__file__).with_name("server_texts.json").read_text("utf-8"))

# What the fault of each collected case has to name.
CAUSES = {
    "EVALSHA renamed": "does not allow the command EVALSHA",
    "HSET renamed": "does not allow a command",
    "SELECT 99": "no database with the number",
    "all connections taken": "all connections of the Redis server",
    "cluster": "Redis Cluster",
    "cluster, SELECT 1": "Redis Cluster",
    "default user off": "NOAUTH",
    "endless script": "BUSY",
    "endless script that wrote": "BUSY",
    "loading": "LOADING",
    "memory full": "OOM",
    "memory full, plain command": "OOM",
    "no password": "NOAUTH",
    "password where none is set": "has none configured",
    "replica": "READONLY",
    "replica without its master": "MASTERDOWN",
    "replica, plain command": "READONLY",
    "script killed": "BUSY",
    "script not loaded": "NOSCRIPT",
    "snapshot failed": "MISCONF",
    "too few replicas": "NOREPLICAS",
    "user with other keys": "may not use the bridge's keys",
    "user with some of the keys": "may not use the bridge's keys",
    "user without @scripting": "may not run the command EVALSHA",
    "user without EVALSHA": "may not run the command EVALSHA",
    "user without HSET": "may not run (the command HSET|a command)",
    "user without PUBLISH": "may not run (the command PUBLISH|a command)",
    "user without TIME": "may not run (the command TIME|a command)",
    "user without the channel": "may not publish",
    "wrong password": "WRONGPASS",
    "wrong password, no user": "WRONGPASS",
}

# As managed services and proxies word them: no code of their own, "ERR" for everything.
MANAGED = [
    ("ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.", "quota"),
    ("ERR max requests limit exceeded. Limit: 500000, Usage: 500001. See https://redis.example", "quota"),
    ("ERR max requests per second exceeded", "quota"),
    ("ERR DB capacity quota exceeded", "quota"),
    ("ERR bandwidth limit reached", "quota"),
    ("ERR memory limit exceeded", "quota"),
    ("ERR max db size exceeded", "quota"),
    ("ERR Memory usage exceeded your plan", "quota"),
    ("ERR This database has been suspended", "quota"),
    ("ERR max concurrent connections exceeded", "all connections of the Redis server"),
    ("ERR max number of clients reached", "all connections of the Redis server"),
    ("ERR command not allowed", "does not allow"),
    ("ERR unknown command 'EVALSHA'", "does not allow the command EVALSHA"),
    ("ERR unknown command `evalsha`, with args beginning with: `x`", "does not allow the command EVALSHA"),
    ("ERR Command is not available: 'EVALSHA'. See https://redis.example", "command EVALSHA"),
    ("NOPERM this user has no permissions to run the 'script|load' command", "command SCRIPT"),
    ("MISCONF Errors writing to the AOF file: No space left on device", "MISCONF"),
    ("ERR user_script:12: not enough memory script: 1234, on @user_script:12.", "OOM"),
    ("ERR Error running script (call to f_00): @user_script:12: @user_script: 12: -BUSY x", "BUSY"),
    ("ERR something that nobody has seen", "refuses the bridge's commands"),
    ("PROXY no backend", "refuses the bridge's commands"),
]
ABOUT_THE_EVENT = [
    "ERR max request size exceeded. Limit: 1048576 bytes, Actual: 1048600 bytes",
    "ERR max single record size exceeded. Limit: 104857600",
    # Words of a limit in a name of our own script do not make it the provider's.
    "ERR user_script:40: attempt to compare limit with plan exceeded script: 12, on @user_script:40.",
    "ERR value is not an integer or out of range script: 1234, on @user_script:40.",
]


def error_of(text: str) -> Exception:
    """The exception that redis-py raises for a reply."""
    error = BaseParser.parse_error(text)  # type: ignore[no-untyped-call]
    assert isinstance(error, Exception)
    return error


def texts(about: str) -> list[tuple[str, str]]:
    return [(case, text) for case, found in _TEXTS[about].items() for text in found]


@pytest.mark.parametrize(("case", "text"), texts("server"))
def test_what_a_server_says_of_itself_is_about_the_server_and_names_the_cause(case: str, text: str) -> None:
    fault = server_fault(error_of(text))

    assert fault is not None and fault.do
    assert re.search(CAUSES[case], fault.says), fault.says


@pytest.mark.parametrize(("case", "text"), texts("event"))
def test_what_a_server_says_of_one_value_is_about_that_event(case: str, text: str) -> None:
    assert server_fault(error_of(text)) is None


@pytest.mark.parametrize(("text", "cause"), MANAGED)
def test_a_plain_error_of_a_managed_service_is_about_the_server(text: str, cause: str) -> None:
    fault = server_fault(error_of(text))

    assert fault is not None and cause in fault.says


@pytest.mark.parametrize("text", ABOUT_THE_EVENT)
def test_a_refused_size_or_value_is_about_the_event(text: str) -> None:
    assert server_fault(error_of(text)) is None


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def _certificate(message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = message
    return error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (redis.ConnectionError("Error 111 connecting to redis.example:6379. Connection refused."), "reached"),
        (OSError(111, "Connection refused"), "cannot be reached"),
        (redis.ConnectionError("Error -2 connecting to x:1. Name or service not known."), "host name"),
        (redis.ConnectionError("Connection closed by server."), "closed the connection"),
        (redis.TimeoutError("Timeout reading from redis.example"), "timed out"),
        (TimeoutError(), "timed out"),
        (redis.InvalidResponse("Protocol Error: b'HTTP/1.1 400'"), "not a Redis"),
        (_caused(redis.ConnectionError("x"), _certificate("self-signed certificate")), "self-signed"),
        (_caused(redis.ConnectionError("x"), _certificate("Hostname mismatch, …")), "another host"),
        (
            _caused(redis.ConnectionError("x"), ssl.SSLError(1, "WRONG_VERSION_NUMBER")),
            "TLS handshake failed",
        ),
        (redis.AuthenticationError("invalid username-password pair"), "WRONGPASS"),
        (redis.BusyLoadingError("x", status_code="LOADING"), "LOADING"),
    ],
)
def test_what_answered_is_never_called_unreachable(error: Exception, says: str) -> None:
    fault = server_fault(error)

    assert fault is not None and says in fault.says
    assert ("cannot be reached" in fault.says) == (says in ("reached", "cannot be reached"))


@pytest.mark.parametrize(
    "error", [redis.DataError("a dict"), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "x")]
)
def test_what_our_own_client_cannot_send_is_about_the_event(error: Exception) -> None:
    assert server_fault(error) is None


@pytest.mark.parametrize(
    "error",
    [
        redis.AuthenticationError("user bob"),
        redis.ConnectionError("redis.example:6379"),
        redis.TimeoutError("redis.example"),
        redis.ReadOnlyError("bob", status_code="READONLY"),
        redis.ResponseError("bob"),
        redis.exceptions.NoPermissionError("User bob may not", status_code="NOPERM"),
    ],
)
def test_a_cause_quotes_no_name_or_address_that_redis_said(error: Exception) -> None:
    fault = server_fault(error)

    assert fault is not None
    assert "bob" not in fault.says and "example" not in fault.says
