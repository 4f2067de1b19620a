"""Whether Kustomer's bulk endpoints work: tried with a customer of our own, who is deleted again."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from bridge.checks.check import Check
from bridge.client_factory import ClientFactory
from bridge.clients.kustomer import Kustomer
from bridge.clients.kustomer.bulk import Kind
from bridge.errors import BridgeError, Unavailable
from bridge.ledger.bulk import keep_failed, keep_worked
from bridge.ledger.faults import RedisError, why
from bridge.settings import Settings
from bridge.wiring import opened_ledger

_NAME = "Kustomer, bulk"
_TEXT = "callbridge doctor tried bulk requests; this can be deleted"
_DO = "give the key the role org.permission.bulk.read, or leave it: calls are written one by one as ever"


def look_at_bulk(settings: Settings, client: httpx2.Client) -> Iterator[Check]:
    """Create a customer, a conversation and a note by bulk requests, and delete the customer again.

    The result is kept in the ledger with its date: workers send bulk requests only after it went well.
    """
    began = time.monotonic()
    try:
        kustomer = ClientFactory(settings, client).kustomer()
        left = _tried(kustomer)
        took_s = (time.monotonic() - began) / 3
        with opened_ledger(settings) as ledger:
            keep_worked(ledger, at_ms=ledger.now_ms(), took_s=took_s)
    except (BridgeError, RedisError) as error:
        yield Check(_NAME, "warn", _said(error), _DO)
        _keep_failed(settings)
        return
    yield Check(_NAME, "ok", f"bulk requests work, about {took_s:.0f} s each; used in a backlog from now on")
    if left:
        yield Check(_NAME, "warn", f"the customer {left} of this check could not be deleted", "delete it")


def _tried(kustomer: Kustomer) -> str:
    """The id of the customer where it is left behind; empty: it is gone.

    Raises:
        BridgeError: what did not work.
    """
    key = f"callbridge:doctor:{secrets.token_hex(6)}"
    customer = _made(kustomer, "customers", {"externalId": key, "name": _TEXT})
    try:
        conversation = {"customer": customer, "externalId": key, "name": _TEXT, "status": "done"}
        made = _made(kustomer, "conversations", conversation)
        _made(kustomer, "notes", {"conversation": made, "externalId": f"{key}:note", "body": _TEXT})
    finally:
        left = "" if _is_deleted(kustomer, customer) else customer
    return left


def _made(kustomer: Kustomer, kind: Kind, item: Mapping[str, Any]) -> str:
    (result,) = kustomer.bulk.results(kustomer.bulk.submit(kind, [item]), 1)
    if result.id is None:
        raise Unavailable(f"bulk request for {kind}: {result.error or 'no result for its item'}")
    return result.id


def _is_deleted(kustomer: Kustomer, customer_id: str) -> bool:
    try:
        kustomer.bulk.delete_customers([customer_id])
    except BridgeError:
        return False
    return True


def _keep_failed(settings: Settings) -> None:
    try:
        with opened_ledger(settings) as ledger:
            keep_failed(ledger)
    except (BridgeError, RedisError):
        # Said by another check.
        return


def _said(error: Exception) -> str:
    return f"bulk requests do not work: {error if isinstance(error, BridgeError) else why(error)}"
