"""The sandbox for tests: its services on free ports, in one thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection
from pathlib import Path
from types import TracebackType

from bridge import sandbox
from bridge.sandbox import sample
from bridge.sandbox.handles import CloudTalkHandle, KustomerHandle, MembraneHandle
from bridge.sandbox.hosting import Host, address, listen
from bridge.sandbox.membrane import connections as membrane_connections
from bridge.sandbox.world import World

_START_S = 10.0


class RunningSandbox:
    """The services while the context lasts: two agents, their lines and users, both services connected in
    Membrane under their names, and nothing else.

    Args:
        path: a file that keeps the documents from one sandbox to the next.
        sample: also the calls and contacts of the sample company.
        world: one made by the test, to move its clock, say; `path` and `sample` then do nothing.
    """

    world: World
    cloudtalk: CloudTalkHandle
    kustomer: KustomerHandle
    membrane: MembraneHandle

    def __init__(self, path: Path | None = None, *, sample: bool = False, world: World | None = None) -> None:
        self._path = path
        self._sample = sample
        self._given_world = world

    def __enter__(self) -> RunningSandbox:
        self.world = self._given_world or World(self._path)
        if self._given_world is None and self.world.is_empty:
            if self._sample:
                sample.load(self.world)
            else:
                sample.load_agents(self.world)
                sample.load_kustomer(self.world)
        membrane_connections.load(self.world)
        self._sockets = [listen("127.0.0.1", 0) for _ in range(3)]
        cloudtalk_url, kustomer_url, membrane_url = (address(one) for one in self._sockets)
        self.cloudtalk = CloudTalkHandle(self.world, self.world.cloudtalk, cloudtalk_url)
        self.kustomer = KustomerHandle(self.world, self.world.kustomer, kustomer_url)
        self.membrane = MembraneHandle(self.world, self.world.membrane, membrane_url)
        ready = threading.Event()
        cloudtalk, kustomer, membrane = self._sockets
        self._host = Host(self.world, cloudtalk, kustomer, membrane, ready.set)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._host.run()), name="sandbox", daemon=True
        )
        self._thread.start()
        if not ready.wait(_START_S):
            raise RuntimeError(f"the sandbox did not start within {_START_S} s")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._host.stop()
        self._thread.join(_START_S)
        for one in self._sockets:
            one.close()
        if self._given_world is None:
            self.world.close()

    def environ(self, *, through_membrane: Collection[str] = ()) -> dict[str, str]:
        """The settings that point a bridge here.

        Args:
            through_membrane: the services to reach by their connections, with no keys of their own.
        """
        return sandbox.environ(
            cloudtalk_url=self.cloudtalk.url,
            kustomer_url=self.kustomer.url,
            membrane_url=self.membrane.url,
            through_membrane=through_membrane,
        )
