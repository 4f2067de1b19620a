"""Choices of `[recording]`: what becomes of recordings."""

from __future__ import annotations

from bridge.domain.rules import model as rules_model
from bridge.domain.rules.choice import AMOUNT_RIGHT, BOOL, Choice, as_tuple, one_of
from bridge.domain.rules.values import Amount, Name

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="recording", name="fetch", field="record", kind=bool, right=BOOL,
        says="fetch recordings; false: they stay in CloudTalk",
        costs="1 of CloudTalk, and 1 of Kustomer to attach it",
    ),
    Choice(
        section="recording", name="transcode", field="transcode", kind=bool, right=BOOL,
        says="make a small MP3; false: store and attach only the WAV",
    ),
    Choice(
        section="recording", name="attach", field="attach", kind=rules_model.Attach,
        right=one_of(rules_model.Attach),
        says="attach the small MP3; the original WAV; or never: storage only",
    ),
    Choice(
        section="recording", name="largest_attachment_mb", field="largest_attachment", kind=Amount,
        right=AMOUNT_RIGHT, says="above this, the note links to the player instead",
        read=lambda megabytes: int(megabytes * 1_000_000), shown=lambda size: size / 1_000_000,
    ),
    Choice(
        section="recording", name="link", field="link", kind=rules_model.Link, right=one_of(rules_model.Link),
        says="who can play through that link: people who sign in; anyone who has it (signed); or no link",
    ),
    Choice(
        section="recording", name="link_days", field="link_days", kind=Amount, right=AMOUNT_RIGHT, read=int,
        says="days from the call until a signed link expires",
    ),
    Choice(
        section="recording", name="public_link", field="public_link", kind=bool, right=BOOL,
        says="use CloudTalk's public link if its API has no recording",
    ),
    Choice(
        section="recording", name="do_not_record", field="do_not_record", kind=list[Name], read=as_tuple,
        right='a list of texts such as ["+15550100101"]', private=True,
        says="never fetch recordings with these numbers, the customer's or yours", example='["+15550100101"]',
    ),
)  # fmt: skip
