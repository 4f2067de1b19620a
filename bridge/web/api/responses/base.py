"""What every answer of `/api` has in common, and the answer to a request that is refused."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """What is wrong, and what to do about it."""

    error: str
    hint: str
