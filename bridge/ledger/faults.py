"""What an error from Redis is about: the server as a whole, or one event. Decided only here.

A wrong answer loses calls one way (an accepted event is set aside although Redis was merely read-only), and
stops the queue the other way (one value that Redis cannot read is taken for "Redis is away"). The first
word of a text does not decide it: Redis 6.2 wraps what a script meets (`ERR Error running script …
-READONLY …`), and managed services answer plain `ERR …`. `tests/ledger/server_texts.json` holds the texts
of every supported server.
"""

from __future__ import annotations

import re
import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis
import redis.asyncio.sentinel
import redis.exceptions
import redis.sentinel

# What callers catch: nobody outside of `bridge.ledger` imports redis.
RedisError, RedisTimeout = redis.RedisError, redis.TimeoutError
UnknownScript = redis.exceptions.NoScriptError

_FULL_BELOW_BYTES = 256 * 1024
_SEE = 'deploy/redis.md, "What Redis has to be"'
_PERMISSIONS = f"grant what it needs (ACL SETUSER, see {_SEE})"


@dataclass(frozen=True, slots=True)
class ServerFault:
    """Why the server takes nothing now.

    Attributes:
        says: for everybody, `/readyz` and webhook answers too: no address, user name or text of the server's.
        do: what an operator can do about it.
    """

    says: str
    do: str


# (pattern, says, do). The first that matches decides. Codes count wherever they stand: 6.2 has them inside.
_CODES: tuple[tuple[str, str, str], ...] = (
    (
        r"\bNOAUTH\b|unauthenticated (?:multi)?bulk length",
        "Redis requires a user and password (NOAUTH), and REDIS_URL has no valid ones",
        "add them to REDIS_URL: redis://USER:PASSWORD@HOST:PORT/DB",
    ),
    (
        r"without any password configured|no password is set",
        "REDIS_URL has a password, but this Redis has none configured for that user",
        "remove the password from REDIS_URL, or set one on the server",
    ),
    (
        r"\bWRONGPASS\b|invalid (?:username-password pair|password|username)",
        "Redis refuses the user or password of REDIS_URL (WRONGPASS)",
        "correct them in REDIS_URL; special characters are percent-encoded there (# is %23, / is %2F)",
    ),
    (
        r"\bREADONLY\b|read.only replica",
        "Redis is read-only (READONLY): a replica, or no longer the master",
        "point REDIS_URL at the master, or use redis+sentinel:// or redis+cluster://",
    ),
    (
        r"\bMISCONF\b",
        "Redis cannot save to disk and refuses writes (MISCONF)",
        "check the server's log, and whether its disk is full or not writable",
    ),
    (
        r"\bOOM\b|used memory > 'maxmemory'|not enough memory|out of memory",
        "Redis is out of memory (OOM)",
        "raise maxmemory or free memory",
    ),
    (r"\bLOADING\b", "Redis is still loading its data (LOADING)", "wait until it has finished"),
    (
        r"\bBUSY\b|\bUNKILLABLE\b|Script killed",
        "Redis is busy with a script that does not finish (BUSY)",
        "run SCRIPT KILL on the server, and find out whose script it is",
    ),
    (
        r"\bNOREPLICAS\b",
        "Redis has too few replicas to accept writes (NOREPLICAS)",
        "start them, or lower min-replicas-to-write",
    ),
    (
        r"\bMASTERDOWN\b",
        "Redis is a replica that has lost its master (MASTERDOWN)",
        "point REDIS_URL at the master, or use redis+sentinel:// or redis+cluster://",
    ),
    (
        r"\bNOSCRIPT\b",
        "Redis has just restarted, or its scripts were removed (NOSCRIPT)",
        "wait; this is temporary",
    ),
    (
        r"\b(?:CLUSTERDOWN|MOVED|CROSSSLOT|TRYAGAIN)\b|cluster mode",
        "this is a node of a Redis Cluster, and not the one to ask, or not now",
        "use redis+cluster://HOST:PORT,HOST:PORT as REDIS_URL; if that is so, wait: see deploy/failover.md",
    ),
    (
        r"DB index is out of range|Invalid Database",
        "this Redis has no database with the number in REDIS_URL",
        "use a lower number: redis://HOST:PORT/0",
    ),
)
# Plain `ERR …` texts of managed services: which limit it is, as far as it says.
_LIMITS: tuple[tuple[str, str, str], ...] = (
    (
        r"max(?:imum)? number of clients|(?:concurrent|max\w*) connections?|too many (?:clients|connections)",
        "all connections of the Redis server are in use",
        "raise maxclients, or find out what uses them",
    ),
    (
        r"\b(?:limits?|quotas?|max\w*|plan|throttl\w+|rate)\b.*"
        r"\b(?:exceed\w*|reach\w*|hit|used up|over|limit\w*)\b"
        r"|\bexceed\w*\b.*\b(?:limits?|quotas?|plan)\b|\bquota\b|too many requests|payment|suspended"
        r"|\bmax(?:imum)? (?:daily )?(?:requests?|commands?|bandwidth|storage|keys?)\b",
        "a quota of the Redis provider is used up",
        "check the plan and its usage in the provider's console",
    ),
)
# An error of Lua itself or of its cjson; one of a command that a script called has "@user_script".
_OF_LUA = re.compile(r"(?<!@)user_script:\d+: (?!.*not enough memory)")
_IN_A_SCRIPT = re.compile(r"user_script|Error running script|\bcall to f_[0-9a-f]{8}")
_ABOUT_THE_VALUE = re.compile(
    r"\bWRONGTYPE\b|(?:request|record|value|payload|message|string)s? size|string exceeds maximum"
    r"|invalid (?:multi)?bulk length|too big (?:multi|m)?bulk",
    re.IGNORECASE,
)
_NO_SUCH_COMMAND = re.compile(
    r"unknown (?:redis )?(?:sub)?command"
    r"|command.{0,60}\b(?:not (?:allowed|supported|permitted|available|enabled)|disabled)"
    r"|not (?:allowed|supported|permitted) .{0,40}command|compiling script|write commands are not allowed",
    re.IGNORECASE,
)
_NO_PERMISSION = re.compile(
    r"\bNOPERM\b|no permissions?\b|ACL failure|permission denied"
    r"|executing the script can't (?:run|access|publish)|not authori[sz]ed",
    re.IGNORECASE,
)
_COMMAND = re.compile(r"[`'\"]([a-z][a-z|_.-]{1,30})[`'\"]", re.IGNORECASE)


