from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bridge.sandbox import KUSTOMER_KEY
from bridge.sandbox.handles import KustomerHandle
from bridge.sandbox.kustomer.uploads import LARGEST_KEPT
from bridge.sandbox.running import RunningSandbox
from bridge.sandbox.world import World

AN_ID = "5f0e0000000000000000a1cc"
SOUND = b"RIFF....WAVE" * 10
ASKED = {"name": "call 1.mp3", "contentType": "audio/mpeg", "contentLength": len(SOUND)}


def data(answer: httpx2.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()["data"]


def wrong(answer: httpx2.Response, status: int = 400) -> list[str]:
    assert answer.status_code == status, answer.text
    return [error.get("source", {}).get("parameter", "") for error in answer.json()["errors"]]


def code(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"].startswith("application/xml")
    return answer.status_code, answer.text.partition("<Code>")[2].partition("</Code>")[0]


def post(form: Any, content: bytes = SOUND, **headers: str) -> httpx2.Response:
    files = {"file": ("any.name", content, "any/type")}
    return httpx2.post(form["url"], data=form["fields"], files=files, headers=headers)


def body_of(*parts: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    body = b"".join(
        b'--XX\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in parts
    )
    return body + b"--XX--\r\n", {"content-type": "multipart/form-data; boundary=XX"}


def raw(form: Any, *parts: tuple[str, bytes]) -> httpx2.Response:
    body, headers = body_of(*parts)
    return httpx2.post(form["url"], content=body, headers=headers)


def fields_of(form: Any) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in form["fields"].items()]


@pytest.fixture
def created(api: httpx2.Client) -> Any:
    answer = api.post("/attachments", json=ASKED)
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def form(created: Any) -> Any:
    return created["meta"]["upload"]


@pytest.fixture
def conversation(kustomer: KustomerHandle, api: httpx2.Client) -> str:
    customer = kustomer.add_customer(name="Ada Example")
    return str(data(api.post("/conversations", json={"customer": customer}), 201)["id"])


@pytest.fixture
def note(api: httpx2.Client, conversation: str) -> str:
    return str(data(api.post(f"/conversations/{conversation}/notes", json={"body": "x"}), 201)["id"])


def reference(attachment_id: str) -> dict[str, Any]:
    return {"_id": attachment_id, **ASKED}


# Records


def test_a_record_comes_with_a_form_as_published(created: Any) -> None:
    attachment = created["data"]

    assert attachment["type"] == "attachment"
    assert attachment["attributes"] == {**ASKED, "uploaded": False, "redacted": False}
    assert set(attachment["links"]) == {"self", "related"}
    fields = created["meta"]["upload"]["fields"]
    assert list(fields) == [
        "key", "acl", "Content-Type", "X-Amz-Meta-Attachment-Id", "bucket", "X-Amz-Algorithm",
        "X-Amz-Credential", "X-Amz-Date", "Policy", "X-Amz-Signature",
    ]  # fmt: skip
    assert fields["key"].endswith(f"/{attachment['id']}-call 1.mp3")
    assert fields["X-Amz-Meta-Attachment-Id"] == attachment["id"]
    policy = json.loads(base64.b64decode(fields["Policy"]))
    assert ["content-length-range", len(SOUND), len(SOUND)] in policy["conditions"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"contentType": None}, "contentType"),
        ({"contentLength": None}, "contentLength"),
        ({"contentLength": "12"}, "contentLength"),
        ({"contentLength": -1}, "contentLength"),
        ({"contentLength": 25_000_001}, "contentLength"),
        ({"id": AN_ID}, "id"),
        ({"uploaded": True}, "uploaded"),
        ({"renderMode": "default"}, "externalUrl"),
        ({"renderMode": "big", "externalUrl": "https://a.example/x"}, "renderMode"),
        ({"externalUrl": "http://a.example/x"}, "externalUrl"),
        ({"externalUrl": "https://me:secret@a.example/x"}, "externalUrl"),
        ({"externalUrl": "https://"}, "externalUrl"),
        ({"externalUrl": "https://[x"}, "externalUrl"),
    ],
)
def test_a_record_that_breaks_a_rule_is_refused(api: httpx2.Client, change: Any, named: str) -> None:
    body = {name: value for name, value in (ASKED | change).items() if value is not None}

    assert wrong(api.post("/attachments", json=body)) == [named]


