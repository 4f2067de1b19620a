"""Is everything there that the bridge needs, and what to do where it is not."""

from __future__ import annotations

import secrets
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx2
from pydantic import SecretStr

from bridge.checks.check import Check, clock, not_answered
from bridge.checks.cue_cards import look_at_cue_cards
from bridge.checks.encryption import look_at_encryption
from bridge.checks.fields import look_at_fields
from bridge.checks.owners import look_at_owners
from bridge.checks.pages import look_at_pages
from bridge.checks.redis_server import (
    fault_check,
    look_at_pauses,
    look_at_processes,
    look_at_redis,
    look_at_schema,
)
from bridge.clients.replies import is_page
from bridge.domain.webhook.json_values import read_json
from bridge.errors import BridgeError, Unavailable
from bridge.ledger.faults import RedisError
from bridge.setting_values import GOOD_TOKEN
from bridge.settings import Settings
from bridge.wiring import ledger_on, open_connections, open_recordings, open_redis, proof
from bridge.wording import counted


def examine(settings: Settings, client: httpx2.Client, *, posts: bool = True) -> Iterator[Check]:
    """All checks, in the order in which to mend what they find.

    Args:
        posts: False: what can be found out only by posting something to a service is not tried. For a page,
            which looks again and again.
    """
    yield Check("settings", "ok", "readable and valid")
    for notice in settings.notices:
        yield Check("settings", "warn", notice, "rename or remove it")
    yield from _tokens(settings)
    yield _data_folder(settings.data_dir)
    yield _certificates()
    yield from _redis(settings)
    if settings.rules.record or any(rule.then.get("record") for rule in settings.rules.rules):
        yield _recordings(settings)
    if settings.through_membrane:
        # The table of actions takes a while to load, and who has keys does without it.
        from bridge.checks.membrane import look_at_membrane

        yield from look_at_membrane(settings, client)
    yield from _direct(settings, client, posts=posts)
    if settings.cloudtalk_via != "direct" or _cloudtalk_request(settings) is not None:
        yield from look_at_cue_cards(settings, client, posts=posts)
    if settings.kustomer_via != "direct" or settings.kustomer_api_key is not None:
        yield from look_at_owners(settings, client)
        yield from look_at_fields(settings, client)
    yield from look_at_pages(settings)


def _direct(settings: Settings, client: httpx2.Client, *, posts: bool) -> Iterator[Check]:
    """The services that are reached with keys of our own."""
    if settings.cloudtalk_via == "direct":
        yield from _cloudtalk(settings, client)
    if settings.kustomer_via == "direct":
        yield from _kustomer(settings, client, posts=posts)


def _cloudtalk(settings: Settings, client: httpx2.Client) -> Iterator[Check]:
    yield from _upstream(
        "CloudTalk",
        client,
        _cloudtalk_request(settings),
        missing="CLOUDTALK_ACCESS_KEY_ID and CLOUDTALK_ACCESS_KEY_SECRET, from Account > Settings > API keys",
        refused="create a new key in CloudTalk: Account > Settings > API keys",
    )


def _kustomer(settings: Settings, client: httpx2.Client, *, posts: bool) -> Iterator[Check]:
    yield from _upstream(
        "Kustomer",
        client,
        _kustomer_request(settings),
        missing="KUSTOMER_API_KEY, from Settings > Security > API Keys",
        refused="check the key's expiry, roles and allowed addresses in Kustomer (Settings > Security > "
        "API Keys), and KUSTOMER_API_URL: EU keys do not work in the US",
    )
    if posts and settings.rules.searches and settings.kustomer_api_key is not None:
        yield from _search_role(settings, client)


def _search_role(settings: Settings, client: httpx2.Client) -> Iterator[Check]:
    """The rules have customers searched, which needs a role of its own."""
    key = settings.kustomer_api_key
    assert key is not None  # noqa: S101  # checked by the caller
    # Nobody has this number.
    body = {"or": [{"customer_phone": {"equals": "+15550100000"}}], "queryContext": "customer"}
    try:
        response = client.post(
            f"{settings.kustomer_api_url}/v1/customers/search?page=1&pageSize=1",
            json=body,
            headers={"Authorization": f"Bearer {key.get_secret_value()}"},
        )
    except (httpx2.RequestError, Unavailable):
        # Said of the key already.
        return
    if response.status_code in (401, 403):
        yield Check(
            "Kustomer, search",
            "warn",
            "the key may not search customers, as [customer] of the rules wishes",
            "give the key the role org.permission.search.create, or set search = false in [customer]",
        )


def _tokens(settings: Settings) -> Iterator[Check]:
    if settings.webhook_tokens or settings.webhook_signing_secrets:
        count = len(settings.webhook_tokens)
        yield Check(
            "webhook tokens",
            "ok",
            f"{counted(count, 'token')}, {counted(len(settings.webhook_signing_secrets), 'signing secret')}",
        )
    else:
        yield Check(
            "webhook tokens",
            "FAIL",
            "none set; every webhook is refused",
            "set WEBHOOK_TOKENS to a long random text",
        )
    mended = "add a longer one; both are accepted meanwhile"
    if any(_is_short(token) for token in settings.webhook_tokens):
        yield Check("webhook tokens", "warn", f"one has fewer than {GOOD_TOKEN} characters", mended)
    if settings.ops_token is not None and _is_short(settings.ops_token):
        yield Check("OPS_TOKEN", "warn", f"fewer than {GOOD_TOKEN} characters", "use a longer one")
    if short := [one.name for one in settings.ops_tokens if _is_short(one.token)]:
        whose = ", ".join(short)
        yield Check(
            "OPS_TOKENS", "warn", f"fewer than {GOOD_TOKEN} characters: {whose}", "give them longer ones"
        )


