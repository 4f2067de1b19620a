"""`callbridge web`: takes webhooks in, shows the pages."""

from __future__ import annotations

import contextlib
import gc
import sys

import click
import uvicorn
from starlette.applications import Starlette
from uvicorn.config import STARTUP_FAILURE

from bridge.commands.access import find_access
from bridge.commands.context import start_process
from bridge.commands.ports import check_port
from bridge.notify.watchman import Watchman
from bridge.settings import Settings
from bridge.web.app import create_app
from bridge.web.server.draining import DrainingServer
from bridge.web.server.limits import raise_descriptor_limit

# How long requests under way may take once the server stops; after DRAIN_S.
STOPS_WITHIN_S = 10


@click.command()
def web() -> int:
    """Receive webhooks and serve the pages."""
    settings = start_process("web")
    if settings.port:
        check_port(settings.host, settings.port, command="web")
    # Before the application is made, which derives from it how many connections it takes.
    raise_descriptor_limit()
    app = create_app(settings, access=find_access(settings))
    watchman = Watchman(settings)
    watchman.start()
    # All that was made so far stays: each full collection would look through it again, while webhooks wait.
    gc.collect()
    gc.freeze()
    try:
        _serve(settings, app)
    finally:
        watchman.stop()
    return 0


def _serve(settings: Settings, app: Starlette) -> None:
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        http=app.state.traffic.protocol(),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Who may see the pages depends on the real peer of the connection.
        proxy_headers=False,
        timeout_graceful_shutdown=STOPS_WITHIN_S,
    )
    server = DrainingServer(config, app.state.traffic, drain_s=settings.drain_s)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(STARTUP_FAILURE)
