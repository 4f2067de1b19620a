"""dramatiq's worker, one process with threads. `python work_dramatiq.py N` queues N calls."""

from __future__ import annotations

import os
import sys

import dramatiq
import journey
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))
carry = journey.by_httpx() if os.environ.get("CLIENT") == "httpx" else journey.by_urllib3()


@dramatiq.actor
def call(number: int) -> None:
    carry(number)


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        call.send(number)
