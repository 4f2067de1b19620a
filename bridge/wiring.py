"""The composition root: builds Redis clients, ledger, budgets, connections, service clients and storage from
the settings. Nothing else builds them.

The modules of the service clients are imported when one is built: a web process starts without them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import redis

from bridge.data_folder import LAST_CALL
from bridge.domain.rules.model import Rules
from bridge.errors import Unavailable, WrongUse
from bridge.ledger.budgets.budget import Budget, Share, budgets_of
from bridge.ledger.bulk import BulkRequests
from bridge.ledger.calls.inbox import Inbox
from bridge.ledger.calls.learning import Retention
from bridge.ledger.connect import connect, connect_web, is_cluster
from bridge.ledger.faults import why
from bridge.ledger.health import storage_failed, storage_works
from bridge.ledger.ledger import Ledger
from bridge.ledger.proof import Proof
from bridge.ledger.queue.claims import Claim
from bridge.ledger.queue.connections import Connections
from bridge.ledger.schema import check_schema, take_up
from bridge.links import AppLinks, kustomer_pages
from bridge.secrets_source import SecretsSource
from bridge.settings import Settings
from bridge.storage.contract import Storage
from bridge.storage.encrypted import EncryptedStorage
from bridge.storage.opening import open_storage
from bridge.storage.reporting import ReportingStorage

if TYPE_CHECKING:
    import httpx2

    from bridge.deps import Deps
    from bridge.jobs.erasure import Erasure
    from bridge.jobs.synthetic import SyntheticCall

_DAY_S = 86_400
_SEARCHES = "kustomer-search"
_SEARCHES_A_WINDOW = 60
# Each waits for its batch: with fewer, single creates are as fast, and a batch is not worth its own requests.
_LEAST_THREADS_FOR_BULK = 32
# Where a call can be seen at CloudTalk.
_CLOUDTALK_PAGES = "https://analytics.cloudtalk.io"


def open_redis(settings: Settings, *, timeout_s: float = 5.0, patience: int = 8) -> redis.Redis:
    """A client of the Redis at `REDIS_URL`; see `bridge.ledger.connect.connect`.

    Raises:
        WrongUse: REDIS_URL is missing.
    """
    url = str(settings.need("redis").redis_url)
    return connect(url, account=settings.account, timeout_s=timeout_s, patience=patience)


def is_in_cluster(settings: Settings) -> bool:
    """Whether accounts may be on different servers."""
    return is_cluster(settings.redis_url or "")


def is_on_one_server(settings: Settings) -> bool:
    """Whether the ledgers of all accounts are on the same Redis; in a cluster each has a place of its own."""
    return not is_cluster(str(settings.need("redis").redis_url))


def open_plain_redis(settings: Settings) -> redis.Redis:
    """As `open_redis`, for backups: replies stay bytes, and a large key may take a while."""
    url = str(settings.need("redis").redis_url)
    return connect(url, account=settings.account, timeout_s=60.0, patience=1, decodes=False)


def open_ledger(settings: Settings, *, timeout_s: float = 5.0, patience: int = 8) -> Ledger:
    """The ledger at `REDIS_URL`; raises as `open_redis`."""
    return ledger_on(open_redis(settings, timeout_s=timeout_s, patience=patience), settings)


def ledger_on(client: redis.Redis, settings: Settings) -> Ledger:
    return Ledger(client, keep=retention(settings), keyring=settings.keyring)


@contextmanager
def opened_ledger(settings: Settings, *, hint: str = "") -> Iterator[Ledger]:
    """The ledger for one command, closed at its end.

    Args:
        hint: what else to do after an error of Redis.
    Raises:
        Unavailable: Redis failed; one line says why.
        WrongUse: the ledger is newer than this version, or half restored.
    """
    with closing(open_ledger(settings, patience=1)) as ledger:
        try:
            check_schema(ledger)
            yield ledger
        except BrokenPipeError:
            # Of the output (`| head`): the client of Redis has an error of its own.
            raise
        except (redis.RedisError, OSError) as error:
            raise Unavailable(f"{why(error)}. `callbridge doctor` says what to do{hint}") from error


def take_up_ledger(settings: Settings) -> int | None:
    """Stamp or migrate the ledger, before a process works with it; see `bridge.ledger.schema.take_up`.

    Raises:
        WrongUse: the ledger is newer than this version, or half restored.
        Unavailable: Redis gives no answer now.
    """
    with closing(open_ledger(settings, timeout_s=1.0, patience=0)) as ledger:
        try:
            return take_up(ledger)
        except (redis.RedisError, OSError) as error:
            raise Unavailable(why(error)) from error


def open_inbox(settings: Settings, *, beside: Inbox | None = None) -> Inbox:
    """The web process's side of the ledger; raises as `open_redis`.

    Args:
        beside: of another account: its connections are shared where one server has both.
    """
    needed = proof(settings)
    url = str(settings.need("redis").redis_url)
    beside = None if is_cluster(url) else beside
    client = connect_web(
        url,
        account=settings.account,
        beside=beside.client if beside else None,
        waits_s=needed.within_ms / 1000,
    )
    options: dict[str, Any] = {
        "keep": retention(settings),
        "proof": needed,
        "is_pipelined": settings.webhook_pipelining,
        "beside": beside,
    }
    if settings.keyring.is_on:
        from bridge.ledger.calls.sealed_inbox import SealedInbox

        return SealedInbox(client, keyring=settings.keyring, **options)
    return Inbox(client, **options)


def retention(settings: Settings) -> Retention:
    return Retention(
        events_s=int(settings.event_retention_days * _DAY_S),
        outputs_s=int(settings.output_retention_days * _DAY_S),
    )


def proof(settings: Settings) -> Proof:
    return Proof(after=settings.accept_after, within_ms=settings.accept_within_ms)


def shares(settings: Settings) -> dict[str, Share]:
    """What the bridge may ask of each service."""
    return {
        "cloudtalk": Share(
            requests=settings.cloudtalk_requests_per_minute, window_s=settings.cloudtalk_window_s
        ),
        "kustomer": Share(
            requests=settings.kustomer_requests_per_minute, window_s=settings.kustomer_window_s
        ),
    }


def open_budgets(settings: Settings, ledger: Ledger) -> dict[str, Budget]:
    return budgets_of(ledger, shares(settings))


def _search_budget(settings: Settings, ledger: Ledger) -> Budget:
    """Of searches at Kustomer, of which the whole company has 100 a minute."""
    share = Share(requests=_SEARCHES_A_WINDOW, window_s=settings.kustomer_window_s)
    return budgets_of(ledger, {_SEARCHES: share})[_SEARCHES]


def open_connections(settings: Settings, ledger: Ledger) -> Connections:
    """Which of the connections that the settings name are down."""
    return Connections(
        ledger, check_every_s=settings.membrane_check_every_s, through=settings.through_membrane
    )


def open_recordings(settings: Settings) -> EncryptedStorage:
    """Where recordings are kept; one object a process.

    Raises:
        WrongUse: RECORDINGS_URL names no storage, or its library is not installed.
    """
    return EncryptedStorage(_storage(settings.recordings_url, settings.data_dir.absolute()), settings.keyring)


def journal_folder(settings: Settings) -> Path:
    """Of the process's journal, which all accounts share; an account's folder is below the deployment's."""
    of_process = settings.data_dir.parent.parent if settings.account else settings.data_dir
    return of_process / "journal"


