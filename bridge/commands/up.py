"""`callbridge up`: Redis, web, worker and clock as one process tree, with services to try them against."""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import shlex
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import click
from pydantic import SecretStr

from bridge import sandbox as theirs
from bridge.commands.access import find_access
from bridge.commands.context import Run, last_run, with_addresses_checked
from bridge.commands.ports import check_port, first_free_port
from bridge.commands.printing import PROGRAM, say
from bridge.data_folder import make_private, write_private
from bridge.errors import BridgeError, WrongUse
from bridge.local.embedded import DiskFull, EmbeddedRedis, FolderLock
from bridge.local.processes import RUN_MARK, end_process, identity, marked_processes
from bridge.local.supervisor import Child, Speaker, Supervisor
from bridge.secret_files import over
from bridge.setting_needs import PROCESS_NEEDS
from bridge.settings import Settings
from bridge.wording import counted

READY_WITHIN_S = 90.0

# Beside the ones that `up` makes up: what another terminal needs to work with the same services.
SHARED = (
    "OPS_TOKEN",
    "CALLBRIDGE_RULES",
    "TIME_ZONE",
    "PHONE_REGION",
    "CLOUDTALK_VIA",
    "CLOUDTALK_ACCESS_KEY_ID",
    "CLOUDTALK_ACCESS_KEY_SECRET",
    "CLOUDTALK_API_URL",
    "CLOUDTALK_ANALYTICS_URL",
    "CLOUDTALK_AI_URL",
    "CLOUDTALK_PLATFORM_URL",
    "KUSTOMER_VIA",
    "KUSTOMER_API_KEY",
    "KUSTOMER_API_URL",
    "MEMBRANE_API_URL",
    "MEMBRANE_TOKEN",
    "MEMBRANE_WORKSPACE_KEY",
    "MEMBRANE_WORKSPACE_SECRET",
    "MEMBRANE_TENANT_KEY",
    "MEMBRANE_CLOUDTALK_CONNECTION",
    "MEMBRANE_KUSTOMER_CONNECTION",
)


