"""All families of `/metrics`: the one list. The package says which are global and which a process's own."""

from __future__ import annotations

from bridge.domain.outputs import OUTPUTS
from bridge.domain.webhook.events import OTHER_TRIGGERS, STAGE_OF
from bridge.ledger.keys import LANE_NAMES
from bridge.ledger.measures import EDGES
from bridge.ledger.processes import KINDS as PROCESSES
from bridge.ledger.queue.connections import SERVICES
from bridge.ledger.queue.kinds import KINDS
from bridge.metrics.accounts import FAMILIES as ACCOUNTS
from bridge.metrics.family import GLOBAL, Family

TRIGGERS = (*sorted(STAGE_OF.keys() | OTHER_TRIGGERS), "other")
ANSWERS = ("accepted", "duplicate", "held", "refused")
LANES = tuple(LANE_NAMES.values())
_KINDS = tuple(KINDS)
_STATES = ("due", "overdue", "waiting", "running")
# Those that end most jobs that are given up, or tried again; others come as they happen.
_CAUSES = ("Rejected", "Unauthorized", "Unavailable", "crashed", "fault")
_RETRIES = (
    "Busy",
    "Conflict",
    "Disconnected",
    "RateLimited",
    "TooSlow",
    "Unauthorized",
    "Unavailable",
    "fault",
)
_REFUSED = ("no-token", "wrong-token", "bad-signature", "not-json", "too-large", "rate")
# Requests that workers send for calls; those of other actions come as they are sent.
OPERATIONS = (
    *(
        ("cloudtalk", name)
        for name in (
            "add_tags", "agents", "call_detail", "call_details_link", "call_sentiment", "call_smart_notes",
            "call_summary", "call_talk_ratio", "call_topics", "call_transcription", "check",
            "create_contact", "cue_card", "get_contact", "list_calls", "list_contacts", "recording",
            "update_contact",
        )
    ),
    *(
        ("kustomer", name)
        for name in (
            "check", "company", *(name for kind in OUTPUTS.values() for name in kind.requests)
        )
    ),
)  # fmt: skip
_STATUSES = ("200", "429", "unreachable")
# In seconds; a web process answers within 2 s.
WEBHOOK_EDGES = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)


def _global(name: str, kind: str, help: str, **more: object) -> Family:
    return Family(name=f"callbridge_{name}", kind=kind, help=GLOBAL + help, **more)  # type: ignore[arg-type]


LEDGER_UP = Family(name="callbridge_ledger_up", kind="gauge", help="1 when Redis answers.")

