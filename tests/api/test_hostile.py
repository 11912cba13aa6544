"""What nobody should send: the answer is a clear refusal, in the one shape, and the server lives on."""

from __future__ import annotations

import io
import json
import socket
import struct
import zlib
from typing import Any

import httpx
import pytest
from PIL import Image

from tests import running

CASES = "/api/cases"
REPORT = {"title": "A lamp is out", "kind": "urban"}
BOUNDARY = "b0undary"


@pytest.fixture(scope="module")
def client() -> Any:
    with httpx.Client(base_url=running.city().url, timeout=30, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {running.token('operator', 'operator')}"
        yield client


def refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """The problem of an answer that must be a refusal in the one shape, with a remedy."""
    assert answer.status_code in statuses, (answer.status_code, answer.text[:500])
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["title"] and problem["detail"]
    assert problem["remedy"], problem
    return problem


def send(client: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    return client.post(CASES, content=body, headers={"Content-Type": "application/json", **headers})


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"text"', id="a text"),
        pytest.param(b"<title>lamp</title>", id="markup"),
        pytest.param(b"title=lamp&kind=urban", id="a form"),
        pytest.param(b"\xff\xfe" + json.dumps(REPORT).encode("utf-16-le"), id="UTF-16"),
        pytest.param(json.dumps(REPORT).encode("utf-32"), id="UTF-32"),
        pytest.param('{"title": "路灯不亮", "kind": "urban"}'.encode("gb18030"), id="GB 18030"),
        pytest.param(b'{"title": "\xc3\x28", "kind": "urban"}', id="broken UTF-8"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="a deep nest"),
        pytest.param(b'{"title": ' + b"9" * 10_000 + b', "kind": "urban"}', id="a number of ten thousand digits"),
        pytest.param(b'{"title": "lamp", "kind": "urban", "lon": 1e999, "lat": 30}', id="infinity"),
        pytest.param(b'{"title": "lamp", "kind": "urban", "lon": NaN, "lat": 30}', id="no number"),
    ],
)
def test_malformed_bodies(client: httpx.Client, body: bytes) -> None:
    refused(send(client, body), 400, 422)


@pytest.mark.parametrize(
    "more",
    [
        {"title": "a\x00b"},
        {"title": "\ud800"},
        {"description": "\x00"},
        {"key": "a\x00b"},
        {"title": "x" * 201},
        {"title": " \t\n"},
        {"description": "x" * 20_001},
        {"severity": 10**30},
        {"severity": "1; DROP TABLE cases_case"},
        {"lon": 120.1},
        {"lon": 181, "lat": 30},
        {"kind": "no-such-kind"},
        {"type": "no-such-type"},
        {"division": "../../etc/passwd"},
        {"occurred_at": "9999-12-31T23:59:59Z"},
        {"occurred_at": "0001-01-01T00:00:00Z"},
        {"occurred_at": "2024-01-01T00:00:00"},
        {"evidence": ["00000000-0000-0000-0000-00000000000g"]},
        {"unknown": "field"},
        {"source": "<script>"},
    ],
    ids=lambda more: json.dumps(more)[:60],
)
def test_fields_that_cannot_be(client: httpx.Client, more: dict[str, Any]) -> None:
    refused(send(client, json.dumps(REPORT | more).encode()), 400, 422)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/json; charset=utf-16"]
)
def test_another_content_type_is_read_as_json_or_refused(client: httpx.Client, kind: str) -> None:
    answer = client.post(CASES, content=b"<a/>", headers={"Content-Type": kind})
    refused(answer, 400, 415, 422)


def test_a_body_that_is_too_large(client: httpx.Client) -> None:
    refused(send(client, b'{"title": "' + b"x" * (17 * 2**20) + b'"}'), 400, 413)


def test_a_batch_that_is_too_large(client: httpx.Client) -> None:
    refused(client.post("/api/reports", json={"reports": [REPORT] * 501}), 422)


@pytest.mark.parametrize(
    "path",
    [
        "/api/cases/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/api/cases/%00",
        "/api/cases/" + "x" * 5_000,
        "/api/cases/00000000-0000-0000-0000-000000000000",
        "/api/evidence/..%2f..%2fsecret_key",
        "/api/evidence/00000000-0000-0000-0000-000000000000",
        "/api/nothing",
        "/api/cases?q=%00",
        "/api/cases?size=0",
        "/api/cases?size=100000000000000000000",
        "/api/cases?cursor=%3Cscript%3E",
        "/api/cases?cursor=bnVsbA",
        "/api/cases?opened_from=9999-99-99",
        "/api/cases?q=%ff%fe%00",
    ],
)
def test_addresses_that_lead_nowhere(client: httpx.Client, path: str) -> None:
    refused(client.get(path), 400, 404, 422)


@pytest.mark.parametrize("q", ["%", "'", "a' | b", "((", "!", ":*", "<->", "\\", "路灯 & | !", "💡" * 100, "a " * 99])
def test_searches_are_words_never_syntax(client: httpx.Client, q: str) -> None:
    assert client.get(CASES, params={"q": q}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer cs_" + "x" * 4_000},
        {"Authorization": "Bearer \xff"},
        {"Authorization": "Basic Og=="},
        {"Authorization": ""},
    ],
    ids=str,
)
def test_strangers(client: httpx.Client, headers: dict[str, str]) -> None:
    refused(client.get(CASES, headers={name: value.encode("latin-1") for name, value in headers.items()}), 401, 403)  # type: ignore[arg-type]


