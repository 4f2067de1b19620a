"""Choices of a rules file that are right and have no effect, or not the one that was meant. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator

from bridge.domain.contacts.contact import TEXTS, folded_title
from bridge.domain.rules.model import Rules

# Below it, a title of an attribute only looks like a field.
_NEAR = 0.75


def _sends(rules: Rules) -> bool:
    return rules.send_messages


def _gives(rules: Rules) -> bool:
    return rules.contacts_to_cloudtalk


def _takes(rules: Rules) -> bool:
    return rules.contacts_to_kustomer


def _shows_cards(rules: Rules) -> bool:
    return rules.cue_card or any(rule.then.get("cue_card") for rule in rules.rules)


def _has_fields(rules: Rules) -> bool:
    return rules.fields_as != "none" or any(
        rule.then.get("fields_as", "none") != "none" for rule in rules.rules
    )


# Choice -> what switches it on, in words, and whether that is so.
_NEEDS: dict[str, tuple[str, Callable[[Rules], bool]]] = {
    "messages.from": ("send = true in [messages]", _sends),
    **dict.fromkeys(
        ("contacts.link", "contacts.create", "contacts.tag"), ("to_cloudtalk = true in [contacts]", _gives)
    ),
    "contacts.fields": ("to_kustomer = true in [contacts]", _takes),
    **dict.fromkeys(
        ("cue_card.conversations", "cue_card.unknown", "cue_card.tags"),
        ("show = true in [cue_card], or cue_card = true in a rule", _shows_cards),
    ),
    **dict.fromkeys(
        ("fields.names", "fields.klass"),
        ('as = "conversation" or "klass" in [fields] or a rule', _has_fields),
    ),
}


def hints(rules: Rules, *, has_sms_token: bool) -> list[str]:
    """A line for each; the choices of a file, not those of one call.

    Args:
        has_sms_token: KUSTOMER_WEBHOOK_TOKEN is set.
    """
    found = [
        (place, f"has no effect without {words}")
        for place, (words, is_so) in _NEEDS.items()
        if place in rules.stated and not is_so(rules)
    ]
    found += [*_of_sending(rules, has_sms_token), *_of_contact_fields(rules)]
    return [
        f"line {rules.lines[place]}: {place} {says}" if place in rules.lines else f"{place} {says}"
        for place, says in found
    ]


def _of_sending(rules: Rules, has_sms_token: bool) -> Iterator[tuple[str, str]]:
    if not rules.send_messages:
        return
    if not has_sms_token:
        yield (
            "messages.send",
            "has no effect without KUSTOMER_WEBHOOK_TOKEN, which is not set here: every request of a "
            "workflow is refused",
        )
    if not rules.messages_from:
        yield (
            "messages.send",
            "works only for requests that name a number to send from (from), as [messages] has none",
        )


def _of_contact_fields(rules: Rules) -> Iterator[tuple[str, str]]:
    """A source that is no field of a contact is the title of an attribute; nearly a field is a slip."""
    if "contacts.fields" not in rules.stated:
        return
    for source in rules.contact_fields:
        title = folded_title(source)
        near = difflib.get_close_matches(title, TEXTS, n=1, cutoff=_NEAR)
        if near and title not in TEXTS:
            yield (
                "contacts.fields",
                f"takes {source!r} for the title of a contact's attribute; did you mean {near[0]}?",
            )
