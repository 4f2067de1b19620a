"""The command line. Each command is loaded only when it is called, so that help and small ones stay fast."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import click

from bridge import __version__
from bridge.commands.printing import say
from bridge.errors import BridgeError, Disconnected, MaybeDone, NeedsAPerson, RateLimited, WrongUse

# Exit codes, which scripts rely on.
DONE, FAILED, WRONG_USE, NEEDS_A_PERSON = 0, 1, 2, 3

# name -> (module:function, what --help says)
COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "up": (
            "bridge.commands.up:up",
            "Run everything on this machine; --sandbox adds mock services to try it with",
        ),
        "web": ("bridge.commands.web:web", "Receive webhooks and serve the pages"),
        "worker": ("bridge.commands.worker:worker", "Run jobs; start as many as you like"),
        "clock": ("bridge.commands.clock:clock", "Housekeeping; one is active, others stand by"),
        "sandbox": ("bridge.commands.sandbox:sandbox", "Mock CloudTalk and Kustomer to try the bridge with"),
        "send": ("bridge.commands.send:send", "Send a sample webhook, or your own, to a running bridge"),
        "calls": ("bridge.commands.calls:calls", "List calls, show one, sync it again"),
        "backfill": (
            "bridge.commands.backfill:backfill",
            "Import calls of a time range for which no webhook came",
        ),
        "audit": ("bridge.commands.audit:audit", "Compare CloudTalk's calls with Kustomer's conversations"),
        "messages": ("bridge.commands.messages:messages", "Text messages: list, show"),
        "parked": ("bridge.commands.parked:parked", "Jobs that failed for good: list, run again, drop"),
        "held": ("bridge.commands.held:held", "Events that match no call: list, assign, drop"),
        "contacts": (
            "bridge.commands.contacts:contacts",
            "Contacts carried over to Kustomer, and back: list, show, read one again",
        ),
        "forget": (
            "bridge.commands.forget:forget",
            "Erase a person's number or one call, with a receipt",
        ),
        "trail": ("bridge.commands.trail:trail", "Manual actions: who did what, and when"),
        "connection": (
            "bridge.commands.connection:connection",
            "Connections to the services: own keys, or Membrane",
        ),
        "action": (
            "bridge.commands.action:action",
            "Find and run actions of CloudTalk and Kustomer",
        ),
        "token": ("bridge.commands.membrane_verbs:token", "Print a token for Membrane's API"),
        "request": ("bridge.commands.request:request", "Send any request to a service"),
        "status": ("bridge.commands.status:status", "Show the health of processes, queue and budgets"),
        "health": ("bridge.commands.health:health", "Check that a process of this machine is alive"),
        "top": ("bridge.commands.top:top", "Queue, budgets, processes and calls, live on one screen"),
        "notify": ("bridge.commands.notify:notify", "Notifications of problems: try where they go"),
        "journal": (
            "bridge.commands.journal:journal",
            "Webhooks waiting for Redis or set aside: list, replay",
        ),
        "encryption": (
            "bridge.commands.encryption:encryption",
            "Encryption of what is stored: make a key, count, encrypt with a new key",
        ),
        "backup": ("bridge.commands.backup:backup", "Write ledger, journal and rules to one file"),
        "restore": ("bridge.commands.restore:restore", "Put a backup back, on an empty machine or this one"),
        "upgrade": ("bridge.commands.upgrade:upgrade", "Check that this version can take the ledger over"),
        "accounts": (
            "bridge.commands.accounts:accounts",
            "Many companies in one deployment: list them, check their file",
        ),
        "doctor": ("bridge.commands.doctor:doctor", "Check settings, keys, Redis and the clock"),
        "parity": ("bridge.commands.parity:parity", "Compare direct access with access through Membrane"),
        "listen": ("bridge.commands.listen:listen", "Show webhooks as they come, variable by variable"),
        "mcp": ("bridge.commands.mcp:mcp", "Let an assistant look into calls (Model Context Protocol)"),
        "templates": ("bridge.commands.templates:templates", "What to paste into CloudTalk"),
        "kustomer": ("bridge.commands.kustomer:kustomer", "What to set up in Kustomer"),
        "rules": ("bridge.commands.rules:rules", "The rules file: check it, show what is in force"),
    }
)


# Verbs of Membrane's command that the settings take the place of: they answer, and --help does not list them.
HIDDEN: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "login": ("bridge.commands.membrane_verbs:login", ""),
        "logout": ("bridge.commands.membrane_verbs:logout", ""),
    }
)


class LazyGroup(click.Group):
    """A group that imports a command when it is asked for, and lists them all without that."""

    table: Mapping[str, tuple[str, str]] = COMMANDS
    unlisted: Mapping[str, tuple[str, str]] = HIDDEN

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        table = {**self.table, **self.unlisted}
        if cmd_name not in table:
            return None
        module, _, function = table[cmd_name][0].partition(":")
        try:
            command = getattr(importlib.import_module(module), function)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            raise WrongUse(f"callbridge {cmd_name} is not part of this version") from error
        assert isinstance(command, click.Command)  # noqa: S101  # the table above is ours
        return _taking_account(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in (*self.table, *self.unlisted) and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}.{_nearest(args[0], self.table)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])


def _taking_account(command: click.Command) -> click.Command:
    """The command, which takes --account in its own place too."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _taking_account(below)
    elif not any(one.name == "account" for one in command.params):
        option = click.Option(["--account"], expose_value=False, hidden=True, callback=_choose)
        command.params.append(option)
    return command


def _choose(context: click.Context, _: click.Parameter, name: str | None) -> None:
    if name:
        context.find_root().params["account"] = name


def _nearest(name: str, names: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean {near[0]!r}?" if near else " --help lists them."


def _check_text(argv: Sequence[str]) -> None:
    """Raises WrongUse: an argument is in another encoding than this terminal's, and no file is called so."""
    for place, text in enumerate(argv, 1):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            if not os.path.lexists(text):
                raise WrongUse(f"argument {place} is not valid UTF-8") from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
@click.option(
    "--account", metavar="NAME", help="Work on this account of CALLBRIDGE_ACCOUNTS; also after the command."
)
def cli(account: str | None) -> None:
    """Log CloudTalk phone calls in Kustomer: none lost, none twice, every step explained."""


def main(argv: Sequence[str] | None = None, *, group: click.Group = cli) -> int:
    """Run one command and give its exit code; what was foreseen is said without a traceback."""
    try:
        _check_text(sys.argv[1:] if argv is None else argv)
        result = group.main(
            args=None if argv is None else list(argv), prog_name="callbridge", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except WrongUse as error:
        say(str(error), err=True)
        return WRONG_USE
    except (NeedsAPerson, MaybeDone, Disconnected) as error:
        say(str(error), err=True)
        if isinstance(error, Disconnected):
            say("\n".join(line for line in (error.text, error.link) if line), err=True)
        return NEEDS_A_PERSON
    except BridgeError as error:
        later = f"; try again in {error.wait}" if isinstance(error, RateLimited) else ""
        say(f"{error}{later}", err=True)
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # The reader (`| head`) had enough. Python would complain about it once more at its end.
        sys.stdout = None
        return DONE
    return result if isinstance(result, int) else DONE
