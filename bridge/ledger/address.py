"""`REDIS_URL`: what it may say, found out before the first connection.

redis-py takes most faults of an address for something else (a raw `/` in a password ends the host's
name, a database `x` is database 0), or fails at the first use. So the address is taken apart here, with
redis-py's own parsers where it has one, and tried on both kinds of connection. No message holds a
part of the address that may belong to the password.
"""

from __future__ import annotations

import contextlib
import difflib
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import redis
import redis.asyncio
from redis.connection import parse_ssl_verify_flags

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster")
# Whose hosts are asked which server to use.
_ASKED_FIRST = ("redis+sentinel", "redis+cluster")
SENTINEL_PORT = 26379
# A socket's path, with its end mark, fits in 104 bytes on macOS and 108 on Linux.
_LONGEST_SOCKET = 107

_ENCODE = "in a password, write # as %23, / as %2F, ? as %3F, @ as %40, : as %3A, [ as %5B, % as %25"
_TRUE = ("1", "true", "yes", "on", "y", "t")
_FALSE = ("0", "false", "no", "off", "n", "f")
_CERT_REQS = ("none", "optional", "required")


class _WrongAddress(ValueError):
    """Says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelAddress:
    """`redis+sentinel://[user:password@]h1:26379,h2:26379/SERVICE/DB?options` in its parts."""

    hosts: list[tuple[str, int]]
    service: str
    db: int
    # User, password and options, for the sentinels as for the server they name.
    options: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAddress:
    """`redis+cluster://[user:password@]h1:6379,h2:6379?options` in its parts."""

    hosts: list[tuple[str, int]]
    # User, password and options, the same for all nodes.
    options: Mapping[str, Any] = field(repr=False)


def check(url: str) -> None:
    """Find what is wrong with an address.

    Raises:
        ValueError: says what to change, without any part of a password.
    """
    scheme, _, _ = url.partition("://")
    if scheme not in SCHEMES or "://" not in url:
        raise _WrongAddress(
            "must start with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://"
        )
    parts = _split(url)
    _check_login(parts)
    options = _options(parts)
    if scheme == "redis+sentinel":
        _sentinel(parts)
    elif scheme == "redis+cluster":
        _cluster(parts)
    elif scheme == "unix":
        _check_socket(parts)
    else:
        _check_host(parts.netloc)
        _database(parts.path)
    _try_out(url, by_options=scheme in _ASKED_FIRST, options=options)


def sentinel_address(url: str) -> SentinelAddress:
    """The parts of a `redis+sentinel://` address; raises as `check`."""
    return _sentinel(_split(url))


def cluster_address(url: str) -> ClusterAddress:
    """The parts of a `redis+cluster://` address; raises as `check`."""
    return _cluster(_split(url))


def _split(url: str) -> SplitResult:
    if not url.isprintable():
        # Python's own parser would leave some of them out, and go on with another password.
        raise _WrongAddress("contains a line break, tab or other control character")
    if "#" in url:
        raise _WrongAddress(f"contains a #, which would end the address; {_ENCODE}")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _WrongAddress(
            f"cannot be parsed; write an IPv6 address as [::1], with both brackets; {_ENCODE}"
        ) from None
    # A raw / or ? in a password ends the part in which the @ stands.
    is_socket = parts.scheme == "unix" and (not parts.netloc or parts.netloc.endswith("@"))
    if "@" in parts.query or ("@" in parts.path and not is_socket):
        raise _WrongAddress(f"has an @ after the host; {_ENCODE}")
    return parts


def _check_login(parts: SplitResult) -> None:
    login, _, _ = parts.netloc.rpartition("@")
    for text in login.split(":", 1):
        try:
            unquote(text, errors="strict")
        except UnicodeDecodeError:
            raise _WrongAddress(
                "has a user or password whose percent-encoding is not UTF-8; é is %C3%A9"
            ) from None


def _check_socket(parts: SplitResult) -> None:
    path = unquote(parts.path)
    if parts.netloc and not parts.netloc.endswith("@"):
        raise _WrongAddress("must give the full path of a socket: unix:///run/redis/redis.sock?db=0")
    if len(path) < 2 or path.endswith("/"):
        raise _WrongAddress("has no socket path, such as unix:///run/redis/redis.sock?db=0")
    if len(path.encode(errors="surrogateescape")) > _LONGEST_SOCKET:
        raise _WrongAddress(f"has a socket path longer than {_LONGEST_SOCKET} bytes")


def _check_host(netloc: str, *, usual_port: int = 6379) -> tuple[str, int]:
    """Host and port; the login before them does not matter."""
    place = netloc.rpartition("@")[2]
    if place.count(":") > 1 and "[" not in place:
        raise _WrongAddress("has more than one colon after the host; write an IPv6 address as [::1]:6379")
    try:
        parts = urlsplit(f"//{place}")
        host = unquote(parts.hostname or "")
    except ValueError:
        raise _WrongAddress("has an invalid host; write an IPv6 address as [::1]:6379") from None
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise _WrongAddress(
            f"has a port that is not a number from 1 to 65535 (or a password that needs encoding: {_ENCODE})"
        )
    if not host:
        raise _WrongAddress("has no host; on this machine use redis://127.0.0.1:6379/0")
    if not _is_host(host):
        raise _WrongAddress("has a host that is neither a name nor an IP address")
    return host, port or usual_port


def _is_host(host: str) -> bool:
    if re.fullmatch(r"[0-9a-fA-F:.]+(%[\w.-]+)?", host) and ":" in host:
        return True
    with contextlib.suppress(UnicodeError):
        return re.fullmatch(rb"[A-Za-z0-9._-]+", host.encode("idna")) is not None
    return False


def _database(text: str) -> int:
    """redis-py takes all that is no number for database 0."""
    number = unquote(text).strip("/")
    if not number:
        return 0
    if not (number.isascii() and number.isdigit()):
        raise _WrongAddress(
            "has a database that is not a number (0 or more), such as the 0 in redis://host:6379/0"
        )
    return int(number)


def _sentinel(parts: SplitResult) -> SentinelAddress:
    login, _, netloc = parts.netloc.rpartition("@")
    hosts = [_check_host(item, usual_port=SENTINEL_PORT) for item in netloc.split(",") if item]
    if not hosts:
        raise _WrongAddress("has no sentinel, such as redis+sentinel://host:26379,host:26379/SERVICE/DB")
    service, _, db = parts.path.removeprefix("/").removesuffix("/").partition("/")
    if not service:
        raise _WrongAddress("has no service name, as in redis+sentinel://host:26379,host:26379/SERVICE/DB")
    options = {**_options(parts), **_login(login)}
    number = options.pop("db", None)
    return SentinelAddress(
        hosts=hosts,
        service=unquote(service),
        db=number if number is not None else _database(db),
        options=options,
    )


def _cluster(parts: SplitResult) -> ClusterAddress:
    login, _, netloc = parts.netloc.rpartition("@")
    hosts = [_check_host(item) for item in netloc.split(",") if item]
    if not hosts:
        raise _WrongAddress("has no node, such as redis+cluster://host:6379,host:6379")
    options = {**_options(parts), **_login(login)}
    if _database(parts.path) or options.pop("db", 0):
        raise _WrongAddress("has a database; a Redis Cluster has only database 0")
    return ClusterAddress(hosts=hosts, options=options)


def _login(login: str) -> dict[str, str]:
    if not login:
        return {}
    # A password alone, too.
    user, _, password = login.rpartition(":")
    return {"password": unquote(password), **({"username": unquote(user)} if user else {})}


# Options: those that both kinds of connection take. redis-py hands any other to the connection, which
# then fails when it is made.


def _whole(*, at_least: int = 0) -> Callable[[str], Any]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or int(text) < at_least:
            raise _WrongAddress(f"must be a whole number, {at_least} or more")
        return int(text)

    return read


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(number := float(text)) and number > 0:
            return number
    raise _WrongAddress("must be a number of seconds above 0")


def _switch(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise _WrongAddress("must be true or false")
    return text.lower() in _TRUE


def _one_of(*choices: str) -> Callable[[str], Any]:
    def read(text: str) -> str:
        if text not in choices:
            raise _WrongAddress(f"must be {', '.join(choices[:-1])} or {choices[-1]}")
        return text

    return read


def _file(text: str) -> str:
    try:
        Path(text).open("rb").close()
    except OSError as error:
        raise _WrongAddress(f"gives a file that cannot be read: {error.strerror}") from None
    return text


def _folder(text: str) -> str:
    if not Path(text).is_dir():
        raise _WrongAddress("is not a folder")
    return text


_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "db": _whole(),
    "username": str,
    "password": str,
    "client_name": str,
    "lib_name": str,
    "lib_version": str,
    "protocol": lambda text: int(_one_of("2", "3")(text)),
    "socket_timeout": _seconds,
    "socket_connect_timeout": _seconds,
    "socket_read_size": _whole(at_least=1),
    "health_check_interval": _whole(),
    "max_connections": _whole(at_least=1),
    "retry_on_timeout": _switch,
}
# redis-py's Sentinel takes fewer.
_SENTINEL_OPTIONS = {name: read for name, read in _OPTIONS.items() if name not in ("socket_read_size",)}
_TCP_OPTIONS: Mapping[str, Callable[[str], Any]] = {"socket_keepalive": _switch}
_TLS_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "ssl_cert_reqs": _one_of(*_CERT_REQS),
    "ssl_check_hostname": _switch,
    "ssl_ca_certs": _file,
    "ssl_ca_path": _folder,
    "ssl_ca_data": str,
    "ssl_certfile": _file,
    "ssl_keyfile": _file,
    "ssl_password": str,
    "ssl_ciphers": str,
    # TLS 1.2 and 1.3, by the numbers that redis-py wants.
    "ssl_min_version": lambda text: int(_one_of("771", "772")(text)),
    "ssl_include_verify_flags": parse_ssl_verify_flags,
    "ssl_exclude_verify_flags": parse_ssl_verify_flags,
}


def _options(parts: SplitResult) -> dict[str, Any]:
    """The options of the query, read.

    Raises:
        ValueError: one is unknown, belongs to another kind of address, or has a value that does not do.
    """
    known = _known(parts)
    found: dict[str, Any] = {}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            raise _WrongAddress(_unknown(name, parts.scheme, known))
        if name in found:
            raise _WrongAddress(f"has the option {name} twice")
        try:
            found[name] = known[name](text)
        except _WrongAddress as error:
            raise _WrongAddress(f"has an option {name} that {error}") from None
        except (TypeError, ValueError):
            raise _WrongAddress(f"has an option {name} with an invalid value") from None
    return found


def _known(parts: SplitResult) -> Mapping[str, Callable[[str], Any]]:
    if parts.scheme == "unix":
        return _OPTIONS
    if parts.scheme == "redis":
        return {**_OPTIONS, **_TCP_OPTIONS}
    if parts.scheme == "rediss":
        return {**_OPTIONS, **_TCP_OPTIONS, **_TLS_OPTIONS}
    # Of those that are asked and of what they name.
    return {**_SENTINEL_OPTIONS, **_TCP_OPTIONS, **_TLS_OPTIONS, "ssl": _switch}


def _unknown(name: str, scheme: str, known: Collection[str]) -> str:
    if name in _TLS_OPTIONS or name in ("ssl", "tls"):
        how = "add ssl=true" if scheme in _ASKED_FIRST else "start the address with rediss://"
        return f"has the option {name}, which does not work with {scheme}://; for TLS, {how}"
    near = difflib.get_close_matches(name.lower(), known, n=1)
    # What cannot be an option's name may be a part of a password.
    called = f"the option {name}" if re.fullmatch(r"[A-Za-z_]{2,40}", name) else "an option"
    return f"has {called}, which is unknown{f'; did you mean {near[0]}?' if near else ''}"


def _try_out(url: str, *, by_options: bool, options: Mapping[str, Any]) -> None:
    """Make connections as they will be made, and connect none."""
    try:
        if by_options:
            clients = redis.Redis(**options), redis.asyncio.Redis(**options)
        else:
            clients = redis.Redis.from_url(url), redis.asyncio.Redis.from_url(url)
        for client in clients:
            connection = client.connection_pool.make_connection()
            context = getattr(connection, "ssl_context", None)
            if context is not None:
                # With nothing to try, OpenSSL would ask for one at the terminal.
                context.password = context.password or ""
                context.get()
    except OSError as error:
        # Of TLS, the words of OpenSSL; not all of its errors have any.
        why = getattr(error, "reason", None) or error.strerror or "see their values"
        raise _WrongAddress(f"has TLS options (ssl_…) that do not work: {why}") from None
    except (TypeError, ValueError, redis.RedisError):
        # Their text may hold a part of the password.
        raise _WrongAddress("is not valid; see deploy/redis.md") from None
