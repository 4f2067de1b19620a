"""Whether Kustomer has what `[fields]` of the rules writes to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import httpx2

from bridge.checks.check import Check
from bridge.errors import BridgeError, Unauthorized
from bridge.ledger.faults import RedisError
from bridge.ledger.health import klass_refused
from bridge.reports.service_problems import klass_remedy
from bridge.settings import Settings
from bridge.wiring import ledger_on, open_redis

_NAME = "fields"
_AT_ONCE = "callbridge calls sync CALL tries it at once, else it takes up to an hour"
_CREATE = "create it: callbridge kustomer klass prints its definition"


def look_at_fields(settings: Settings, client: httpx2.Client) -> Iterator[Check]:
    """Nothing is asked where the rules write no custom object."""
    rules = settings.rules
    forms = {rules.fields_as, *(rule.then.get("fields_as", "none") for rule in rules.rules)}
    if forms == {"none"}:
        return
    (refused, why), attributes = _refused_lately(settings)
    if "conversation" in forms and "conversation" not in attributes:
        yield Check(
            _NAME,
            "ok",
            "whether conversations have the attributes shows with the first call: one that Kustomer "
            "refuses is left out, and the call names it",
        )
    if "klass" in forms:
        for klass in sorted({rules.klass, *(rule.then.get("klass", rules.klass) for rule in rules.rules)}):
            check = _klass(settings, client, klass)
            yield check if klass != refused or check.do else _refused(klass, why)
    for noun, names in attributes.items():
        says = f"within the last hour Kustomer refused attributes of a {noun}: {', '.join(names)}"
        yield Check(_NAME, "warn", says, f"define them in Kustomer; {_AT_ONCE}")


def _refused_lately(settings: Settings) -> tuple[tuple[str, str], dict[str, list[str]]]:
    """The class that calls found refused, and why; the attributes, by what has them."""
    from bridge.sync.refused import attributes_refused_lately

    if settings.redis_url is not None:
        # Where Redis fails, its own check says so.
        with suppress(RedisError, OSError), open_redis(settings, timeout_s=3, patience=0) as client:
            ledger = ledger_on(client, settings)
            return klass_refused(ledger), attributes_refused_lately(ledger.memory)
    return ("", ""), {}


def _refused(klass: str, why: str) -> Check:
    """Kustomer shows the class, and refused what calls wrote."""
    if why == "missing":
        says = f"Kustomer has the class {klass}; it lacked it when a call was last written"
        return Check(_NAME, "ok", says, _AT_ONCE)
    says = f"Kustomer has the class {klass}, and refused the key to write objects of it"
    return Check(_NAME, "warn", says, f"{klass_remedy(why)}; {_AT_ONCE}")


def _klass(settings: Settings, client: httpx2.Client, klass: str) -> Check:
    # With the clients of the services, which take a while to load.
    from bridge.client_factory import ClientFactory

    try:
        there = ClientFactory(settings, client).kustomer().custom_objects.has_class(klass)
    except Unauthorized:
        says = f"the key may not read custom objects of class {klass}, which the rules write"
        return Check(
            _NAME, "warn", says, "give it the roles org.permission.kobject.read, .create and .update"
        )
    except BridgeError as error:
        return Check(_NAME, "warn", str(error), "try again later")
    if there is None:
        says = f"Kustomer does not tell whether it has the class {klass}: the first call shows it"
        return Check(_NAME, "warn", says, f"if its page says that the class is missing, {_CREATE}")
    if not there:
        return Check(_NAME, "warn", f"Kustomer has no class {klass} of custom objects", _CREATE)
    return Check(_NAME, "ok", f"Kustomer has the class {klass} of custom objects")
