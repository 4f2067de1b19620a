"""The facts by which `problems.py` decides what is wrong. `facts.py` reads them from Redis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# A live call is normally written within seconds.
LATE_AFTER_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A service, or one of its operations, that is closed to us.

    Attributes:
        scope: `SERVICE` or `SERVICE:OPERATION`.
        why: "Kustomer refuses the API key".
        do: what the person is asked to do there; may be empty.
    """

    scope: str
    title: str
    state: str
    why: str
    do: str = ""
    jobs_waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The fullest disk that a process of one host uses."""

    host: str
    free: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisFacts:
    """What Redis says of itself; None where it does not tell.

    Attributes:
        not_durable: why a crash of Redis would lose calls; empty where it would not, as far as known.
        used: part of the memory it may use.
    """

    not_durable: str = ""
    used: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a problem is decided by. The defaults mean that all is well.

    Attributes:
        running: kind of process -> how many run.
        budget_closed_s: service -> for how long it has been refusing requests as too many.
        live_late: live calls that are due or failing for longer than `LATE_AFTER_S`, and the oldest's age.
        refused: webhooks refused since the last accepted one, and the cause of most.
        silent_s: for how long no webhook came, of opening hours only; None where no hours are set.
        silent_after_s: how long that may be.
        unannounced: CloudTalk lists a call that began after the last webhook came.
        storage_failing: what the storage of recordings said last, if it failed and nothing was stored since.
        rules_wrong: the first mistake in the rules file, where a process does not follow it for that.
        rules_versions: version of the rules -> kinds of the processes that work by it.
        secrets_wrong: what is wrong with the file of a secret, where a process works by the one before it.
        accounts_wrong: the first mistake in the accounts file, where what was in force before it stays.
        key_missing: the id of the key that decrypts what is stored, if it is not in ENCRYPTION_KEYS.
        search_refused: the key may not search customers, as the rules wish.
        klass_refused: the class of custom objects that Kustomer refuses, and why: "missing", or "role".
        add_on_missing: the rules choose what CloudTalk's AI says, and the account lacks its add-on.
        synthetic_late_s: for how long the synthetic call has been under way, or failing, beyond its limit.
        active: names of the problems notified now: they end at lower marks.
    """

    running: Mapping[str, int] = field(default_factory=lambda: {"web": 1, "worker": 1, "clock": 1})
    closed: tuple[Closed, ...] = ()
    budget_closed_s: Mapping[str, float] = field(default_factory=dict)
    live_late: int = 0
    live_late_s: float = 0.0
    parked: int = 0
    calls_missing: int = 0
    refused: int = 0
    refused_cause: str = ""
    silent_s: float | None = None
    silent_after_s: float = 3600.0
    unannounced: bool = False
    server: RedisFacts = field(default_factory=RedisFacts)
    disks: tuple[Disk, ...] = ()
    storage_failing: str = ""
    rules_wrong: str = ""
    rules_versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    secrets_wrong: str = ""
    accounts_wrong: str = ""
    key_missing: str = ""
    search_refused: bool = False
    klass_refused: tuple[str, str] = ("", "")
    add_on_missing: bool = False
    synthetic_late_s: float = 0.0
    synthetic_says: str = ""
    active: frozenset[str] = frozenset()
