"""What can go wrong, typed by what to do next.

BridgeError
  Transient          keep the job, try again
    Unavailable      timeout, refused connection, 5xx: it is not known whether a write was done
      TooSlow        the answer did not come within the time for the whole, or too slowly
      AnswerTooLarge more bytes than are read of such an answer
      WebPage        a page for people where data was asked for: maintenance, a front door
    RateLimited      429, or our own budget is spent: due again at a known time
    Conflict         409: it exists by now, look again
    Busy             somebody else is at it (a lock); look again shortly
    Disconnected     a service, one operation or the connection to it is closed to us: wait until it opens
    NotThereYet      404 for something that is known to come later
    KeyMissing       stored encrypted, and its key is not in ENCRYPTION_KEYS: wait until a person adds it
  Permanent          trying again cannot help until somebody changes something
    Rejected         400, 404, 406, 410, 413, 422: this request will never be taken
      TooLarge       more bytes than the road carries
    SeveralCustomers several customers have the caller's number, and a person is to choose
    Unauthorized     401, 402, 403: the key is wrong or lacks a role, or the account is not paid
    Tampered         stored encrypted, and changed since, or moved from another place
    MaybeDone        no answer to what must not be done twice: a person has to look
  LeaseLost          the job is no longer ours: stop at once, write nothing
  WrongUse           settings, arguments or files that a person has to mend (exit code 2)
  NeedsAPerson       a key to make, a page to open: the command cannot go on without (exit code 3)
"""

from __future__ import annotations

import math


class BridgeError(Exception):
    """Something the bridge foresaw; `str()` says what was tried, on which id, and what to do."""


class Transient(BridgeError):
    """Keep the job and try again."""


class Unavailable(Transient):
    """No usable answer: timeout, broken connection or 5xx. A write may or may not have been done."""


class TooSlow(Unavailable):
    """The time for the whole request was over, or its bytes came too slowly: a reply that drips."""


class AnswerTooLarge(Unavailable):
    """The answer was larger than what is read of such an answer; how large stands in the text.

    As a lost reply: what was asked for may have been done.
    """


class WebPage(Unavailable):
    """HTML where data was asked for, whatever the status: not the service's own answer."""


class NotSent(Unavailable):
    """No connection could be made, so nothing was done there."""


class RateLimited(Transient):
    """The budget is spent, or spread over time: it says which.

    Args:
        retry_after_s: seconds until the budget opens again, if known.
        booked: a slot is kept for who asked, at just that time; else all come back to the same end of a wait.
    """

    def __init__(self, message: str, *, retry_after_s: float, booked: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s, self.booked = retry_after_s, booked

    @property
    def wait(self) -> str:
        """The same for people: never too short, so never 0 s."""
        return f"{max(1, math.ceil(self.retry_after_s))} s"


class TooManyLooks(RateLimited):
    """The part of the budget for what may not be there is spent; the rest of it is not."""


class Conflict(Transient):
    """409: the thing exists, or changed meanwhile. Look before writing again."""


class Busy(Transient):
    """Another job holds what this one needs.

    Args:
        retry_after_s: seconds until it is worth looking again.
    """

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotThereYet(Transient):
    """404 for something that may still appear (call detail shortly after a call, a recording)."""


class KeyMissing(Transient):
    """Something is stored encrypted, and the key is not among those in force.

    Args:
        key_id: 8 hex digits, by which `callbridge encryption` lists keys.
    """

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"This is encrypted with key {key_id}, which ENCRYPTION_KEYS does not hold; add that key behind "
            "the others. Nothing is lost: it is read once the key is there"
        )
        self.key_id = key_id
        # Nothing is counted as a try: a person has to act, however long that takes.
        self.retry_after_s = 20.0


# States of a service that are ours, beside Membrane's.
KEY_REFUSED, UNPAID, MAINTENANCE, ROLE_MISSING = "KEY_REFUSED", "UNPAID", "MAINTENANCE", "ROLE_MISSING"


class Disconnected(Transient):
    """A service, or its Membrane connection, does nothing for us until a person acts, or until it is back.

    Args:
        connection: id or key of the Membrane connection, as the settings name it; empty for keys of our own.
        link: what to open to reconnect it; a secret of a kind, so for pages and records, not for logs.
        text: what the person is asked to do there, in Membrane's words.
        state: as Membrane calls it, as far as it was asked; or one of ours, above.
        service: whose road it is; set by its client. `SERVICE:OPERATION` where only that one is closed.
    """

    def __init__(
        self,
        message: str,
        *,
        connection: str,
        link: str | None = None,
        text: str = "",
        state: str = "DISCONNECTED",
        service: str = "",
    ) -> None:
        super().__init__(message)
        self.connection, self.state, self.service = connection, state, service
        self.link = link
        self.text = text


class Permanent(BridgeError):
    """Parks the job with this reason, for a person to look at."""


class Rejected(Permanent):
    """The service will not take this request.

    Args:
        status: HTTP status.
        detail: what the service said, for the record and the page; never for a log line.
        places: where in the request it found the fault, as far as it named a place: `tags.3`, `/name`.
    """

    def __init__(
        self, message: str, *, status: int = 0, detail: str = "", places: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.places = places


class TooLarge(Rejected):
    """More bytes than the road carries. A request was not sent; an answer was not read."""


class SeveralCustomers(Permanent):
    """Several customers fit, or the one that a person chose is gone: a person is to choose (again)."""


class Unauthorized(Permanent):
    """The key was refused, or lacks a role for this, or the account is not paid.

    Args:
        service, operation: who refused what; empty where it was no service's operation.
        status: 401, 402 or 403.
        detail: what the service said of a role that is missing; empty where it named none.
    """

    def __init__(
        self, message: str, *, service: str = "", operation: str = "", status: int = 0, detail: str = ""
    ) -> None:
        super().__init__(message)
        self.service, self.operation = service, operation
        self.status, self.detail = status, detail


class Tampered(Permanent):
    """What is stored encrypted is not what was stored there.

    Args:
        what: what it is; nothing of its text.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} cannot be decrypted: it was changed in the store, or moved there from another place; "
            "restore it from a backup, or remove it"
        )


class MaybeDone(Permanent):
    """The answer was lost to something that repeats its effect (an SMS, a create without a key of ours).

    It may have been done. Permanent, so that nothing repeats it by itself.
    """


class LeaseLost(BridgeError):
    """The lease ran out and somebody else may hold the job: nothing may be written any more."""


class WrongUse(BridgeError):
    """A person has to change settings, arguments or a file; printed as it is, exit code 2."""


class NeedsAPerson(BridgeError):
    """Somebody has to do something elsewhere first; printed as it is, exit code 3."""
