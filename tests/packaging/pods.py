"""The pods of the chart as far as a machine has them: image, variables, files, arguments, probes, signals."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.chaos.house import free_port
from tests.chart.rendering import environment, pods, template
from tests.frame.conftest import Program
from tests.packaging.boxes import Image

USER = 10001
RULES = 'version = 2\n\n[write]\nlanguage = "de"\n'


class Pods:
    """A release of the chart; each pod is started in the unpacked image.

    Args:
        settings: such as the addresses of the sandbox; a secret goes into the Secret's file.
    """

    def __init__(
        self, image: Image, folder: Path, settings: Mapping[str, str], secrets: Mapping[str, str]
    ) -> None:
        values = {"settings": dict(settings), "rules": {"text": RULES}}
        code, text, messages = template(values)
        assert code == 0, messages
        self._things = [one for one in yaml.safe_load_all(text) if one]
        self._pods = pods(self._things)
        self._image, self._folder = image, folder
        # What the Secret holds, as Kubernetes mounts it for a pod with an `fsGroup`.
        self._volume("secrets", secrets)
        rules = next(one for one in self._things if one["kind"] == "ConfigMap")
        self._volume("rules", rules["data"])
        for name in ("recordings", "data"):
            (folder / name).mkdir()
            os.chown(folder / name, USER, USER)
        self.port = free_port()

    def _volume(self, name: str, files: Mapping[str, str]) -> None:
        place = self._folder / name
        place.mkdir()
        for file, text in files.items():
            (place / file).write_text(text)
            os.chown(place / file, 0, USER)
            (place / file).chmod(0o440)

    def container(self, kind: str) -> Mapping[str, Any]:
        (found,) = self._pods[kind]["containers"]
        return found  # type: ignore[no-any-return]

    def grace_s(self, kind: str) -> float:
        return float(self._pods[kind]["terminationGracePeriodSeconds"])

    def program(self, kind: str) -> Program:
        container = self.container(kind)
        volumes = {
            mount["mountPath"]: self._folder / mount["name"]
            for mount in container["volumeMounts"]
            if mount["name"] not in ("data", "tmp")
        }
        command = self._image.program(*self._image.config["Entrypoint"], *container["args"], volumes=volumes)
        return Program(command, self._environ(kind))

    def _environ(self, kind: str) -> dict[str, str]:
        # The pods of a node have a port 8000 each; here they share one network.
        return self._image.environ(**{**environment(self._pods[kind]), "PORT": str(self.port)})

    @contextlib.contextmanager
    def started(self, kind: str) -> Iterator[Program]:
        program = self.program(kind)
        try:
            yield program
        finally:
            program.close()

    def probe(self, kind: str, name: str, program: Program) -> bool:
        probe = self.container(kind)[name]
        if "httpGet" in probe:
            return self._answers(probe["httpGet"]["path"])
        inner = first_child(program)
        if inner is None:
            return False
        check = Program(self._image.inside(inner, *probe["exec"]["command"]), self._environ(kind))
        try:
            return check.wait() == 0
        finally:
            check.close()

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def first_child(program: Program) -> int | None:
    """The process of the container; nothing is in between."""
    pid = program.process.pid
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found[0]) if found else None


def end_by_signal(program: Program, *, within_s: float) -> int:
    """SIGTERM to the first process of the container, which has no handler but its own; the exit code."""
    inner = first_child(program)
    assert inner is not None
    os.kill(inner, signal.SIGTERM)
    return program.process.wait(within_s)
