"""A recording as the output of an operation: small ones in JSON, all of them as a stream."""

from __future__ import annotations

import base64

from pydantic import BaseModel, Field

from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.cloudtalk.requests import OneCall
from bridge.errors import WrongUse

# A quarter of an hour of CloudTalk's WAV. More than that belongs into a file rather than into JSON.
LARGEST_INLINE = 15_000_000


class Recording(BaseModel):
    content_type: str = Field(description="audio/x-wav")
    size: int = Field(description="bytes")
    content_base64: str


def whole_recording(cloudtalk: CloudTalk, wanted: OneCall) -> Recording:
    """Raises WrongUse where it is too large for JSON."""
    content = bytearray()
    with cloudtalk.recordings.get(wanted.call_id) as download:
        for chunk in download.chunks:
            content += chunk
            if len(content) > LARGEST_INLINE:
                raise WrongUse(
                    f"the recording of call {wanted.call_id} is larger than {LARGEST_INLINE // 1_000_000} MB,"
                    " too much for JSON: write it to a file (-o FILE)"
                )
    return Recording(
        content_type=download.content_type,
        size=len(content),
        content_base64=base64.b64encode(content).decode(),
    )
