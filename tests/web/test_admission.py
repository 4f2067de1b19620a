"""Who may post: tokens in three places, signatures in two spellings, and nobody else."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import time
from collections.abc import Callable
from typing import cast

import pytest
import redis
from pydantic import SecretStr

from bridge.ledger import keys
from bridge.web.webhooks.admission import Admission
from tests.web.serving import ENDED, SIGNING_SECRET, TOKEN, Site, signed

NOW = 1_790_000_000.0
BODY = json.dumps(ENDED).encode()


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def refused_for(store: redis.Redis) -> list[str]:
    counts = cast(dict[str, str], store.hgetall(keys.COUNTS))
    return [name.split(":")[2] for name in counts if name.startswith("refused:")]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bEaReR   {TOKEN}"},
        {"Authorization": basic("anybody", TOKEN)},
        {"Authorization": basic("", TOKEN).replace("Basic", "basic")},
        {"X-Webhook-Token": TOKEN},
        {"Authorization": "Bearer wrong", "X-Webhook-Token": TOKEN},
    ],
)
def test_a_token_admits_in_each_of_its_places(site: Site, headers: dict[str, str]) -> None:
    assert site.post(BODY, headers=headers).status == 202


@pytest.mark.parametrize(
    ("headers", "cause"),
    [
        ({}, "no-token"),
        ({"Authorization": "Bearer wrong"}, "wrong-token"),
        ({"Authorization": f"Bearer {TOKEN}x"}, "wrong-token"),
        ({"Authorization": "Bearer"}, "wrong-token"),
        ({"Authorization": TOKEN}, "wrong-token"),
        ({"Authorization": "Basic %%%"}, "wrong-token"),
        ({"Authorization": basic(TOKEN, "")}, "wrong-token"),
        ({"X-Webhook-Token": ""}, "wrong-token"),
        ({"X-Webhook-Token": b"\xff\xfe"}, "wrong-token"),
        (signed(BODY, at=NOW), "no-token"),
    ],
)
def test_without_a_good_token_nobody_is_let_in(
    site: Site, store: redis.Redis, headers: dict[str, str | bytes], cause: str
) -> None:
    answer = site.post(BODY, headers=headers)

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "WEBHOOK_TOKENS" in answer.json["hint"]
    assert refused_for(store) == [cause]


def test_each_of_several_tokens_admits(serve: Callable[..., Site]) -> None:
    site = serve(webhook_tokens=["first-token", "zweites-Schlüsselwort-ž"])

    assert site.post(BODY, headers={"X-Webhook-Token": "first-token"}).status == 202
    assert site.post(BODY, headers={"X-Webhook-Token": "zweites-Schlüsselwort-ž".encode()}).status == 200
    assert site.post(BODY, headers={"Authorization": basic("x", "zweites-Schlüsselwort-ž")}).status == 200
    assert site.post(BODY, headers={"X-Webhook-Token": "zweites"}).status == 401


def test_an_empty_token_or_secret_admits_nobody() -> None:
    assert Admission.of([SecretStr("")], [SecretStr("whsec_")]).admits_nobody


def test_with_nothing_configured_the_process_starts_warns_and_admits_nobody(
    serve: Callable[..., Site], store: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(webhook_tokens=[])

    answer = site.post(BODY, headers={"Authorization": f"Bearer {TOKEN}"})

    assert answer.status == 401
    assert refused_for(store) == ["nobody-admitted"]
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1


@pytest.fixture
def native(serve: Callable[..., Site]) -> Site:
    """A bridge that knows signatures, at a fixed time."""
    secrets = ["whsec_b3RoZXIta2V5LWZvci10ZXN0cw==", SIGNING_SECRET]
    return serve(webhook_tokens=[TOKEN], webhook_signing_secrets=secrets, app={"now": lambda: NOW})


@pytest.mark.parametrize(
    "headers",
    [
        signed(BODY, at=NOW),
        signed(BODY, at=NOW, prefix="webhook-"),
        signed(BODY, at=NOW - 300),
        signed(BODY, at=NOW + 300),
        signed(BODY, at=NOW, before="v1,Zm9yZ2Vk v2,c29tZXRoaW5n"),
        {**signed(BODY, at=NOW), "Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {TOKEN}", **signed(b"another body", at=NOW)},
    ],
)
def test_a_good_signature_or_a_good_token_admits(native: Site, headers: dict[str, str]) -> None:
    assert native.post(BODY, "", headers).status == 202


@pytest.mark.parametrize(
    ("headers", "cause"),
    [
        (signed(b"another body", at=NOW), "bad-signature"),
        (signed(BODY, at=NOW, secret="whsec_Zm9yZ2Vk"), "bad-signature"),
        ({**signed(BODY, at=NOW), "svix-id": "msg_2"}, "bad-signature"),
        ({**signed(BODY, at=NOW), "svix-signature": "v2,AAAA"}, "bad-signature"),
        ({**signed(BODY, at=NOW), "svix-signature": ""}, "bad-signature"),
        ({**signed(BODY, at=NOW), "svix-signature": b"v1,\xff"}, "bad-signature"),
        (signed(BODY, at=NOW - 301), "stale-signature"),
        (signed(BODY, at=NOW + 301), "stale-signature"),
        ({**signed(BODY, at=NOW), "svix-timestamp": "soon"}, "stale-signature"),
        ({**signed(BODY, at=NOW), "svix-timestamp": "9" * 5000}, "stale-signature"),
        ({"svix-id": "msg_1", "svix-timestamp": str(int(NOW))}, "no-token"),
    ],
)
def test_forged_and_stale_signatures_do_not_admit(
    native: Site, store: redis.Redis, headers: dict[str, str | bytes], cause: str
) -> None:
    assert native.post(BODY, "", headers).status == 401
    assert refused_for(store) == [cause]


def test_a_signed_body_is_read_to_the_limit_before_it_can_be_refused(native: Site) -> None:
    assert native.post(iter([b"x" * 65_537]), "", signed(b"", at=NOW)).status == 413
    # The signature counts before the form of the body does.
    assert native.post(b"no json", "", signed(b"other", at=NOW)).status == 401
    assert native.post(b"no json", "", signed(b"no json", at=NOW)).status == 400


def test_a_stranger_cannot_fill_redis_with_names(site: Site, store: redis.Redis) -> None:
    for trigger in ("made-up-1", "made-up-2", "call-ended"):
        site.post(BODY, trigger, {})

    assert store.hgetall(keys.COUNTS) == {"refused:other:no-token": "2", "refused:call-ended:no-token": "1"}


def test_what_was_signed_may_be_compressed_on_its_way(serve: Callable[..., Site]) -> None:
    site = serve(webhook_signing_secrets=[SIGNING_SECRET])
    raw = json.dumps(ENDED).encode()
    packed = gzip.compress(raw, mtime=0)

    for signed_bytes in (raw, packed):
        headers = {**signed(signed_bytes, at=time.time()), "Content-Encoding": "gzip"}
        assert site.post(packed, headers=headers).status in (200, 202)
        assert site.post(gzip.compress(raw + b" "), headers=headers).status == 401
