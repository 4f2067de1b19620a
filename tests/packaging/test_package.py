"""Wheel, sdist and the files of a release."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from bridge import __version__
from tests.chart.tools import CHART, helm
from tests.frame.conftest import ROOT, Program

IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "tag.gpgSign=false")


def git(folder: Path, *args: str) -> None:
    subprocess.run(["git", *IDENTITY, *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of this checkout, committed in a repository of their own."""
    folder = tmp_path_factory.mktemp("project")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("needs a git checkout")
    wanted = ("bridge/", "workers/", "deploy/", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE")
    for name in listed.stdout.split("\0"):
        if name.startswith(wanted) and (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
            target.chmod((ROOT / name).stat().st_mode & 0o777)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / ".gitignore").write_text("/.venv\n/out*\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "All")
    git(folder, "tag", f"v{__version__}")
    git(folder, "tag", "v9.9.9")
    return folder


def release(project: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [str(project / "deploy" / "release"), *args]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def released(project: Path) -> Path:
    out = project / "out"
    done = release(project, "--without-image", f"v{__version__}", str(out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def wheel(released: Path) -> Path:
    return released / f"callbridge-{__version__}-py3-none-any.whl"


def test_a_release_has_all_its_files_with_their_checksums(released: Path) -> None:
    names = {path.name for path in released.iterdir()} - {"SHA256SUMS"}

    assert names == {
        f"callbridge-{__version__}-chart.tgz",
        f"callbridge-{__version__}-py3-none-any.whl",
        f"callbridge-{__version__}.tar.gz",
        f"callbridge-{__version__}.cdx.json",
    }
    sums = dict(line.split()[::-1] for line in (released / "SHA256SUMS").read_text().splitlines())
    assert sums == {name: hashlib.sha256((released / name).read_bytes()).hexdigest() for name in names}


def test_a_release_made_again_has_the_same_checksums(project: Path, released: Path) -> None:
    release(project, "--without-image", f"v{__version__}", str(project / "out-again"))

    assert (project / "out-again" / "SHA256SUMS").read_bytes() == (released / "SHA256SUMS").read_bytes()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "which tag?"),
        (["v0.0.0-none"], "no tag v0.0.0-none"),
        (["v9.9.9"], "the tag of another version"),
    ],
)
def test_a_wrong_tag_makes_nothing(project: Path, args: list[str], says: str) -> None:
    done = release(project, "--without-image", *args)

    assert done.returncode == 2 and says in done.stderr
    assert not (project / "dist").exists()


def test_a_version_without_a_section_in_the_changelog_makes_nothing(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    git(tmp_path, "clone", "-q", str(project), str(copy))
    changelog = copy / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(f"## {__version__}", "## 0.0.1"))
    git(copy, "commit", "-qam", "Without")
    git(copy, "tag", "-f", f"v{__version__}")

    done = release(copy, "--without-image", f"v{__version__}")

    assert done.returncode == 2 and f"no section {__version__}" in done.stderr


def test_a_chart_of_another_version_makes_nothing(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    git(tmp_path, "clone", "-q", str(project), str(copy))
    chart = copy / "deploy" / "helm" / "callbridge" / "Chart.yaml"
    chart.write_text(chart.read_text().replace(f"version: {__version__}", "version: 9.9.9"))
    git(copy, "commit", "-qam", "Another")
    git(copy, "tag", "-f", f"v{__version__}")

    done = release(copy, "--without-image", f"v{__version__}")

    assert done.returncode == 2 and "Chart.yaml has another version" in done.stderr


def test_helm_renders_the_packed_chart_as_the_folder(released: Path) -> None:
    packed = released / f"callbridge-{__version__}-chart.tgz"
    values = ["--set", "prometheusRule.enabled=true"]

    from_package = helm("template", "calls", packed, *values)

    assert from_package.returncode == 0, from_package.stderr
    assert from_package.stdout == helm("template", "calls", CHART, *values).stdout
    with tarfile.open(packed) as files:
        assert all(one.isfile() or one.isdir() for one in files)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_whole_release_has_the_image(project: Path) -> None:
    out = project / "out-whole"

    done = release(project, f"v{__version__}", str(out))

    if "needs Debian 12" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    with tarfile.open(out / f"callbridge-{__version__}-image.tar") as image:
        assert "index.json" in image.getnames()
    assert f"callbridge-{__version__}-image.tar" in (out / "SHA256SUMS").read_text()


@pytest.mark.parametrize("folder", ["bridge", "workers"])
def test_the_wheel_and_the_sdist_have_every_file_of_the_program(
    project: Path, released: Path, wheel: Path, folder: str
) -> None:
    files = {str(path.relative_to(project)) for path in (project / folder).rglob("*") if path.is_file()}

    assert files <= set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(released / f"callbridge-{__version__}.tar.gz") as sdist:
        assert files <= {name.partition("/")[2] for name in sdist.getnames()}


def test_the_wheel_has_nothing_else(wheel: Path) -> None:
    roots = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}

    assert roots == {"bridge", "workers", f"callbridge-{__version__}.dist-info"}


def pip_of(home: Path) -> list[str]:
    """A new environment there, and how to install into it."""
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    return [str(home / "bin" / "python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_pipx_installs_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """The command of deploy/image.md; with the newest packages that the wheel allows, not of the lock."""
    home = tmp_path / "home"
    pip = pip_of(home)
    if subprocess.run([*pip, "pipx==1.18.4"], capture_output=True, check=False).returncode:
        pytest.skip("needs a package index")
    environ = {
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PIPX_HOME": str(tmp_path / "pipx"),
        "PIPX_BIN_DIR": str(tmp_path / "bin"),
    }

    done = subprocess.run(
        ["pipx", "install", wheel], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    command = [str(tmp_path / "bin" / "callbridge"), "--version"]
    told = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert told.stdout == f"{__version__}\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_wheel_runs_the_sandbox_where_no_checkout_is(wheel: Path, tmp_path: Path) -> None:
    """As `pipx install` does it: an environment of its own; here with the packages of the lock."""
    home = tmp_path / "home"
    pip = pip_of(home)
    lock = ["--require-hashes", "-r", str(ROOT / "deploy" / "requirements.lock")]
    done = subprocess.run([*pip, *lock], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs a package index: {done.stderr.strip()[-200:]}")
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    environ = {
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "DATA_DIR": str(tmp_path / "data"),
        "PORT": "0",
        "HOME": str(tmp_path),
    }
    # `env -C`: where the checkout is not.
    callbridge = ["env", "-C", str(tmp_path), str(home / "bin" / "callbridge")]

    bridge = Program([*callbridge, "up", "--sandbox"], environ)
    try:
        bridge.wait_for("Webhook token")
        sent = subprocess.run(
            [*callbridge, "send", "call-ended"], env=environ, capture_output=True, text=True, check=False
        )
        bridge.process.terminate()
        code = bridge.wait()
    finally:
        bridge.close()

    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert "note" in sent.stdout and "callbridge calls show" in sent.stdout
    assert "callbridge send call-ended" in bridge.output and "deploy/run" not in bridge.output
    assert code == 0
