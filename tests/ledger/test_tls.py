"""Redis behind TLS, with a CA of one's own: what deploy/redis.md says of `rediss://` holds."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
import trustme

from bridge.checks.examine import examine
from bridge.clients.bounds import Client
from bridge.ledger.connect import connect, connect_web
from bridge.ledger.pipelined import Pipelined
from bridge.ledger.stalls import SILENT_S
from bridge.settings import Settings

NAME = "redis.internal.example"


class TlsProxy:
    """What a server with TLS is to its clients: its end of each connection, in front of a socket file."""

    def __init__(self, socket_path: Path, context: ssl.SSLContext, *, takes_s: float = 0.0) -> None:
        """Args: takes_s: how long it lets a client wait for its end of the handshake."""
        self._socket_path, self._context, self._takes_s = socket_path, context, takes_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._open: list[socket.socket] = []
        self._threads[0].start()

    def close(self) -> None:
        # Shutting down wakes who waits in accept or recv; closing alone does not.
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(raw,), daemon=True)
            self._open.append(raw)
            self._threads.append(thread)
            thread.start()

    def _serve(self, raw: socket.socket) -> None:
        threading.Event().wait(self._takes_s)
        with contextlib.suppress(OSError), self._context.wrap_socket(raw, server_side=True) as near:
            self._open.append(near)
            with socket.socket(socket.AF_UNIX) as far, selectors.DefaultSelector() as selector:
                far.connect(str(self._socket_path))
                selector.register(near, selectors.EVENT_READ, far)
                selector.register(far, selectors.EVENT_READ, near)
                while True:
                    for ready, _ in selector.select():
                        one: Any = ready.fileobj
                        data = one.recv(65_536)
                        while isinstance(one, ssl.SSLSocket) and one.pending():
                            data += one.recv(65_536)
                        if not data:
                            return
                        ready.data.sendall(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Files of a CA, of a client that it knows, and the addresses of two servers that it vouches for."""

    ca_file: Path
    client_file: Path
    host: str
    port: int
    port_for_clients_with_certificate: int

    def url(self, *options: str, certificate_needed: bool = False) -> str:
        port = self.port_for_clients_with_certificate if certificate_needed else self.port
        return f"rediss://{self.host}:{port}/0?{'&'.join(options)}"

    @property
    def trusts(self) -> str:
        return f"ssl_ca_certs={quote(str(self.ca_file))}"

    @property
    def shows(self) -> str:
        return f"ssl_certfile={quote(str(self.client_file))}"


@pytest.fixture(scope="module")
def made(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("our ca")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    client = ca.issue_cert("bridge.internal.example")
    client.private_key_and_cert_chain_pem.write_to_path(folder / "bridge.pem")
    proxies = []
    for asks in (ssl.CERT_NONE, ssl.CERT_REQUIRED):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert(NAME, "127.0.0.1").configure_cert(context)
        ca.configure_trust(context)
        context.verify_mode = asks
        proxies.append(TlsProxy(Path(redis_url.removeprefix("unix://").partition("?")[0]), context))
    yield Made(
        ca_file=folder / "ca.pem",
        client_file=folder / "bridge.pem",
        host="127.0.0.1",
        port=proxies[0].port,
        port_for_clients_with_certificate=proxies[1].port,
    )
    for proxy in proxies:
        proxy.close()


def by_worker(url: str) -> None:
    checked = Settings.from_env({"REDIS_URL": url}, dotenv=None).redis_url
    with connect(checked or "", patience=0) as client:
        client.set("by", "worker")
        assert client.get("by") == "worker"


async def by_web(url: str) -> None:
    checked = Settings.from_env({"REDIS_URL": url}, dotenv=None).redis_url
    async with connect_web(checked or "") as client:
        await client.set("by", "web")
        assert await client.get("by") == "web"


@pytest.fixture(params=["worker", "web"])
def use(request: pytest.FixtureRequest) -> Callable[[str], None]:
    return by_worker if request.param == "worker" else lambda url: asyncio.run(by_web(url))


def test_a_server_of_our_own_ca_is_trusted_by_the_cas_file(use: Callable[[str], None], made: Made) -> None:
    use(made.url(made.trusts))


def test_without_the_cas_file_it_is_not(use: Callable[[str], None], made: Made) -> None:
    with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        use(made.url())


def test_a_certificate_of_another_name_is_refused_unless_told_otherwise(
    use: Callable[[str], None], made: Made
) -> None:
    elsewhere = made.url(made.trusts).replace("127.0.0.1", "localhost")

    with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        use(elsewhere)
    use(elsewhere + "&ssl_check_hostname=false")


def test_no_check_at_all_can_be_asked_for(use: Callable[[str], None], made: Made) -> None:
    use(made.url("ssl_cert_reqs=none"))


def test_a_server_that_wants_a_certificate_gets_ours(use: Callable[[str], None], made: Made) -> None:
    use(made.url(made.trusts, made.shows, "ssl_min_version=772", certificate_needed=True))
    with pytest.raises(redis.ConnectionError):
        use(made.url(made.trusts, certificate_needed=True))


def test_doctor_looks_at_redis_through_tls(made: Made, tmp_path: Path) -> None:
    settings = Settings.from_env({"REDIS_URL": made.url(made.trusts), "DATA_DIR": str(tmp_path)}, dotenv=None)
    with Client() as client:
        checks = {check.name: check.state for check in examine(settings, client)}

    assert checks["Redis version"] == "ok"


def test_a_webhook_waits_for_a_handshake_that_takes_longer_than_an_answer_may(
    redis_url: str, tmp_path: Path
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    path = Path(redis_url.removeprefix("unix://").partition("?")[0])
    proxy = TlsProxy(path, context, takes_s=SILENT_S + 0.15)

    async def by_shared_connection() -> Any:
        # With patience, as this machine may have much to do.
        options = f"ssl_ca_certs={tmp_path}/ca.pem&socket_connect_timeout=20"
        async with connect_web(f"rediss://127.0.0.1:{proxy.port}/0?{options}") as client:
            link = Pipelined(client, timeout_s=20.0)
            try:
                return await link.run("0" * 40, "return ARGV[1]", [], ["answered"])
            finally:
                link.close()

    with contextlib.closing(proxy):
        assert asyncio.run(by_shared_connection()) == "answered"
