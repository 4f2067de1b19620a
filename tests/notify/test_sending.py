"""Messages on their way: real addresses on loopback, real Redis, and the process that sends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from bridge.commands import main
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger
from bridge.ledger.watch import WatchStore
from bridge.notify.outbox import PAUSES_S, Outbox
from bridge.settings import Settings
from tests.notify.receivers import Receiver, http_receiver, mail_receiver

MESSAGE = {"title": "callbridge: a problem", "body": "It is made up.", "type": "failure"}
URLS = [SecretStr("json://127.0.0.1:1/first"), SecretStr("json://127.0.0.1:1/second")]


def put(ledger: Ledger, number: int = 1) -> None:
    at = ledger.now_ms() / 1000
    entries = [
        {"at": at + n, "due": at, "tries": 0, "left": None, "message": {**MESSAGE, "body": str(n)}}
        for n in range(number)
    ]
    WatchStore(ledger).update(lambda sample, result: (sample, result, entries))


class Sent:
    """Takes the place of the process that sends."""

    def __init__(self, *failing: int) -> None:
        self.failing, self.calls = failing, list[list[tuple[int, int]]]()

    def __call__(
        self,
        urls: Sequence[SecretStr],
        messages: Sequence[Mapping[str, str]],
        where: Sequence[tuple[int, int]],
        *,
        delivered: Callable[[int, int], None] = lambda message, url: None,
    ) -> dict[tuple[int, int], str]:
        self.calls.append(list(where))
        for message, url in where:
            if url not in self.failing:
                delivered(message, url)
        return {pair: "no answer" if pair[1] in self.failing else "" for pair in where}


def later(client: redis.Redis, ledger: Ledger) -> None:
    """Have everything that waits be due."""
    store = WatchStore(ledger)
    for name, entry in store.messages().items():
        store.keep_message(name, {**entry, "due": 0})


def test_each_message_goes_to_each_address_once(ledger: Ledger) -> None:
    sent = Sent()
    put(ledger, 2)

    assert Outbox(ledger, URLS, send=sent).deliver() == 2
    assert Outbox(ledger, URLS, send=sent).deliver() == 0

    assert sent.calls == [[(0, 0), (0, 1), (1, 0), (1, 1)]]


def test_only_the_address_that_failed_is_tried_again_a_few_times(
    redis_client: redis.Redis, ledger: Ledger
) -> None:
    sent = Sent(1)
    outbox = Outbox(ledger, URLS, send=sent)
    put(ledger)

    for _ in range(20):
        outbox.deliver()
        later(redis_client, ledger)

    assert sent.calls == [[(0, 0), (0, 1)]] + [[(0, 1)]] * len(PAUSES_S)
    assert WatchStore(ledger).messages() == {}


def test_it_waits_before_it_tries_again(ledger: Ledger) -> None:
    sent = Sent(0)
    outbox = Outbox(ledger, URLS[:1], send=sent)
    put(ledger)

    for _ in range(5):
        outbox.deliver()

    assert len(sent.calls) == 1


def test_an_address_that_was_taken_out_of_the_settings_is_let_go(
    redis_client: redis.Redis, ledger: Ledger
) -> None:
    put(ledger)
    Outbox(ledger, URLS, send=Sent(1)).deliver()
    later(redis_client, ledger)
    sent = Sent()

    Outbox(ledger, URLS[:1], send=sent).deliver()

    assert sent.calls == [] and WatchStore(ledger).messages() == {}


def test_of_several_processes_one_sends(ledger: Ledger) -> None:
    sending, release = threading.Event(), threading.Event()
    sent = Sent()

    def slowly(*result: Any, **more: Any) -> dict[tuple[int, int], str]:
        sending.set()
        release.wait(10)
        return sent(*result, **more)

    put(ledger)
    first = threading.Thread(target=Outbox(ledger, URLS, send=slowly).deliver)
    first.start()
    assert sending.wait(10)

    assert Outbox(ledger, URLS, send=sent).deliver() == 0
    release.set()
    first.join()

    assert len(sent.calls) == 1 and WatchStore(ledger).messages() == {}


def test_what_was_delivered_before_a_crash_is_not_repeated_by_the_next_process(
    redis_client: redis.Redis, ledger: Ledger
) -> None:
    def dying(
        urls: object,
        messages: object,
        where: object,
        *,
        delivered: Callable[[int, int], None] = lambda message, url: None,
    ) -> dict[tuple[int, int], str]:
        delivered(0, 0)
        raise KeyboardInterrupt

    put(ledger)
    with pytest.raises(KeyboardInterrupt):
        Outbox(ledger, URLS, send=dying).deliver()
    redis_client.delete(keys.OUTBOX_TURN)
    sent = Sent()

    Outbox(ledger, URLS, send=sent).deliver()

    assert sent.calls == [[(0, 1)]]


def test_what_was_delivered_while_redis_went_away_is_not_repeated(ledger: Ledger) -> None:
    sent, away = Sent(), [True]

    def keep(name: str, entry: object) -> None:
        if away:
            raise redis.ConnectionError("made up")
        keeps(name, entry)  # type: ignore[arg-type]

    put(ledger)
    outbox = Outbox(ledger, URLS, send=sent)
    keeps, end_turn = outbox.store.keep_message, outbox.store.end_outbox_turn
    outbox.store.keep_message = keep  # type: ignore[method-assign]
    outbox.store.end_outbox_turn = lambda: None  # type: ignore[method-assign]
    with pytest.raises(redis.ConnectionError):
        outbox.deliver()
    away.clear()
    outbox.store.end_outbox_turn = end_turn  # type: ignore[method-assign]

    # Its turn is still its own, and nothing is left to send.
    assert outbox.deliver() == 1

    assert sent.calls == [[(0, 0), (0, 1)]]
    assert WatchStore(ledger).messages() == {}


def test_what_two_processes_saw_at_once_counts_once(ledger: Ledger) -> None:
    first, second = WatchStore(ledger), WatchStore(ledger)

    def change(
        sample: object, result: object
    ) -> tuple[dict[str, int], dict[str, dict[str, int]], list[dict[str, int]]]:
        second.update(lambda sample, result: ({"seen": 2}, {}, [{"at": 2}]))
        return {"seen": 1}, {}, [{"at": 1}]

    assert not first.update(change)

    assert [entry["at"] for entry in first.messages().values()] == [2]


def test_a_crowd_of_messages_that_nobody_takes_is_bounded(ledger: Ledger) -> None:
    put(ledger, 150)

    assert sorted(int(e["message"]["body"]) for e in WatchStore(ledger).messages().values()) == list(
        range(50, 150)
    )


# -- with apprise


@pytest.fixture
def receivers() -> Iterator[tuple[Receiver, Receiver]]:
    with ExitStack() as stack:
        yield stack.enter_context(http_receiver()), stack.enter_context(mail_receiver())


@pytest.mark.slow
def test_notify_test_sends_exactly_one_to_each_and_says_which_failed(
    receivers: tuple[Receiver, Receiver],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_http, by_mail = receivers
    dead = "json://127.0.0.1:1/a-secret-path"
    monkeypatch.setenv("NOTIFY_URLS", f"{by_http.url}, {by_mail.url},{dead}")
    monkeypatch.setenv("PUBLIC_URL", "https://bridge.example.com")

    code = main(["notify", "test", "--json"])

    result = capsys.readouterr()
    sent = json.loads(result.out)["sent"]
    assert code == 1 and [one["delivered"] for one in sent] == [True, True, False]
    assert [one["address"] for one in sent] == ["address 1 (json)", "address 2 (mailto)", "address 3 (json)"]
    assert "Connection error" in sent[2]["why"]
    assert len(by_http.arrived) == 1 and len(by_mail.arrived) == 1
    assert by_http.arrived[0].type == "info"
    for one in (*by_http.arrived, *by_mail.arrived):
        assert one.title == "callbridge: a test" and "https://bridge.example.com/" in one.text
    for secret in ("a-secret", "duty@example.com", "127.0.0.1:1"):
        assert secret not in result.out + result.err


@pytest.mark.slow
def test_a_receiver_that_hangs_holds_up_nobody_else() -> None:
    from bridge.notify.sending import SEND_WITHIN_S, send

    with http_receiver() as hangs, http_receiver() as quick:
        hangs.hang_s = 60
        began = time.monotonic()

        results = send([SecretStr(f"{hangs.url}&rto=60"), SecretStr(quick.url)], [MESSAGE], [(0, 0), (0, 1)])

        took_s = time.monotonic() - began
        assert results == {(0, 0): f"no answer within {SEND_WITHIN_S:.0f} s", (0, 1): ""}
        assert quick.arrived and quick.arrived[0].at - began < took_s - 5


@pytest.mark.slow
@pytest.mark.parametrize("command", ["web", "clock", "worker", "up"])
def test_an_address_that_apprise_does_not_know_is_a_wrong_setting(
    command: str, redis_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("NOTIFY_URLS", "json://127.0.0.1:1/x,slakk://a-secret-token/b")

    code = main([command])

    said = capsys.readouterr().err
    assert code == 2
    assert "NOTIFY_URLS  address 2 (slakk) is none that apprise knows" in said
    assert "a-secret" not in said


def test_commas_within_an_address_stay() -> None:
    text = "mailto://h?to=a@example.com,b@example.com, json://x/y ,"

    settings = Settings.from_env({"NOTIFY_URLS": text}, dotenv=None)

    assert [url.get_secret_value() for url in settings.notify_urls] == [
        "mailto://h?to=a@example.com,b@example.com",
        "json://x/y ,",
    ]


def test_no_address_is_shown() -> None:
    settings = Settings.from_env({"NOTIFY_URLS": "json://a-secret-host/x"}, dotenv=None)

    assert "a-secret" not in repr(settings) and "a-secret" not in settings.model_dump_json()
    assert "json://a-secret-host/x" in list(settings.secrets())
