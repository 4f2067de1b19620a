"""Answers as Kustomer does, below a path for each account, and tells of each note: `NOTE ACCOUNT TIME`.

python -m tests.benchmarks.accounts_upstream PORT DELAY_S
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

import uvloop

from tests.benchmarks import stub


class _Upstream(stub.Stub):
    """One connection."""

    def data_received(self, data: bytes) -> None:
        line = data.partition(b"\r\n")[0]
        if line.startswith(b"POST /") and b"/notes " in line:
            account = line.partition(b"/")[2].partition(b"/")[0].decode()
            sys.stdout.write(f"NOTE {account} {time.time():.6f}\n")
            sys.stdout.flush()
        super().data_received(data)


async def _serve(port: int, delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Upstream(delay_s), "127.0.0.1", port, backlog=1024)
    await cast("asyncio.Future[None]", loop.create_future())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
