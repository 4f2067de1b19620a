"""CloudTalk's text messages: `/sms/send.json` of the core host."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from bridge.clients.careful import only_once
from bridge.clients.cloudtalk_api.core import Core, response_data
from bridge.clients.shapes import Shown, Text, Wanted
from bridge.domain.values import read_flag
from bridge.errors import Rejected, Unavailable

_NUMBER = r"^(whatsapp:)?\+[0-9]{3,15}$"


class SendSms(Wanted):
    recipient: str = Field(pattern=_NUMBER, description="E.164 with its plus; whatsapp:+… for WhatsApp")
    sender: str = Field(pattern=_NUMBER, description="a number of yours, E.164; whatsapp:+… for WhatsApp")
    message: str = Field(description="the text; empty where a WhatsApp file is sent")
    country_code: str | None = Field(default=None, description="of the recipient's number")
    images_by_url: list[Annotated[str, Field(pattern=r"^https?://\S+$")]] | None = Field(
        default=None, max_length=5, description="MMS: at most 5 addresses of at most 5 MB each"
    )
    file_by_url: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="WhatsApp only: at most 16 MB; message empty"
    )


class SentSms(Shown):
    """What was handed over. CloudTalk gives no id of it."""

    recipient: Text = None
    sender: Text = None
    message: Text = None
    country_code: Text = None


class Messages(Core):
    def send_sms(self, draft: SendSms) -> SentSms:
        """Send a text message. Never repeated by itself: each time is another message, and costs.

        Raises:
            Rejected: status 400, or 200 with `success` false ("Unknown number" and the like); not sent.
            Unauthorized: the key, or status 403 where the account's credit is used up; not sent.
            NotSent, RateLimited: surely not sent.
            MaybeDone: the answer was lost, or is a 5xx.
        """
        with only_once("send_sms", "at the contact's messages in CloudTalk"):
            told = response_data("send_sms", self._send("send_sms", "POST", "/sms/send.json", draft.wire()))
            success = read_flag(told.get("success"))
            if success is None:
                raise Unavailable("cloudtalk answered send_sms without saying whether it was sent")
        data: Any = told.get("data")
        if not success:
            text = data if isinstance(data, str) else "no reason given"
            raise Rejected(f"cloudtalk did not send the message: {text}", status=200, detail=text)
        return SentSms.read(data if isinstance(data, dict) else {})