def test_which_types_and_sizes_are_taken_is_a_reading(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    kustomer.read_as(attachment_types="no-audio", attachment_max_bytes=100)

    assert wrong(api.post("/attachments", json=ASKED | {"contentLength": 9})) == ["contentType"]
    assert wrong(api.put(f"/attachments/{AN_ID}", json=ASKED)) == ["contentType"]
    assert wrong(api.post("/attachments", json=ASKED | {"contentType": "text/plain"})) == ["contentLength"]
    assert kustomer.attachments == []


def test_a_file_that_stays_elsewhere_needs_no_upload(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    url = "https://files.example/a.mp3?x=1"
    body = {**ASKED, "externalUrl": url, "renderMode": "metadata_only"}

    answer = api.post("/attachments", json=body)

    attachment = data(answer, 201)
    assert "meta" not in answer.json()
    assert attachment["attributes"]["uploaded"] is True
    assert data(api.get(f"/attachments/{attachment['id']}"))["links"]["related"] == url
    assert kustomer.attachments[0]["size"] is None


def test_a_record_can_have_a_chosen_id(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    first = api.put(f"/attachments/{AN_ID.upper()}", json=ASKED)
    again = api.put(f"/attachments/{AN_ID}", json=ASKED)

    assert data(first)["id"] == data(again)["id"] == AN_ID
    assert len(kustomer.attachments) == 1
    assert post(first.json()["meta"]["upload"]).status_code == 204
    assert data(api.put(f"/attachments/{AN_ID}", json={"name": "b"}))["attributes"]["uploaded"] is True


def test_a_chosen_id_is_one_and_its_record_has_all_that_a_form_needs(api: httpx2.Client) -> None:
    assert wrong(api.put("/attachments/call-1", json=ASKED)) == ["id"]
    assert wrong(api.put(f"/attachments/{AN_ID}", json={"name": "a"})) == ["contentType", "contentLength"]
    assert wrong(api.put(f"/attachments/{AN_ID}", json=ASKED | {"externalUrl": "https://a.example"})) == [
        "externalUrl"
    ]
    assert wrong(api.get(f"/attachments/{AN_ID}"), 404) == ["id"]


@pytest.mark.parametrize(
    ("reading", "before", "after"),
    [("always", True, True), ("pending", True, False), ("never", False, False)],
)
def test_whether_a_put_answers_with_a_form_is_a_reading(
    kustomer: KustomerHandle, api: httpx2.Client, form: Any, reading: str, before: bool, after: bool
) -> None:
    path = f"/attachments/{form['fields']['X-Amz-Meta-Attachment-Id']}"
    kustomer.read_as(attachment_put_form=reading)

    assert ("meta" in api.put(path, json=ASKED).json()) is before
    post(form)
    assert ("meta" in api.put(path, json=ASKED).json()) is after


# Uploads


def test_an_uploaded_file_is_there_and_can_be_read_for_a_while(api: httpx2.Client) -> None:
    clock = [1_772_445_600.0]
    with RunningSandbox(world=World(now=lambda: clock[0])) as running:
        headers = {"Authorization": f"Bearer {KUSTOMER_KEY}"}
        with httpx2.Client(base_url=running.kustomer.url + "/v1", headers=headers) as client:
            created = client.post("/attachments", json=ASKED).json()
            path = f"/attachments/{created['data']['id']}"
            too_early = httpx2.get(client.get(path).json()["data"]["links"]["related"])
            stored = post(created["meta"]["upload"])
            shown = client.get(path).json()["data"]
            link = shown["links"]["related"]
            read = httpx2.get(link)
            meddled = httpx2.get(link.replace("Expires=1", "Expires=2"))
            clock[0] += 600
            too_late = httpx2.get(link)

    assert (stored.status_code, stored.content) == (204, b"")
    assert "x-ratelimit-limit" not in stored.headers
    assert shown["attributes"]["uploaded"] is True
    assert (read.content, read.headers["content-type"]) == (SOUND, "audio/mpeg")
    assert code(too_early) == (404, "NoSuchKey")
    assert code(meddled) == code(too_late) == (403, "AccessDenied")


def test_what_was_uploaded_is_told_apart_from_the_requests(
    kustomer: KustomerHandle, api: httpx2.Client, created: Any
) -> None:
    attachment_id = created["data"]["id"]
    kustomer.limit(1)

    post(created["meta"]["upload"])
    post(created["meta"]["upload"])

    assert [(one.method, one.path) for one in kustomer.requests] == [("POST", "/v1/attachments")]
    sha256 = hashlib.sha256(SOUND).hexdigest()
    for one in kustomer.uploads:
        assert (one.status, one.attachment, one.size, one.sha256) == (204, attachment_id, len(SOUND), sha256)
    (attachment,) = kustomer.attachments
    assert (attachment["uploaded"], attachment["size"], attachment["sha256"]) == (True, len(SOUND), sha256)
    assert (attachment["uploadCount"], attachment["referenced"]) == (2, False)
    assert kustomer.attachment_bytes(attachment_id) == SOUND
    assert len(httpx2.get(kustomer.url + "/_sandbox/uploads").json()) == 2
    assert api.get("/customers").status_code == 200
    kustomer.forget_uploads()
    assert kustomer.uploads == []


def test_the_api_key_must_not_go_to_the_storage(kustomer: KustomerHandle, form: Any) -> None:
    answer = post(form, Authorization=f"Bearer {KUSTOMER_KEY}")

    assert code(answer) == (400, "InvalidArgument")
    assert kustomer.uploads[0].authorization
    assert not kustomer.attachments[0]["uploaded"]


def test_the_file_comes_last(kustomer: KustomerHandle, form: Any) -> None:
    fields = fields_of(form)

    assert code(raw(form, *fields[:-1], ("file", SOUND), fields[-1])) == (400, "InvalidArgument")
    assert code(raw(form, *fields, ("file", SOUND), ("file", SOUND))) == (400, "InvalidArgument")
    assert code(raw(form, *fields)) == (400, "IncorrectNumberOfFilesInPostRequest")
    assert not kustomer.attachments[0]["uploaded"]
    assert raw(form, *fields, ("file", SOUND)).status_code == 204


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (lambda f: f.pop("key"), (400, "InvalidArgument")),
        (lambda f: f.pop("Policy"), (400, "InvalidArgument")),
        (lambda f: f.pop("acl"), (403, "AccessDenied")),
        (lambda f: f.update({"key": "attachments/elsewhere"}), (403, "AccessDenied")),
        (lambda f: f.update({"Content-Type": "text/html"}), (403, "AccessDenied")),
        (lambda f: f.update({"X-Amz-Meta-Attachment-Id": AN_ID}), (403, "AccessDenied")),
        (lambda f: f.update({"note": "more"}), (403, "AccessDenied")),
        (lambda f: f.update({"X-Amz-Signature": "0" * 64}), (403, "SignatureDoesNotMatch")),
        (lambda f: f.update({"Policy": "e30="}), (403, "SignatureDoesNotMatch")),
        (lambda f: f.update({"acl": "x" * 30_000}), (400, "MaxPostPreDataLengthExceeded")),
    ],
)
def test_a_field_that_is_not_as_handed_out_is_refused(
    kustomer: KustomerHandle, form: Any, change: Callable[[Any], object], refusal: tuple[int, str]
) -> None:
    change(form["fields"])

    assert code(post(form)) == refusal
    assert kustomer.uploads[0].code == refusal[1]
    assert not kustomer.attachments[0]["uploaded"]


def test_the_file_has_the_length_that_was_announced(kustomer: KustomerHandle, form: Any) -> None:
    assert code(post(form, SOUND[:-1])) == (400, "EntityTooSmall")
    assert code(post(form, SOUND + b"x")) == (400, "EntityTooLarge")
    assert [one.size for one in kustomer.uploads] == [len(SOUND) - 1, len(SOUND) + 1]
    assert not kustomer.attachments[0]["uploaded"]


def test_what_is_no_form_is_refused(form: Any) -> None:
    body, headers = body_of(*fields_of(form), ("file", SOUND))

    def chunks() -> Iterator[bytes]:
        yield body

    assert code(httpx2.post(form["url"], json=form["fields"])) == (412, "PreconditionFailed")
    cut = httpx2.post(form["url"], content=body[:-8], headers=headers)
    assert code(cut) == (400, "MalformedPOSTRequest")
    assert code(httpx2.post(form["url"], content=chunks(), headers=headers)) == (411, "MissingContentLength")
    assert code(httpx2.put(form["url"], content=body, headers=headers)) == (403, "AccessDenied")


@pytest.mark.parametrize("content", [b"", b"\r\n--X", b"\r\n--X" * 40_000, b"\r" * 70_000])
def test_bytes_that_look_like_a_boundary_are_kept(
    kustomer: KustomerHandle, api: httpx2.Client, content: bytes
) -> None:
    created = api.post("/attachments", json=ASKED | {"contentLength": len(content)}).json()

    assert raw(created["meta"]["upload"], *fields_of(created["meta"]["upload"]), ("file", content)).is_success
    assert kustomer.attachment_bytes(created["data"]["id"]) == content


def test_a_form_expires(kustomer: KustomerHandle, api: httpx2.Client, form: Any) -> None:
    kustomer.expire_uploads()
    fresh = api.post("/attachments", json=ASKED).json()["meta"]["upload"]

    refused = post(form)

    assert code(refused) == (403, "AccessDenied")
    assert "Policy expired" in refused.text
    assert post(fresh).status_code == 204
    httpx2.post(kustomer.url + "/_sandbox/expire-uploads")
    assert code(post(fresh)) == (403, "AccessDenied")
    kustomer.read_as(upload_lifetime_s=0)
    at_once = api.post("/attachments", json=ASKED).json()["meta"]["upload"]
    assert code(post(at_once)) == (403, "AccessDenied")


def test_faults_hit_the_storage_too(kustomer: KustomerHandle, form: Any) -> None:
    kustomer.fail_next(503, path="^/_uploads")
    kustomer.lose_next_reply(path="^/_uploads")

    refused = post(form)
    with pytest.raises(httpx2.TransportError):
        post(form)

    assert code(refused) == (503, "SlowDown")
    assert [one.fault for one in kustomer.uploads] == ["status", "lose_reply"]
    assert kustomer.attachments[0]["uploadCount"] == 1


def test_a_large_file_is_counted_and_not_kept(kustomer: KustomerHandle, api: httpx2.Client) -> None:
    content = bytes(LARGEST_KEPT)
    created = api.post("/attachments", json=ASKED | {"contentLength": len(content)}).json()

    assert post(created["meta"]["upload"], content).status_code == 204

    assert kustomer.attachments[0]["sha256"] == hashlib.sha256(content).hexdigest()
    with pytest.raises(LookupError):
        kustomer.attachment_bytes(created["data"]["id"])


# Notes


def test_a_note_points_only_at_what_was_uploaded(
    kustomer: KustomerHandle, api: httpx2.Client, conversation: str, note: str, created: Any
) -> None:
    attachment_id = created["data"]["id"]
    body = {"body": "x", "attachments": [reference(attachment_id)]}
    unknown = {"attachments": [reference(AN_ID)]}

    assert wrong(api.post(f"/conversations/{conversation}/notes", json=body)) == ["attachments.0._id"]
    assert wrong(api.patch(f"/notes/{note}", json=unknown)) == ["attachments.0._id"]
    post(created["meta"]["upload"])
    added = data(api.post(f"/conversations/{conversation}/notes", json=body), 201)

    shown = data(api.get(f"/notes/{added['id']}"))
    assert shown["relationships"]["attachments"]["data"] == [{"type": "attachment", "id": attachment_id}]
    assert kustomer.attachments[0]["referenced"] is True
    listed = data(api.get(f"/conversations/{conversation}/attachments"))
    assert [one["id"] for one in listed] == [attachment_id]


def test_a_sent_list_replaces_what_the_note_had(
    kustomer: KustomerHandle, api: httpx2.Client, note: str, created: Any
) -> None:
    post(created["meta"]["upload"])
    persons = kustomer.add_attachment(note, name="a.txt", content=b"hello", content_type="text/plain")
    before = data(api.get(f"/notes/{note}"))

    after = data(api.patch(f"/notes/{note}", json={"attachments": [reference(created["data"]["id"])]}))

    assert [one["id"] for one in before["relationships"]["attachments"]["data"]] == [persons]
    assert [one["id"] for one in after["relationships"]["attachments"]["data"]] == [created["data"]["id"]]
    referenced = {one["id"]: one["referenced"] for one in kustomer.attachments}
    assert referenced == {created["data"]["id"]: True, persons: False}
    assert "attachments" not in data(api.patch(f"/notes/{note}", json={"attachments": []}))["relationships"]


# The page, and the disk


def test_the_page_shows_and_plays_a_notes_attachments(
    kustomer: KustomerHandle, api: httpx2.Client, note: str, created: Any
) -> None:
    post(created["meta"]["upload"])
    api.patch(f"/notes/{note}", json={"attachments": [reference(created["data"]["id"])]})
    kustomer.add_attachment(note, name="<i>.txt", content=b"hello", content_type="text/html")
    kustomer.forget_requests()
    address = f"/_sandbox/attachments/{created['data']['id']}"

    page = httpx2.get(kustomer.url + "/").text
    played = httpx2.get(kustomer.url + address, headers={"Range": "bytes=0-3"})

    assert "call 1.mp3" in page and "120 bytes" in page and "&lt;i&gt;.txt" in page
    assert f'<audio controls preload="none" src="{address}"' in page
    assert (played.status_code, played.content) == (206, b"RIFF")
    assert played.headers["content-security-policy"] == "sandbox"
    state = httpx2.get(kustomer.url + "/_sandbox/state").json()
    assert len(state["attachments"]) == 2
    assert kustomer.requests == []
    httpx2.post(kustomer.url + "/_sandbox/reset")
    assert kustomer.attachments == []
    assert httpx2.get(kustomer.url + address).status_code == 404


def test_files_are_there_again_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite"
    headers = {"Authorization": f"Bearer {KUSTOMER_KEY}"}
    with RunningSandbox(path) as first:
        created = httpx2.post(first.kustomer.url + "/v1/attachments", json=ASKED, headers=headers).json()
        post(created["meta"]["upload"])

    with RunningSandbox(path) as second:
        assert second.kustomer.attachments[0]["uploaded"] is True
        assert second.kustomer.attachment_bytes(created["data"]["id"]) == SOUND
        httpx2.post(second.kustomer.url + "/_sandbox/reset")
        with pytest.raises(LookupError):
            second.kustomer.attachment_bytes(created["data"]["id"])