# From Redis: the same whichever web process is asked.
SHARED = (
    _global(
        "jobs", "gauge",
        "jobs by lane: due (nobody holds it), overdue (due for more than 5 s, part of due), "
        "waiting (planned for later), running.",
        labels={"lane": LANES, "state": _STATES},
    ),
    _global(
        "jobs_by_kind", "gauge",
        "the same by lane and kind; of a very long queue, the jobs that are due first.",
        labels={"lane": LANES, "kind": _KINDS, "state": _STATES},
    ),
    _global(
        "oldest_due_seconds", "gauge", "for how long the oldest due job of a lane has been due.",
        labels={"lane": LANES},
    ),
    _global(
        "oldest_due_by_kind_seconds", "gauge",
        "for how long the oldest due job of a lane and kind has been due.",
        labels={"lane": LANES, "kind": _KINDS},
    ),
    _global(
        "job_runs", "counter", "runs of jobs, by how they ended.",
        labels={"kind": _KINDS, "end": ("done", "again", "dropped", "failed", "later", "parked", "paused")},
    ),
    _global(
        "job_wait_seconds", "histogram", "from the time a job was due until a worker took it.",
        labels={"lane": LANES}, edges=EDGES["job_wait"],
    ),
    _global(
        "retries", "counter", "runs after which a job is tried again because of an error, by its cause.",
        labels={"cause": _RETRIES},
    ),
    _global(
        "parked", "gauge", "jobs given up, waiting for a person.",
        labels={"kind": _KINDS, "cause": _CAUSES},
    ),
    _global("held", "gauge", "webhooks that cannot be tied to a call, kept."),
    _global(
        "webhooks", "counter", "webhooks let in, by what became of them.",
        labels={"trigger": TRIGGERS, "answer": ANSWERS[:3]},
    ),
    _global("duplicates", "counter", "webhooks that repeat an earlier one.", labels={"trigger": TRIGGERS}),
    _global(
        "refused", "counter", "webhooks not let in, by cause.",
        labels={"trigger": TRIGGERS, "cause": _REFUSED},
    ),
    _global(
        "call_end_to_note_seconds", "histogram",
        "from a call's own end to the creation of its note in Kustomer, once a call.",
        edges=EDGES["end_to_note"],
    ),
    _global(
        "call_end_to_recording_seconds", "histogram",
        "from a call's own end until its recording is attached in Kustomer, once a call.",
        edges=EDGES["end_to_recording"],
    ),
    _global(
        "missed_open", "gauge",
        "missed calls, each item once, that no call with talk time has followed, of the last 30 days.",
    ),
    _global(
        "missed_call_back_seconds", "histogram",
        "from the start of a missed call until somebody talked with its caller, once an item.",
        edges=EDGES["call_back"],
    ),
    _global(
        "ring_to_cue_card_seconds", "histogram",
        "from the newest webhook that a call rings until its cue card was shown, once a call.",
        edges=EDGES["ring_to_card"],
    ),
    _global(
        "customers", "counter", "customers of new calls, by how they were matched.",
        labels={"match": ("phone", "external_id", "created")},
    ),
    _global(
        "attachments_orphaned", "counter",
        "attachments registered in Kustomer that no note names, left by crashes and lost replies.",
    ),
    _global(
        "calls_missing", "gauge",
        "calls of CloudTalk's list that the last comparison did not find here or in Kustomer.",
    ),
    _global(
        "calls_recovered", "counter",
        "calls without a webhook, found in CloudTalk's list and written because Kustomer lacked them.",
    ),
    _global("calls_duplicated", "gauge", "calls with more than one conversation, by the last audit."),
    _global(
        "last_webhook_timestamp_seconds", "gauge",
        "when a webhook was last let in; 0: never. Other processes' are up to 5 s late.",
    ),
    _global(
        "last_reconcile_timestamp_seconds", "gauge",
        "when a comparison with CloudTalk's list last ended; 0: never.",
    ),
    _global(
        "last_synthetic_call_timestamp_seconds", "gauge",
        "when the synthetic call last reached Kustomer; 0: never, or it is off.",
    ),
    _global(
        "synthetic_call_duration_seconds", "gauge",
        "how long the last synthetic call took from its webhook to its note.",
    ),
    _global("last_audit_timestamp_seconds", "gauge", "when an audit last ended; 0: never."),
    _global(
        "upstream_requests", "counter", "requests to CloudTalk and Kustomer, by how they ended.",
        labels={"service": SERVICES, "operation": (), "status": _STATUSES},
        zeros=tuple((*operation, status) for operation in OPERATIONS for status in _STATUSES),
    ),
    _global(
        "upstream_request_duration_seconds", "histogram",
        "how long requests took; of a recording, until its first byte.",
        labels={"service": SERVICES, "operation": ()}, zeros=OPERATIONS, edges=EDGES["upstream"],
    ),
    _global(
        "budget_left", "gauge", "requests that the bridge may still send to a service in this window.",
        labels={"service": SERVICES},
    ),
    _global(
        "budget_limit", "gauge", "the bridge's share: requests in a window.",
        labels={"service": SERVICES},
    ),
    _global(
        "budget_waiting", "gauge", "jobs that wait for a slot of a service.",
        labels={"service": SERVICES, "lane": LANES},
    ),
    _global(
        "budget_drain_seconds", "gauge",
        "until the last of those who wait now has its slot, at the share of now.",
        labels={"service": SERVICES, "lane": LANES},
    ),
    _global(
        "connection_up", "gauge",
        "0 while a service, or one of its actions, is closed to us, and jobs that need it wait.",
        labels={"service": SERVICES},
    ),
    _global(
        "processes", "gauge", "processes that run, one for each web, worker and clock command.",
        labels={"kind": PROCESSES},
    ),
    _global("threads", "gauge", "threads for work of all processes of a kind.", labels={"kind": PROCESSES}),
    _global("threads_busy", "gauge", "those of them that have something to do.", labels={"kind": PROCESSES}),
    Family(
        name="callbridge_ledger_other_events",
        kind="gauge",
        help="Messages and changes of contacts that are kept: they speak of no call, and are not held.",
    ),
    _global("redis_memory_bytes", "gauge", "memory that Redis uses."),
    _global("redis_memory_limit_bytes", "gauge", "Redis' maxmemory; 0: none."),
    _global("redis_last_save_timestamp_seconds", "gauge", "when Redis last wrote a snapshot."),
    _global("redis_last_save_ok", "gauge", "0 if Redis' last snapshot failed."),
    _global("redis_aof_enabled", "gauge", "1 if Redis keeps an append-only file."),
    _global("redis_aof_ok", "gauge", "0 if Redis could not write its append-only file."),
    _global(
        "storage_up", "gauge", "0 while recordings cannot be stored: the storage rejected the last one.",
    ),
    _global("storage_bytes", "gauge", "size of all stored recordings; the clock measures it each hour."),
    _global("storage_objects", "gauge", "how many files of recordings are stored; measured with it."),
)  # fmt: skip

