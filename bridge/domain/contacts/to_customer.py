"""What of a contact goes to its customer: what is empty in Kustomer, or was the bridge's own. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.domain.choosing import has_number, is_number
from bridge.domain.contacts.contact import Contact, folded_title
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.values import read_flag, read_name

# Documented of a customer's phones and e-mails.
MOST_ENTRIES = 10
_LONGEST_NAME = 256
_LISTS = ("phones", "emails")
# What an entry of a customer's list is written with; it may be read with more.
_PARTS = ("type", "phone", "email", "verified")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the contact says, by the fields of the customer that it is for.

    Args:
        unfit: sentences about values that the field cannot hold.
    """

    name: str | None = None
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    custom: Mapping[str, Any] = field(default_factory=dict)
    unfit: tuple[str, ...] = ()

    @property
    def is_nobody(self) -> bool:
        """Nothing in it tells who it is."""
        return not self.phones and not self.emails


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """
    Args:
        changes: the fields to send, in Kustomer's spelling; lists are whole.
        sent: what is the bridge's own after that: to be kept, and given to the next merge.
        left: sentences about what a person decides; none names anybody.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    sent: Mapping[str, Any] = field(default_factory=dict)
    left: tuple[str, ...] = ()


def wanted_of(contact: Contact, rules: Rules) -> Wanted:
    """By the rules' mapping: field of the contact, or title of an attribute -> field of the customer."""
    targets = {target: source for source, target in rules.contact_fields.items()}
    custom: dict[str, Any] = {}
    unfit = []
    for target, source in targets.items():
        if target in (*_LISTS, "name"):
            continue
        text = contact.texts.get(folded_title(source))
        if text is None:
            continue
        value = _as_custom(target, text)
        if value is None:
            unfit.append(f"{target}: the contact's {source} does not fit")
        else:
            custom[target] = value
    name = contact.name if targets.get("name") == "name" else None
    if "name" in targets and targets["name"] != "name":
        name = read_name(contact.texts.get(folded_title(targets["name"])))
    return Wanted(
        name=name[:_LONGEST_NAME] if name else None,
        phones=contact.phones[:MOST_ENTRIES] if "phones" in targets else (),
        emails=contact.emails[:MOST_ENTRIES] if "emails" in targets else (),
        custom=custom,
        unfit=tuple(unfit),
    )


def merge(
    wanted: Wanted,
    customer: Mapping[str, Any],
    sent: Mapping[str, Any],
    *,
    given_name: str | None = None,
    placeholder: str = "",
    taken: Sequence[str] = (),
    region: str | None = None,
) -> Merged:
    """What to change of a customer as it was just read.

    A value goes over where the customer's is empty, or still the one that the bridge sent. What a person
    wrote, emptied or removed stays: the contact's value is sent once, and not again after that. Numbers and
    e-mails are added, never taken away.

    Args:
        customer: its attributes, in Kustomer's spelling.
        sent: `Merged.sent` of the last time.
        given_name: the name that the contact has from the customer: never sent back.
        placeholder: the name that the bridge gave for want of one.
        taken: numbers and e-mails that belong to other customers.
    """
    changes: dict[str, Any] = {}
    kept = dict(sent)
    left = list(wanted.unfit)
    if wanted.name is not None and wanted.name != given_name:
        shown = read_name(customer.get("name"))
        if shown not in (None, wanted.name) and _is_stand_in(shown, placeholder, wanted, region):
            shown = None
            kept.pop("name", None)
        _single("name", wanted.name, shown, kept, changes, left)
    shown_custom = customer.get("custom")
    there = shown_custom if isinstance(shown_custom, Mapping) else {}
    own: dict[str, Any] = {}
    ours = dict(kept.get("custom", {}))
    for name, value in wanted.custom.items():
        _single(name, value, there.get(name), ours, own, left)
    if own:
        # Whether the attributes that are not named stay is not documented.
        kept_custom = {key: one for key, one in there.items() if not _is_masked(one)}
        changes["custom"] = {**kept_custom, **own}
    if ours:
        kept["custom"] = ours
    for name, part, values in (("phones", "phone", wanted.phones), ("emails", "email", wanted.emails)):
        _list(name, part, values, customer, kept, changes, left, taken=taken, region=region)
    return Merged(changes=changes, sent=kept, left=tuple(left))


