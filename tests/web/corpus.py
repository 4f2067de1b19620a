"""Hostile texts in every field that a caller, an agent or a sender of webhooks controls, and what a page that
shows them must not hold. For the tests of any page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

from tests.web.serving import Answer, Site

MARK = "xss7431"
HOSTILE: Sequence[str] = (
    f"<script>alert('{MARK}')</script>",
    f'"><img src=x onerror=alert("{MARK}")>',
    f"'><svg/onload=alert('{MARK}')>",
    f"javascript:alert('{MARK}')",
    f"</title><script>{MARK}</script>",
    f"</textarea></select></style></script><b id={MARK}>",
    f'x" autofocus onfocus="alert({MARK})',
    f"{{{{ {MARK} }}}}{{% {MARK} %}}{{{{7*7431}}}}",
    f"<a href='data:text/html,{MARK}'>x</a>",
    f"<!--{MARK}--><iframe srcdoc='<script>{MARK}</script>'>",
    f"\\u003cscript\\u003e{MARK}\\u003c/script\\u003e &lt;img src=x onerror={MARK}&gt;",
    f"<form action=//evil.example/{MARK}><button>go</button></form>",
    f"<meta http-equiv=refresh content='0;url=//evil.example/{MARK}'>",
    f"\u202e<script>{MARK}</script>\u202c\u2028\u0000",
)
# Some do harm only where a template is run twice, or what is escaped is not left so.
HARMFUL_AS_IS = [text for text in HOSTILE if "{{" not in text and "&lt;" not in text]
# Names of a webhook whose values people or senders choose.
FIELDS = (
    "contact_name", "contact_company", "agent_first_name", "agent_last_name", "agent_name", "agent_email",
    "external_number", "internal_number", "internal_name", "notes", "tags", "call_tags", "recording_url",
    "transcript", "summary", "direction", "status", "started_at", "queue", "voicemail", "made_up_name",
)  # fmt: skip
_SAFE_SCHEMES = ("http:", "https:", "mailto:", "tel:")


def bodies() -> Iterator[dict[str, Any]]:
    """Webhooks of calls: each hostile text in every field at once, then in a name of its own."""
    for number, text in enumerate(HOSTILE, 1):
        ids = {
            "event": "call_ended",
            "call_id": str(1_000_000_500 + number),
            "call_uuid": str(UUID(int=number)),
        }
        yield {**ids, **dict.fromkeys(FIELDS, text), "talking_time": "97", "ended_at": "2026-03-02T09:24:51Z"}
        yield {
            **ids,
            text: text,
            "contact_name": text,
            "agent_name": text,
            "started_at": "2026-03-02T09:23:00Z",
        }


def send_all(site: Site, headers: dict[str, str] | None = None) -> list[str]:
    """Send them, and as many that are held; the keys of their calls."""
    found = []
    for body in bodies():
        answer = site.post(body, headers=headers)
        assert answer.status in (200, 202), answer.text
        found.append(answer.json["call"])
        site.post(
            {name: value for name, value in body.items() if not name.startswith("call_")}, headers=headers
        )
        site.post(json.dumps(body).encode(), "made-up-trigger", headers)
    return list(dict.fromkeys(found))


class _Page(HTMLParser):
    """Finds what a browser would take for an element or attribute of ours, and is not."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        result = {name: value or "" for name, value in attrs}
        self._in_script = tag == "script"
        # A page of ours may load itself again.
        leads_away = tag == "meta" and "http-equiv" in result and not result.get("content", "").isdigit()
        if tag in ("iframe", "object", "embed", "base") or leads_away:
            self.faults.append(f"<{tag}>")
        if tag in ("script", "img", "link") and not result.get("src", result.get("href", "/")).startswith(
            "/"
        ):
            self.faults.append(f"<{tag}> from elsewhere")
        for name, value in result.items():
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.faults.append(f"{tag} {name}={value[:60]}")
            if name == "id" and MARK in value:
                self.faults.append(f"{tag} id={value[:60]}")
            if name in ("href", "src", "action", "formaction"):
                self._check_address(tag, value)

    def _check_address(self, tag: str, value: str) -> None:
        scheme, colon, _ = value.partition(":")
        has_scheme = colon and "/" not in scheme and "?" not in scheme and "#" not in scheme
        if (has_scheme and f"{scheme.lower()}:" not in _SAFE_SCHEMES) or value.startswith(("//", "\\\\")):
            self.faults.append(f"{tag} leads to {value[:60]}")

    def handle_comment(self, data: str) -> None:
        if MARK in data:
            self.faults.append(f"comment {data[:60]}")

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.faults.append(f"script {data[:60]}")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False


def faults_of(html: str) -> list[str]:
    """What is in a page that none of ours has."""
    page = _Page()
    page.feed(html)
    return page.faults


def assert_harmless(answer: Answer) -> None:
    """Nothing in the page came from a hostile text but words, and a browser is told to run none."""
    assert answer.headers["content-type"].startswith("text/html"), answer.headers
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    faults = faults_of(answer.text)
    assert not faults, faults
    # A template inside a value was not run.
    assert str(7 * 7431) not in answer.text


def shows(answer: Answer) -> bool:
    """Whether any hostile text is on the page at all: else the test says nothing."""
    return MARK in answer.text
