"""Bill of materials (CycloneDX 1.6) and licences of what is installed to run the bridge.

    python -m deploy.sbom FILE        of this environment: the packages of the run lock
    python -m deploy.sbom --licences  rewrites deploy/LICENSES.md

The same packages give the same file: no serial number, and the time is SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

LOCK = Path("deploy/requirements.lock")
TABLE = Path("deploy/LICENSES.md")
PROJECT = "callbridge"

# Licences that may be installed. The second row asks for the source of a changed package; we change none.
ALLOWED = {
    "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0",
    "LGPL-3.0-or-later", "MPL-2.0",
}  # fmt: skip

# Their metadata say less than their licence file does.
_READ_IN_THEIR_FILES = {"jinja2": "BSD-3-Clause"}
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_NEED = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[([^]]*)])?")
_PIN = re.compile(r"(?m)^([a-z0-9._-]+)==(\S+)[^\\\n]*\\\n((?: +--hash=sha256:[0-9a-f]+(?: \\)?\n?)+)")


def of_folder(
    packages: Path, *, lock: Path, debian: Mapping[str, tuple[str, str]], epoch: int
) -> dict[str, Any]:
    """Of an image: the Python packages in a folder, and Debian's (name -> version, architecture)."""
    found = _installed([str(packages)])
    wrong = set(found) - set(locked(lock)) - {PROJECT}
    if wrong:
        raise SystemExit(f"deploy/sbom: installed but not locked: {', '.join(sorted(wrong))}")
    return _bill(found, lock, debian, epoch)


def of_environment(*, lock: Path = LOCK, epoch: int = 0) -> dict[str, Any]:
    """Of the packages of the lock that are installed beside this Python."""
    found = _installed(sys.path)
    names = {*locked(lock), PROJECT}
    return _bill({name: one for name, one in found.items() if name in names}, lock, {}, epoch)


def as_text(bill: Mapping[str, Any]) -> str:
    return json.dumps(bill, indent=1, sort_keys=True) + "\n"


def locked(lock: Path) -> dict[str, tuple[str, ...]]:
    """Name -> hashes of the files that may be installed for it."""
    return {
        name: tuple(re.findall(r"sha256:([0-9a-f]+)", hashes))
        for name, _, hashes in _PIN.findall(lock.read_text("utf-8"))
    }


def licence(one: Distribution) -> str:
    """An SPDX expression, or a text that is none and that ALLOWED does not have."""
    if said := _field(one, "License-Expression"):
        return said
    name, text = _name(one), _field(one, "License")
    if name in _READ_IN_THEIR_FILES:
        return _READ_IN_THEIR_FILES[name]
    if text in ALLOWED:
        return text
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in one.metadata.get_all("Classifier") or []
        if line.startswith("License :: ")
    ]
    return " OR ".join(sorted(_CLASSIFIERS.get(line, line) for line in classifiers)) or text[:60] or "unknown"


def is_allowed(expression: str) -> bool:
    """Each licence of an AND, one of an OR."""
    return any(
        all(one.strip(" ()") in ALLOWED for one in way.split(" AND ")) for way in expression.split(" OR ")
    )


def table() -> str:
    """deploy/LICENSES.md, of the packages in this environment."""
    rows = [
        f"| {name} | {licence(one)} |"
        for name, one in sorted(_installed(sys.path).items())
        if name in locked(LOCK)
    ]
    return "\n".join(
        [
            "# Licences",
            "",
            "What the bridge installs to run, from `deploy/requirements.lock`. `python -m deploy.sbom",
            "--licences` writes this page; a test compares it with what is installed. Allowed are",
            f"{', '.join(sorted(ALLOWED))}.",
            "",
            "The image has some packages of Debian too; their licences are in its folder `/usr/share/doc`.",
            "",
            "| package | licence |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _bill(
    found: Mapping[str, Distribution], lock: Path, debian: Mapping[str, tuple[str, str]], epoch: int
) -> dict[str, Any]:
    project = found[PROJECT]
    hashes, extras = locked(lock), _extras(found.values())
    parts = [_component(one, hashes[name]) for name, one in sorted(found.items()) if name != PROJECT]
    parts += [_debian_component(name, *of_one) for name, of_one in sorted(debian.items())]
    root = _component(project, ()) | {"type": "application"}
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": root,
        },
        "components": parts,
        "dependencies": [
            {
                "ref": root["bom-ref"] if name == PROJECT else _purl(one),
                "dependsOn": sorted(
                    {
                        _purl(found[needed])
                        for needed in _needs(one, extras.get(name, set()))
                        if needed in found
                    }
                ),
            }
            for name, one in sorted(found.items())
        ],
    }


def _component(one: Distribution, hashes: tuple[str, ...]) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _purl(one),
        "name": _name(one),
        "version": one.version,
        "purl": _purl(one),
        "licenses": [{"expression": licence(one)}],
    }
    if len(hashes) == 1:
        # With several files, nothing installed says which one it was.
        component["hashes"] = [{"alg": "SHA-256", "content": hashes[0]}]
    return component


def _debian_component(name: str, version: str, architecture: str) -> dict[str, Any]:
    full = f"{quote(name, safe='')}@{quote(version, safe='')}"
    purl = f"pkg:deb/debian/{full}?arch={architecture}&distro=debian-12"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _field(one: Distribution, name: str) -> str:
    return str(next(iter(one.metadata.get_all(name) or []), ""))


def _purl(one: Distribution) -> str:
    return f"pkg:pypi/{_name(one)}@{one.version}"


def _installed(path: list[str]) -> dict[str, Distribution]:
    return {_name(one): one for one in distributions(path=path)}


def _name(one: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", str(one.metadata["Name"])).lower()


def _needs(one: Distribution, extras: Set[str]) -> Iterator[str]:
    for line in one.requires or []:
        wanted = re.findall(r"""extra == ['"]([^'"]+)""", line)
        if not wanted or set(wanted) & extras:
            yield _NEED.match(line)[1].replace("_", "-").replace(".", "-").lower()  # type: ignore[index]


def _extras(found: Iterable[Distribution]) -> dict[str, set[str]]:
    """Name -> the extras of it that any package asks for."""
    extras: dict[str, set[str]] = {}
    for one in found:
        for line in one.requires or []:
            if (need := _NEED.match(line)) and need[2] and "extra ==" not in line:
                extras.setdefault(need[1].lower(), set()).update(map(str.strip, need[2].split(",")))
    return extras


def main(args: list[str]) -> None:
    if args == ["--licences"]:
        TABLE.write_text(table(), "utf-8")
    elif len(args) == 1 and not args[0].startswith("-"):
        epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
        Path(args[0]).write_text(as_text(of_environment(epoch=epoch)), "utf-8")
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