def carried_out(
    sent: Mapping[str, Any], begun: Mapping[str, Any], customer: Mapping[str, Any]
) -> dict[str, Any]:
    """What was sent last, with a change whose reply was lost, as far as the customer shows it."""
    kept = dict(sent)
    if "name" in begun and read_name(customer.get("name")) == read_name(begun["name"]):
        kept["name"] = begun["name"]
    shown = customer.get("custom")
    there = shown if isinstance(shown, Mapping) else {}
    custom = {name: value for name, value in begun.get("custom", {}).items() if there.get(name) == value}
    if custom:
        kept["custom"] = {**kept.get("custom", {}), **custom}
    for name, part in (("phones", "phone"), ("emails", "email")):
        entries = {_same(str(one.get(part) or "")) for one in _entries(customer, name)}
        found = [value for value in begun.get(name, ()) if _same(value) in entries]
        if found:
            kept[name] = list(dict.fromkeys([*kept.get(name, ()), *found]))
    return kept


def of_changes(changes: Mapping[str, Any], merged: Mapping[str, Any]) -> dict[str, Any]:
    """What to remember of a change that is about to be sent, for `carried_out`."""
    names = (name for name in ("name", "custom", *_LISTS) if name in changes and name in merged)
    return {name: merged[name] for name in names}


def _single(
    name: str,
    value: Any,
    shown: Any,
    kept: dict[str, Any],
    changes: dict[str, Any],
    left: list[str],
) -> None:
    """One field that holds one value."""
    ours = kept.get(name)
    if shown == value:
        return
    if shown in (None, ""):
        if ours == value:
            # A person emptied it.
            left.append(f"{name}: emptied in Kustomer, so it is not filled again")
            return
    elif shown != ours:
        left.append(f"{name}: Kustomer has another, which the bridge did not write; a person decides")
        return
    changes[name] = kept[name] = value


def _list(
    name: str,
    part: str,
    values: Sequence[str],
    customer: Mapping[str, Any],
    kept: dict[str, Any],
    changes: dict[str, Any],
    left: list[str],
    *,
    taken: Sequence[str],
    region: str | None,
) -> None:
    """Numbers or e-mails: those that the customer lacks are added, once each."""
    shared = f"shared{name[0].upper()}{name[1:]}"
    entries = _entries(customer, name)
    stored = [str(one.get(part) or "") for one in [*entries, *_entries(customer, shared)]]
    seen = list(kept.get(name, ()))
    missing = [one for one in values if not _has(stored, one, part, region)]
    removed = [one for one in missing if one in seen]
    others = [one for one in missing if one not in seen and one in taken]
    new = [one for one in missing if one not in seen and one not in taken]
    room = max(0, MOST_ENTRIES - len(entries))
    if removed:
        left.append(f"{name}: {len(removed)} removed in Kustomer, so not added again")
    if others:
        left.append(f"{name}: {len(others)} belong to another customer; a person decides")
    if new[room:]:
        left.append(f"{name}: {len(new[room:])} left out, Kustomer takes {MOST_ENTRIES}")
    added = new[:room]
    if added:
        kind = "other"
        changes[name] = [
            *({key: one[key] for key in _PARTS if one.get(key) is not None} for one in entries),
            *({"type": kind, part: value} for value in added),
        ]
    # Also those that were there before: a person who removes one later means it.
    present = [one for one in values if one not in missing]
    if present or added:
        kept[name] = list(dict.fromkeys([*seen, *present, *added]))


def _has(stored: Sequence[str], value: str, part: str, region: str | None) -> bool:
    if part == "phone":
        return has_number(stored, value, region=region)
    return value.casefold() in {one.strip().casefold() for one in stored}


def _entries(customer: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = customer.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _same(text: str) -> str:
    return text.strip().casefold() if "@" in text else "".join(c for c in text if c.isdigit())


def _is_stand_in(shown: str, placeholder: str, wanted: Wanted, region: str | None) -> bool:
    """A name that the bridge gave for want of one: its own, or nothing but the number."""
    return shown == placeholder or any(is_number(shown, one, region=region) for one in wanted.phones)


def _is_masked(value: Any) -> bool:
    """Shown so to a key that may not see it: it must not be written back."""
    return isinstance(value, str) and len(value) > 0 and not value.strip("*•")


def _as_custom(name: str, text: str) -> Any:
    """A text as the attribute's ending wants it; None: it does not fit."""
    if name.endswith("Num"):
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            return None
        if number != number or abs(number) >= 2**53:
            return None
        return int(number) if number.is_integer() else number
    return read_flag(text) if name.endswith("Bool") else text
