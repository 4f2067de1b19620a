"""`callbridge web`: takes webhooks in, shows the pages."""

from __future__ import annotations

import sys

import click
import uvicorn

from bridge.commands.access import find_access
from bridge.commands.context import start_process
from bridge.web.app import create_app


@click.command()
def web() -> int:
    """Take webhooks in and show the pages, until it is stopped."""
    settings = start_process("web")
    uvicorn.run(
        create_app(settings, access=find_access(settings)),
        host=settings.host,
        port=settings.port,
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Who may see the pages is told by the real other end of the connection.
        proxy_headers=False,
        timeout_graceful_shutdown=10,
    )
    return 0
