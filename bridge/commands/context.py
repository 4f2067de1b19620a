"""What a command knows when it starts: the settings, and the `callbridge up` that runs beside it, if any."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import click

from bridge import error_reports, logs, tracing_setup
from bridge.accounts.choosing import choose_account
from bridge.commands.printing import say
from bridge.data_folder import write_private
from bridge.errors import Unavailable, WrongUse
from bridge.local.processes import RUN_MARK, identity
from bridge.secret_files import over, secret_variables
from bridge.setting_needs import ALL_NEEDS, PROCESS_NEEDS, Need
from bridge.settings import Reading, Settings

log = logging.getLogger(__name__)

_REDIS_AGAIN_S = 1.0
# Of the command itself, before its subcommands; see `bridge.commands.cli`.
ACCOUNT_OPTION = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A running `callbridge up`, as it tells other terminals. Holds secrets: never printed, mode 0600."""

    pid: int
    identity: str
    # What its children carry in their environment; see `processes.RUN_MARK`.
    mark: str
    web_url: str
    # Settings as it gave them to its children: Redis, tokens, the services' addresses and keys.
    environment: Mapping[str, str] = field(repr=False)
    # The try-out services' own addresses, by name; empty without --sandbox.
    sandbox: Mapping[str, str] = field(default_factory=dict)
    # Process id -> identity of each program, for systems that cannot find them by their mark.
    children: Mapping[str, str] = field(default_factory=dict)

    def write(self, data_dir: Path) -> None:
        write_private(data_dir / "run.json", json.dumps(asdict(self)))

    @property
    def is_alive(self) -> bool:
        return identity(self.pid) == self.identity


def last_run(data_dir: Path) -> Run | None:
    """The run that used this folder last, alive or not."""
    try:
        return Run(**json.loads((data_dir / "run.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def living_run(data_dir: Path) -> Run | None:
    """The `callbridge up` that runs on this folder now."""
    run = last_run(data_dir)
    return run if run is not None and run.is_alive else None


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    dotenv: Path | None = Path(".env"),
    need: Collection[Need] = (),
    others: Collection[Need] = (),
    says_notices: bool = True,
    checks_addresses: bool = False,
    looks_on: bool = False,
) -> Settings:
    """The settings; where no REDIS_URL is set, with those of the `up` that runs on the same data folder.

    The environment wins over that run, and the run over `.env`: under `up --sandbox` a key in
    `.env` is a real one, and must not be what a second terminal works with.

    Args:
        need: what the command cannot do without.
        others: what else to name where something has to be mended anyway.
        says_notices: print what is probably misspelt to standard error.
        checks_addresses: have apprise look at NOTIFY_URLS, which takes a second if it is set.
        looks_on: go on where the file of the rules or of a secret has a mistake, as running processes do. Not
            where that of REDIS_URL has.
    Raises:
        WrongUse: names every setting that is wrong or missing.
    """
    environ = os.environ if environ is None else environ
    reading = _read(environ, dotenv)
    if checks_addresses:
        reading = with_addresses_checked(reading)
    if looks_on:
        files = {one.file_name for one in secret_variables(Settings).values()} - {"REDIS_URL_FILE"}
        followed = {"CALLBRIDGE_RULES", *files}
        wrong = tuple(line for line in reading.wrong if line.partition(" ")[0] not in followed)
        reading = replace(reading, wrong=wrong)
    if name := chosen_account(environ):
        settings = choose_account(reading.settled(), name).need(*need)
    else:
        settings = reading.settled(need, others=others)
    if says_notices:
        for notice in settings.notices:
            say(f"Warning: {notice}", err=True)
    return settings


def read_settings() -> Settings:
    """The deployment's own, whichever account the command is to work on.

    Raises:
        WrongUse: names every setting that is wrong.
    """
    return _read(os.environ, Path(".env")).settled()


def _read(environ: Mapping[str, str], dotenv: Path | None) -> Reading:
    reading = Settings.read(environ, dotenv=dotenv)
    if not any(environ.get(name, "").strip() for name in ("REDIS_URL", "REDIS_URL_FILE")):
        run = living_run(reading.settings.data_dir)
        if run is not None:
            own = {name: value for name, value in environ.items() if value.strip()}
            reading = Settings.read(over(run.environment, own, Settings), dotenv=dotenv)
    return reading


def chosen_account(environ: Mapping[str, str]) -> str:
    """The account that --account names, else CALLBRIDGE_ACCOUNT; empty: none is named."""
    context = click.get_current_context(silent=True)
    given = context.find_root().params.get(ACCOUNT_OPTION) if context is not None else None
    return str(given or environ.get("CALLBRIDGE_ACCOUNT", "")).strip()


def with_addresses_checked(reading: Reading) -> Reading:
    """The same, with what is wrong with NOTIFY_URLS: only apprise knows, and it is not imported here."""
    from bridge.notify.sending import complaints

    return replace(reading, wrong=(*reading.wrong, *complaints(reading.settings.notify_urls)))


def start_process(name: str) -> Settings:
    """The settings of a process that logs (`web`, `worker`, `clock`), with its logs set up.

    Raises:
        WrongUse: names every setting that is wrong, or that this process or another one misses; or the ledger
            is newer than this version.
    """
    if chosen_account(os.environ):
        raise WrongUse(f"callbridge {name} serves all accounts: leave out --account and CALLBRIDGE_ACCOUNT")
    settings = load_settings(
        need=PROCESS_NEEDS[name],
        others=ALL_NEEDS,
        says_notices=False,
        # `callbridge up` has done it, once for all of its processes.
        checks_addresses=RUN_MARK not in os.environ,
    )
    logs.configure(format=settings.log_format, level=settings.log_level)
    error_reports.start(name, settings.sentry_dsn.get_secret_value() if settings.sentry_dsn else None)
    tracing_setup.start(name)
    _take_up_ledger(settings)
    if RUN_MARK in os.environ:
        # `callbridge up` has said it, once for all of its processes.
        return settings
    for notice in settings.notices:
        log.warning("probably a misspelt setting: %s", notice)
    missing = [line.split()[0] for line in settings.missing(*PROCESS_NEEDS["worker"])]
    if missing and settings.callbridge_accounts is None:
        log.warning(
            "callbridge worker cannot start and nothing reaches Kustomer: %s not set",
            ", ".join(missing),
        )
    return settings


def _take_up_ledger(settings: Settings) -> None:
    """Raises WrongUse where the ledger is not for this version.

    With Redis away the process starts, as `web` has its journal, and looks as soon as Redis is there.
    """
    from bridge.wiring import take_up_ledger

    try:
        _tell_migrated(take_up_ledger(settings))
    except Unavailable:
        threading.Thread(target=_take_up_later, args=(settings,), name="schema", daemon=True).start()


def _take_up_later(settings: Settings) -> None:
    from bridge.wiring import take_up_ledger

    pause = threading.Event()
    while True:
        pause.wait(_REDIS_AGAIN_S)
        try:
            return _tell_migrated(take_up_ledger(settings))
        except Unavailable:
            continue
        except WrongUse as error:
            say(str(error), err=True)
            # As a kill, which costs nothing: whatever was taken is in Redis or in the journal.
            os._exit(2)


def _tell_migrated(version: int | None) -> None:
    if version is not None:
        log.info("ledger migrated from schema %s", version)
