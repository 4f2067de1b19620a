"""Addresses and ids that a service gives: none leads a request, or a key, to another place."""

from __future__ import annotations

import httpx2
import pytest

from bridge.clients.kustomer import Customer, Kustomer
from bridge.clients.kustomer.attachments import UploadForm
from bridge.clients.paths import segment
from bridge.errors import Rejected, Unavailable
from bridge.loopback import is_loopback_host
from tests.clients.given import Wire

LEADS_ELSEWHERE = [
    "../users", "..", ".", "", "a/b", "5f0e/../../v1/users", "a?x=1", "a#b", "a%2fb", "a b", "a\r\nb", "ž",
    "a\\b", "x" * 200,
]  # fmt: skip


def _upload(url: str) -> Wire:
    wire = Wire(httpx2.Response(204))
    form = UploadForm(attachment_id="a1", url=url, fields={"key": "k"})
    wire.kustomer().attachments.upload(form, name="a.wav", content_type="audio/wav", size=1, chunks=[b"x"])
    return wire


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/form", "http://localhost/form", "http://[::1]:9/f", "https://bucket.s3.example/f"],
)
def test_a_file_goes_over_https_or_to_this_machine(url: str) -> None:
    assert [str(request.url) for request in _upload(url).requests] == [url]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.nip.io/form", "http://127.evil.example/form", "http://localhost.evil.example/f",
        "http://localhost./form", "http://127.0.0.1./form", "http://127.1/form", "http://2130706433/form",
        "http://127.0.0.1@evil.example/form", "https://user:pass@bucket.example/f", "http://[::ffff:10.0.0.1]/f",
        "http://[fe80::1%25eth0]/f", "http://0.0.0.0/f", "http://192.0.2.7/f",
        "ftp://127.0.0.1/f", "//127.0.0.1/f",
        "file:///etc/passwd", "https://", "", "http://[::1", "\x00",
        "HTTP://127.0.0.1.nip.io/f",
    ],
)  # fmt: skip
def test_a_file_goes_nowhere_else(url: str) -> None:
    wire = Wire(httpx2.Response(204))
    form = UploadForm(attachment_id="a1", url=url, fields={"key": "k"})

    with pytest.raises(Rejected):
        wire.kustomer().attachments.upload(
            form, name="a.wav", content_type="audio/wav", size=1, chunks=[b"x"]
        )

    assert wire.requests == []


def test_a_file_does_not_follow_a_form_that_moved() -> None:
    wire = Wire(httpx2.Response(307, headers={"location": "http://evil.example/"}))
    form = UploadForm(attachment_id="a1", url="https://bucket.example/f", fields={})

    with pytest.raises(Unavailable):
        wire.kustomer().attachments.upload(
            form, name="a.wav", content_type="audio/wav", size=1, chunks=[b"x"]
        )

    assert [str(request.url.host) for request in wire.requests] == ["bucket.example"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_this_machine_is_known(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize("id_", LEADS_ELSEWHERE)
def test_an_id_that_is_none_reaches_no_path_of_kustomers(id_: str) -> None:
    wire = Wire(httpx2.Response(200, json={"data": {"id": "5f0e", "attributes": {}}}))
    kustomer = wire.kustomer()

    for ask in (
        lambda: kustomer.customers.get(id_),
        lambda: kustomer.customers.update(id_, {"name": "x"}, current=Customer(id=id_)),
        lambda: kustomer.conversations.get(id_),
        lambda: kustomer.conversations.update(id_, {}),
        lambda: kustomer.notes.get(id_),
        lambda: kustomer.notes.update(id_, {}),
        lambda: list(kustomer.notes.every(conversation_id=id_)),
        lambda: list(kustomer.notes.every(customer_id=id_)),
        lambda: kustomer.notes.create(id_, {}),
    ):
        with pytest.raises(Rejected):
            ask()

    assert kustomer.attachments.reference(id_) is None
    assert wire.requests == []


@pytest.mark.parametrize("id_", [*LEADS_ELSEWHERE, 7, None, {}])
def test_an_answer_with_an_id_that_is_none_is_no_answer(id_: object) -> None:
    kustomer: Kustomer = Wire(httpx2.Response(200, json={"data": {"id": id_, "attributes": {}}})).kustomer()

    with pytest.raises(Unavailable):
        kustomer.customers.by_phone("+441632960304")
    with pytest.raises(Unavailable):
        kustomer.customers.create({})
    with pytest.raises(Unavailable):
        kustomer.attachments.create(name="a", content_type="audio/wav", size=1)


@pytest.mark.parametrize("text", ["", ".", "..", "x" * 300])
def test_no_text_leads_out_of_its_place_in_a_path(text: str) -> None:
    with pytest.raises(Rejected):
        segment(text)


def test_any_other_text_is_one_segment() -> None:
    assert segment("a/../b?c#d%2f") == "a%2F..%2Fb%3Fc%23d%252f"
