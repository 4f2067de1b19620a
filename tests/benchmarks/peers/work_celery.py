"""Celery's worker with threads; results are not kept. `python work_celery.py N` queues N calls."""

from __future__ import annotations

import os
import sys

import journey
from celery import Celery

app = Celery("work_celery", broker=os.environ["CELERY_BROKER"])
app.conf.update(task_ignore_result=True, task_acks_late=True)
carry = journey.by_urllib3()


@app.task(name="call")
def call(number: int) -> None:
    carry(number)


if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        call.delay(number)
