"""The steps of `deploy/image/build`, which prepares the tools that this needs."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from deploy import sbom
from deploy.image.archive import write_archive
from deploy.image.root import Builder


def main() -> None:
    options = _options()
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    root = options.root or options.work / "root"
    if root.exists() and any(root.iterdir()):
        raise SystemExit(f"deploy/image/build: {root} is not empty")
    downloads = options.downloads or options.work / "downloads"
    builder = Builder(root, options.work, downloads=downloads, lock=options.lock)
    builder.build()
    bill = sbom.of_folder(builder.packages, lock=options.lock, debian=builder.debian, epoch=epoch)
    builder.add("usr/share/callbridge/sbom.cdx.json", sbom.as_text(bill))
    size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_symlink() and path.is_file())
    print(f"file system: {size / 1e6:.1f} MB")  # noqa: T201
    if options.root:
        return
    options.out.mkdir(parents=True, exist_ok=True)
    archive = options.out / f"callbridge-{builder.version}-image.tar"
    digest = write_archive(root, archive, version=builder.version, epoch=epoch)
    shutil.copyfile(root / "usr/share/callbridge/sbom.cdx.json", options.out / "sbom.cdx.json")
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB compressed, {digest}")  # noqa: T201


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deploy/image/build")
    parser.add_argument("out", nargs="?", type=Path, default=Path("dist"))
    parser.add_argument("--root", type=Path)
    parser.add_argument("--downloads", type=Path, help="keep downloaded packages here")
    parser.add_argument("--lock", type=Path, default=Path("deploy/requirements.lock"))
    parser.add_argument("--work", type=Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
