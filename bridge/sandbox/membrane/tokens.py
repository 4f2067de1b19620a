"""Who asks: the tenant's token, signed with the workspace's secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from bridge.sandbox import MEMBRANE_WORKSPACE_KEY, MEMBRANE_WORKSPACE_SECRET

_HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


class BadToken(ValueError):
    """Says which check failed; the real service does not."""


def tenant_of(authorization: str, *, now_s: float, secret: str | None = None) -> str:
    """The tenant key in a bearer token, in either form of the claims.

    Raises:
        BadToken
    """
    scheme, _, token = authorization.partition(" ")
    parts = token.strip().split(".")
    if scheme.lower() != "bearer" or len(parts) != 3:
        raise BadToken("no bearer token of three parts")
    header, claims = _decoded(parts[0]), _decoded(parts[1])
    hash_ = _HASHES.get(str(header.get("alg")))
    if hash_ is None:
        raise BadToken("an algorithm that is not taken")
    signed = f"{parts[0]}.{parts[1]}".encode()
    expected = hmac.new((secret or MEMBRANE_WORKSPACE_SECRET).encode(), signed, hash_).digest()
    if not hmac.compare_digest(expected, _bytes(parts[2])):
        raise BadToken("signed with another secret")
    ends_at = claims.get("exp")
    if isinstance(ends_at, bool) or not isinstance(ends_at, int | float) or ends_at <= now_s:
        raise BadToken("expired, or without an end")
    if claims.get("workspaceKey", claims.get("iss")) != MEMBRANE_WORKSPACE_KEY:
        raise BadToken("of another workspace")
    tenant = claims.get("tenantKey", claims.get("id"))
    if not isinstance(tenant, str) or not tenant:
        raise BadToken("of no tenant")
    return tenant


def _bytes(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (ValueError, binascii.Error) as cause:
        raise BadToken("not base64url") from cause


def _decoded(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(part))
    except (ValueError, RecursionError) as cause:
        raise BadToken("not JSON") from cause
    if not isinstance(value, dict):
        raise BadToken("not an object")
    return value
