"""`REDIS_URL`: whatever is wrong with it is said at the start, and no part of a password with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.errors import WrongUse
from bridge.ledger.address import cluster_address
from bridge.ledger.connect import _Packing, connect, connect_web
from bridge.settings import Settings

# Each with a password that no message may hold a part of.
SECRET_PARTS = ("Se", "cret", "pa/", "ss@", "hunter")


def complaint(url: str) -> str:
    with pytest.raises(WrongUse) as raised:
        Settings.from_env({"REDIS_URL": url}, dotenv=None)
    text = str(raised.value)
    assert text.startswith("Wrong settings:\n  REDIS_URL  ")
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(
    ("url", "says"),
    [
        # A password whose characters end the part of the address that they stand in.
        ("redis://default:Se#cret@127.0.0.1:6379/0", "# as %23"),
        ("redis://default:Se/cret@127.0.0.1:6379/0", "/ as %2F"),
        ("redis://default:Se?cret@127.0.0.1:6379/0", "? as %3F"),
        ("redis://default:Se?cret=1@127.0.0.1:6379/0", "? as %3F"),
        ("redis://default:Se[cret@127.0.0.1:6379/0", "[ as %5B"),
        ("redis://default:Se@x/cret@127.0.0.1:6379/0", "@ as %40"),
        ("redis://default:Se@x?cret@127.0.0.1:6379/0", "@ as %40"),
        ("redis://default:Se\tcret@127.0.0.1:6379/0", "control character"),
        ("redis://default:Se%ffcret@127.0.0.1:6379/0", "not UTF-8"),
        ("redis+sentinel://default:Se/cret@h1:26379/SERVICE/0", "/ as %2F"),
        ("unix://default:Se/cret@/run/redis.sock", "/ as %2F"),
        # Where it is.
        ("redis://127.0.0.1:port/0", "port"),
        ("redis://127.0.0.1:99999/0", "port"),
        ("redis://127.0.0.1:0/0", "port"),
        ("redis://127.0.0.1:-1/0", "port"),
        ("redis://hunter2:x/0", "port"),
        ("redis://:6379/0", "has no host"),
        ("redis:///0", "has no host"),
        ("redis://default:hunter2@/0", "has no host"),
        ("redis://[::1", "[::1]"),
        ("redis://[nonsense]:6379", "[::1]"),
        ("redis://::1:6379/0", "[::1]:6379"),
        ("redis://a..b/0", "neither a name nor an IP address"),
        ("redis://a host/0", "neither a name nor an IP address"),
        ("unix://run/redis.sock", "full path"),
        ("unix:///", "has no socket path"),
        (f"unix:///{'x' * 120}.sock", "longer than"),
        ("redis+sentinel://h1:x/SERVICE/0", "port"),
        ("redis+sentinel://:26379/SERVICE/0", "has no host"),
        ("redis+sentinel:///SERVICE/0", "has no sentinel"),
        ("redis+sentinel://h1:26379", "has no service name"),
        ("redis+sentinel://h1:26379//0", "has no service name"),
        ("redis+cluster://h1:x,h2", "port"),
        ("redis+cluster://", "has no node"),
        ("redis+cluster://default:Se/cret@h1:6379", "/ as %2F"),
        # Which database.
        ("redis+cluster://h1:6379/1", "only database 0"),
        ("redis+cluster://h1:6379?db=2", "only database 0"),
        ("redis://127.0.0.1:6379/x", "database"),
        ("redis://127.0.0.1:6379/-1", "database"),
        ("redis://127.0.0.1:6379/1/2", "database"),
        ("redis://127.0.0.1:6379/?db=x", "db that must be"),
        ("redis+sentinel://127.0.0.1:26379/mymaster/x", "database"),
        ("redis+sentinel://127.0.0.1:26379/mymaster/0/1", "database"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str, says: str) -> None:
    result = complaint(url)

    assert says in result
    assert [part for part in SECRET_PARTS if part in result.replace("Settings", "")] == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://h/0?ssl=true", "rediss://"),
        ("redis://h/0?ssl_cert_reqs=none", "rediss://"),
        ("unix:///run/redis.sock?ssl_ca_certs=/ca.pem", "rediss://"),
        ("redis+sentinel://h/S/0?tls=true", "ssl=true"),
        ("redis+cluster://h?tls=true", "ssl=true"),
        ("redis+sentinel://h/S/0?ssl=maybe", "true or false"),
        ("redis://h/0?timeout=5", "did you mean socket_timeout?"),
        ("redis://h/0?socket_timout=5", "did you mean socket_timeout?"),
        ("redis://h/0?Socket_Timeout=5", "did you mean socket_timeout?"),
        ("redis://h/0?health_check=5", "did you mean health_check_interval?"),
        ("redis://h/0?decode_responses=false", "unknown"),
        ("redis://h/0?retry_on_error=x", "unknown"),
        ("redis://h/0?socket_timeout=fast", "seconds"),
        ("redis://h/0?socket_timeout=0", "seconds"),
        ("redis://h/0?socket_timeout=nan", "seconds"),
        ("redis://h/0?max_connections=0", "whole number"),
        ("redis://h/0?max_connections=", "whole number"),
        ("redis://h/0?socket_keepalive=maybe", "true or false"),
        ("redis://h/0?protocol=4", "2 or 3"),
        ("redis://h/0?db=1&db=2", "twice"),
        ("unix:///run/redis.sock?socket_keepalive=true", "unknown"),
        ("rediss://h/0?ssl_cert_reqs=CERT_NONE", "none, optional or required"),
        ("rediss://h/0?ssl_min_version=TLSv1_2", "771 or 772"),
        ("rediss://h/0?ssl_ca_certs=/nowhere/ca.pem", "cannot be read"),
        ("rediss://h/0?ssl_ca_path=/nowhere", "is not a folder"),
        ("rediss://h/0?ssl_ca_data=none", "do not work"),
        ("rediss://h/0?ssl_ciphers=none-such", "do not work"),
        ("rediss://h/0?ssl_include_verify_flags=STRICT", "invalid value"),
        ("rediss://h/0?ssl_password=hunter2&ssl_certfile=/nowhere", "cannot be read"),
        ("redis+sentinel://h/S/0?ssl=true&ssl_cert_reqs=CERT_NONE", "none, optional or required"),
    ],
)
def test_an_option_is_known_and_has_a_value_that_works(url: str, says: str) -> None:
    result = complaint(url)

    assert says in result
    assert [part for part in SECRET_PARTS if part in result.replace("Settings", "")] == []


def test_a_file_of_certificates_is_read_at_the_start(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate\n")

    assert "do not work" in complaint(f"rediss://h/0?ssl_ca_certs={empty}")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", {"host": "h", "db": 0}),
        ("redis://h:6390/3", {"host": "h", "port": 6390, "db": 3}),
        ("redis://h?db=3&socket_timeout=2.5", {"db": 3, "socket_timeout": 2.5}),
        ("redis://user:Se%23c%2Fr%3Fe%40t@h", {"username": "user", "password": "Se#c/r?e@t"}),
        ("redis://user:100%25 sure@h", {"password": "100% sure"}),
        ("redis://user:a@b@h", {"password": "a@b"}),
        ("redis://:p@[::1]:6390/0", {"host": "::1", "port": 6390, "password": "p"}),
        ("redis://redis_1.internal-net:6379/0", {"host": "redis_1.internal-net"}),
        ("rediss://h?ssl_cert_reqs=none", {"host": "h"}),
        ("unix:///run/a b/redis.sock?db=2", {"path": "/run/a b/redis.sock", "db": 2}),
        ("unix://u:p@/run/a@b.sock", {"path": "/run/a@b.sock", "password": "p"}),
    ],
)
def test_what_is_right_means_the_same_to_both_clients(url: str, expected: dict[str, object]) -> None:
    read = Settings.from_env({"REDIS_URL": url + "\n"}, dotenv=None).redis_url

    assert read == url
    for client in (connect(url), connect_web(url)):
        used = client.connection_pool.connection_kwargs
        assert {name: used.get(name, 0) for name in expected} == expected


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "rediss://h",
        "unix:///run/redis.sock",
        "redis+sentinel://h/main/0",
        "redis+cluster://h1,h2",
    ],
)
def test_the_web_process_sends_redis_the_same_bytes_as_the_plain_client(url: str) -> None:
    pool: Any = connect_web(url).connection_pool
    packing = pool.connection_class
    (plain,) = (kind for kind in packing.__bases__ if kind is not _Packing)
    command = ("CONFIG GET", "é\U0001f600", b"\x00\r\n", 5, -(2**70), 1.5, "", "x" * 10_000)
    one, other = (kind(**_without_pool(pool)) for kind in (packing, plain))

    assert b"".join(one.pack_command(*command)) == b"".join(other.pack_command(*command))
    assert [type(each) for each in (one, other)] == [packing, plain]


def _without_pool(pool: Any) -> dict[str, Any]:
    """What a connection of this pool is made with; one of a sentinel asks for its pool, too."""
    needs_pool = hasattr(pool, "sentinel_manager")
    return {**pool.connection_kwargs, **({"connection_pool": pool} if needs_pool else {})}


def test_a_sentinel_address_is_read_with_its_options() -> None:
    url = (
        "redis+sentinel://user:p%40ss@h1:26390,[::1],h3/main/2?ssl=true&ssl_cert_reqs=none&client_name=bridge"
    )
    Settings.from_env({"REDIS_URL": url}, dotenv=None)

    for client in (connect(url), connect_web(url)):
        pool: Any = client.connection_pool
        used = pool.connection_kwargs
        sentinels = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]

        assert pool.service_name == "main"
        assert (used["db"], used["username"], used["password"]) == (2, "user", "p@ss")
        assert [(one["host"], one["port"]) for one in sentinels] == [
            ("h1", 26390),
            ("::1", 26379),
            ("h3", 26379),
        ]
        assert all(one["password"] == "p@ss" and one["ssl_cert_reqs"] == "none" for one in (used, *sentinels))


def test_a_cluster_address_is_read_with_its_options() -> None:
    url = "redis+cluster://user:p%40ss@h1:7001,[::1],h3?ssl=true&ssl_cert_reqs=none&client_name=bridge"
    checked = Settings.from_env({"REDIS_URL": url}, dotenv=None).redis_url

    named = cluster_address(str(checked))

    assert named.hosts == [("h1", 7001), ("::1", 6379), ("h3", 6379)]
    for client in (connect(url), connect_web(url)):
        used = client.connection_pool.connection_kwargs
        assert (used["username"], used["password"], used["client_name"]) == ("user", "p@ss", "bridge")
        assert used["ssl_cert_reqs"] == "none"
