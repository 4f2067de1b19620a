"""Whether it is known where Kustomer's pages are, where the rules write links to them."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.checks.check import Check
from bridge.checks.cue_cards import are_wanted
from bridge.settings import Settings
from bridge.wiring import app_links


def look_at_pages(settings: Settings) -> Iterator[Check]:
    """Asks nobody. Nothing is said where no rule wants such a link."""
    rules = settings.rules
    lacking = ["cue cards"] if are_wanted(rules) else []
    if rules.contacts_to_cloudtalk and rules.contact_link:
        lacking.append("contacts in CloudTalk")
    if lacking and app_links(settings).kustomer is None:
        says = f"their address is not known, so {' and '.join(lacking)} get no links to Kustomer"
        yield Check("Kustomer pages", "warn", says, "set KUSTOMER_APP_URL")