def _compiled(rules: tuple[tuple[str, str, str], ...]) -> tuple[tuple[re.Pattern[str], ServerFault], ...]:
    return tuple((re.compile(pattern, re.IGNORECASE), ServerFault(says, do)) for pattern, says, do in rules)


_BY_CODE, _BY_LIMIT = _compiled(_CODES), _compiled(_LIMITS)
_WRONG_PASSWORD, _NO_CONNECTIONS = _BY_CODE[2][1], _BY_LIMIT[0][1]


def server_fault(error: BaseException) -> ServerFault | None:
    """What an error says about the server; None where it is about the one event (or value) that was sent.

    An unknown text is about the server: then an accepted event waits in the journal and is not set aside.
    """
    match error:
        case redis.DataError() | UnicodeError():
            return None
        case redis.AuthenticationError():
            return _first(_BY_CODE, _text_of(error)) or _WRONG_PASSWORD
        case redis.ResponseError() | redis.BusyLoadingError():
            return _from_text(error)
        case TimeoutError() | redis.TimeoutError():
            return ServerFault("Redis timed out", "check whether it is overloaded, frozen or far away")
        case redis.RedisError() | OSError():
            return _from_network(error)
    return None


def why(error: BaseException) -> str:
    """The same in one text, for logs and messages."""
    fault = server_fault(error)
    return fault.says if fault is not None else "Redis refuses a value, or one of the bridge's scripts fails"


def _from_text(error: redis.RedisError) -> ServerFault | None:
    text = _text_of(error)
    if _OF_LUA.search(text):
        return None
    if found := _first(_BY_CODE, text):
        return found
    if _NO_PERMISSION.search(text):
        return ServerFault(f"the Redis user of REDIS_URL {_missing(text)} (NOPERM)", _PERMISSIONS)
    if _NO_SUCH_COMMAND.search(text):
        return ServerFault(
            f"this Redis does not know or does not allow {_named(text) or 'a command that the bridge needs'}",
            f"see {_SEE}; a provider may offer another plan",
        )
    if _ABOUT_THE_VALUE.search(text):
        return None
    if found := _first(_BY_LIMIT, text):
        return found
    if _IN_A_SCRIPT.search(text):
        return None
    return ServerFault(
        "Redis answers, but refuses the bridge's commands", f"see the server's log, and {_SEE}"
    )