@pytest.mark.parametrize("match", ['"', "1 OR 1", "-1", "9" * 40, "①", 'W/"x"'])
def test_versions_that_are_none(client: httpx.Client, match: str) -> None:
    case = send(client, json.dumps(REPORT).encode()).json()
    answer = client.post(
        f"{CASES}/{case['id']}/moves",
        json={"move": "accept"},
        headers={b"If-Match": match.encode()},
    )
    refused(answer, 409, 412, 422)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "NONSENSE"])
def test_other_methods(client: httpx.Client, method: str) -> None:
    assert client.request(method, CASES).status_code in {400, 405, 501}


def jpeg(size: tuple[int, int] = (8, 8)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "JPEG")
    return out.getvalue()


def png(width: int, height: int, data: bytes) -> bytes:
    """A PNG that says how large it is, whatever its data are."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def text_bomb() -> bytes:
    """A small PNG whose compressed comment unpacks to 100 MB."""
    whole = png(1, 1, zlib.compress(b"\x00\x00\x00\x00"))
    comment = b"c\x00\x00" + zlib.compress(b"\x00" * 100_000_000, 9)
    chunk = struct.pack(">I", len(comment)) + b"zTXt" + comment + struct.pack(">I", zlib.crc32(b"zTXt" + comment))
    return whole[:33] + chunk + whole[33:]


FILES = {
    "nothing": b"",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "html": b"<!doctype html><script>alert(1)</script>",
    "gif": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "zip": b"PK\x03\x04" + b"\x00" * 100,
    "program": b"\x7fELF" + b"\x00" * 100,
    "half a picture": jpeg((200, 200))[:300],
    "a head alone": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "a bomb of pixels": png(60_000, 60_000, zlib.compress(b"\x00" * 10_000_000, 9)),
    "a picture of nothing": png(0, 0, b""),
    "eleven megabytes": b"\xff\xd8\xff" + b"\x00" * (11 * 2**20),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_evidence(client: httpx.Client, name: str) -> None:
    refused(client.post("/api/evidence", files={"file": ("../../photo.jpg", FILES[name], "image/jpeg")}), 413, 422)


def test_a_comment_that_unpacks_to_much_is_left_out_or_refused(client: httpx.Client) -> None:
    answer = client.post("/api/evidence", files={"file": ("p.png", text_bomb(), "image/png")})
    if answer.status_code != 201:
        refused(answer, 422)


def test_a_picture_that_is_also_a_page_loses_the_page(client: httpx.Client) -> None:
    polyglot = jpeg() + b"<html><script>alert(document.cookie)</script></html>"
    kept = client.post("/api/evidence", files={"file": ("p.html", polyglot, "text/html")})
    assert kept.status_code == 201
    back = client.get(f"/api/evidence/{kept.json()['id']}")
    assert b"script" not in back.content
    assert back.headers["Content-Type"] == "image/jpeg"
    assert back.headers["X-Content-Type-Options"] == "nosniff"
    assert "/" not in kept.json()["name"]


@pytest.mark.parametrize("name", ["../../../etc/cron.d/x", "..\\..\\x", "/etc/passwd", "a\x00b.jpg", "💡" * 300, ""])
def test_names_of_files_never_lead_anywhere(client: httpx.Client, name: str) -> None:
    body = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    body += jpeg() + f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = client.post("/api/evidence", content=body, headers=headers)
    if answer.status_code == 201:
        assert "/" not in answer.json()["name"] and "\x00" not in answer.json()["name"]
    else:
        refused(answer, 400, 422)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b0undary",
        b"no boundary at all",
        b"--b0undary\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b0undary--\r\n",
    ],
)
def test_uploads_that_are_no_form(client: httpx.Client, body: bytes) -> None:
    for kind in (f"multipart/form-data; boundary={BOUNDARY}", "multipart/form-data", "image/jpeg"):
        refused(client.post("/api/evidence", content=body, headers={"Content-Type": kind}), 400, 415, 422)


@pytest.mark.parametrize(
    "lines",
    [
        b"GET /api/cases HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /api/cases HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /api/cases HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/cases HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /api/cases HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["another host", "no host", "TLS", "negative length", "endless length", "broken chunks", "a long address"],
)
def test_what_is_hardly_http(lines: bytes) -> None:
    with socket.create_connection(("127.0.0.1", running.city().port), 10) as connection:
        connection.settimeout(5)
        connection.sendall(lines)
        try:
            said = connection.recv(4096)
        except (TimeoutError, ConnectionError):
            said = b""
    assert not said or said.split(b" ", 2)[1][:1] == b"4", said[:200]


def test_the_server_is_well_after_all_this(client: httpx.Client) -> None:
    assert client.get("/readyz").json()["ready"] is True
    assert send(client, json.dumps(REPORT).encode()).status_code == 201
