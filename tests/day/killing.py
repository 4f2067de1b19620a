"""Runs the scripted day through real processes whose workers are killed with SIGKILL all the time."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from bridge.ledger import keys
from bridge.ledger.keys import Lane
from tests.chaos.house import House
from tests.day.checking import Held
from tests.day.deeds import do_deeds
from tests.day.script import DEEDS_AFTER, PARTS, Day
from tests.day.teams import Choice
from tests.day.telling import Webhook, cloudtalk_knows, furnish, part, shuffled
from tests.waiting import eventually

_SENDERS = 4
# A recording is waited for; a killed worker's lease has to run out.
_SETTLES_WITHIN_S = 150


def run_day_with_kills(folder: Path, day: Day, choice: Choice, *, seed: int, kills: int) -> Held:
    """The day shuffled, each webhook twice, while workers are killed so many times in all."""
    with House(folder, workers=2, settings=choice.settings) as house:
        furnish(house.sandbox, day, house=choice.house)
        born_at = PARTS[0][0] - timedelta(days=1)
        house.client.hset(keys.META, "born_at", str(int(born_at.timestamp() * 1000)))
        chance = random.Random(seed)
        parts = [part(day, number) for number in range(len(PARTS))]
        total = sum(map(len, parts))
        for number, told in enumerate(parts):
            for call in {one.call.number: one.call for one in told}.values():
                cloudtalk_knows(house.sandbox, call, in_the_end=True)
            share = -(-kills * len(told) // total)
            _deliver(house, shuffled(told, seed + number, copies=2), chance, kills=share)
            eventually(lambda: _quiet(house), "all is done", within_s=_SETTLES_WITHIN_S, every_s=0.2)
            if number == DEEDS_AFTER:
                do_deeds(house.sandbox, day, settles=house.ledger if choice.settles else None)
        return Held.of(house.sandbox)


def _deliver(house: House, told: Sequence[Webhook], chance: random.Random, *, kills: int) -> None:
    """Kills happen at random places of the load, each after some more webhooks."""
    at = sorted(chance.sample(range(len(told)), min(kills, len(told))))
    done = threading.Semaphore(0)

    def post(one: Webhook) -> None:
        house.post(one.trigger, one.body)
        done.release()

    with ThreadPoolExecutor(_SENDERS) as senders:
        for one in told:
            senders.submit(post, one)
        for n in range(len(told)):
            done.acquire()
            if n in at:
                worker = chance.choice(house.workers)
                worker.end(signal.SIGKILL)
                worker.start()


def _quiet(house: House) -> bool:
    lanes = house.ledger.queue()
    return all(lanes[lane].due + lanes[lane].waiting + lanes[lane].running == 0 for lane in Lane)
