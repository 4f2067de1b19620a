"""RQ's worker without a fork for each job: one call at a time. `python work_rq.py N` queues N calls."""

from __future__ import annotations

import os
import sys

import journey
import redis
from rq import Queue

carry = journey.by_urllib3()


def call(number: int) -> None:
    carry(number)


if __name__ == "__main__":
    import work_rq

    queue = Queue(connection=redis.Redis.from_url(os.environ["REDIS_URL"]))
    for number in range(int(sys.argv[1])):
        queue.enqueue(work_rq.call, number, result_ttl=0)
