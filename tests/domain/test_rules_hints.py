"""What `rules check` notes of a file without mistakes."""

from __future__ import annotations

import pytest

from bridge.domain.rules.file import read_rules_text
from bridge.domain.rules.hints import hints


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ("", []),
        (
            "[messages]\nsend = true",
            [f"line 3: messages.send {says}" for says in ("has no effect without KUSTOMER", "works only")],
        ),
        ('[messages]\nfrom = "+15550100101"', ["line 3: messages.from has no effect without send = true"]),
        ("[contacts]\ncreate = true", ["line 3: contacts.create has no effect without to_cloudtalk = true"]),
        ('[contacts]\nto_cloudtalk = true\ntag = "VIP"', []),
        (
            '[contacts]\nto_kustomer = true\nfields = { nam = "name", Region = "aStr", title = "bStr" }',
            ["line 4: contacts.fields takes 'nam' for the title of a contact's attribute;"],
        ),
        ("[cue_card]\nunknown = true", ["line 3: cue_card.unknown has no effect without show = true"]),
        ("[cue_card]\nunknown = true\n[[rule]]\nthen = { cue_card = true }", []),
        ('[fields]\nklass = "phone"', ["line 3: fields.klass has no effect"]),
    ],
)  # fmt: skip
def test_what_has_no_effect_is_noted_with_its_line(text: str, noted: list[str]) -> None:
    found = read_rules_text(f"version = 2\n{text}")

    said = hints(found.rules, has_sms_token=False)

    assert not found.wrong and len(said) == len(noted)
    assert all(line.startswith(begin) for line, begin in zip(said, noted, strict=True)), said
