"""What deploy/ says of the rules: `python -m bridge.reports.rules_handbook` puts it there."""

from __future__ import annotations

from pathlib import Path

from bridge.domain.rules.writing import sections_of_handbook
from bridge.reports.note_gallery import gallery

_BEGIN = "<!-- {}: made by python -m bridge.reports.rules_handbook -->"
_END = "<!-- end of {} -->"


PAGES = ("rules.md", "calls.md", "notes.md")


def written(document: str) -> str:
    """The document with the choices of now, where it has a mark for them."""
    for name, text in (*sections_of_handbook(), ("notes", gallery())):
        begin, end = _BEGIN.format(name), _END.format(name)
        if begin not in document:
            continue
        before, _, rest = document.partition(begin)
        _, _, after = rest.partition(end)
        document = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return document


if __name__ == "__main__":
    for path in (Path(__file__).parents[2] / "deploy" / name for name in PAGES):
        path.write_text(written(path.read_text("utf-8")), "utf-8")
