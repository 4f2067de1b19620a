"""`callbridge request`: any request to a service, with its credentials added; bytes in, bytes out."""

from __future__ import annotations

import base64
import io
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote, urlencode

import click
import httpx2

from bridge.clients.membrane.proxy import THE_APP
from bridge.clients.raw import Answer, RawEndpoint, send
from bridge.clients.replies import retry_after_s
from bridge.commands import DONE
from bridge.commands.arguments import ONE_LINE, read_bytes, read_json, read_pairs, spelt
from bridge.commands.files import Progress, pour, whole_file
from bridge.commands.printing import PlainTerminal, say
from bridge.commands.service_access import as_service, is_service, open_service_access
from bridge.errors import MaybeDone, NotSent, Rejected, Unavailable, WrongUse
from bridge.settings import Settings

# RFC 9110, "Tokens".
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SAFE = ("GET", "HEAD", "OPTIONS")
# Of an error's text; what is longer is a page.
_MOST_OF_AN_ERROR = 65_536
_TEXT = re.compile(r"(text/|application/(json|xml|.*\+(json|xml)|javascript)\b)")


@click.command()
@click.argument("connection", type=ONE_LINE)
@click.argument("path", required=False, type=ONE_LINE)
@click.option("-X", "--method", type=ONE_LINE, help="Default: GET, or POST with a body.")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Can be repeated.")
@click.option(
    "-d",
    "--data",
    metavar="TEXT|@FILE|-",
    help="The body; JSON, unless --rawData or a Content-Type is given.",
)
@click.option(
    "--json",
    "json_body",
    is_flag=False,
    flag_value="",
    metavar="[JSON]",
    help="The body is JSON, given here or with -d. Does not change how the answer is shown.",
)
@click.option(*spelt("--rawData"), "raw_data", is_flag=True, help="Send the body unchanged, JSON or not.")
@click.option("--query", multiple=True, metavar="NAME=VALUE", help="Can be repeated.")
@click.option(
    *spelt("--pathParam"),
    "path_params",
    multiple=True,
    metavar="NAME=VALUE",
    help="For {NAME} or :NAME in PATH.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the answer to this file."
)
@click.option("--dry-run", is_flag=True, help="Show the request; send nothing.")
def request(
    *,
    connection: str,
    path: str | None,
    method: str | None,
    headers: tuple[str, ...],
    data: str | None,
    json_body: str | None,
    raw_data: bool,
    query: tuple[str, ...],
    path_params: tuple[str, ...],
    output: Path | None,
    dry_run: bool,
) -> int:
    """Send one request to CONNECTION (cloudtalk, kustomer, or an id of Membrane's), and show the answer.

    PATH starts at the service's base URL. A full URL must belong to the service, because the request carries
    its key. Exit codes: 0 for a status below 400, otherwise 1 with the service's answer; 3: a person has to
    act, or the reply to a write was lost, so it may have been done.
    """
    if path is None and json_body and not json_body.lstrip().startswith(("{", "[", '"', "@")):
        # A bare --json before PATH takes it for its value.
        path, json_body = json_body, ""
    if path is None:
        raise click.UsageError("Missing argument 'PATH'.")
    wanted = _wanted(path, method, headers, data, json_body, raw_data, query, path_params)
    with open_service_access() as reach:
        if dry_run:
            return _rehearse(reach.road_shown(connection), wanted)
        road = reach.road(as_service(connection)) if is_service(connection) else None
        return _send(road or reach.membrane_road(reach.ready(connection)), wanted, output, reach.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes | None


def _wanted(
    path: str,
    method: str | None,
    headers: tuple[str, ...],
    data: str | None,
    json_body: str | None,
    raw_data: bool,
    query: tuple[str, ...],
    path_params: tuple[str, ...],
) -> _Wanted:
    """Raises WrongUse before anything is sent."""
    if data is not None and json_body:
        raise WrongUse("--json already has a body; give it there or with -d")
    if json_body is not None and raw_data:
        raise WrongUse("--json checks the body and --rawData does not; give only one")
    option, text = ("--json", json_body) if json_body else ("-d", data)
    body = None if text is None else read_bytes(option, text)
    own = {name: value.strip() for name, value in read_pairs("-H", headers, between=":")}
    if any(not (name + value).isascii() or not value.isprintable() for name, value in own.items()):
        raise WrongUse("-H must be ASCII on one line")
    if wrong := [name for name in own if not _HEADER_NAME.fullmatch(name)]:
        raise WrongUse(f"-H {wrong[0]!r}: a header name consists of letters, digits and hyphens")
    has_type = any(name.lower() == "content-type" for name in own)
    if body is not None and not raw_data and (json_body is not None or not has_type):
        try:
            read_json(option, body)
        except WrongUse as error:
            raise WrongUse(f"{error}. To send it unchanged: --rawData") from error
        if not has_type:
            own["content-type"] = "application/json"
    elif body is not None and not has_type:
        own["content-type"] = "application/octet-stream"
    return _Wanted(
        method=(method or ("GET" if body is None else "POST")).upper(),
        path=_filled(path, dict(read_pairs("--pathParam", path_params))),
        query=read_pairs("--query", query),
        headers=own,
        body=body,
    )


def _filled(path: str, params: dict[str, str]) -> str:
    """With `{name}` and `:name` replaced; a value is one segment, whatever is in it.

    Raises:
        WrongUse: one that is not in the path, or a place without a value.
    """
    for name, value in params.items():
        place = re.compile(rf"\{{{re.escape(name)}\}}|(?<=/):{re.escape(name)}(?![\w-])")
        if not place.search(path):
            raise WrongUse(f"--pathParam {name}: there is neither {{{name}}} nor :{name} in {path}")
        path = place.sub(lambda _, value=value: quote(value, safe=""), path)  # type: ignore[misc]
    if left := re.findall(r"\{(\w+)\}", path):
        raise WrongUse(f"the path has {{{left[0]}}}: give --pathParam {left[0]}=…")
    return path


def _rehearse(road: RawEndpoint, wanted: _Wanted) -> int:
    url = road.url(wanted.path)
    if wanted.query:
        url += ("&" if "?" in url else "?") + urlencode(wanted.query, quote_via=quote)
    shown = url.replace(THE_APP, "(the app's address)")
    lines = [f"{wanted.method} {shown}"]
    lines += [f"{name}: {value}" for name, value in wanted.headers.items()]
    lines += ["(credentials are added)", ""]
    say("\n".join(lines))
    if wanted.body is not None:
        say(wanted.body)
    say("Nothing was sent.", err=True)
    return DONE


def _send(road: RawEndpoint, wanted: _Wanted, output: Path | None, settings: Settings) -> int:
    with ExitStack() as stack:
        # Opened first: a folder that is not there costs no request.
        file = stack.enter_context(_sink(output))
        with _said_plainly(road.service.name, wanted.method):
            answer = stack.enter_context(
                send(
                    road,
                    wanted.method,
                    wanted.path,
                    query=wanted.query,
                    headers=wanted.headers,
                    body=wanted.body,
                )
            )
        if answer.status >= 400:
            raise Rejected(_refusal(road.service.name, answer, settings), status=answer.status)
        if answer.status >= 300:
            say(f"{answer.status}, to {answer.headers.get('location')}: not followed", err=True)
        size_expected = None if wanted.method == "HEAD" else answer.size
        if output is None and sys.stdout.isatty() and size_expected != 0 and not _is_text(answer):
            kind = answer.headers.get("content-type", "bytes")
            say(f"{answer.status}: {kind}, not for a terminal; -o FILE keeps it", err=True)
            return DONE
        # What is shown on the terminal shows its own progress.
        out = None if output is not None or not sys.stdout.isatty() else io.StringIO()
        size = pour(
            answer.chunks,
            file,
            size_expected,
            Progress(size_expected, out=out),
            most_mb=settings.recording_max_mb,
        )
    if output is not None:
        say(f"{output}: {size:,} bytes of {answer.headers.get('content-type', 'no content type')}", err=True)
    return DONE


@contextmanager
def _sink(output: Path | None) -> Iterator[BinaryIO]:
    if output is not None:
        with whole_file(output) as file:
            yield file
        return
    # In a pipe the bytes are what was asked for.
    out: BinaryIO = cast(BinaryIO, PlainTerminal()) if sys.stdout.isatty() else sys.stdout.buffer
    yield out
    out.flush()


@contextmanager
def _said_plainly(name: str, method: str) -> Iterator[None]:
    """A write whose answer was lost may have been done, which is said, and a matter for a person."""
    try:
        yield
    except NotSent:
        raise
    except Unavailable as lost:
        if method in _SAFE:
            raise
        raise MaybeDone(
            f"{lost}. The {method} may have been done and is not retried; check {name} first"
        ) from lost


def _refusal(name: str, answer: Answer, settings: Settings) -> str:
    """What the service said, in its own words."""
    content = bytearray()
    for chunk in answer.chunks:
        content += chunk
        if len(content) > _MOST_OF_AN_ERROR:
            break
    said = _without_secrets(bytes(content[:_MOST_OF_AN_ERROR]), settings).decode("utf-8", "replace").strip()
    try:
        title = f"{answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        title = str(answer.status)
    lines = [f"{name} answered {title}", said] if said else [f"{name} answered {title}, and nothing else"]
    if answer.status == 429:
        wait_s = retry_after_s(httpx2.Response(429, headers=answer.headers))
        lines.append(f"Rate limit reached; try again in {wait_s:.0f} s.")
    return "\n".join(lines)


def _without_secrets(content: bytes, settings: Settings) -> bytes:
    """CloudTalk's analytics host repeats credentials in its 401s."""
    secrets = set(settings.secrets())
    key, secret = settings.cloudtalk_access_key_id, settings.cloudtalk_access_key_secret
    if key and secret:
        pair = f"{key.get_secret_value()}:{secret.get_secret_value()}"
        secrets |= {pair, base64.b64encode(pair.encode()).decode()}
    for text in sorted(secrets, key=len, reverse=True):
        content = content.replace(text.encode(), b"***")
    return content


def _is_text(answer: Answer) -> bool:
    return _TEXT.match(answer.headers.get("content-type", "")) is not None
