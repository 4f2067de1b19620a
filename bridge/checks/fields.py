"""Whether Kustomer has what `[fields]` of the rules writes to."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2

from bridge.checks.check import Check
from bridge.errors import BridgeError, Unauthorized
from bridge.settings import Settings

_NAME = "fields"
_CREATE = "create it: callbridge kustomer klass prints its definition"


def look_at_fields(settings: Settings, client: httpx2.Client) -> Iterator[Check]:
    """Nothing is asked where the rules write no custom object."""
    rules = settings.rules
    forms = {rules.fields_as, *(rule.then.get("fields_as", "none") for rule in rules.rules)}
    if "conversation" in forms:
        yield Check(
            _NAME,
            "ok",
            "whether conversations have the attributes shows with the first call: one that Kustomer "
            "refuses is left out, and the call names it",
        )
    if "klass" in forms:
        for klass in sorted({rules.klass, *(rule.then.get("klass", rules.klass) for rule in rules.rules)}):
            yield _klass(settings, client, klass)


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
