"""Many companies behind one web process: each sees, and is sent, its own and nothing of any other."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import redis

from bridge.journal.erasing import is_of
from bridge.links import Links
from bridge.web.accounts.sites import MOST_SITES
from tests.waiting import eventually
from tests.web.accounts import (
    KEY,
    OPS,
    SECRET,
    Deployment,
    deployment,
    people_of,
    table,
    token_of,
    write_accounts,
)
from tests.web.conftest import RedisServer
from tests.web.people import HOME, bearer
from tests.web.serving import ENDED, UUID, Answer, signed

OTHER_UUID = "0b8f6a52-3c1d-4a7e-8e55-9d1c2f3a4b5c"
OF_BOLT = {
    **ENDED,
    "call_id": "1000000777",
    "call_uuid": OTHER_UUID,
    "external_number": "+441632960777",
    "contact_name": "Cleo Sample",
    "agent_first_name": "Dee",
}
# Words that stand in what bolt was sent, and nowhere else.
OF_BOLT_ALONE = ("1000000777", OTHER_UUID, "960777", "Cleo", "Dee")
FORM = {"Content-Type": "application/x-www-form-urlencoded", **HOME}


@pytest.fixture
def two(redis_server: RedisServer, tmp_path: Path) -> Iterator[Deployment]:
    """acme and bolt; bolt has a call."""
    accounts = {
        "acme": table("acme", webhook_signing_secrets=[SECRET]),
        "bolt": table("bolt", kustomer_webhook_token="kustomer-token-of-bolt"),
    }
    with deployment(redis_server.url, tmp_path, accounts) as running:
        assert running.post("bolt", OF_BOLT).status == 202
        yield running


def get(of: Deployment, path: str, token: str) -> Answer:
    return of.site.ask("GET", path, headers=bearer(token))


def sign_in(of: Deployment, place: str, token: str) -> Answer:
    body = urlencode({"token": token, "next": "/"}).encode()
    return of.site.ask("POST", f"{place}/login", body, FORM)


def cookie_of(answer: Answer) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


# -- webhooks


def test_a_webhook_goes_to_the_account_that_its_address_names(two: Deployment) -> None:
    answer = two.post("acme")

    assert (answer.status, answer.json) == (202, {"status": "accepted", "call": KEY})
    with two.ledger("acme") as acme, two.ledger("bolt") as bolt:
        assert acme.find(KEY) is not None and bolt.find(KEY) is None
        assert bolt.find(OTHER_UUID) is not None and acme.find(OTHER_UUID) is None


def test_the_same_call_of_two_accounts_is_two_calls(two: Deployment) -> None:
    assert [two.post("acme").status, two.post("bolt").status] == [202, 202]
    assert [two.post("acme").status, two.post("bolt").status] == [200, 200]


@pytest.mark.parametrize("token", [token_of("bolt"), OPS, people_of("acme")[1], "", "wrong"])
def test_only_an_accounts_own_tokens_open_its_webhooks(two: Deployment, token: str) -> None:
    assert two.post("acme", token=token).status == 401
    with two.ledger("acme") as acme:
        assert acme.find(KEY) is None


def test_a_signature_with_an_accounts_secret_opens_that_account_alone(two: Deployment) -> None:
    body = json.dumps(ENDED).encode()
    headers = signed(body, at=time.time(), secret=SECRET)

    assert two.site.ask("POST", "/webhooks/acme/cloudtalk/call-ended", body, headers).status == 202
    assert two.site.ask("POST", "/webhooks/bolt/cloudtalk/call-ended", body, headers).status == 401


@pytest.mark.parametrize("service", ["cloudtalk/call-ended", "cloudtalk", "kustomer", "membrane"])
def test_strangers_do_not_learn_which_accounts_there_are(two: Deployment, service: str) -> None:
    def said(account: str, headers: dict[str, str]) -> tuple[int, bytes, set[str]]:
        answer = two.site.ask("POST", f"/webhooks/{account}/{service}", b"{}", headers)
        return answer.status, answer.raw, set(answer.headers)

    for headers in (
        {},
        bearer("wrong"),
        {"svix-id": "m", "svix-timestamp": "1", "svix-signature": "v1,AAAA"},
        {"svix-id": "m", "svix-timestamp": str(int(time.time())), "svix-signature": "v1,AAAA"},
    ):
        answers = [said(name, headers) for name in ("acme", "bolt", "nobody", "x" * 41, "No_Name")]
        assert all(one == answers[0] for one in answers), (headers, answers)
        assert answers[0][0] == 401


def test_what_strangers_send_to_accounts_that_there_are_not_is_counted_once(two: Deployment) -> None:
    two.post("nobody")

    with two.ledger("acme") as ledger:
        names = list(ledger.redis.scan_iter("*nobody*"))
    assert names == []


@pytest.mark.parametrize(
    "path",
    [
        "//webhooks/acme//cloudtalk/call-ended/",
        "/WebHooks/acme/CloudTalk/Call-Ended",
        "/webhooks/ACME/cloudtalk/call-ended",
    ],
)
def test_an_address_as_people_type_it_leads_to_the_account(two: Deployment, path: str) -> None:
    assert two.site.ask("POST", path, json.dumps(ENDED).encode(), bearer(token_of("acme"))).status == 202
    with two.ledger("acme") as acme:
        assert acme.find(KEY) is not None


def test_a_get_of_an_accounts_webhook_says_what_is_allowed(two: Deployment) -> None:
    assert two.site.get("/webhooks/acme/cloudtalk/call-ended").status == 405
    assert two.site.get("/webhooks/nobody/cloudtalk/call-ended").status == 405


def test_the_unnamed_accounts_address_is_closed_where_there_is_none(two: Deployment) -> None:
    assert two.site.post(ENDED, headers=bearer(token_of("acme"))).status == 401


def test_a_paused_account_takes_webhooks_and_its_pages_say_that_it_is_paused(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    accounts = {"acme": table("acme", paused=True), "bolt": table("bolt")}
    with deployment(redis_server.url, tmp_path, accounts) as running:
        assert running.post("acme").status == 202

        assert "This account is paused." in get(running, "/accounts/acme/calls", OPS).text
        assert "This account is paused." not in get(running, "/accounts/bolt/calls", OPS).text
        assert "paused" not in running.site.get("/accounts/acme/login").text


def test_accounts_come_and_go_while_the_process_runs(two: Deployment) -> None:
    assert two.post("late").status == 401

    write_accounts(two.file, {"late": table("late"), "bolt": table("bolt")})

    eventually(lambda: two.post("late").status in (200, 202), "the new account takes webhooks", every_s=0.1)
    assert two.post("acme").status == 401
    assert get(two, "/accounts/acme/calls", people_of("acme")[0]).status == 303
    assert get(two, "/accounts/late/calls", people_of("late")[0]).status == 200


def test_accounts_are_followed_while_the_file_of_a_secret_is_wrong(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    secret = tmp_path / "tokens"
    secret.write_text("token-of-the-environment")
    with deployment(
        redis_server.url, tmp_path, {"acme": table("acme")}, webhook_tokens_file=secret
    ) as running:
        secret.write_text("")
        write_accounts(running.file, {"acme": table("acme"), "late": table("late")})

        eventually(lambda: running.post("late").status in (200, 202), "late takes webhooks", every_s=0.1)


def test_a_new_token_of_an_account_is_in_force_and_the_old_one_ends(two: Deployment) -> None:
    write_accounts(two.file, {"acme": table("acme", webhook_tokens=["another-token-of-acme"])})

    eventually(
        lambda: two.post("acme", token="another-token-of-acme").status == 202, "the new token", every_s=0.1
    )
    assert two.post("acme").status == 401


# -- pages and API


PAGES = (
    "/",
    "/calls",
    "/messages",
    "/contacts",
    "/parked",
    "/held",
    "/refused",
    "/setup",
    "/audit",
    "/trail",
)
MORE = ("/rules", "/rules/try", "/api/docs", f"/calls/uuid:{OTHER_UUID}", f"/recordings/uuid:{OTHER_UUID}")
OF_API = ("/queue", "/calls", "/calls.csv", "/parked", "/held", "/refused", "/received?limit=20", "/trail")
MORE_OF_API = ("/rules", "/messages", "/processes", "/status", "/audit", f"/calls/uuid:{OTHER_UUID}")
MORE_OF_API_TOO = ("/calls?q=Cleo", "/calls/1000000777", f"/calls/{OTHER_UUID}", "/calls?q=960777")


@pytest.mark.parametrize("token", people_of("acme"))
def test_an_accounts_person_sees_nothing_of_another_account(two: Deployment, token: str) -> None:
    for path in (*PAGES, *MORE, *(f"/api{one}" for one in (*OF_API, *MORE_OF_API, *MORE_OF_API_TOO))):
        answer = get(two, f"/accounts/acme{path}", token)

        assert answer.status in (200, 403, 404), path
        for word in OF_BOLT_ALONE:
            # What was asked for may be repeated.
            assert word not in answer.text.replace(path, ""), (path, word)


def test_the_same_words_are_there_for_the_accounts_own_person(two: Deployment) -> None:
    text = "".join(get(two, f"/accounts/bolt{path}", people_of("bolt")[1]).text for path in (*PAGES, *MORE))

    assert [word for word in OF_BOLT_ALONE if word not in text] == []


def test_nobody_else_enters_an_account(two: Deployment) -> None:
    for token in (*people_of("acme"), token_of("acme"), token_of("bolt"), "kustomer-token-of-bolt"):
        for path in ("/", "/calls", f"/calls/uuid:{OTHER_UUID}", "/api/calls", "/api/events"):
            assert get(two, f"/accounts/bolt{path}", token).status in (303, 401), (token, path)


def test_an_accounts_person_enters_nothing_of_the_deployment(two: Deployment) -> None:
    for path in ("/accounts", "/", "/api/accounts", "/metrics", "/api/openapi.json"):
        assert get(two, path, people_of("acme")[1]).status in (303, 401), path


def test_a_session_of_one_account_is_worth_nothing_at_another(two: Deployment) -> None:
    cookie = cookie_of(sign_in(two, "/accounts/acme", people_of("acme")[1]))
    mine = {"Cookie": cookie, **HOME}
    value = cookie.partition("=")[2]

    assert two.site.ask("GET", "/accounts/acme/calls", headers=mine).status == 200
    for name in ("callbridge_session", "callbridge_session_acme", "callbridge_session_bolt"):
        stolen = {"Cookie": f"{name}={value}", **HOME}
        assert two.site.ask("GET", "/accounts/bolt/calls", headers=stolen).status == 303
        assert two.site.ask("GET", "/", headers=stolen).status == 303
        assert (
            two.site.ask("POST", "/accounts/bolt/parked/drop", b"all=1&reason=x", {**FORM, **stolen}).status
            == 401
        )


def test_an_accounts_cookie_is_sent_to_its_pages_alone(two: Deployment) -> None:
    answer = sign_in(two, "/accounts/acme", people_of("acme")[0])

    assert answer.headers["location"] == "/accounts/acme/"
    assert "callbridge_session_acme=" in answer.headers["set-cookie"]
    assert "Path=/accounts/acme;" in answer.headers["set-cookie"]


def test_the_deployments_people_open_every_account_with_one_session(two: Deployment) -> None:
    answer = sign_in(two, "/accounts/acme", OPS)
    assert "Path=/;" in answer.headers["set-cookie"]
    there = {"Cookie": cookie_of(answer), **HOME}

    for path in (
        "/",
        "/accounts",
        "/accounts/",
        "/accounts/acme/calls",
        "/accounts/bolt/calls",
        "/api/accounts",
    ):
        assert two.site.ask("GET", path, headers=there).status == 200, path
    assert two.site.ask("GET", f"/accounts/bolt/api/calls/{OTHER_UUID}", headers=there).json["key"]

    two.site.ask("POST", "/accounts/bolt/logout", b"", {**FORM, **there})
    assert two.site.ask("GET", "/accounts/acme/calls", headers=there).status == 303


def test_what_a_person_does_in_one_account_is_done_there_alone(two: Deployment) -> None:
    two.post("acme", OF_BOLT)
    bo = bearer(people_of("acme")[1])

    done = two.site.ask("POST", f"/accounts/acme/api/calls/{OTHER_UUID}/sync", b"{}", bo)

    assert done.status == 202
    assert get(two, "/accounts/acme/api/trail", OPS).json["trail"][0]["who"] == "Bo"
    assert get(two, "/accounts/bolt/api/trail", OPS).json["trail"] == []


def test_a_person_who_may_look_changes_nothing(two: Deployment) -> None:
    amy = bearer(people_of("bolt")[0])

    assert two.site.ask("POST", f"/accounts/bolt/api/calls/{OTHER_UUID}/sync", b"{}", amy).status == 403


def test_a_link_to_a_recording_of_one_account_opens_nothing_of_another(two: Deployment) -> None:
    two.post("acme", OF_BOLT)
    with two.ledger("acme") as ledger:
        links = Links(secret=ledger.link_secret(), public_url="")
    sig = links.signature(f"uuid:{OTHER_UUID}", until=datetime.now(UTC) + timedelta(days=1))
    path = f"/recordings/uuid:{OTHER_UUID}?sig={sig}"

    assert two.site.get(f"/accounts/acme{path}").status == 404
    assert two.site.get(f"/accounts/bolt{path}").status == 403
    assert two.site.get(f"/accounts/nobody{path}").status == 403


def test_the_events_of_one_account_do_not_reach_another(two: Deployment) -> None:
    heard: dict[str, str] = {"acme": "", "bolt": ""}

    def listen(name: str) -> None:
        with two.site.connect() as connection:
            token = people_of(name)[0]
            connection.sendall(
                f"GET /accounts/{name}/api/events HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {token}\r\n\r\n".encode()
            )
            connection.settimeout(6)
            while "data:" not in heard[name]:
                if not (piece := connection.recv(65536)):
                    return
                heard[name] += piece.decode()

    threads = [threading.Thread(target=listen, args=(name,), daemon=True) for name in heard]
    for thread in threads:
        thread.start()
    eventually(lambda: all("what happens from now on" in text for text in heard.values()), "both listen")

    two.post("acme", {**ENDED, "call_uuid": UUID})
    eventually(lambda: "data:" in heard["acme"], "acme hears of its call")
    two.post("bolt", {**OF_BOLT, "talking_time": "1"}, token=token_of("bolt"))
    for thread in threads:
        thread.join(8)

    assert UUID in heard["acme"] and OTHER_UUID not in heard["acme"]
    assert OTHER_UUID in heard["bolt"] and UUID not in heard["bolt"]


_ADDRESS = re.compile(r"""\b(?:href|src|action|formaction)="([^"]*)\"""")


def test_every_address_on_an_accounts_page_leads_into_that_account(two: Deployment) -> None:
    for path in (*PAGES, "/rules", "/api/docs", f"/calls/uuid:{OTHER_UUID}", "/login"):
        answer = get(two, f"/accounts/bolt{path}", people_of("bolt")[1])

        inside = [one for one in _ADDRESS.findall(answer.text) if not one.startswith(("#", "http"))]

        assert inside and all(one.startswith("/accounts/bolt/") for one in inside), path
        head = answer.text.partition("<body")[2].partition("<main")[0]
        assert "bolt" in head.replace("/accounts/bolt", ""), path


def test_pages_name_their_account_and_give_the_addresses_of_its_webhooks(two: Deployment) -> None:
    text = get(two, "/accounts/bolt/setup", people_of("bolt")[1]).text

    assert "<title>bolt · " in text
    assert "/webhooks/bolt/cloudtalk/call-ended" in text
    assert "/webhooks/cloudtalk/" not in text


def test_pages_say_what_to_do_for_their_own_account(two: Deployment) -> None:
    setup, rules = (get(two, f"/accounts/bolt/{page}", OPS).text for page in ("setup", "rules"))

    assert "<code>callbridge --account bolt listen</code>" in setup
    assert "name a file by <code>rules</code> in the account" in rules
    assert "CALLBRIDGE_RULES" not in rules


def test_pages_of_an_account_that_there_is_not_look_like_any_others_to_strangers(two: Deployment) -> None:
    def said(name: str, path: str) -> tuple[int, str, str]:
        answer = two.site.get(f"/accounts/{name}{path}")
        place = answer.headers.get("location", "")
        return answer.status, place.replace(name, "NAME"), answer.raw.decode("latin-1").replace(name, "NAME")

    signed_link = f"/recordings/id:1?sig={'A' * 28}"
    for path in ("/", "/calls", "/login", "/static/ui.js", "/no-such-page", signed_link):
        assert said("nobody", path) == said("acme", path) == said("bolt", path), path


@pytest.mark.parametrize("name", ["nobody", "acme"])
def test_a_wrong_token_is_answered_alike_whether_there_is_the_account(two: Deployment, name: str) -> None:
    answer = sign_in(two, f"/accounts/{name}", "wrong-token-of-somebody")

    assert answer.status == 401 and "Wrong token." in answer.text
    assert two.site.ask("GET", f"/accounts/{name}/api/calls", headers=bearer("wrong")).status == 401


def test_the_deployments_people_are_told_that_there_is_no_such_account(two: Deployment) -> None:
    page, api = get(two, "/accounts/nobody/calls", OPS), get(two, "/accounts/nobody/api/calls", OPS)

    assert (page.status, api.status) == (404, 404)
    assert "no such account" in api.json["error"] and "no such account" in page.text.lower()


def test_more_accounts_than_are_kept_work_all_the_same(redis_server: RedisServer, tmp_path: Path) -> None:
    names = [f"shop-{number}" for number in range(MOST_SITES + 3)]
    with deployment(redis_server.url, tmp_path, {name: table(name) for name in names}) as running:
        for name in (names[0], names[-1]):
            assert running.post(name).status == 202

        for name in (*names, *names[:2]):
            calls = get(running, f"/accounts/{name}/api/calls", people_of(name)[0]).json["calls"]
            assert [call["key"] for call in calls] == ([KEY] if name in (names[0], names[-1]) else [])


def test_the_events_of_an_account_that_is_removed_end(two: Deployment) -> None:
    with two.site.connect() as connection:
        connection.sendall(
            f"GET /accounts/bolt/api/events HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {people_of('bolt')[0]}\r\n\r\n".encode()
        )
        connection.settimeout(15)
        assert b"200 OK" in connection.recv(65536)

        write_accounts(two.file, {"acme": table("acme")})

        heard = b""
        # The last piece of an answer that has ended.
        while not heard.endswith(b"0\r\n\r\n"):
            piece = connection.recv(65536)
            assert piece
            heard += piece


def test_a_mistake_in_one_account_is_told_to_nobody_of_another(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    accounts = {"acme": table("acme"), "wrong-one": {**table("wrong-one"), "no_such_setting": 1}}
    with deployment(redis_server.url, tmp_path, accounts, webhook_tokens=token_of("")) as running:
        told = "accounts file has a mistake"
        eventually(lambda: told in get(running, "/api/status", OPS).text, "the deployment knows")
        assert told in get(running, "/", OPS).text

        for path in ("/", "/setup", "/rules", "/api/status", "/api/processes", "/api/rules"):
            for token in (*people_of("acme"), OPS):
                text = get(running, f"/accounts/acme{path}", token).text
                assert "wrong-one" not in text and "no_such_setting" not in text, path


# -- the list of accounts


def test_the_list_says_how_each_account_stands(two: Deployment) -> None:
    rows = {row["name"]: row for row in get(two, "/api/accounts", OPS).json["accounts"]}

    assert list(rows) == ["acme", "bolt"]
    assert (rows["bolt"]["state"], rows["bolt"]["due"], rows["acme"]["due"]) == ("running", 1, 0)
    text = get(two, "/", OPS).text
    assert 'href="/accounts/bolt/"' in text and "2 accounts" in text


def test_the_list_knows_within_seconds_when_an_accounts_last_webhook_came(two: Deployment) -> None:
    def last() -> object:
        return get(two, "/api/accounts?q=bolt", OPS).json["accounts"][0]["last_webhook_at"]

    eventually(lambda: last() is not None, "the last webhook", every_s=0.2)
    assert get(two, "/api/accounts?q=acme", OPS).json["accounts"][0]["last_webhook_at"] is None


def test_the_list_is_searched_and_given_in_pages(redis_server: RedisServer, tmp_path: Path) -> None:
    accounts = {f"shop-{number:02}": table(f"shop-{number:02}") for number in range(7)}
    accounts["paused-one"] = table("paused-one", paused=True)
    accounts["wrong-one"] = {**table("wrong-one"), "no_such_setting": 1}
    with deployment(redis_server.url, tmp_path, accounts) as running:
        first = get(running, "/api/accounts?q=SHOP&limit=5", OPS).json
        second = get(running, f"/api/accounts?q=SHOP&limit=5&cursor={first['next']}", OPS).json

        names = [row["name"] for row in (*first["accounts"], *second["accounts"])]
        assert names == [f"shop-{number:02}" for number in range(7)] and second["next"] is None
        assert [row["name"] for row in get(running, "/api/accounts?state=paused", OPS).json["accounts"]] == [
            "paused-one"
        ]
        (wrong,) = get(running, "/api/accounts?state=wrong", OPS).json["accounts"]
        assert "no_such_setting" in wrong["why"]
        assert running.post("wrong-one").status == 401
        assert get(running, "/api/accounts?limit=201", OPS).status == 400


# -- metrics


def test_metrics_have_the_accounts_by_name(two: Deployment) -> None:
    text = get(two, "/metrics", OPS).text

    assert 'callbridge_account_due{account="bolt"} 1.0' in text
    assert 'callbridge_account_due{account="acme"} 0.0' in text
    assert 'callbridge_account_webhooks_total{account="bolt"} 1.0' in text
    assert 'callbridge_webhook_duration_seconds_count{trigger="call-ended",answer="accepted"} 1.0' in text


def test_without_accounts_there_is_no_list_and_no_metric_of_one(serve: Callable[..., object]) -> None:
    site = serve(ops_token=OPS)

    assert site.ask("GET", "/accounts", headers=bearer(OPS)).status == 404  # type: ignore[attr-defined]
    text = site.ask("GET", "/metrics", headers=bearer(OPS)).text  # type: ignore[attr-defined]
    assert re.findall(r"callbridge_account_due\{.*", text) == ['callbridge_account_due{account="other"} 0.0']
    assert "unnamed account" not in text


def test_an_account_of_the_environment_is_served_beside_the_named_ones(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    with deployment(
        redis_server.url, tmp_path, {"acme": table("acme")}, webhook_tokens="token-of-the-environment"
    ) as running:
        assert running.site.post(ENDED, headers=bearer("token-of-the-environment")).status == 202
        assert running.post("acme", OF_BOLT).status == 202

        assert [row["key"] for row in get(running, "/api/calls", OPS).json["calls"]] == [KEY]
        assert [row["name"] for row in get(running, "/api/accounts", OPS).json["accounts"]] == ["", "acme"]
        assert 'href="/accounts"' in get(running, "/", OPS).text
        assert running.post("acme", token="token-of-the-environment").status == 401


def test_the_same_call_of_two_accounts_looks_in_each_as_it_came_there(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    names = {"": "Ada Example", "acme": "Cleo Sample", "bolt": "Finn Sample"}
    accounts = {"acme": table("acme"), "bolt": table("bolt")}
    with deployment(redis_server.url, tmp_path, accounts, webhook_tokens=token_of("")) as running:
        for name, contact in names.items():
            path = f"/webhooks/{name}/cloudtalk/call-ended".replace("//", "/")
            body = json.dumps({**ENDED, "contact_name": contact}).encode()
            assert running.site.ask("POST", path, body, bearer(token_of(name))).status == 202

        # The second look reads what the first has kept of each.
        for name in (*names, *names):
            place = f"/accounts/{name}/calls" if name else "/calls"
            text = get(running, place, OPS).text
            assert {other for other, contact in names.items() if contact in text} == {name}

        with running.ledger("acme") as ledger:
            client = ledger.redis
            own = {name: b"".join(_all_of(client, name)) for name in names}
        for name, contact in names.items():
            assert {other for other, kept in own.items() if contact.encode() in kept} == {name}


def _all_of(client: Any, account: str) -> Iterator[bytes]:
    """Everything in Redis under the tag of an account."""
    with contextlib.closing(redis.Redis(connection_pool=client.connection_pool)) as plain:
        tag = f"{{callbridge:{account}}}:" if account else "{callbridge}:"
        for key in plain.scan_iter(f"{tag}*"):
            kind = plain.type(key)
            if kind == "hash":
                yield json.dumps(plain.hgetall(key)).encode()
            elif kind == "string":
                yield json.dumps(plain.get(key)).encode()
            elif kind == "list":
                yield json.dumps(plain.lrange(key, 0, -1)).encode()


# -- while Redis is away


def test_an_accounts_webhooks_wait_in_the_journal_and_go_to_that_account(
    own_redis: RedisServer, tmp_path: Path
) -> None:
    accounts = {"acme": table("acme"), "bolt": table("bolt")}
    with deployment(own_redis.url, tmp_path, accounts, journal_mb=1) as running:
        assert [running.post("acme").status, running.post("bolt", OF_BOLT).status] == [202, 202]

        own_redis.start()

        folder = tmp_path / "data" / "journal"
        eventually(lambda: not list(folder.iterdir()), "the journal is handed on")
        with running.ledger("acme") as acme, running.ledger("bolt") as bolt:
            assert acme.find(KEY) is not None and acme.find(OTHER_UUID) is None
            assert bolt.find(OTHER_UUID) is not None and bolt.find(KEY) is None


def test_what_waits_of_an_account_that_is_gone_is_set_aside(own_redis: RedisServer, tmp_path: Path) -> None:
    accounts = {"acme": table("acme"), "bolt": table("bolt")}
    with deployment(own_redis.url, tmp_path, accounts, journal_mb=1) as running:
        assert [running.post("acme").status, running.post("bolt", OF_BOLT).status] == [202, 202]
        write_accounts(running.file, {"acme": table("acme")})
        eventually(lambda: running.post("bolt").status == 401, "bolt is gone", every_s=0.1)

        own_redis.start()

        folder = tmp_path / "data" / "journal"
        eventually(lambda: [one.suffix for one in folder.iterdir()] == [".refused"], "bolt's is set aside")
        assert OTHER_UUID in next(folder.iterdir()).read_text()
        with running.ledger("acme") as acme:
            assert acme.find(KEY) is not None


def test_forgetting_a_person_of_one_account_leaves_the_journal_of_others_alone(tmp_path: Path) -> None:
    own, other, damaged = (
        json.dumps({"at": 1, "body": {"number": "+15550100101"}, **more})
        for more in ({"account": "acme"}, {"account": "bolt"}, {})
    )

    assert [is_of(f"0000002a 8d1f3c07 {line}\n{line}", "acme") for line in (own, other)] == [True, False]
    assert [is_of(line, "") for line in (own, damaged)] == [False, True]
    assert is_of(damaged[:-5], "acme"), "a damaged line may be of anybody"
    # What a stranger writes into a body makes it nobody else's.
    assert not is_of(json.dumps({"account": "bolt", "body": {"account": "acme"}}), "acme")
