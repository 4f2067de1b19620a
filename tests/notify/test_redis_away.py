"""That Redis takes nothing is told by one process of a data folder; no Redis and no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from bridge.notify.redis_away import RedisAway
from bridge.settings import Settings

REFUSED = redis.ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused.")


class House:
    """Processes on one data folder, at the same time of day."""

    def __init__(self, folder: Path, **settings: str) -> None:
        environ = {
            "DATA_DIR": str(folder),
            "NOTIFY_URLS": "json://a,json://b",
            "PUBLIC_URL": "https://bridge.example.com",
            **settings,
        }
        self.settings = Settings.from_env(environ, dotenv=None)
        self.now = 1_795_000_000.0
        self.sent: list[tuple[str, str, list[int]]] = []
        self.failing: set[int] = set()

    def process(self) -> RedisAway:
        return RedisAway(self.settings, send=self._send, clock=lambda: self.now, now=lambda: self.now)

    def pass_by(self, seconds: float, *processes: RedisAway, well: bool = False) -> None:
        for _ in range(int(seconds)):
            self.now += 1
            for one in processes:
                one.worked() if well else one.failed(REFUSED)

    def _send(
        self,
        urls: Sequence[SecretStr],
        messages: Sequence[Mapping[str, str]],
        where: Sequence[tuple[int, int]],
        *,
        delivered: Callable[[int, int], None] = lambda message, url: None,
    ) -> dict[tuple[int, int], str]:
        (message,) = messages
        assert message["body"].endswith("https://bridge.example.com/")
        self.sent.append((message["type"], message["title"], [url for _, url in where]))
        return {pair: "no answer" if pair[1] in self.failing else "" for pair in where}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    yield House(tmp_path)


def test_one_of_several_tells_it_once_and_its_end_once(house: House) -> None:
    first, second = house.process(), house.process()

    house.pass_by(10, first, second)
    assert house.sent == []
    house.pass_by(60, first, second)
    house.pass_by(60, first, second, well=True)

    assert house.sent == [
        ("failure", "callbridge: Redis cannot be reached, so webhooks cannot be stored", [0, 1]),
        ("success", "callbridge: Redis accepts webhooks again", [0, 1]),
    ]


def test_a_restart_of_redis_is_not_told(house: House) -> None:
    one = house.process()
    for _ in range(5):
        house.pass_by(12, one)
        house.pass_by(1, one, well=True)

    assert house.sent == []


def test_the_address_that_failed_is_tried_again(house: House) -> None:
    one = house.process()
    house.failing = {1}
    house.pass_by(20, one)
    house.failing = set()
    house.pass_by(20, one)

    assert [urls for _, _, urls in house.sent] == [[0, 1], [1]]


def test_once_it_is_over_another_process_may_tell_the_next(house: House) -> None:
    first, second = house.process(), house.process()
    house.pass_by(20, first)
    house.pass_by(5, first, well=True)
    house.pass_by(20, second)

    assert [type_ for type_, _, _ in house.sent] == ["failure", "success", "failure"]


def test_in_quiet_hours_it_waits(tmp_path: Path) -> None:
    house = House(tmp_path, NOTIFY_QUIET_HOURS="00:00-24:00")
    one = house.process()

    house.pass_by(120, one)

    assert house.sent == []


def test_without_addresses_nothing_is_locked_or_sent(tmp_path: Path) -> None:
    house = House(tmp_path, NOTIFY_URLS="")
    house.pass_by(60, house.process())

    assert house.sent == [] and list(tmp_path.iterdir()) == []