# Of the web process that is asked.
OWN = (
    Family(
        name="callbridge_webhook_duration_seconds",
        kind="histogram",
        help="How long this web process took to answer a webhook.",
        labels={"trigger": TRIGGERS, "answer": ANSWERS},
        edges=WEBHOOK_EDGES,
    ),
    Family(
        name="callbridge_journal_events",
        kind="gauge",
        help="Webhooks in this web process's journal, waiting for Redis.",
    ),
    Family(name="callbridge_journal_bytes", kind="gauge", help="Size of this web process's journal."),
    Family(
        name="callbridge_journal_oldest_seconds",
        kind="gauge",
        help="For how long the oldest webhook in this web process's journal has waited.",
    ),
    Family(
        name="callbridge_journal_set_aside",
        kind="gauge",
        help="Files of damaged or refused records in DATA_DIR/journal, waiting for a person.",
    ),
    Family(
        name="callbridge_journal_stuck",
        kind="gauge",
        help="Files in DATA_DIR/journal that cannot be read or removed; the log names them.",
    ),
    Family(
        name="callbridge_http_cut",
        kind="counter",
        help="Connections to this web process that were closed or refused, by cause.",
        labels={"cause": ()},
    ),
    Family(name="callbridge_http_connections", kind="gauge", help="Open connections to this web process."),
    Family(
        name="callbridge_http_connections_limit",
        kind="gauge",
        help="Connection limit of this web process; beyond it, the longest waiting one is closed.",
    ),
    Family(
        name="callbridge_disk_free_bytes",
        kind="gauge",
        help="Free space on the disk of this web process's DATA_DIR.",
    ),
    Family(
        name="callbridge_disk_size_bytes",
        kind="gauge",
        help="Size of the disk of this web process's DATA_DIR.",
    ),
    Family(
        name="callbridge_build",
        kind="info",
        help="The version of this web process.",
        labels={"version": ()},
    ),
)

ALL = (LEDGER_UP, *SHARED, *ACCOUNTS, *OWN)
BY_NAME = {family.name: family for family in ALL}
