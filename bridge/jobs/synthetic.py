"""Sends the synthetic call the whole way, sees it arrive, and takes it away again: one step at a time.

One call at a time, and its state is kept in Redis after each step: another clock goes on with it, and none is
left behind. Kustomer documents no way to delete a conversation for good, so it is closed, renamed and marked
as deleted, and its note emptied, like a call that is forgotten on request. Reusing one conversation would
test updates, and not what every real call needs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
from pydantic import SecretStr

from bridge.boundary import boundary
from bridge.deps import Deps
from bridge.domain.outputs import OUTPUTS, TEXTS
from bridge.domain.synthetic import NAME, synthetic_body, synthetic_uuid
from bridge.errors import BridgeError, Rejected, Unauthorized
from bridge.ledger import keys
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.calls.record import Record
from bridge.ledger.keys import Lane
from bridge.ledger.synthetic import keep_synthetic, read_synthetic
from bridge.logs import get_logger

log = get_logger(__name__)

_TURN_S = 20.0
_POST_WITHIN_S = 10.0
_REMOVED = f"{NAME} (removed)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticCall:
    """
    Args:
        every_s: how often; 0: never, and the one under way is finished.
        number: of the test customer.
        late_after_s: how long it may take from webhook to note.
        web_url: where the web process is reached.
    """

    deps: Deps
    every_s: float
    number: str
    late_after_s: float
    web_url: str
    webhooks_path: str = "/webhooks"
    tokens: list[SecretStr]
    signing_secrets: list[SecretStr]
    client: httpx2.Client

    def use(self, tokens: list[SecretStr], signing_secrets: list[SecretStr]) -> None:
        """Sign in with these from the next call on."""
        self.tokens[:], self.signing_secrets[:] = tokens, signing_secrets

    # Tells one call from the next.
    token: Callable[[], str] = lambda: secrets.token_hex(6)

    def step(self) -> None:
        """Do what is next, if no other clock is at it."""
        ledger, name = self.deps.ledger, secrets.token_hex(8)
        state = read_synthetic(ledger)
        if not self.every_s and not state:
            return
        if not ledger.take_turn(keys.SYNTHETIC_TURN, name, for_ms=round(_TURN_S * 1000)):
            return
        try:
            state = read_synthetic(ledger)
            after = self._after(state, ledger.now_ms() / 1000)
            if after != state:
                keep_synthetic(ledger, after)
        finally:
            ledger.end_turn(keys.SYNTHETIC_TURN, name)

    def _after(self, state: dict[str, Any], now: float) -> dict[str, Any]:
        state = {**state, "late_after_s": self.late_after_s, "every_s": self.every_s}
        call = state.get("call")
        if call is None:
            if not self.every_s:
                return {}
            if now < state.get("next_at", 0):
                return state
            uuid = synthetic_uuid(self.token())
            call = {"uuid": uuid, "sent_at": now, "accepted": False, "ended": None, "at": "its webhook"}
            state |= {"call": call, "next_at": now + self.every_s}
            # On record before anybody else knows of it.
            keep_synthetic(self.deps.ledger, state)
        if not call["accepted"]:
            return self._post(state, call)
        if call["ended"] is None:
            return self._look(state, call, now)
        return self._remove(state, call)

    def _post(self, state: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
        ended_at = datetime.fromtimestamp(call["sent_at"], UTC)
        body = json.dumps(synthetic_body(call["uuid"], number=self.number, ended_at=ended_at)).encode()
        try:
            with boundary("synthetic.post"):
                answer = self.client.post(
                    f"{self.web_url}{self.webhooks_path}/cloudtalk/call-ended",
                    content=body,
                    headers={"content-type": "application/json", **self._credentials(body)},
                    timeout=_POST_WITHIN_S,
                )
            said = "" if answer.is_success else f"web answered its webhook {answer.status_code}"
        except (httpx2.HTTPError, BridgeError) as error:
            said = f"web did not answer its webhook ({type(error).__name__})"
        if said:
            return {**state, "call": {**call, "at": said}}
        return {**state, "call": {**call, "accepted": True, "at": "no worker has written it yet"}}

    def _credentials(self, body: bytes) -> dict[str, str]:
        """What lets it in: a token, or a signature such as CloudTalk's."""
        if self.tokens:
            return {"authorization": f"Bearer {self.tokens[0].get_secret_value()}"}
        if not self.signing_secrets:
            return {}
        secret = self.signing_secrets[0].get_secret_value().removeprefix("whsec_")
        at, name = str(self.deps.ledger.now_ms() // 1000), f"msg_{secrets.token_hex(8)}"
        text = f"{name}.{at}.".encode() + body
        mark = hmac.new(base64.b64decode(secret), text, hashlib.sha256).digest()
        signature = f"v1,{base64.b64encode(mark).decode()}"
        return {"svix-id": name, "svix-timestamp": at, "svix-signature": signature}

    def _look(self, state: dict[str, Any], call: dict[str, Any], now: float) -> dict[str, Any]:
        """Whether it has arrived, or never will."""
        ledger = self.deps.ledger
        record = ledger.read(f"uuid:{call['uuid']}")
        jobs = ledger.job_states(*record.own_keys)
        if record.synced_at is not None and record.is_written:
            took_s = max(0.0, record.synced_at.timestamp() - call["sent_at"])
            well = {"failed": "", "last_ok_at": now, "duration_s": round(took_s, 3)}
            log.info("synthetic call arrived", seconds=round(took_s, 3))
            if took_s > self.late_after_s:
                well["failed"] = f"it took {took_s:.0f} s"
            return {**state, **well, "failed_at": now, "call": {**call, "ended": now, "at": "to be removed"}}
        lost = next((f"its job is parked ({job['cause']})" for job in jobs if job["state"] == "parked"), "")
        if not lost and record.state == "skipped":
            lost = "the rules do not write it"
        if not lost and not record.exists:
            lost = "Redis has forgotten it"
        if lost:
            log.warning("synthetic call lost", why=lost)
            return {**state, "failed": lost, "failed_at": now, "call": {**call, "ended": now, "at": lost}}
        said = next((f"its job waits ({job['cause']})" for job in jobs if job.get("cause")), call["at"])
        return {**state, "call": {**call, "at": said}}

    def _remove(self, state: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
        """Take it away, in Kustomer and here."""
        record = self.deps.ledger.read(f"uuid:{call['uuid']}")
        try:
            with acting_as(BudgetRequester(lane=Lane.BACKFILL, name="synthetic")):
                self._remove_there(record)
        except BridgeError as error:
            at = f"it cannot be removed in Kustomer ({type(error).__name__})"
            return {**state, "call": {**call, "at": at}}
        if record.exists:
            self.deps.ledger.forget(record)
        return {**state, "call": None}

    def _remove_there(self, record: Record) -> None:
        kustomer, outputs = self.deps.kustomer, record.outputs
        for name in TEXTS:
            if name in outputs:
                kind = OUTPUTS[name]
                getattr(kustomer, kind.place).update(outputs[name].id, {kind.text: _REMOVED})
        if "conversation" not in outputs:
            return
        closed = {"status": "done", "name": _REMOVED}
        conversation_id = outputs["conversation"].id
        try:
            kustomer.conversations.update(conversation_id, {**closed, "deleted": True})
        except (Rejected, Unauthorized) as error:
            if getattr(error, "status", 0) == 404:
                return
            # A key without that role: closed and named, it is in nobody's way.
            kustomer.conversations.update(conversation_id, closed)