def _is_short(token: SecretStr) -> bool:
    return len(token.get_secret_value()) < GOOD_TOKEN


def _data_folder(folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check(
            "data folder", "FAIL", f"{folder}: {error.strerror}", "set DATA_DIR to a writable folder"
        )
    return Check("data folder", "ok", f"{folder.absolute()} is writable")


def _recordings(settings: Settings) -> Check:
    """Whether a recording could be kept: a small file is written, read, and removed."""
    name = "recordings"
    try:
        kept = open_recordings(settings)
        trial = f"check-{secrets.token_hex(8)}.txt"
        kept.write(trial, [b"callbridge doctor"], content_type="text/plain")
        try:
            b"".join(kept.open(trial))
        finally:
            kept.delete(trial)
    except (BridgeError, OSError) as error:
        return Check(name, "FAIL", str(error), "see RECORDINGS_URL in deploy/README.md")
    return Check(name, "ok", "RECORDINGS_URL can be written, read and deleted")


def _certificates() -> Check:
    count = ssl.create_default_context().cert_store_stats()["x509_ca"]
    paths = ssl.get_default_verify_paths()
    # A folder of certificates is read only when one of them is needed.
    folder = Path(paths.capath) if paths.capath else None
    if count or (folder is not None and folder.is_dir() and any(folder.iterdir())):
        return Check("certificates", "ok", "system CA certificates found")
    return Check("certificates", "FAIL", "no system CA certificates found", "apt-get install ca-certificates")


def _redis(settings: Settings) -> Iterator[Check]:
    if settings.redis_url is None:
        yield Check(
            "Redis",
            "FAIL",
            "REDIS_URL is not set and no `up` is running",
            "set REDIS_URL, or start `callbridge up`",
        )
        return
    try:
        with open_redis(settings, timeout_s=3, patience=0) as client:
            yield from look_at_redis(client, proof(settings))
            yield look_at_schema(client)
            yield look_at_processes(client)
            yield from look_at_pauses(open_connections(settings, ledger_on(client, settings)))
            yield from look_at_encryption(settings, ledger_on(client, settings))
    except (RedisError, OSError) as error:
        yield fault_check("Redis", error)


def _cloudtalk_request(settings: Settings) -> Callable[[httpx2.Client], httpx2.Response] | None:
    key, secret = settings.cloudtalk_access_key_id, settings.cloudtalk_access_key_secret
    if key is None or secret is None:
        return None
    auth = (key.get_secret_value(), secret.get_secret_value())
    url = f"{settings.cloudtalk_api_url}/agents/index.json"
    # Without a User-Agent their edge answers 403 in HTML; httpx2 sends one.
    return lambda client: client.get(url, params={"limit": 1}, auth=auth)


def _kustomer_request(settings: Settings) -> Callable[[httpx2.Client], httpx2.Response] | None:
    if settings.kustomer_api_key is None:
        return None
    headers = {"Authorization": f"Bearer {settings.kustomer_api_key.get_secret_value()}"}
    # Not /users/current, the usual check of a key: that needs a role which the bridge can do without.
    url = f"{settings.kustomer_api_url}/v1/customers?page=1&pageSize=1"
    return lambda client: client.get(url, headers=headers)


def _upstream(
    name: str,
    client: httpx2.Client,
    ask: Callable[[httpx2.Client], httpx2.Response] | None,
    *,
    missing: str,
    refused: str,
) -> Iterable[Check]:
    if ask is None:
        return [Check(name, "FAIL", "no key", f"set {missing}")]
    try:
        response = ask(client)
    except (httpx2.RequestError, Unavailable) as error:
        return [not_answered(name, error)]
    checks = [_verdict(name, response, refused)]
    try:
        theirs = parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError, TypeError):
        return checks
    if theirs.tzinfo is not None:
        checks.append(clock(name, (theirs - datetime.now(UTC)).total_seconds()))
    return checks


def _verdict(name: str, response: httpx2.Response, refused: str) -> Check:
    status = response.status_code
    if status < 300:
        if is_page(response) or not _is_data(response):
            says = "answered with something other than data, such as a web page"
            return Check(name, "FAIL", says, "check its address and any proxy; it may be under maintenance")
        return Check(name, "ok", "API key accepted")
    if status in (401, 403):
        return Check(name, "FAIL", f"API key refused ({status})", refused)
    if status == 429:
        return Check(name, "warn", "rate limit reached (429)", "try again in a minute")
    if status >= 500:
        return Check(name, "warn", f"fault on its side ({status})", "try again later")
    return Check(name, "FAIL", f"answered {status}", "check its address in the settings")


def _is_data(response: httpx2.Response) -> bool:
    try:
        return isinstance(read_json(response.content), dict)
    except (ValueError, RecursionError):
        return False
