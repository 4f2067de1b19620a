"""Faults on cue: which one, for which request, how often."""

from __future__ import annotations

import base64
import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Fault(BaseModel):
    """One thing that goes wrong, for the next requests that fit.

    kind:
        status        answered with `status` in the service's own error shape; nothing is applied
        lose_reply    applied, then the connection breaks without an answer
        drop_request  the connection breaks before anything is applied
        delay         applied at once, answered `seconds` later
        cut           answered, but the connection breaks after `after_bytes` of the body, or half of it
        slow          answered at `bytes_per_s`
        body          answered `body_status` with `content` of `content_type`; nothing is applied
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["status", "lose_reply", "drop_request", "delay", "cut", "slow", "body"]
    status: int = Field(default=503, ge=400, le=599)
    seconds: float = Field(default=1.0, ge=0)
    after_bytes: int | None = Field(default=None, ge=0)
    bytes_per_s: float = Field(default=1000.0, gt=0)
    content: str = ""  # base64
    body_status: int = Field(default=200, ge=200, le=599)
    content_type: str = "text/html; charset=utf-8"
    method: str | None = None
    path: str | None = None  # searched for in the decoded path; None is any path
    times: int = Field(default=1, ge=1)
    headers: dict[str, str] = Field(
        default_factory=dict
    )  # sent with `status` or `body`, beside the usual ones

    @field_validator("content", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value

    @field_validator("content")
    @classmethod
    def _is_base64(cls, value: str) -> str:
        base64.b64decode(value, validate=True)
        return value

    @field_validator("path")
    @classmethod
    def _is_a_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _spell_the_method(self) -> Fault:
        if self.method is not None:
            self.method = self.method.upper()
        return self

    def fits(self, method: str, path: str) -> bool:
        return (self.method is None or self.method == method) and (
            self.path is None or re.search(self.path, path) is not None
        )


class Faults:
    """Faults in the order they were asked for; each is gone when it has happened `times` times."""

    def __init__(self) -> None:
        self.pending: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self.pending.append(fault)

    def take(self, method: str, path: str) -> Fault | None:
        for fault in self.pending:
            if fault.fits(method, path):
                fault.times -= 1
                if fault.times == 0:
                    self.pending.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self.pending.clear()