@click.command()
@click.option(
    "--sandbox",
    is_flag=True,
    help="Start a mock CloudTalk and Kustomer to try the bridge with; no keys needed.",
)
@click.option("--port", type=click.IntRange(0, 65535), help="Port for web, instead of PORT.")
def up(*, sandbox: bool, port: int | None) -> int:
    """Run the whole bridge on this machine until Ctrl-C.

    Without REDIS_URL it starts its own Redis, with data in DATA_DIR. With --sandbox it picks free ports: for
    web unless --port or PORT is given, for the sandbox from SANDBOX_PORT on.
    """
    reading = Settings.read(os.environ if port is None else {**os.environ, "PORT": str(port)})
    reading = with_addresses_checked(reading)
    settings = reading.settled() if sandbox else reading.settled(PROCESS_NEEDS["up"], others=["webhooks"])
    for notice in settings.notices:
        say(f"Warning: {notice}", err=True)
    return LocalStack(settings, sandbox=sandbox).run()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where the try-out services are, and the settings that point a bridge at them."""

    cloudtalk_port: int
    kustomer_port: int
    membrane_port: int
    # By which road; both work here.
    through_membrane: Collection[str] = ()

    @classmethod
    def on_free_ports(cls, start: int = 8001, *, but: int, through_membrane: Collection[str] = ()) -> Sandbox:
        cloudtalk = first_free_port(start, but={but})
        kustomer = first_free_port(start + 1, but={but, cloudtalk})
        membrane = first_free_port(start + 2, but={but, cloudtalk, kustomer})
        return cls(cloudtalk, kustomer, membrane, through_membrane)

    @property
    def urls(self) -> Mapping[str, str]:
        return {
            "cloudtalk": f"http://127.0.0.1:{self.cloudtalk_port}",
            "kustomer": f"http://127.0.0.1:{self.kustomer_port}",
            "membrane": f"http://127.0.0.1:{self.membrane_port}",
        }

    @property
    def environment(self) -> Mapping[str, str]:
        # With the keys of both roads, so that a real one in `.env` stays out.
        found = theirs.environ(
            cloudtalk_url=self.urls["cloudtalk"],
            kustomer_url=self.urls["kustomer"],
            membrane_url=self.urls["membrane"],
        )
        return found | {f"{name.upper()}_VIA": "membrane" for name in self.through_membrane}


def our_command(name: str) -> list[str]:
    return [sys.executable, "-m", "bridge", name]


class LocalStack:
    """One `callbridge up`, from its checks to its end."""

    def __init__(
        self,
        settings: Settings,
        *,
        sandbox: bool,
        command: Callable[[str], list[str]] = our_command,
    ) -> None:
        self._settings = settings
        self._data_dir = settings.data_dir.absolute()
        self._with_sandbox = sandbox
        self._command = command
        self._speaker = Speaker(sys.stderr.buffer, colour=sys.stderr.isatty())
        self._began_s = time.monotonic()
        self._redis: EmbeddedRedis | None = None
        self._mark = secrets.token_hex(8)

    def run(self) -> int:
        """Start everything, watch it, end it.

        Raises:
            WrongUse: something has to be mended first; nothing was started.
        """
        lock = FolderLock(self._data_dir / "up.lock", what=f"The data folder {self._data_dir}")
        with _folder_errors(self._data_dir):
            open_to_others = make_private(self._data_dir)
            lock.take()
        if open_to_others:
            self._say(open_to_others)
        try:
            self._end_leftovers()
            port = self._web_port()
            sandbox = self._sandbox(port) if self._with_sandbox else None
            environment = self._environment(port, sandbox)
            if not self._with_sandbox:
                # Made here and not by the web process, whose lines go through ours.
                find_access(self._settings)
            with Supervisor(self._speaker) as supervisor:
                return self._run(supervisor, environment, sandbox)
        finally:
            self._end_marked(self._mark)
            if self._redis is not None:
                self._redis.close()
            (self._data_dir / "run.json").unlink(missing_ok=True)
            lock.release()

    def _run(self, supervisor: Supervisor, environment: dict[str, str], sandbox: Sandbox | None) -> int:
        web_url = f"http://{_reachable(self._settings.host)}:{environment['PORT']}"
        end = "asked"
        try:
            self._start(supervisor, environment, sandbox, web_url)
            end = supervisor.watch(until=lambda: _is_ready(web_url), timeout_s=READY_WITHIN_S)
            if end == "late" and self._redis is not None and self._redis.pid is None:
                # It waits for room on its disk, and web for it.
                end = supervisor.watch(until=lambda: _is_ready(web_url))
            if end == "done":
                self._say("ready")
                self._tell(environment, sandbox, web_url)
                end = supervisor.watch()
        finally:
            self._say("stopping: web, worker, clock, then the rest")
            supervisor.stop()
            self._say("stopped")
        if end == "late":
            raise BridgeError(f"web was not ready within {READY_WITHIN_S:.0f} s; the lines above say why")
        if end == "refused":
            raise WrongUse("Invalid settings; the lines above say what to fix")
        return 0

    def _start(
        self, supervisor: Supervisor, environment: dict[str, str], sandbox: Sandbox | None, web_url: str
    ) -> None:
        if self._settings.redis_url is None:
            self._redis = EmbeddedRedis(
                self._data_dir,
                appendfsync=self._settings.redis_appendfsync,
                server=self._settings.redis_server,
            )
            environment["REDIS_URL"] = self._redis.url
            supervisor.start(self._redis, later=(DiskFull,))
            if self._redis.pid is not None:
                self._say(f"Redis is running ({self._redis.program}), data in {self._data_dir / 'redis'}")
        else:
            self._say("using the Redis at REDIS_URL")
        run = Run(
            pid=os.getpid(),
            identity=identity(os.getpid()) or "",
            mark=self._mark,
            web_url=web_url,
            environment=environment,
            sandbox={} if sandbox is None else sandbox.urls,
        )

        def tell_others() -> None:
            children = {str(pid): known for pid in supervisor.pids() if (known := identity(pid))}
            with contextlib.suppress(OSError):  # a full disk: Redis says so, and this is tried with it
                replace(run, children=children).write(self._data_dir)

        tell_others()
        supervisor.changed = tell_others
        if sandbox is not None:
            self._say("starting the sandbox: a mock CloudTalk and Kustomer")
            supervisor.start(
                self._child(
                    "sandbox",
                    environment,
                    *("--cloudtalk-port", str(sandbox.cloudtalk_port)),
                    *("--kustomer-port", str(sandbox.kustomer_port)),
                    *("--membrane-port", str(sandbox.membrane_port)),
                    *("--data-dir", str(self._data_dir / "sandbox"), "--quiet"),
                )
            )
        self._say("starting web, worker and clock")
        for name in ("web", "worker", "clock"):
            supervisor.start(self._child(name, environment))

    def _sandbox(self, port: int) -> Sandbox:
        roads = {"cloudtalk": self._settings.cloudtalk_via, "kustomer": self._settings.kustomer_via}
        through = [name for name, road in roads.items() if road == "membrane"]
        return Sandbox.on_free_ports(self._settings.sandbox_port, but=port, through_membrane=through)

    def _web_port(self) -> int:
        """Raises WrongUse: the port that was asked for is taken."""
        host, port = self._settings.host, self._settings.port
        try:
            return check_port(host, port, command="up …")
        except WrongUse:
            if not self._with_sandbox or "port" in self._settings.model_fields_set:
                raise
        free = first_free_port(port + 10, host=host)
        self._say(f"port {port} is in use, so web listens on port {free}")
        return free

    def _child(self, name: str, environment: Mapping[str, str], *args: str) -> Child:
        own = {RUN_MARK: self._mark, "PYTHONUNBUFFERED": "1"}
        inherited = {**over(os.environ, environment, Settings), **own}
        if sys.stderr.isatty() and self._settings.log_format is None:
            # They write to a pipe, and so cannot see that a person reads it.
            inherited["LOG_FORMAT"] = "console"
        return Child(name, [*self._command(name), *args], environ=inherited, speaker=self._speaker)

    def _environment(self, port: int, sandbox: Sandbox | None) -> dict[str, str]:
        """Settings for the children and for other terminals. Complete, so that a `.env` cannot undo them."""
        environment = {"DATA_DIR": str(self._data_dir), "HOST": self._settings.host, "PORT": str(port)}
        if self._settings.redis_url is not None:
            environment["REDIS_URL"] = self._settings.redis_url
        if self._settings.callbridge_accounts is not None:
            environment["CALLBRIDGE_ACCOUNTS"] = str(self._settings.callbridge_accounts.absolute())
        tokens = [token.get_secret_value() for token in self._settings.webhook_tokens]
        if not tokens and sandbox is not None:
            tokens = [self._kept_token()]
        if tokens:
            environment["WEBHOOK_TOKENS"] = ",".join(tokens)
        for name in SHARED:
            value = getattr(self._settings, name.lower())
            if value is not None:
                environment[name] = _as_text(value)
        # By its file, so that the children notice when it changes.
        by_file = {
            f"{name}_FILE".upper(): str(path.absolute())
            for name, path in self._settings.secret_files.items()
            if name.upper() in environment and name != "redis_url"
        }
        environment = over(environment, by_file, Settings)
        return environment if sandbox is None else over(environment, sandbox.environment, Settings)

    def _first_token(self, environment: Mapping[str, str]) -> str:
        given = self._settings.webhook_tokens
        return given[0].get_secret_value() if given else environment["WEBHOOK_TOKENS"].split(",")[0]

    def _kept_token(self) -> str:
        """The token of this folder's sandbox: made once, so that a restart changes no one's set-up."""
        path = self._data_dir / "webhook-token"
        with contextlib.suppress(OSError):
            if token := path.read_text().strip():
                return token
        token = secrets.token_urlsafe(24)
        write_private(path, token + "\n")
        return token

    def _end_leftovers(self) -> None:
        """On Linux a killed `up` takes its children along; theirs, and other systems, need this."""
        run = last_run(self._data_dir)
        if run is None or run.is_alive:
            return
        for pid, known in run.children.items():
            end_process(int(pid), known, group=True)
        if ended := self._end_marked(run.mark):
            self._say(f"stopped {counted(ended, 'process')} left over from an earlier start")

    def _end_marked(self, mark: str) -> int:
        left = [(pid, identity(pid)) for pid in marked_processes(mark)]
        for pid, known in left:
            end_process(pid, known)
        return len(left)

    def _say(self, text: str) -> None:
        self._speaker.say("up", f"{time.monotonic() - self._began_s:4.1f} s  {text}")

    def _tell(self, environment: Mapping[str, str], sandbox: Sandbox | None, web_url: str) -> None:
        lines = ["", f"  The bridge runs: {web_url}"]
        if sandbox is not None:
            lines += [
                f"  Sandbox CloudTalk: {sandbox.urls['cloudtalk']}",
                f"  Sandbox Kustomer:  {sandbox.urls['kustomer']}",
                f"  Sandbox Membrane:  {sandbox.urls['membrane']}",
                f"  Webhook token:     {self._first_token(environment)}",
            ]
        elif not self._settings.webhook_tokens and not self._settings.webhook_signing_secrets:
            lines += ["  No WEBHOOK_TOKENS set: every webhook is refused until you set one."]
        elsewhere = self._settings.data_dir != Settings().data_dir
        lines += ["", "  In another terminal:"]
        if elsewhere:
            lines += [f"    export DATA_DIR={shlex.quote(str(self._data_dir))}"]
        if sandbox is not None:
            lines += [f"    {PROGRAM} send call-ended     a phone call, as CloudTalk would report it"]
        lines += [
            f"    {PROGRAM} calls ls            the state of each call",
            *(
                []
                if sandbox is not None
                else [f"    {PROGRAM} templates           what to paste into CloudTalk"]
            ),
            "  Ctrl-C ends it; everything is kept for the next start.",
            "",
        ]
        say("\n".join(lines))
        sys.stdout.flush()


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(  # noqa: S104  # read, not bound
        host, f"[{host}]" if ":" in host else host
    )


def _is_ready(web_url: str) -> bool:
    host = web_url.removeprefix("http://")
    link = http.client.HTTPConnection(host, timeout=2)
    try:
        link.request("GET", "/readyz")
        return link.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


@contextlib.contextmanager
def _folder_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise WrongUse(f"DATA_DIR  cannot write in {folder}: {cause.strerror}") from cause


def _as_text(value: object) -> str:
    """A setting as a variable of another process, which may run in another folder."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value.absolute() if isinstance(value, Path) else value)
