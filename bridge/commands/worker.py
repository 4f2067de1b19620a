"""`callbridge worker`: runs due jobs."""

from __future__ import annotations

import os
import sys

import click

from bridge.commands.context import start_process


@click.command()
@click.option(
    "--processes",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Number of worker processes.",
)
@click.option(
    "--threads", type=click.IntRange(1, 256), help="Threads per process (WORKER_THREADS, default 8)."
)
def worker(processes: int, threads: int | None) -> None:
    """Run due jobs: they write customers, conversations and notes."""
    settings = start_process("worker")
    if threads:
        settings = settings.model_copy(update={"worker_threads": threads})
    if processes > 1:
        # dramatiq's command looks after the processes.
        count = str(settings.worker_threads)
        os.environ["WORKER_THREADS"] = count
        command = [sys.executable, "-m", "dramatiq", "workers.main"]
        # Running jobs were waited for before that.
        command += ["--processes", str(processes), "--threads", count, "--worker-shutdown-timeout", "2000"]
        os.execv(command[0], command)  # noqa: S606
    from workers.main import run

    raise SystemExit(run(settings))
