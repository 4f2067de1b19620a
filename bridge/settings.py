"""The settings, read once from the environment and a `.env` file, and nowhere else.

Every wrong or missing one is named at once, in one message (`WrongUse`), so that an evening's
set-up is one round of corrections. Secrets are `SecretStr`: no `repr`, log line or page shows them.

A new setting is a field of `Settings` here and a line in deploy/README.md; a kind of value that is not there
yet is a type in setting_values.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bridge.account_settings import OfAccount
from bridge.domain.rules.model import Rules
from bridge.encryption.keyring import Keyring
from bridge.errors import WrongUse
from bridge.key_settings import OfKeys
from bridge.platforms import is_on_platform
from bridge.secret_files import Opened, open_secrets, secret_variables
from bridge.setting_needs import (
    SERVICES,
    Need,
    listed,
    missing_settings,
)
from bridge.setting_sources import (
    Given,
    given_again,
    misspelt_in,
    plain,
    read_file,
    read_rules,
    storage_complaints,
)
from bridge.setting_values import (
    E164,
    EncryptionKeys,
    HoursText,
    Key,
    NotifyUrls,
    OpsToken,
    OpsTokens,
    PathText,
    RedisUrl,
    Region,
    ServiceUrl,
    SigningSecrets,
    Token,
    Tokens,
    Word,
    Zone,
)

Via = Literal["direct", "membrane"]


class Settings(OfAccount, OfKeys, BaseSettings):
    """All settings of all commands; `need()` says which of them a command cannot do without."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, case_sensitive=False
    )

    # Hidden from `repr` and from JSON: a password may stand in it.
    redis_url: RedisUrl | None = Field(default=None, repr=False)
    webhook_tokens: Tokens = []
    # Of a Kustomer workflow that asks for text messages to be sent; opens /webhooks/kustomer alone.
    kustomer_webhook_token: Token | None = None
    webhook_signing_secrets: SigningSecrets = []

    cloudtalk_via: Via = "direct"
    kustomer_via: Via = "direct"
    # auto: in a backlog, workers with enough threads create many things by one request, once `doctor --bulk`
    # saw that work.
    kustomer_bulk: Literal["auto", "off"] = "auto"
    cloudtalk_access_key_id: Key | None = None
    cloudtalk_access_key_secret: Key | None = None
    cloudtalk_api_url: ServiceUrl = "https://my.cloudtalk.io/api"
    cloudtalk_analytics_url: ServiceUrl = "https://analytics-api.cloudtalk.io/api"
    cloudtalk_ai_url: ServiceUrl = "https://api.cloudtalk.io/v1"
    cloudtalk_platform_url: ServiceUrl = "https://platform-api.cloudtalk.io/api"
    kustomer_api_key: Key | None = None
    kustomer_api_url: ServiceUrl = "https://api.kustomerapp.com"
    # Membrane's own material has two spellings of each.
    membrane_api_url: ServiceUrl = Field(
        default="https://api.getmembrane.com",
        validation_alias=AliasChoices("membrane_api_url", "membrane_api_uri"),
    )
    membrane_token: Key | None = Field(
        default=None, validation_alias=AliasChoices("membrane_token", "membrane_access_token")
    )
    membrane_workspace_key: Key | None = None
    membrane_workspace_secret: Key | None = None
    membrane_tenant_key: Key | None = None
    # Ids or keys of the connections.
    membrane_cloudtalk_connection: Word | None = None
    membrane_kustomer_connection: Word | None = None
    # How often a connection that is down is looked at.
    membrane_check_every_s: float = Field(default=10, gt=0)
    cloudtalk_requests_per_minute: int = Field(default=50, ge=1)
    kustomer_requests_per_minute: int = Field(default=900, ge=1)
    cloudtalk_window_s: float = Field(default=60, gt=0)
    kustomer_window_s: float = Field(default=60, gt=0)

    # The first encrypts what is stored, all of them decrypt; `none` in the first place: they only decrypt.
    encryption_keys: EncryptionKeys = []

    recordings_url: str = "file:"
    recording_retention_days: float | None = Field(default=None, gt=0)
    # Of one recording: about 9 hours of CloudTalk's WAV.
    recording_max_mb: int = Field(default=500, ge=1)
    # Where people reach the web process, for links in notes.
    public_url: ServiceUrl | None = None
    # The services' own web pages, for links to a call there.
    kustomer_app_url: ServiceUrl | None = None
    cloudtalk_app_url: ServiceUrl | None = None

    ops_token: Token | None = None
    # More people, each with a name for the trail and a role.
    ops_tokens: OpsTokens = []
    # Whether people with the role `read` see numbers and names masked.
    read_masked: bool = True
    metrics_public: bool = False
    data_dir: PathText = Path(".callbridge")
    host: Word = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    # Of `up --sandbox`: the first port to try for its three services.
    sandbox_port: int = Field(default=8001, ge=1, le=65533)
    # For so long after SIGTERM `web` answers, not ready, and ends each connection with its answer.
    drain_s: float = Field(default=0, ge=0, le=300)
    # How many connections one address may have to `web`; 0: no bound of its own; None: a quarter of all.
    connections_per_peer: int | None = Field(default=None, ge=0)
    log_format: Literal["console", "json"] | None = None
    # Where faults are reported, scrubbed; see `bridge.error_reports`.
    sentry_dsn: SecretStr | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    callbridge_rules: PathText | None = None
    # Many companies in one deployment; see `bridge.accounts`.
    callbridge_accounts: PathText | None = None

    # Where problems and all-clears go.
    notify_urls: NotifyUrls = []
    # While nothing is sent; what is still wrong at their end is sent then.
    notify_quiet_hours: HoursText | None = None
    # When webhooks are expected, and after how many minutes of them without one a notification is sent.
    opening_hours: HoursText | None = None
    no_webhook_after_min: int = Field(default=60, ge=1)

    # A made-up call of this number goes the whole way so often, and is taken away again; 0: never.
    synthetic_call_every_s: float = Field(default=0, ge=0)
    synthetic_call_number: E164 | None = None
    # How long it may take from its webhook to its note.
    synthetic_call_late_s: float = Field(default=60, gt=0)
    # Where its webhook goes, if that is neither PUBLIC_URL nor HOST and PORT.
    synthetic_call_url: ServiceUrl | None = None

    phone_region: Region | None = None
    time_zone: Zone = "UTC"
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
    # Webhooks share one connection to Redis; without it each takes one of redis-py's pool.
    webhook_pipelining: bool = True
    # How much a web process may keep on its own disk while Redis is away; 0: nothing, it answers 503.
    journal_mb: int = Field(default=0, ge=0, le=10_000)
    # Of one trigger with one token, in each web process; 0: any number.
    webhooks_per_minute: int = Field(default=30_000, ge=0, le=10_000_000)

    # Filled from CALLBRIDGE_RULES, PHONE_REGION and TIME_ZONE.
    rules: Rules = Field(default_factory=Rules, exclude=True)

    _notices: tuple[str, ...] = PrivateAttr(default=())
    _secret_files: Mapping[str, Path] = PrivateAttr(default_factory=dict)
    _given: Mapping[str, object] = PrivateAttr(default_factory=dict)
    # See `bridge.account_settings`.
    _account: str = PrivateAttr(default="")
    # The same object in all copies: whoever has it goes by the keys in force.
    _keyring: Keyring = PrivateAttr(default_factory=Keyring)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing but what it is given: `read` says where from."""
        return (init_settings,)

    @field_validator("ops_tokens")
    @classmethod
    def _nobody_has_ops_token(cls, value: list[OpsToken], info: ValidationInfo) -> list[OpsToken]:
        for number, one in enumerate(value, 1):
            if one.token == info.data.get("ops_token"):
                raise ValueError(f"entry {number} has the token of OPS_TOKEN; give each person their own")
        return value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _any_case(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        return value.upper() if info.field_name == "log_level" else value.lower()

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, dotenv: Path | None = Path(".env")) -> Settings:
        """Read the settings; the environment wins over the file.

        Raises:
            WrongUse: names every setting that is wrong, and how, in one message.
        """
        return cls.read(environ, dotenv=dotenv).settled()

    @classmethod
    def read(cls, environ: Mapping[str, str], *, dotenv: Path | None = Path(".env")) -> Reading:
        """The same, without an end where something is wrong; see `Reading`."""
        in_file, complaints = read_file(dotenv)
        opened = open_secrets(cls, in_file, environ)
        wrong = dict.fromkeys([*complaints, *opened.wrong])
        below, above = (Given(cls, place)() for place in opened.places)
        found = below | above
        if "host" not in found and is_on_platform(environ):
            found["host"] = "0.0.0.0"  # noqa: S104  # its router is outside of this container
        values, complaints = cls.of_given(found, opened)
        wrong |= dict.fromkeys(complaints)
        places = {".env": in_file, "the environment": environ}
        values._notices = tuple(
            line for where, names in places.items() for line in misspelt_in(where, names, cls)
        )
        return Reading(settings=values, wrong=tuple(wrong))

    @classmethod
    def of_given(cls, found: Mapping[str, object], opened: Opened) -> tuple[Settings, list[str]]:
        """The settings of what was found, with defaults for what is wrong; and a line for each of that.

        Args:
            opened: where their secrets are from.
        """
        given, wrong = dict(found), []
        try:
            values = cls._of(given)
        except ValidationError as error:
            for fault in error.errors(include_input=False, include_url=False):
                name = str(fault["loc"][0])
                wrong.append(opened.complaint(name, plain(fault["msg"])))
                given.pop(name, None)
            values = cls._of(given)
        rules, complaints = read_rules(values.callbridge_rules)
        if values.synthetic_call_every_s and values.synthetic_call_number is None:
            wrong.append("SYNTHETIC_CALL_NUMBER  must name the test customer's number, such as +15550100199")
        wrong += [f"CALLBRIDGE_RULES  {line}" for line in complaints]
        wrong += storage_complaints(values.recordings_url, values.data_dir)
        values = values.model_copy(
            update={"rules": rules.placed(region=values.phone_region, zone=values.time_zone)}
        )
        values._secret_files, values._given = opened.files, given
        values.use_keys()
        return values, wrong

    @classmethod
    def _of(cls, given: Mapping[str, Any]) -> Settings:
        """Without pydantic-settings, which takes 20 ms to find that there are no other sources."""
        values = cls.__new__(cls)
        BaseModel.__init__(values, **given)
        return values

    @property
    def notices(self) -> tuple[str, ...]:
        """What is not wrong and yet probably not meant, such as a misspelt name; a line each."""
        return self._notices

    @property
    def secret_files(self) -> Mapping[str, Path]:
        """Variable, in lower case -> the file that it was read from."""
        return self._secret_files

    def with_secrets(self, texts: Mapping[str, str]) -> tuple[Settings, Mapping[str, str]]:
        """The same with other secrets, and a line by variable for each that is wrong: it stays as it was.

        Args:
            texts: variable, in lower case -> what its file holds now.
        """
        given, wrong = given_again(type(self), self._given, texts, self._secret_files)
        fields = {one.field for name, one in secret_variables(type(self)).items() if name in texts}
        again = type(self)(**given)
        settings = self.model_copy(update={name: getattr(again, name) for name in fields})
        settings._given = given
        return settings, wrong

    def need(self, *what: Need) -> Settings:
        """Check that everything `what` wants is there, a service by the road that is set for it.

        Raises:
            WrongUse: names every missing setting at once.
        """
        if missing := self.missing(*what):
            raise WrongUse(listed("Missing settings (environment or .env):", missing))
        return self

    def missing(self, *what: Need) -> list[str]:
        """Every setting that `what` wants and that is not there, with where to get it."""
        return missing_settings(self, what)

    @property
    def through_membrane(self) -> dict[str, str]:
        """Service -> id or key of its connection, of those that are reached by that road."""
        return {
            name: getattr(self, f"membrane_{name}_connection") or ""
            for name in SERVICES
            if getattr(self, f"{name}_via") == "membrane"
        }

    @field_serializer("redis_url", when_used="json-unless-none")
    def _without_password(self, value: str) -> str:
        return f"{value.partition(':')[0]}://…"

    def secrets(self) -> Iterable[str]:
        """Every secret text in use, for a test that looks for them where they must not be."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            for item in value if isinstance(value, list) else [value]:
                secret = item.token if isinstance(item, OpsToken) else item
                if isinstance(secret, SecretStr):
                    yield secret.get_secret_value()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read.

    Args:
        settings: with the defaults in place of all that is wrong.
        wrong: a line for each setting that is, which begins with its name.
    """

    settings: Settings
    wrong: tuple[str, ...]

    def settled(self, need: Collection[Need] = (), *, others: Collection[Need] = ()) -> Settings:
        """The settings, if they do.

        Args:
            need: what this process or command cannot do without.
            others: what other processes want of the same settings: added to the message, so that one round is
                enough. On its own it is no reason to refuse.
        Raises:
            WrongUse: names all that is wrong, and all that is missing, in one message.
        """
        missing = self._missing(need)
        if not self.wrong and not missing:
            return self.settings
        parts = [
            ("Wrong settings:", self.wrong),
            ("Missing settings (environment or .env):", missing),
            (
                "This process starts without these, but others need them:",
                [line for line in self._missing(others) if line not in missing],
            ),
            ("Probably misspelt:", self.settings.notices),
        ]
        raise WrongUse("\n".join(listed(heading, lines) for heading, lines in parts if lines))

    def _missing(self, what: Collection[Need]) -> list[str]:
        """What is there and wrong is not missing. With accounts, each has keys and tokens of its own."""
        if self.settings.callbridge_accounts is not None:
            what = [one for one in what if one == "redis"]
        bad = {line.partition(" ")[0].removesuffix("_FILE") for line in self.wrong}
        return [line for line in self.settings.missing(*what) if line.partition(" ")[0] not in bad]
