"""The rules in deploy/README.md: `python -m bridge.reports.rules_handbook` puts them there."""

from __future__ import annotations

from pathlib import Path

from bridge.domain.rules.writing import sections_of_handbook
from bridge.reports.note_gallery import gallery

_BEGIN = "<!-- {}: made by python -m bridge.reports.rules_handbook -->"
_END = "<!-- end of {} -->"


def written(document: str) -> str:
    """The document with the choices of now."""
    for name, text in (*sections_of_handbook(), ("notes", gallery())):
        begin, end = _BEGIN.format(name), _END.format(name)
        before, _, rest = document.partition(begin)
        _, _, after = rest.partition(end)
        document = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return document


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "deploy" / "README.md"
    path.write_text(written(path.read_text("utf-8")), "utf-8")
