"""The image's file system: Debian's packages unpacked, a run lock installed, and nothing else.

No package's install script runs, so there is no shell, no package manager and no set-uid program in it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

# Python, the libraries that it and the wheels load, roots of trust, time zones.
DEBIAN = (
    "base-files", "ca-certificates", "libbz2-1.0", "libc6", "libcrypt1", "libexpat1", "libffi8", "libgcc-s1",
    "liblzma5", "libpython3.11-minimal", "libpython3.11-stdlib", "libsqlite3-0", "libssl3", "libstdc++6",
    "libuuid1", "media-types", "python3.11-minimal", "tzdata", "zlib1g",
)  # fmt: skip
PYTHON = "usr/bin/python3.11"
PACKAGES = "usr/local/lib/python3.11/dist-packages"
# The only programs that stay, of all that the packages bring.
PROGRAMS = {PYTHON}
USER, HOME = 10001, "data"

# Not needed to run: other encodings of libc, documents, what only building and testing use.
_LEFT_OUT = {
    "": "bin sbin var root home boot srv opt mnt media dev proc sys run",
    "lib/": "systemd",
    "etc/": "update-motd.d profile.d skel init.d default ld.so.conf.d kernel cron.daily dpkg logcheck",
    "usr/": "sbin games src include",
    "usr/lib/": "*/gconv */audit locale valgrind debug systemd",
    "usr/lib/python3.11/": (
        "ensurepip idlelib lib2to3 pydoc_data test tkinter turtle.py distutils EXTERNALLY-MANAGED "
        "sitecustomize.py"
    ),
    "usr/share/": (
        "man info locale lintian python3 apps binfmts applications pixmaps base-files "
        "zoneinfo/right zoneinfo/posix"
    ),
}
LEFT_OUT = tuple(folder + name for folder, names in _LEFT_OUT.items() for name in names.split())
# Dates in notes are in these languages (bridge/domain/kustomer_texts); Babel brings a thousand more.
LOCALES = {"root", "en", "de", "fr", "es", "pt", "it", "nl", "pl", "cs"}
FILES = {
    "etc/passwd": (
        f"root:x:0:0:root:/:/nonexistent\ncallbridge:x:{USER}:{USER}:callbridge:/{HOME}:/nonexistent\n"
    ),
    "etc/group": f"root:x:0:\ncallbridge:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "usr/bin/callbridge": (
        f"#!/{PYTHON} -sP\nimport sys\n\nfrom bridge.commands import main\n\nsys.exit(main())\n"
    ),
}


class Builder:
    """Assembles one file system in `root`.

    Args:
        root: an empty or absent folder.
        work: for what is needed on the way.
        downloads: where downloaded packages are kept, and taken from by the next build.
        lock: the run lock to install.
    """

    def __init__(self, root: Path, work: Path, *, downloads: Path, lock: Path) -> None:
        self.root, self._work, self._lock = root.absolute(), work.absolute(), lock
        self._downloads = downloads.absolute()
        self.packages = self.root / PACKAGES
        self.version = ""
        # name -> version, architecture.
        self.debian: dict[str, tuple[str, str]] = {}

    def build(self) -> None:
        self._unpack_debian()
        self._leave_out()
        self._trust()
        for name, text in FILES.items():
            self.add(name, text)
        (self.root / "usr/bin/callbridge").chmod(0o755)
        (self.root / "usr/bin/python3").symlink_to("python3.11")
        self._install()
        self._make_folders()
        self._compile()

    def add(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text, "utf-8")

    def _unpack_debian(self) -> None:
        folder = self._downloads / "debian"
        if not folder.exists():
            folder.mkdir(parents=True)
            # apt-get checks each file against the signed index.
            subprocess.run(["apt-get", "download", "-qq", *DEBIAN], cwd=folder, check=True)
        self.root.mkdir(parents=True, exist_ok=True)
        for file in sorted(folder.glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", file, self.root], check=True)
            about = _output("dpkg-deb", "--field", file)
            fields = dict(
                line.split(": ", 1) for line in about.splitlines() if line[:1].strip() and ": " in line
            )
            self.debian[fields["Package"]] = fields["Version"], fields["Architecture"]
            # Where scanners of images look for what Debian brought.
            self.add(f"usr/share/callbridge/dpkg/{fields['Package']}", about)
        missing = set(DEBIAN) - set(self.debian)
        if missing:
            raise SystemExit(f"deploy/image/build: apt-get did not bring {', '.join(sorted(missing))}")

    def _leave_out(self) -> None:
        for pattern in LEFT_OUT:
            for path in self.root.glob(pattern):
                _remove(path)
        for path in self.root.glob("usr/bin/*"):
            if str(path.relative_to(self.root)) not in PROGRAMS:
                _remove(path)
        for path in self.root.glob("usr/share/doc/*/*"):
            if path.name != "copyright":
                _remove(path)
        self.root.joinpath("var/lib/dpkg").mkdir(parents=True)
        (self.root / "usr/share/callbridge/dpkg").rename(self.root / "var/lib/dpkg/status.d")

    def _trust(self) -> None:
        """One file of all certificates, as ca-certificates' own script makes it."""
        found = sorted(self.root.glob("usr/share/ca-certificates/mozilla/*.crt"))
        self.add("etc/ssl/certs/ca-certificates.crt", "".join(path.read_text("ascii") for path in found))
        _remove(self.root / "usr/share/ca-certificates")

    def _install(self) -> None:
        wheels = self._work / "wheel"
        _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels)
        (wheel,) = wheels.glob("callbridge-*.whl")
        self.version = wheel.name.split("-")[1]
        quietly = ("--no-deps", "-qq", "--disable-pip-version-check")
        kept = self._downloads / "python"
        hashes = ("--require-hashes", "-r", self._lock)
        if not kept.exists():
            self._python(_pip(), "download", *quietly, "--only-binary", ":all:", "-d", kept, *hashes)
        options = ("--target", self.packages, "--no-compile", "--no-index", *quietly)
        self._python(_pip(), "install", *options, "--find-links", kept, *hashes)
        self._python(_pip(), "install", *options, wheel)
        _remove(self.packages / "bin")
        for path in self.packages.glob("babel/locale-data/*.dat"):
            if path.stem not in LOCALES:
                path.unlink()
        for path in self.packages.glob("*.dist-info/RECORD"):
            # Names the folder of this build.
            path.with_name("direct_url.json").unlink(missing_ok=True)
            # Programs that were removed have that folder in their first line, and so in their hash.
            lines = path.read_text("utf-8").splitlines(keepends=True)
            path.write_text("".join(one for one in lines if self._is_there(one)), "utf-8")

    def _is_there(self, line: str) -> bool:
        """Whether the file of a line of a RECORD is still in the folder of packages."""
        name = line.rpartition(",")[0].rpartition(",")[0].strip('"')
        return not name.startswith("../") and (self.packages / name).exists()

    def _make_folders(self) -> None:
        # Where a runtime mounts: they must exist, as the file system is read-only.
        for name in ("dev", "proc", "sys", "tmp", "run", "etc", HOME):
            (self.root / name).mkdir(exist_ok=True)
        (self.root / "tmp").chmod(0o1777)
        (self.root / HOME).chmod(0o700)
        for path in _tree(self.root):
            # No set-uid, no set-gid, nobody but the owner writes.
            if not path.is_symlink() and path.is_file():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)

    def _compile(self) -> None:
        """Byte code beside each module, as the file system is read-only; without time stamps."""
        for path in list(self.root.rglob("__pycache__")):
            _remove(path)
        options = ("-q", "-j", "1", "--invalidation-mode", "unchecked-hash", "-s", self.root, "-p", "/")
        self._python("-m", "compileall", *options, self.root / "usr/lib/python3.11", self.packages)

    def _python(self, *args: str | Path) -> None:
        """Run the image's own Python: versions and wheels are chosen for it, not for this machine's."""
        libraries = ":".join(
            str(self.root / folder / sysconfig.get_config_var("MULTIARCH")) for folder in ("lib", "usr/lib")
        )
        environ = {
            **{
                name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")
            },
            "PYTHONHOME": str(self.root / "usr"),
            "LD_LIBRARY_PATH": libraries,
        }
        _run(_loader(self.root), self.root / PYTHON, "-s", *args, env=environ)


def _loader(root: Path) -> Path:
    name = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}[platform.machine()]
    return next(root / folder / name for folder in ("lib64", "lib") if (root / folder / name).exists())


def _pip() -> Path:
    found = find_spec("pip")
    assert found is not None and found.submodule_search_locations  # noqa: S101  # deploy/image/build installed it
    return Path(found.submodule_search_locations[0])


def _tree(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        yield from (Path(folder) / name for name in (*folders, *files))


def _run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    if subprocess.run(command, env=env, check=False, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"deploy/image/build: failed: {' '.join(map(str, command))}")


def _output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
