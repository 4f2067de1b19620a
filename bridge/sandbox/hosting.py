"""The services under uvicorn, each on a socket of its own, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette

from bridge.errors import WrongUse
from bridge.sandbox.cloudtalk.service import create_cloudtalk
from bridge.sandbox.kustomer.service import create_kustomer
from bridge.sandbox.membrane.proxy import Apps
from bridge.sandbox.membrane.service import create_membrane
from bridge.sandbox.world import World


class Host:
    """Args: on_ready: called in the event loop when all of them answer."""

    def __init__(
        self,
        world: World,
        cloudtalk_socket: socket.socket,
        kustomer_socket: socket.socket,
        membrane_socket: socket.socket,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._apps = Apps({"cloudtalk": address(cloudtalk_socket), "kustomer": address(kustomer_socket)})
        self._servers = [
            (_Server(create_cloudtalk(world), self._count_one), cloudtalk_socket),
            (_Server(create_kustomer(world), self._count_one), kustomer_socket),
            (_Server(create_membrane(world, self._apps), self._count_one), membrane_socket),
        ]
        self._ready = 0
        self._on_ready = on_ready

    async def run(self) -> None:
        try:
            await asyncio.gather(*(server.serve(sockets=[bound]) for server, bound in self._servers))
        finally:
            await self._apps.close()

    def stop(self) -> None:
        """From any thread, or a signal handler."""
        for server, _ in self._servers:
            server.stop()

    def _count_one(self) -> None:
        self._ready += 1
        if self._ready == len(self._servers):
            self._on_ready()


class _Server(uvicorn.Server):
    def __init__(self, app: Starlette, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                access_log=False,
                # Its log would hold paths, and paths hold numbers.
                log_config=None,
                log_level="critical",
                # A kept connection that closes just when a test uses it again would be a fault nobody cued.
                timeout_keep_alive=600,
                timeout_graceful_shutdown=1,
            )
        )
        self._on_ready = on_ready
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._stopping.set)

    async def main_loop(self) -> None:
        """Like uvicorn's, which looks ten times a second whether it should stop; this one is notified."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Two servers in one process: whoever started them listens for signals.
        yield


def address(bound: socket.socket) -> str:
    """Where a socket of this machine is reached."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # read, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on, before anybody serves them.

    Raises:
        WrongUse: the port is taken or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio does not see that it is, leaves Nagle's algorithm on, and every answer waits
    # 40 ms for an acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise WrongUse(
            f"The sandbox cannot listen on {host}:{port} ({error.strerror}); choose another port."
        ) from error
    bound.listen(128)
    return bound