def _first(rules: tuple[tuple[re.Pattern[str], ServerFault], ...], text: str) -> ServerFault | None:
    return next((fault for pattern, fault in rules if pattern.search(text)), None)


def _text_of(error: BaseException) -> str:
    # redis-py takes the code off the texts that it has a class for.
    code = getattr(error, "status_code", None)
    return f"{code} {error}" if code else str(error)


def _missing(text: str) -> str:
    low = text.casefold()
    if "channel" in low:
        return "may not publish on the bridge's channel"
    if re.search(r"\bkeys?\b", low):
        return "may not use the bridge's keys"
    return f"may not run {_named(text) or 'a command that the bridge needs'}"


def _named(text: str) -> str:
    found = _COMMAND.search(text)
    return f"the command {found[1].upper()}" if found else ""


def _from_network(error: BaseException) -> ServerFault:
    """Errors below the protocol. Only what never answered "cannot be reached"."""
    certificate = next((e for e in _chain(error) if isinstance(e, ssl.SSLCertVerificationError)), None)
    if certificate is not None:
        why = certificate.verify_message.rstrip(".").casefold()
        why = "names another host" if "mismatch" in why or "not valid for" in why else why
        return ServerFault(
            f"the certificate of Redis is not trusted ({why})",
            "set the CA file: rediss://…?ssl_ca_certs=/path/to/ca.pem; see deploy/redis.md",
        )
    text = " ".join(str(each) for each in _chain(error))
    if any(isinstance(each, ssl.SSLError) for each in _chain(error)) or "[SSL" in text:
        return ServerFault(
            "Redis is reachable, but the TLS handshake failed",
            "use redis:// if the server has no TLS; otherwise check the TLS settings on both sides",
        )
    if isinstance(error, (redis.sentinel.MasterNotFoundError, redis.asyncio.sentinel.MasterNotFoundError)):
        return _NO_CLUSTER_MASTER if "Redis Cluster" in text else _from_sentinels(text)
    if isinstance(error, redis.InvalidResponse) or "Protocol Error" in text:
        return ServerFault("the server at REDIS_URL is not a Redis", "check host and port in REDIS_URL")
    if re.search(r"max number of clients", text):
        return _NO_CONNECTIONS
    if re.search(r"closed by server|reset by peer|broken pipe|connection lost", text, re.IGNORECASE):
        return ServerFault(
            "Redis closed the connection",
            "see the server's log; if it accepts only TLS, use rediss://",
        )
    if re.search(r"name or service not known|name resolution|nodename nor servname|No address", text, re.I):
        return ServerFault("the host name in REDIS_URL was not found", "check it and this machine's DNS")
    if re.search(r"Too many connections|No connection available", text):
        return ServerFault("all connections of this process to Redis are in use", "wait; this is temporary")
    if isinstance(error, redis.RedisError) and not isinstance(error, redis.ConnectionError):
        return ServerFault("Redis is not usable", f"see the server's log, and {_SEE}")
    if _has_full_disk(text):
        return ServerFault("the disk of Redis is full", "free some space; Redis then restarts by itself")
    return ServerFault(
        "Redis cannot be reached", "check the address in REDIS_URL, and whether the server is running"
    )


_NO_CLUSTER_MASTER = ServerFault(
    "no node of the Redis Cluster reports a running master for the ledger",
    "check the nodes in REDIS_URL, and `CLUSTER INFO` on one of them",
)


def _has_full_disk(text: str) -> bool:
    """Whether a socket that nobody listens on, as the client tells it, is on a full disk."""
    socket = re.search(r"connecting to (?:unix:)?(/.+?)\. ", text)
    if socket is None:
        return False
    try:
        return shutil.disk_usage(Path(socket[1]).parent).free < _FULL_BELOW_BYTES
    except OSError:
        return False


def _from_sentinels(text: str) -> ServerFault:
    # redis-py lists what went wrong with each of them, in the blocking client only.
    if " - " in text and not re.search(r" - (?!ConnectionError|TimeoutError)\w+", text):
        return ServerFault(
            "no Sentinel in REDIS_URL can be reached",
            "check their addresses in REDIS_URL, and whether they are running",
        )
    return ServerFault(
        "no Sentinel in REDIS_URL reports a running master",
        "check the Sentinels' addresses and the name in redis+sentinel://HOST:26379/NAME/DB",
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 10:
        yield error
        error, seen = error.__cause__ or error.__context__, seen + 1
