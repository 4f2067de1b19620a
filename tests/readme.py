"""Runs what the README shows and puts what was printed into it: `python -m tests.readme`.

The commands run in an empty folder, against a sandbox. What `deploy/run` itself says of its install, and the
lines of the `.env` file, stay as they are. Ids, times and numbers are those of the run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bridge.sandbox import environ as sandbox_environ
from tests.processes import started
from tests.reaper import Reaper
from tests.waiting import eventually

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
_KEYS = ("CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET", "KUSTOMER_API_KEY")
_SANDBOX = {"cloudtalk": 18001, "kustomer": 18002, "membrane": 18003}


class Desk:
    """A folder to type commands in, with what has to run beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "96",
            "LOG_LEVEL": "ERROR",
        }
        self._call_id = ""

    def run(self, line: str) -> str:
        """What a command prints, its errors too."""
        # The call that was sent last, by the id of this time.
        line = re.sub(r"(?<=calls show )\d+", lambda _: self._call_id, line)
        done = subprocess.run(
            [sys.executable, "-m", "bridge", *shlex.split(line)],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        with contextlib.suppress(OSError):
            kept = (self.folder / ".callbridge" / "last-call.json").read_text()
            self._call_id = re.findall(r'"id": (\d+)', kept)[0]
        return f"$ deploy/run {line}\n{done.stdout}"

    @contextlib.contextmanager
    def up(self, *args: str) -> Iterator[str]:
        """`callbridge up` beside the commands; what it printed until it was ready."""
        log = self.folder / "up.log"
        command = [sys.executable, "-m", "bridge", "up", *args]
        with (
            log.open("wb") as out,
            started(command, cwd=self.folder, env=self.environ, stdout=out, stderr=out),
        ):
            said = eventually(
                lambda: "Ctrl-C" in (text := log.read_text()) and text, "it is ready", within_s=60
            )
            yield str(said)


def played(block: str, desk: Desk) -> str:
    """The block with what its commands print now."""
    parts = re.split(r"(?m)^(?=\$ )", block)
    return "".join(_played(part, desk) for part in parts)


def _played(part: str, desk: Desk) -> str:
    if not part.startswith("$ deploy/run "):
        return part
    lines = part.removeprefix("$ deploy/run ").splitlines(keepends=True)
    # A command goes on in the next line as long as a quotation is open.
    count = next(n for n in range(1, len(lines) + 1) if "".join(lines[:n]).count("'") % 2 == 0)
    shown = "".join(lines[count:])
    printed = desk.run("".join(lines[:count]).rstrip("\n"))
    # "…" alone: the reader is spared it.
    return printed.split("\n")[0] + "\n…\n" if shown == "…\n" else _shortened(printed, desk)


def _shortened(text: str, desk: Desk) -> str:
    return text.replace(str(desk.folder.resolve()), "…").rstrip("\n") + "\n"


def rewritten(readme: str, folder: Path) -> str:
    """The README with its first two blocks as they are printed now, and those about keys."""
    blocks = [match.group() for match in _BLOCK.finditer(readme)]
    first = Desk(folder / "first")
    first.folder.mkdir()
    with first.up("--sandbox") as said:
        blocks[0] = _of_up(blocks[0], said, first)
        blocks[1] = played(blocks[1], first)
    keys = Desk(folder / "keys")
    keys.folder.mkdir()
    urls = {f"{name}_url": f"http://127.0.0.1:{port}" for name, port in _SANDBOX.items()}
    settings = sandbox_environ(**urls)
    keys.environ |= {name: value for name, value in settings.items() if name.endswith("_URL")}
    ports = [word for name, port in _SANDBOX.items() for word in (f"--{name}-port", str(port))]
    with started(
        [sys.executable, "-m", "bridge", "sandbox", "--quiet", *ports], env=first.environ, cwd=folder
    ):
        without, given = blocks[3].split("$ cat > .env\n")
        before = played(without, keys)
        (keys.folder / ".env").write_text(
            "".join(f"{name}={value}\n" for name, value in settings.items() if name in _KEYS)
            + "WEBHOOK_TOKENS=made-up-for-this-readme-only\n"
        )
        blocks[3] = before + "$ cat > .env\n" + played(given, keys)
        with keys.up():
            blocks[4] = played(blocks[4], keys)
    new = iter(blocks)
    return _BLOCK.sub(lambda _: next(new), readme)


def _of_up(block: str, said: str, desk: Desk) -> str:
    installed = re.match(r"(\$ .*\n(?:deploy/run: .*\n)*)", block)
    assert installed is not None
    lines = [line for line in _shortened(said, desk).splitlines() if re.match(r"up +\||  |$", line)]
    text = re.sub(
        r"(Webhook token: +)\S+", r"\1… (made for this folder, kept there)", "\n".join(lines).rstrip()
    )
    return installed[1] + re.sub(r"\(/\S*(/valkey-server\))", r"(…\1", text) + "\n"


def main() -> None:
    path = ROOT / "README.md"
    with Reaper() as reaper:
        path.write_text(rewritten(path.read_text(), reaper.folder))


if __name__ == "__main__":
    main()
