"""The actors, one for each kind of job. `sync.send("uuid:…")` works wherever the same Redis is reached."""

from __future__ import annotations

import dramatiq
from dramatiq.actor import Actor, ActorDecorator

from bridge.jobs.connection import check_connection
from bridge.jobs.contact import look_after_contact
from bridge.jobs.cue_card import show_cue_card
from bridge.jobs.detail import ask_detail
from bridge.jobs.detail import identify as identify_call
from bridge.jobs.insights import fetch_insights
from bridge.jobs.recording import fetch_recording
from bridge.jobs.sms import send_sms
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue import kinds
from bridge.ledger.queue.kinds import Kind
from bridge.sync.job import sync as sync_call
from bridge.sync.messages import write_message
from bridge.wiring import open_ledger
from workers.broker import LedgerBroker
from workers.many import ManyBroker
from workers.middleware import EXPECTED, Claims
from workers.runs import run

_QUEUE = "jobs"


def _ledger() -> Ledger:
    """That of the environment; read once a message is sent or a worker starts, not before."""
    from bridge.commands.context import load_settings

    return open_ledger(load_settings(says_notices=False))


broker = ManyBroker(_ledger, middleware=[Claims()])


def _actor(kind: Kind) -> ActorDecorator:
    limit_ms = round(kind.limit_s * 1000)
    return dramatiq.actor(
        broker=broker, queue_name=_QUEUE, actor_name=kind.name, time_limit=limit_ms, throws=EXPECTED
    )


@_actor(kinds.SYNC)
def sync(key: str) -> None:
    """Make Kustomer hold what is known of this call."""
    run(sync_call)


@_actor(kinds.DETAIL)
def detail(key: str) -> None:
    """Ask CloudTalk for the detail of a call whose number is known."""
    run(ask_detail)


@_actor(kinds.IDENTIFY)
def identify(key: str) -> None:
    """Find the number of a call of which only the uuid is known."""
    run(identify_call)


@_actor(kinds.RECORDING)
def recording(key: str) -> None:
    """Fetch the recording of a call and store it."""
    run(fetch_recording)


@_actor(kinds.INSIGHTS)
def insights(key: str) -> None:
    """Ask CloudTalk's AI about a call."""
    run(fetch_insights)


@_actor(kinds.MESSAGE)
def message(key: str) -> None:
    """Write a text message to Kustomer."""
    run(write_message)


@_actor(kinds.CONTACT)
def contact(key: str) -> None:
    """Carry a contact over to its customer, and give it what the customer has."""
    run(look_after_contact)


@_actor(kinds.SMS)
def sms(key: str) -> None:
    """Send a text message that Kustomer asked for, at most once."""
    run(send_sms)


@_actor(kinds.CONNECTION)
def connection(scope: str) -> None:
    """Check whether a service, or one operation of it, is open to us again."""
    run(check_connection)


@_actor(kinds.CUE_CARD)
def cue_card(key: str) -> None:
    """Show the agents whose phone rings who calls, according to Kustomer."""
    run(show_cue_card)


def declare_on(other: LedgerBroker) -> None:
    """Declare the same actors on a broker with a ledger of its own."""
    for one in broker.actors.values():
        Actor(
            one.fn,
            broker=other,
            actor_name=one.actor_name,
            queue_name=one.queue_name,
            priority=one.priority,
            options=one.options,
        )
