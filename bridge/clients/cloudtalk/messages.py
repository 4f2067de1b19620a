"""CloudTalk's text messages: `/sms/send.json` of the core host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.clients.cloudtalk.core import Core, response_data
from bridge.domain.webhook.values import read_flag
from bridge.errors import Rejected, Unavailable


class Messages(Core):
    def send_sms(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send a text message: each time is another message, and costs.

        Returns:
            What was handed over. CloudTalk gives no id of it.

        Raises:
            Rejected: status 400, or 200 with `success` false ("Unknown number" and the like); not sent.
            Unauthorized: the key, or status 403 where the account's credit is used up; not sent.
            NotSent, RateLimited: surely not sent.
            Unavailable: no answer, a 5xx, or one that does not say; it may have been sent.
        """
        answer = response_data("send_sms", self._send("send_sms", "POST", "/sms/send.json", body))
        success, data = read_flag(answer.get("success")), answer.get("data")
        if success is None:
            raise Unavailable("cloudtalk answered send_sms without saying whether it was sent")
        if not success:
            text = data if isinstance(data, str) else "no reason given"
            raise Rejected(f"cloudtalk did not send the message: {text}", status=200, detail=text)
        return data if isinstance(data, dict) else {}
