"""Too many webhooks with one token and of one trigger are told to come again later."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from bridge.ledger.ledger import Ledger
from bridge.web.webhooks.rates import Rates
from tests.web.serving import ENDED, SIGNING_SECRET, Site, signed


def test_a_bucket_holds_a_minute_and_fills_again_with_time() -> None:
    at = [100.0]
    rates = Rates(60, clock=lambda: at[0])
    assert [rates.wait_s("token 1", "call-ended") for _ in range(61)] == [*[0.0] * 60, 1.0]
    assert rates.wait_s("token 2", "call-ended") == rates.wait_s("token 1", "call-started") == 0.0

    at[0] += 2
    assert [rates.wait_s("token 1", "call-ended") for _ in range(3)] == [0.0, 0.0, 1.0]
    at[0] += 3600
    assert [rates.wait_s("token 1", "call-ended") for _ in range(61)].count(0.0) == 60


def test_no_rate_lets_any_number_through() -> None:
    rates = Rates(0)
    assert not any(rates.wait_s("token 1", "call-ended") for _ in range(1000))


def test_over_the_rate_the_answer_is_429_with_the_time_to_wait_and_is_counted(
    serve: Callable[..., Site], ledger: Ledger
) -> None:
    site = serve(webhooks_per_minute=3)

    answers = [site.post({**ENDED, "notes": f"n{n}"}) for n in range(5)]
    other = site.post({**ENDED, "notes": "another trigger"}, "call-started")

    assert [answer.status for answer in answers] == [202, 202, 202, 429, 429]
    assert int(answers[-1].headers["retry-after"]) == 20
    assert "WEBHOOKS_PER_MINUTE" in answers[-1].json["hint"]
    assert other.status == 202
    assert ledger.counts()["refused:call-ended:rate"] == 2
    assert len(ledger.read(f"uuid:{ENDED['call_uuid']}").events) == 4
    stranger = site.post(ENDED, headers={"Authorization": "Bearer nobody"})
    assert stranger.status == 401


def test_signed_webhooks_have_a_rate_of_their_own(serve: Callable[..., Site]) -> None:
    site = serve(webhooks_per_minute=1, webhook_signing_secrets=[SIGNING_SECRET])
    assert site.post(ENDED).status == 202

    body = json.dumps({"type": "call.ended", "data": {"call_uuid": ENDED["call_uuid"]}}).encode()
    first, second = (site.post(body, "", signed(body, at=time.time(), name=name)) for name in ("a", "b"))
    wrong = site.post(body, "", signed(b"another", at=time.time()))

    assert (first.status, second.status, wrong.status) == (202, 429, 401)


def test_a_signature_beside_a_token_is_believed_only_if_it_is_right(
    serve: Callable[..., Site], ledger: Ledger
) -> None:
    site = serve(webhook_signing_secrets=[SIGNING_SECRET])
    body = json.dumps({**ENDED, "notes": "signed"}).encode()
    token = {"Authorization": "Bearer made-up-token-for-tests"}

    assert site.post(body, headers={**token, **signed(body, at=time.time())}).status == 202
    assert site.post(ENDED, headers={**token, **signed(body, at=time.time())}).status == 202

    events = ledger.read(f"uuid:{ENDED['call_uuid']}").events
    assert {event.body.get("notes"): event.signed for event in events} == {"signed": True, None: False}
