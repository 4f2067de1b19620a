"""`callbridge forget`: all of a person's number, or one call, removed; and a receipt of it."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable, Sequence

import click

from bridge.commands import DONE, NEEDS_A_PERSON
from bridge.commands.confirming import confirm
from bridge.commands.context import chosen_account
from bridge.commands.forget_account import forget_account
from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.domain.phone import read_phone
from bridge.errors import RateLimited, Rejected, WrongUse
from bridge.jobs.erasure import Erasure, is_number
from bridge.jobs.erasure_receipt import Receipt
from bridge.ledger import trail
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.calls.record import Record
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.plain import plain_line
from bridge.settings import Settings
from bridge.wiring import open_erasure


@click.command()
@click.option("--number", help="This phone number: its calls, and events that match no call.")
@click.option("--call", metavar="ID", help="One call: its key, CloudTalk's call id or uuid.")
@click.option("--cloudtalk", is_flag=True, help="Also delete the recordings at CloudTalk.")
@click.option(
    "--kustomer",
    is_flag=True,
    help="Also mark the conversations in Kustomer as deleted, and empty the notes and messages.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--json", "as_json", is_flag=True)
def forget(
    *, number: str | None, call: str | None, cloudtalk: bool, kustomer: bool, yes: bool, as_json: bool
) -> int:
    """Erase all data about a person or one call, and print a receipt.

    This covers records, events, jobs, held events, caches, recordings, journal files and Redis's own files,
    which are rewritten. An erased call does not come back, even if webhooks about it arrive later; a new call
    from the same number is a new call. Data at CloudTalk and Kustomer is listed, and deleted if you ask.

    If a service does not answer, nothing is erased here yet (exit code 1): run the command again.
    Exit code 3: part of the request is impossible; the receipt says which.

    With --account NAME alone: all of an account that is no longer in the file of accounts.
    """
    account = chosen_account(os.environ)
    if number is None and call is None and account:
        return forget_account(account, yes=yes)
    if (number is None) == (call is None):
        raise WrongUse("Give either --number or --call.")
    remove_at = [name for name, wanted in (("cloudtalk", cloudtalk), ("kustomer", kustomer)) if wanted]
    if call is not None:
        return forget_one(call, remove_at=remove_at, yes=yes, as_json=as_json)
    with opened_ledger() as (ledger, settings):
        phone = read_phone(number, region=settings.rules.region)
        if phone is None or not is_number(phone):
            raise WrongUse("--number: add the country code, such as +441632960304, or set PHONE_REGION.")
        confirm(f"Permanently erase all data about {phone.text}?", yes=yes)
        receipt = _erasure(ledger, settings, remove_at).of_number(phone)
    return _tell(receipt, as_json=as_json)


def forget_one(name: str, *, remove_at: Sequence[str], yes: bool, as_json: bool) -> int:
    """Forget one call."""
    with opened_ledger() as (ledger, settings):
        record = found_call(ledger, name)
        confirm(f"Permanently erase the audio and all data of {record.key}?", yes=yes)
        receipt = _erasure(ledger, settings, remove_at).of_call(record)
    return _tell(receipt, as_json=as_json, call=record.key)


def found_call(ledger: Ledger, name: str) -> Record:
    """Raises Rejected where there is none."""
    record = ledger.find(name)
    if record is None:
        raise Rejected(f"No call found for {name!r}; give its key, call id or uuid (callbridge calls ls).")
    return record


def _erasure(ledger: Ledger, settings: Settings, remove_at: Sequence[str]) -> Erasure:
    return open_erasure(settings, ledger, who=trail.person(), remove_at=remove_at, ask=_ask)


def _ask(question: Callable[[], object]) -> object:
    """Waits for a budget; what does not answer is left to another run of the command."""
    with acting_as(BudgetRequester(lane=Lane.BACKFILL, name=f"command:{secrets.token_hex(4)}")):
        while True:
            try:
                return question()
            except RateLimited as error:
                say(f"{error}; continuing in {error.wait}", err=True)
                threading.Event().wait(error.retry_after_s)


def _tell(receipt: Receipt, *, as_json: bool, call: str | None = None) -> int:
    if as_json:
        data = receipt.as_json()
        say(json.dumps(data if call is None else {"call": call, "done": receipt.lines(), **data}, indent=2))
    else:
        say("\n".join(map(plain_line, receipt.lines())))
    return NEEDS_A_PERSON if receipt.unfinished else DONE
