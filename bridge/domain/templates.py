"""Names and notes that the operator writes as templates (Jinja2), safe by construction.

`template_fields.py` has what they know of a call, `template_engine.py` how they are held to half a second and
64 KiB. A template that fails on a call, or makes nothing of it, leaves the built-in text in its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bridge.domain.kustomer_texts.our_lines import finished_note
from bridge.domain.kustomer_texts.texts import ENGLISH, Texts
from bridge.domain.template_engine import Kind, compiled, run
from bridge.domain.template_fields import EMPTY, LONG, SAMPLE
from bridge.domain.template_filters import TemplateProblem

# A template that is empty or says no more than this needs no engine.
_TITLE = re.compile(r"\s*\{\{\s*title\s*\}\}\s*")


def check(source: str, kind: Kind = "name") -> None:
    """Read a template, and try it on calls with everything, with next to nothing, and with long texts.

    Raises:
        TemplateProblem: it is no template, uses what is not there, or takes too long.
    """
    compiled(source, kind)
    for values in (SAMPLE, EMPTY, LONG):
        run(source, values, kind=kind)


def render(source: str, values: Mapping[str, Any]) -> str:
    """Raises TemplateProblem: see `check`; also where these values make it fail."""
    if not source.strip() or _TITLE.fullmatch(source):
        return str(values["title"])
    return run(source, values, kind="name")


def render_line(source: str, values: Mapping[str, Any], otherwise: str) -> str:
    """A name: one line of text; `otherwise` where the template gives nothing or fails on this call."""
    try:
        text = render(source, values)
    except TemplateProblem:
        return otherwise
    return " ".join(text.split()) or otherwise


def render_note(
    source: str, values: Mapping[str, Any], *, call_id: int | None, texts: Texts = ENGLISH
) -> str:
    """A note that fits into Kustomer, with the line that names its call; empty where nothing is made.

    Raises:
        TemplateProblem: see `render`.
    """
    return finished_note(run(source, values, kind="note"), call_id=call_id, texts=texts)
