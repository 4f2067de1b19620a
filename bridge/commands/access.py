"""What opens the pages of a web process: OPS_TOKENS, and OPS_TOKEN or the token kept in the data folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from bridge.commands.context import living_run
from bridge.commands.printing import say
from bridge.kept_token import CannotKeep, ops_token
from bridge.local.processes import RUN_MARK
from bridge.settings import Settings
from bridge.web.callers import Access


def find_access(settings: Settings, environ: Mapping[str, str] = os.environ) -> Access:
    """The access for this process; a token that it makes is printed, once."""
    given = Access(token=settings.ops_token, people=settings.ops_tokens, read_masked=settings.read_masked)
    if settings.ops_token is not None:
        return given
    if not settings.ops_tokens and _is_in_sandbox(settings, environ):
        return Access(open_here=True)
    try:
        kept = ops_token(settings.data_dir)
    except CannotKeep as error:
        return replace(given, off=f"{error}.")
    if kept.is_new:
        # On standard output: a log is kept, and read by others.
        say(kept.announcement)
    return replace(given, token=kept.token)


def _is_in_sandbox(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether `up --sandbox` started this process; no setting says so, as one could be left behind."""
    run = living_run(settings.data_dir)
    return run is not None and bool(run.sandbox) and environ.get(RUN_MARK) == run.mark
