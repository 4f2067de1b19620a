"""When the next job of each of many accounts is due, asked together; and their wake-ups, heard together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import redis

from bridge.boundary import boundary
from bridge.ledger import scripts
from bridge.ledger.keys import QUEUE_KEYS, WAKE
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.jobs import HANDOVER_MS, LONGEST_PLAN_MS
from bridge.ledger.scripted import LONGEST_LEASE_MS
from bridge.ledger.sharing import Command, LedgerClient
from bridge.ledger.tags import WAKE_OF_ACCOUNTS, Tagging, account_of, learn_script


def next_due_ms(ledger: Ledger, accounts: Sequence[str]) -> Mapping[str, int]:
    """Milliseconds until the next job of each account is due; -1: none is planned.

    One round trip. All must be on the server of this ledger: not for a cluster.
    """
    with boundary("looking.next_due"):
        answers = _client(ledger).send([_look(name) for name in accounts])
    return {name: int(answer[0]) for name, answer in zip(accounts, answers, strict=True)}


def _look(account: str) -> Command:
    text = scripts.source("dispatch")
    values = (0, HANDOVER_MS, LONGEST_LEASE_MS, LONGEST_PLAN_MS)
    if not account:
        return Command(
            ("EVALSHA", scripts.sha("dispatch"), len(QUEUE_KEYS), *QUEUE_KEYS, *values), source=text
        )
    own = learn_script(text)
    words = ("EVALSHA", scripts.sha("dispatch"), len(QUEUE_KEYS), *QUEUE_KEYS, *values)
    return Command(Tagging(account).words(words), source=own)


def _client(ledger: Ledger) -> LedgerClient:
    client: redis.Redis = ledger.redis
    assert isinstance(client, LedgerClient)  # noqa: S101  # `connect` makes no other
    return client


@contextmanager
def wakeups_of_all(ledger: Ledger) -> Iterator[Callable[[float], tuple[str, str] | None]]:
    """Hears when something of any account became due; the function that it gives waits for that, in seconds.

    It answers the account and the job's name; `+MS` in place of the name for a job that is due later; None
    where nothing was heard.
    """
    with (
        boundary("broker.listen"),
        ledger.redis.pubsub(ignore_subscribe_messages=True) as heard,  # type: ignore[no-untyped-call]
    ):
        heard.subscribe(WAKE)
        heard.psubscribe(WAKE_OF_ACCOUNTS)

        def wait(timeout_s: float) -> tuple[str, str] | None:
            message = heard.get_message(timeout=timeout_s)
            account = account_of(str(message["channel"])) if message else None
            return None if message is None or account is None else (account, str(message["data"]))

        yield wait
