"""The services in the foreground, for trying things out by hand."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from bridge.sandbox.hosting import Host, address, listen
from bridge.sandbox.membrane import connections as membrane_connections
from bridge.sandbox.sample import load as load_sample
from bridge.sandbox.world import World


def serve(
    *,
    host: str,
    cloudtalk_port: int,
    kustomer_port: int,
    membrane_port: int,
    path: Path | None,
    sample: bool,
    on_ready: Callable[[Mapping[str, str]], None] = lambda urls: None,
) -> None:
    """Run until SIGTERM or SIGINT.

    Args:
        on_ready: called with the address of each service by its name, once all of them answer.
        path: a file that keeps what the services hold, also when the process is killed; None: memory only.
        sample: fill an empty store with the sample company.
    Raises:
        WrongUse: a port is taken.
    """
    cloudtalk_socket = listen(host, cloudtalk_port)
    with (
        cloudtalk_socket,
        listen(host, kustomer_port) as kustomer_socket,
        listen(host, membrane_port) as membrane_socket,
    ):
        world = World(path)
        try:
            if sample and world.is_empty:
                load_sample(world)
            if sample:
                membrane_connections.load(world)
            sockets = (cloudtalk_socket, kustomer_socket, membrane_socket)
            urls = dict(zip(("cloudtalk", "kustomer", "membrane"), map(address, sockets), strict=True))
            asyncio.run(_run(Host(world, *sockets, on_ready=lambda: on_ready(urls))))
        finally:
            world.close()


async def _run(host: Host) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stop)
    await host.run()
