"""Whether CloudTalk takes cue cards, where the rules want them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import httpx2

from bridge.checks.check import Check
from bridge.domain.rules.model import Rules
from bridge.errors import BridgeError, NotThereYet, Rejected, Unauthorized
from bridge.settings import Settings

_NAME = "cue cards"
# No call has it: what CloudTalk says of it tells whether it would take a card, and shows none.
_NOBODYS = UUID("00000000-0000-8000-8000-000000000000")


def look_at_cue_cards(settings: Settings, client: httpx2.Client, *, posts: bool) -> Iterator[Check]:
    """Nothing is asked where no rule wants a card.

    Args:
        posts: False: none is sent.
    """
    if not are_wanted(settings.rules):
        return
    if posts:
        yield _sent(settings, client)
    else:
        yield Check(_NAME, "ok", "not tried here: callbridge doctor sends one of no call")


def are_wanted(rules: Rules) -> bool:
    return rules.cue_card or any(rule.then.get("cue_card") for rule in rules.rules)


def _sent(settings: Settings, client: httpx2.Client) -> Check:
    # With the clients of the services, which take a while to load.
    from bridge.client_factory import ClientFactory

    try:
        ClientFactory(settings, client).cloudtalk().cue_cards.show(
            _NOBODYS, title="callbridge doctor", content="<p>callbridge doctor</p>"
        )
    except NotThereYet:
        return Check(_NAME, "ok", "CloudTalk takes them")
    except Unauthorized as error:
        says = f"CloudTalk refuses them to the API key ({error.status})"
        return Check(_NAME, "warn", says, "ask CloudTalk whether the plan has cue cards; see the API key")
    except Rejected as error:
        says = f"CloudTalk refuses their form ({error.status}){': ' + error.detail if error.detail else ''}"
        return Check(_NAME, "warn", says, "check CLOUDTALK_PLATFORM_URL; update the bridge")
    except BridgeError as error:
        return Check(_NAME, "warn", str(error), "try again later")
    return Check(_NAME, "ok", "CloudTalk takes them")