def folders(settings: Settings) -> tuple[Path, ...]:
    """Where processes of this machine write: their disks may fill up."""
    scheme, _, path = settings.recordings_url.partition(":")
    own = Path(path) if scheme == "file" and path.startswith("/") else None
    return (settings.data_dir.absolute(), *([own] if own else []))


@cache
def _storage(url: str, data_dir: Path) -> Storage:
    return open_storage(url, data_dir=data_dir)


def open_synthetic(settings: Settings, deps: Deps, secrets: SecretsSource | None = None) -> SyntheticCall:
    """The synthetic call, on or off.

    Args:
        secrets: tells of other webhook tokens and signing secrets.
    """
    from bridge.clients.bounds import Client
    from bridge.clients.http import certificates
    from bridge.jobs.synthetic import SyntheticCall

    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
    own = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    synthetic = SyntheticCall(
        deps=deps,
        every_s=settings.synthetic_call_every_s,
        number=settings.synthetic_call_number or "",
        late_after_s=settings.synthetic_call_late_s,
        web_url=settings.synthetic_call_url or settings.public_url or own,
        webhooks_path=settings.webhooks_path,
        tokens=list(settings.webhook_tokens),
        signing_secrets=list(settings.webhook_signing_secrets),
        client=Client(certificates=certificates),
    )
    if secrets is not None:
        secrets.on_change(lambda new: synthetic.use(new.webhook_tokens, new.webhook_signing_secrets))
    return synthetic


