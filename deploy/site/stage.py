"""The documents, made ready for Sphinx: a folder with the same names, in which every link leads to a page.

On GitHub a link may lead to a folder or to a source file. A folder has no page, so its link becomes plain
text; a file is offered as a download.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from deploy.site.navigation import HOME, NAVIGATION, PAGES

# [text](target), where the text may be an image; and images alone.
_LINK = re.compile(r"(?<!!)\[((?:!\[[^\]]*\]\([^)]*\)|[^\[\]])*)\]\(([^)\s]+)\)")
_IMAGE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"(?ms)^( *)```.*?^ *```$")


def stage(root: Path, folder: Path) -> None:
    """Puts all pages, and the pictures and files that they name, into `folder`."""
    for name in PAGES:
        page = _Page(root, folder, name)
        text = page.relinked((root / name).read_text("utf-8"))
        page.target.parent.mkdir(parents=True, exist_ok=True)
        page.target.write_text(text + (_toctrees() if name == HOME else ""), "utf-8")


class _Page:
    def __init__(self, root: Path, folder: Path, name: str) -> None:
        self._root, self._folder, self._at = root, folder, Path(name).parent
        self.target = folder / ("index.md" if name == HOME else name)

    def relinked(self, text: str) -> str:
        """The text with links as the site needs them; code stays as it is."""
        done, end = [], 0
        for code in _FENCED.finditer(text):
            done += [self._links_of(text[end : code.start()]), code.group()]
            end = code.end()
        return "".join([*done, self._links_of(text[end:])])

    def _links_of(self, text: str) -> str:
        for image in _IMAGE.findall(text):
            self._bring(image)
        return _LINK.sub(self._link, text)

    def _link(self, match: re.Match[str]) -> str:
        label, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match.group()
        path, hash_, anchor = target.partition("#")
        name = os.path.normpath(self._at / path)
        if (self._root / name).is_dir():
            if f"{name}/README.md" not in PAGES:
                return label
            path, name = f"{path.rstrip('/')}/README.md", f"{name}/README.md"
        if name == HOME:
            path = f"{path.removesuffix(HOME)}index.md"
        elif name not in PAGES:
            self._bring(path)
        return f"[{label}]({path}{hash_}{anchor})"

    def _bring(self, path: str) -> None:
        """A picture, or a file to download, that a page names."""
        name = os.path.normpath(self._at / path)
        source, target = self._root / name, self._folder / name
        if not name.startswith("..") and source.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _toctrees() -> str:
    parts = []
    for caption, names in NAVIGATION.items():
        lines = "\n".join(names)
        parts.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n")
    return "\n" + "\n".join(parts)
