"""The text of a call's note: by the operator's template, else the built-in one. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.note import note_before_change, note_text, title
from bridge.domain.kustomer_texts.texts import Texts
from bridge.domain.rules.model import Rules
from bridge.domain.template_fields import values_of
from bridge.domain.template_filters import TemplateProblem
from bridge.domain.templates import render_note


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteBody:
    """A note's text.

    Args:
        former: what an earlier version sent where it meant the same; made when it is asked for.
        left_out: what is to be said where the template failed.
    """

    body: str
    former: Callable[[], str]
    left_out: tuple[str, ...] = ()


def note_body(
    call: Call, rules: Rules, texts: Texts, sound: str, life: tuple[str, ...], transcript_file: str
) -> NoteBody:
    """Args: sound, life, transcript_file: see `note_text`."""
    left_out: tuple[str, ...] = ()
    if rules.note_template:
        try:
            body = _by_template(call, rules, texts, sound)
        except TemplateProblem as problem:
            line = problem.line
            left_out = (f"the note's template failed in line {line}, so the note is the built-in one",)
        else:
            if body:
                return NoteBody(body=body, former=lambda: body)
    return NoteBody(
        body=note_text(
            call, zone=rules.zone, sound=sound, life=life, texts=texts, transcript_file=transcript_file
        ),
        former=partial(note_before_change, call, zone=rules.zone, sound=sound, life=life, texts=texts),
        left_out=left_out,
    )


def _by_template(call: Call, rules: Rules, texts: Texts, sound: str) -> str:
    """Raises TemplateProblem."""
    values = values_of(call, title=title(call, texts), zone=rules.zone, recording=sound, texts=texts)
    return render_note(rules.note_template, values, call_id=call.call_id, texts=texts)
