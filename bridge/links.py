"""Links to the player of a recording, for notes that cannot have it attached."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

_OF_AN_ORG = re.compile(r"https://([a-z0-9][a-z0-9-]*)\.api\.kustomerapp\.com(?:/|$)", re.IGNORECASE)
PLAYER = "/recordings"
_SIGNATURE_BYTES, _TIME_BYTES = 16, 5
# 21 bytes in base64: 28 characters, without padding.
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{28}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Makes and checks links. `secret` is the ledger's own (`Ledger.link_secret`), never shown."""

    secret: bytes
    public_url: str

    def for_operators(self, key: str) -> str:
        """A link that asks whoever opens it to sign in."""
        return f"{self.public_url}{PLAYER}/{quote(key, safe=':')}"

    def signed(self, key: str, *, until: datetime) -> str:
        """A link that works for whoever has it, until then. The same call and time give the same link."""
        return f"{self.for_operators(key)}?sig={self.signature(key, until=until)}"

    def signature(self, key: str, *, until: datetime) -> str:
        return self._sign(key, int(until.timestamp()))

    def admits(self, key: str, signature: str, *, now: datetime) -> bool:
        """Whether a signature is ours for this call, and has not run out. No text makes this raise."""
        if not is_signature(signature):
            return False
        raw = base64.urlsafe_b64decode(signature)
        ends = int.from_bytes(raw[:_TIME_BYTES], "big")
        # Not through a date: five bytes hold years that no calendar has.
        return hmac.compare_digest(self._sign(key, ends), signature) and now.timestamp() < ends

    def _sign(self, key: str, ends: int) -> str:
        text = f"{key}|{ends}".encode(errors="surrogatepass")
        mark = hmac.new(self.secret, text, hashlib.sha256).digest()[:_SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(ends.to_bytes(_TIME_BYTES, "big") + mark).decode()


def kustomer_pages(api_url: str) -> str | None:
    """Kustomer's pages for people, where the address of its API names the org: `https://ORG.api.kustomerapp.com`."""
    found = _OF_AN_ORG.match(api_url)
    return None if found is None else f"https://{found[1]}.kustomerapp.com"


def is_signature(text: str) -> bool:
    """Whether a text has the form of a signature; tells without a secret."""
    return _SIGNATURE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLinks:
    """Links to what a call is in the services' own web pages, where their addresses are known."""

    kustomer: str | None = None
    cloudtalk: str | None = None

    def of_call(
        self, *, call_id: int | None, conversation_id: str | None, customer_id: str | None
    ) -> list[tuple[str, str]]:
        """Words and address of each."""
        found = []
        if self.kustomer and conversation_id:
            found.append(("Conversation in Kustomer", self.conversation(conversation_id)))
        if self.kustomer and customer_id:
            found.append(("Customer in Kustomer", self.customer(customer_id)))
        if self.cloudtalk and call_id is not None:
            found.append(("Call in CloudTalk", f"{self.cloudtalk}/call-details/{call_id}"))
        return found

    def conversation(self, conversation_id: str) -> str:
        """Its page in Kustomer; empty where that address is not known."""
        return f"{self.kustomer}/app/conversations/{quote(conversation_id, safe='')}" if self.kustomer else ""

    def customer(self, customer_id: str) -> str:
        return f"{self.kustomer}/app/customers/{quote(customer_id, safe='')}" if self.kustomer else ""
