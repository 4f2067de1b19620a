"""`callbridge sandbox`: a CloudTalk, a Kustomer and a Membrane to try against, by themselves."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from bridge.commands.printing import say
from bridge.sandbox import environ


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--cloudtalk-port", type=click.IntRange(0, 65535), default=8001, show_default=True)
@click.option("--kustomer-port", type=click.IntRange(0, 65535), default=8002, show_default=True)
@click.option("--membrane-port", type=click.IntRange(0, 65535), default=8003, show_default=True)
@click.option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Keep their data in this folder."
)
@click.option("--empty", is_flag=True, help="Start empty, without the sample company.")
@click.option("--quiet", is_flag=True, help="Do not print addresses and keys.")
def sandbox(
    *,
    host: str,
    cloudtalk_port: int,
    kustomer_port: int,
    membrane_port: int,
    data_dir: Path | None,
    empty: bool,
    quiet: bool,
) -> None:
    """Run the mock services until Ctrl-C; prints their addresses and keys."""
    from bridge.sandbox.server import serve

    path = None
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
        path = data_dir / "services.sqlite3"
    serve(
        host=host,
        cloudtalk_port=cloudtalk_port,
        kustomer_port=kustomer_port,
        membrane_port=membrane_port,
        path=path,
        sample=not empty,
        on_ready=(lambda urls: None) if quiet else _tell,
    )


def _tell(urls: Mapping[str, str]) -> None:
    settings = environ(
        cloudtalk_url=urls["cloudtalk"], kustomer_url=urls["kustomer"], membrane_url=urls["membrane"]
    )
    lines = [
        "",
        f"  Sandbox CloudTalk: {urls['cloudtalk']}",
        f"  Sandbox Kustomer:  {urls['kustomer']}",
        f"  Sandbox Membrane:  {urls['membrane']}",
        "",
        "  Settings for a bridge that uses them, for its environment or .env. The keys work nowhere else.",
        "",
        *(f"{name}={value}" for name, value in settings.items()),
        "",
        "  Ctrl-C ends it.",
    ]
    say("\n".join(lines))
    sys.stdout.flush()
