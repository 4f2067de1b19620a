"""The settings, read once from the environment and a `.env` file, and nowhere else.

Every wrong or missing one is named at once, in one message (`WrongUse`), so that an evening's
set-up is one round of corrections. Secrets are `SecretStr`: no `repr`, log line or page shows them.
"""

from __future__ import annotations

import base64
import ipaddress
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_serializer,
)

from bridge.domain.rules import Rules, rules_from_table
from bridge.errors import WrongUse


def _listed(value: object) -> object:
    """A comma-separated text as a list, empty parts left out."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        # A name, and it may be anybody's: 127.example.com.
        return False


def _service_url(value: str) -> str:
    """An upstream address: https, or plain http to this machine only, as keys travel on it."""
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("must be an address such as https://api.example.com")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("must start with https:// (plain http is for this machine only)")
    return value.rstrip("/")


def _redis_url(value: str) -> str:
    if not value.startswith(("redis://", "rediss://", "redis+sentinel://", "unix://")):
        raise ValueError("must start with redis://, rediss:// or redis+sentinel://")
    if value.startswith("redis+sentinel://") and not urlsplit(value).path.strip("/"):
        raise ValueError("must name the service: redis+sentinel://host:26379,host:26379/SERVICE/DB")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, ZoneInfoNotFoundError) as cause:
        raise ValueError("is not a time zone such as Europe/Prague") from cause
    return value


def _region(value: str) -> str:
    value = value.upper()
    if value not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("is not a country code of two letters such as GB")
    return value


def _signing_secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError as cause:
        raise ValueError("holds a secret that is not whsec_ followed by base64") from cause
    if not key:
        # Everybody could sign with it.
        raise ValueError("holds a secret with nothing after whsec_")
    return value


ServiceUrl = Annotated[str, AfterValidator(_service_url)]
Secrets = Annotated[list[SecretStr], BeforeValidator(_listed)]
Via = Literal["direct", "membrane"]
ServiceName = Literal["cloudtalk", "kustomer"]
Need = Literal["redis", "membrane", "cloudtalk", "kustomer"]
SERVICES: tuple[ServiceName, ...] = get_args(ServiceName)


class Settings(BaseModel):
    """All settings of all commands; `need()` says which of them a command cannot do without."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # Hidden from `repr` and from JSON: a password may stand in it.
    redis_url: Annotated[str, AfterValidator(_redis_url)] | None = Field(default=None, repr=False)
    webhook_tokens: Secrets = []
    webhook_signing_secrets: Annotated[
        list[Annotated[SecretStr, AfterValidator(_signing_secret)]], BeforeValidator(_listed)
    ] = []

    cloudtalk_via: Via = "direct"
    kustomer_via: Via = "direct"
    cloudtalk_access_key_id: SecretStr | None = None
    cloudtalk_access_key_secret: SecretStr | None = None
    cloudtalk_api_url: ServiceUrl = "https://my.cloudtalk.io/api"
    cloudtalk_analytics_url: ServiceUrl = "https://analytics-api.cloudtalk.io/api"
    cloudtalk_ai_url: ServiceUrl = "https://api.cloudtalk.io/v1"
    cloudtalk_platform_url: ServiceUrl = "https://platform-api.cloudtalk.io/api"
    kustomer_api_key: SecretStr | None = None
    kustomer_api_url: ServiceUrl = "https://api.kustomerapp.com"
    membrane_api_url: ServiceUrl = "https://api.getmembrane.com"
    membrane_token: SecretStr | None = None
    membrane_workspace_key: SecretStr | None = None
    membrane_workspace_secret: SecretStr | None = None
    membrane_tenant_key: SecretStr | None = None
    # Ids or keys of the connections.
    membrane_cloudtalk_connection: str | None = None
    membrane_kustomer_connection: str | None = None
    # How often a connection that is down is looked at.
    membrane_check_every_s: float = Field(default=30, gt=0)
    cloudtalk_requests_per_minute: int = Field(default=50, ge=1)
    kustomer_requests_per_minute: int = Field(default=900, ge=1)
    cloudtalk_window_s: float = Field(default=60, gt=0)
    kustomer_window_s: float = Field(default=60, gt=0)

    recordings_url: str = "file:"
    recording_retention_days: float | None = Field(default=None, gt=0)
    # Of one recording: about 9 hours of CloudTalk's WAV.
    recording_max_mb: int = Field(default=500, ge=1)
    # Where people reach the web process, for links in notes.
    public_url: ServiceUrl | None = None

    ops_token: SecretStr | None = None
    metrics_public: bool = False
    data_dir: Path = Path(".callbridge")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    log_format: Literal["console", "json"] | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    callbridge_rules: Path | None = None

    phone_region: Annotated[str, AfterValidator(_region)] | None = None
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    event_retention_days: float = Field(default=30, gt=0)
    output_retention_days: float = Field(default=400, gt=0)
    # How often the clock compares CloudTalk's calls with the ledger; 0: never.
    reconcile_every_s: float = Field(default=300, ge=0)
    worker_threads: int = Field(default=8, ge=1, le=256)
    # always: whatever was acknowledged survives a kill -9 and a power cut. everysec: with a disk that keeps
    # up, all of it a kill -9, and all but the last second a power cut.
    redis_appendfsync: Literal["always", "everysec"] = "always"
    # The embedded server: the one that the install brings, or one on PATH.
    redis_server: Literal["bundled", "path"] = "bundled"
    # What a 2xx promises: Redis holds the event in memory, has it on disk, or a replica has it too.
    accept_after: Literal["memory", "disk", "replica"] = "memory"
    # Beyond it the answer is 503; with time left to give it within the promised 2 s.
    accept_within_ms: int = Field(default=1300, ge=10, le=1400)
    # How much a web process may keep on its own disk while Redis is away; 0: nothing, it answers 503.
    journal_mb: int = Field(default=0, ge=0, le=10_000)

    # Filled from CALLBRIDGE_RULES, PHONE_REGION and TIME_ZONE.
    rules: Rules = Field(default_factory=Rules, exclude=True)

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, dotenv: Path | None = Path(".env")) -> Settings:
        """Read the settings; the environment wins over the file.

        Raises:
            WrongUse: names every setting that is wrong, and how, in one message.
        """
        found: dict[str, Any] = {}
        if dotenv is not None and dotenv.is_file():
            found.update(_named(dotenv_values(dotenv, interpolate=False)))
        found.update(_named(environ))
        found = {name: value for name, value in found.items() if name in cls.model_fields and name != "rules"}
        for name in ("log_level", "log_format"):
            if name in found:
                found[name] = found[name].upper() if name == "log_level" else found[name].lower()

        wrong: list[str] = []
        values: Settings | None = None
        try:
            values = cls.model_validate(found)
        except ValidationError as error:
            wrong += [_told(e["loc"], e["msg"], e["type"]) for e in error.errors(include_input=False)]
        rules, complaints = _read_rules(found)
        wrong += complaints
        if wrong or values is None:
            raise WrongUse("Wrong settings:\n" + "\n".join(f"  {line}" for line in dict.fromkeys(wrong)))
        return values.model_copy(
            update={"rules": rules.placed(region=values.phone_region, zone=values.time_zone)}
        )

    def need(self, *what: Need) -> Settings:
        """Check that everything `what` wants is there, a service by the road that is set for it.

        Raises:
            WrongUse: names every missing setting at once.
        """
        missing: list[str] = []
        if "redis" in what and self.redis_url is None:
            missing.append(
                "REDIS_URL  such as redis://127.0.0.1:6379/0 (`callbridge up` brings a server of its own)"
            )
        if "cloudtalk" in what and self.cloudtalk_via == "direct":
            where = "CloudTalk: Account > Settings > API keys"
            missing += [
                f"{name.upper()}  from {where}"
                for name in ("cloudtalk_access_key_id", "cloudtalk_access_key_secret")
                if getattr(self, name) is None
            ]
        if "kustomer" in what and self.kustomer_via == "direct" and self.kustomer_api_key is None:
            missing.append("KUSTOMER_API_KEY  from Kustomer: Settings > Security > API Keys")
        roads = [name for name in ("cloudtalk", "kustomer") if getattr(self, f"{name}_via") == "membrane"]
        taken = [name for name in roads if name in what]
        if taken or "membrane" in what:
            missing += self._missing_of_membrane()
        missing += [
            f"MEMBRANE_{name.upper()}_CONNECTION  the id or key of the connection, as Membrane shows it"
            for name in taken
            if getattr(self, f"membrane_{name}_connection") is None
        ]
        if missing:
            raise WrongUse("Missing settings (environment or .env):\n" + "\n".join(f"  {m}" for m in missing))
        return self

    @property
    def through_membrane(self) -> dict[str, str]:
        """Service -> id or key of its connection, of those that are reached by that road."""
        return {
            name: getattr(self, f"membrane_{name}_connection") or ""
            for name in SERVICES
            if getattr(self, f"{name}_via") == "membrane"
        }

    def _missing_of_membrane(self) -> list[str]:
        """A ready token is enough; without one, what tokens are made of."""
        if self.membrane_token is not None:
            return []
        from_where = {
            "membrane_workspace_key": "from Membrane's console: Settings > Workspace (or set MEMBRANE_TOKEN)",
            "membrane_workspace_secret": "from the same place",
            "membrane_tenant_key": "any fixed name of yours, such as callbridge: whose connections they are",
        }
        return [f"{name.upper()}  {text}" for name, text in from_where.items() if getattr(self, name) is None]

    @field_serializer("redis_url", when_used="json-unless-none")
    def _without_password(self, value: str) -> str:
        return f"{value.partition(':')[0]}://…"

    def secrets(self) -> Iterable[str]:
        """Every secret text in use, for a test that looks for them where they must not be."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, SecretStr):
                    yield item.get_secret_value()


# Membrane's own material has two spellings of each.
_OTHER_SPELLINGS = {"membrane_api_uri": "membrane_api_url", "membrane_access_token": "membrane_token"}


def _named(source: Mapping[str, str | None]) -> dict[str, str]:
    """The variables of one source by the names of our fields; ours win over other spellings.

    One that is set to nothing is not set: that is how most tools unset one.
    """
    found = {name.lower(): value for name, value in source.items() if value and value.strip()}
    for other, name in _OTHER_SPELLINGS.items():
        if other in found:
            found.setdefault(name, found[other])
    return found


def _told(where: tuple[int | str, ...], message: str, kind: str) -> str:
    name = str(where[0]).upper() if where else "?"
    return f"{name}  {message.removeprefix('Value error, ')}"


def _read_rules(found: Mapping[str, Any]) -> tuple[Rules, list[str]]:
    name = found.get("callbridge_rules")
    if not name:
        return Rules(), []
    path = Path(name)
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        return Rules(), [f"CALLBRIDGE_RULES  cannot read {path}: {error.strerror}"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Rules(), [f"CALLBRIDGE_RULES  {path} is not TOML: {error}"]
    rules, complaints = rules_from_table(table)
    return rules, [f"CALLBRIDGE_RULES  {path}: {text}" for text in complaints]