def open_deps(
    settings: Settings,
    ledger: Ledger,
    *,
    client: httpx2.Client | None = None,
    still_ours: Callable[[Claim], None] | None = None,
    rules: Callable[[], Rules] | None = None,
    secrets: SecretsSource | None = None,
    in_bulk: bool = False,
) -> Deps:
    """Everything that jobs work with.

    Args:
        in_bulk: many jobs run at once in this process, so that their creates may be sent together.
        rules: tells the rules in force; by default those that the settings were read with.
        secrets: tells of other keys; without it those of the settings stay in use.
    Raises:
        WrongUse: names every setting that is missing.
    """
    from bridge.client_factory import ClientFactory
    from bridge.clients.http import make_client
    from bridge.deps import Deps

    settings.need("redis", "cloudtalk", "kustomer")
    budgets, connections = open_budgets(settings, ledger), open_connections(settings, ledger)
    clients = ClientFactory(settings, client or make_client())
    if secrets is not None:
        secrets.on_change(clients.use)
    return Deps(
        ledger=ledger,
        cloudtalk=clients.cloudtalk(budgets["cloudtalk"], connections.gate("cloudtalk")),
        kustomer=clients.kustomer(
            budgets["kustomer"],
            connections.gate("kustomer"),
            _search_budget(settings, ledger),
            _bulk_requests(settings, ledger, budgets["kustomer"]) if in_bulk else None,
        ),
        rules=settings.rules,
        rules_now=rules,
        connections=connections,
        looks={service: partial(clients.look, service) for service in settings.through_membrane},
        public_url=settings.pages_url,
        app_links=app_links(settings),
        open_storage=lambda: ReportingStorage(
            open_recordings(settings),
            failed=partial(storage_failed, ledger),
            works=partial(storage_works, ledger),
        ),
        largest_recording=settings.recording_max_mb * 1_000_000,
        still_ours=still_ours or (lambda claim: None),
    )


def _bulk_requests(settings: Settings, ledger: Ledger, budget: Budget) -> BulkRequests | None:
    """None where they are off, or too few jobs run at once for a batch."""
    if settings.kustomer_bulk == "off" or settings.worker_threads < _LEAST_THREADS_FOR_BULK:
        return None

    def backlog() -> int:
        due = sum(lane.due + lane.running for lane in ledger.queue().values())
        return due + sum(int(lane["jobs"]) for lane in budget.state()["waiting"].values())

    return BulkRequests(ledger, backlog)


def preview_deps(settings: Settings, ledger: Ledger, rules: Rules, client: httpx2.Client) -> Deps:
    """As `open_deps`, without keys and budgets.

    Args:
        client: with a transport that sends nothing.
    """
    from bridge.actions.rehearsal import without_keys
    from bridge.deps import Deps
    from bridge.jobs.rehearsal import NoFile

    clients = without_keys(client)
    assert clients.cloudtalk is not None and clients.kustomer is not None  # noqa: S101  # both were asked for
    return Deps(
        ledger=ledger,
        cloudtalk=clients.cloudtalk,
        kustomer=clients.kustomer,
        rules=rules,
        connections=open_connections(settings, ledger),
        public_url=settings.pages_url,
        app_links=app_links(settings),
        open_storage=lambda: cast("Storage", NoFile()),
        debounced=False,
    )


def open_erasure(
    settings: Settings,
    ledger: Ledger,
    *,
    who: str,
    rules: Rules | None = None,
    remove_at: Collection[str] = (),
    ask: Callable[[Callable[[], object]], object] | None = None,
) -> Erasure:
    """What forgets calls. Without the services' keys, all of them can be forgotten here.

    Raises:
        WrongUse: something is to be removed at a service, and its keys are missing.
    """
    from bridge.jobs.erasure import Erasure

    services: Deps | None = None
    try:
        services = open_deps(settings, ledger)
    except WrongUse:
        if remove_at:
            raise
    return Erasure(
        ledger=ledger,
        storage=open_recordings(settings),
        rules=rules or settings.rules,
        journal=journal_folder(settings),
        account=settings.account,
        keyring=settings.keyring,
        files=[settings.data_dir / LAST_CALL],
        who=who,
        services=services,
        remove_at=remove_at,
        ask=ask or (lambda question: question()),
        kustomer_url=settings.kustomer_api_url,
    )


def app_links(settings: Settings) -> AppLinks:
    """CloudTalk's pages are where its API is CloudTalk's own; Kustomer's have the company's name in them, as
    the address of its API may."""
    is_theirs = settings.cloudtalk_api_url == Settings.model_fields["cloudtalk_api_url"].default
    return AppLinks(
        kustomer=settings.kustomer_app_url or kustomer_pages(settings.kustomer_api_url),
        cloudtalk=settings.cloudtalk_app_url or (_CLOUDTALK_PAGES if is_theirs else None),
    )
