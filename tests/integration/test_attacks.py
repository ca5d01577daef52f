"""The attack table: what somebody tries over HTTP, and what it comes to."""

import asyncio
import gzip
import json
import os
import zlib
from email import message_from_bytes
from email.policy import default

import pytest

from orchestrator.channels.email.composing import compose
from orchestrator.channels.links import About, Kind
from orchestrator.model import ids
from orchestrator.web import bodies, server
from providers import LINKS, action
from providers.live import CART, READ, LiveShop

PROFILE = ids.profile_id_of("customer_id", "ana")
BEGINNING = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a-write-key\r\n"
ABOUT = About(PROFILE, "ab" * 16, "email", "marketing", "es")


@pytest.fixture
async def shop(tmp_path):
    async with LiveShop(tmp_path) as live:
        yield live


async def answered(shop, path="/v1/events", data=b"{}", key="", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    authorization = {"Authorization": key} if key is not None else {}
    async with shop.client.post(path, data=data, headers={**headers, **authorization}) as response:
        return response.status, await response.text()


KEYS = ["", "Bearer ", "Bearer wrong", f"Bearer {READ}", "Basic !!", "Basic d3Jvbmc6", "Digest x"]


@pytest.mark.parametrize("path", ["/v1/events", "/v1/track", "/v1/batch", "/hooks/email"])
async def test_nobody_gets_in_without_a_key(shop, path):
    for key in KEYS:
        status, told = await answered(shop, path, json.dumps({**CART, "customer_id": "ana", "writeKey": "wrong"}), key)
        assert status == 401
        assert "a-write-key" not in told


async def test_nobody_looks_a_customer_up_without_a_read_key(shop):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer a-write-key"}):
        async with shop.client.get("/v1/customers/ana", headers={"Authorization": "", **headers}) as response:
            assert response.status == 401


async def test_a_hundred_megabytes_are_refused_unread(shop):
    sent = 0

    async def body():
        nonlocal sent
        for _ in range(100):
            sent += 1 << 20
            yield b"x" * (1 << 20)

    try:
        status, _ = await answered(shop, data=body(), key="Bearer a-write-key")
        assert status == 413
    except (ConnectionError, OSError):
        pass  # closed on us in the middle, which is an answer too
    assert sent < 60 << 20
    assert (await shop.post({**CART, "customer_id": "ana"}))[0] == 202


async def test_a_length_that_is_too_much_is_refused_at_once(shop):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(shop.url.rpartition(":")[2]))
    writer.write(BEGINNING + b"Content-Length: 99999999\r\n\r\n")
    assert b"413" in await reader.readline()
    writer.close()


async def test_whoever_sends_too_much_before_they_listen_hears_that_it_is_too_much(shop):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(shop.url.rpartition(":")[2]))
    size = bodies.MAX_BYTES + 1
    writer.write(BEGINNING + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
    await writer.drain()
    assert b"413" in await reader.readline()
    await reader.readuntil(b'unpacked"}')
    body = json.dumps({**CART, "customer_id": "ana"}).encode()
    writer.write(BEGINNING + b"Content-Length: %d\r\n\r\n" % len(body) + body)  # on the same connection
    assert b"202" in await reader.readline()
    writer.close()


async def test_a_zip_bomb_is_refused_before_it_is_unpacked(shop):
    bomb = gzip.compress(b"[" + b" " * (40 << 20) + b"]", 9)
    assert len(bomb) < bodies.MAX_BYTES
    assert (await answered(shop, data=bomb, key="Bearer a-write-key", Content_Encoding="gzip"))[0] == 413


def _wishing(name, body):
    wish = b"Connection: Upgrade, HTTP2-Settings\r\n%s: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n" % name
    return BEGINNING + wish + b"Content-Length: %d\r\n\r\n" % len(body), body


async def test_who_would_rather_speak_another_protocol_is_heard_in_this_one(shop):
    """As Java's own client asks at first over a plain connection."""
    body = json.dumps({**CART, "customer_id": "ana"}).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(shop.url.rpartition(":")[2]))
    for pieces in ([b"".join(_wishing(b"Upgrade", body))], _wishing(b"upgrade", body)):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.02)
        assert (await reader.readline()).startswith(b"HTTP/1.1 202")
        await reader.readuntil(b'refused":[]}')
    writer.close()


async def test_connections_that_are_kept_for_later_keep_nobody_out(shop, monkeypatch):
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 3)
    port = int(shop.url.rpartition(":")[2])
    kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    for reader, writer in kept[:2]:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b'ok"}')
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200" in await reader.readline()
    assert await kept[2][0].read() == b""  # that never asked for anything
    for each, _ in kept[:2]:
        assert not each.at_eof()
    for _, each in (*kept, (reader, writer)):
        each.close()


async def test_where_all_are_busy_only_the_newest_are_asked_to_come_back(shop, monkeypatch):
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 1)
    port = int(shop.url.rpartition(":")[2])
    busy = await asyncio.open_connection("127.0.0.1", port)
    busy[1].write(BEGINNING + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    await busy[0].readuntil(b"\r\n\r\n")  # somebody waits for the body
    newest = await asyncio.open_connection("127.0.0.1", port)
    newest[1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"503" in await newest[0].readline()
    busy[1].write(b"{}")
    assert b"400" in await busy[0].readline()
    for _, each in (busy, newest):
        each.close()


async def test_no_body_is_taken_for_another_request(shop):
    head, body = _wishing(b"Upgrade", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    begun, rest = head.split(b"grade: h2c")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(shop.url.rpartition(":")[2]))
    for piece in (begun, b"grade: h2c" + rest, body):
        writer.write(piece)
        await asyncio.sleep(0.02)
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert (answer.count(b"HTTP/1.1 "), answer.split()[1]) == (1, b"400")
    writer.close()


@pytest.mark.parametrize(
    "packed",
    [b"no gzip", gzip.compress(b"[{}]", mtime=0)[:-9], b"", gzip.compress(b"{}", mtime=0) + b"and more"],
)
async def test_a_broken_package_is_refused(shop, packed):
    assert (await answered(shop, data=packed, key="Bearer a-write-key", Content_Encoding="gzip"))[0] == 400


async def test_packed_events_are_taken(shop):
    event = json.dumps({**CART, "customer_id": "ana"}).encode()
    for packed, encoding in ((gzip.compress(event), "gzip"), (zlib.compress(event), "deflate")):
        status, _ = await answered(shop, data=packed, key="Bearer a-write-key", Content_Encoding=encoding)
        assert status == 202
    assert (await answered(shop, data=event, key="Bearer a-write-key", Content_Encoding="br"))[0] == 415


async def test_of_a_body_that_was_packed_in_several_pieces_no_event_is_lost(shop):
    lines = [json.dumps({"type": "cart_updated", "id": f"e{number}", "customer_id": "ana"}) for number in range(3_000)]
    noise = [{"type": "cart_updated", "customer_id": "ana", "properties": {"n": os.urandom(200_000).hex()}}]
    lines += [json.dumps(each) for each in noise] * 3
    packed = b"".join(gzip.compress(f"{line}\n".encode(), mtime=0) for line in lines)
    answer = await answered(shop, data=packed, key="Bearer a-write-key", Content_Encoding="gzip")
    assert (answer[0], json.loads(answer[1])["accepted"]) == (202, len(lines))
    many = gzip.compress(b" ", mtime=0) * 10_001
    assert (await answered(shop, data=many, key="Bearer a-write-key", Content_Encoding="gzip"))[0] == 400
    bomb = gzip.compress(b" " * (1 << 20), mtime=0) * 40
    assert (await answered(shop, data=bomb, key="Bearer a-write-key", Content_Encoding="gzip"))[0] == 413


@pytest.mark.parametrize("value", [b"98765432109876543210", b"[" * 100 + b"]" * 100])
async def test_a_report_that_no_record_holds_is_refused(shop, value):
    report = b'{"type": "message_clicked", "action_id": "a1", "customer_id": "ana", "properties": {"a": %s}}' % value
    status, told = await answered(shop, "/hooks/email", report, "Bearer a-write-key", Content_Type="application/json")
    assert (status, json.loads(told)["code"]) == (400, "bad_report")


NO_EVENTS = [
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"type": "x", "customer_id": "ana", "properties": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    b"[" * 100_000 + b"]" * 100_000,
    b"\xff\xfe\x00",
    b"",
    b"   ",
    b"null",
    b"[]",
    b'"text"',
    b"[1, 2]",
    b'{"type": "x", "customer_id": "ana", "time": "9999999999999999999999"}',
    b'{"type": "x"}',
]


@pytest.mark.parametrize("path", ["/v1/events", "/v1/batch", "/v1/identify"])
async def test_what_is_no_event_is_refused_and_hurts_nobody(shop, path):
    for body in NO_EVENTS:
        status, told = await answered(shop, path, body, "Bearer a-write-key")
        assert status == 400
        assert set(json.loads(told)) >= {"code", "message"}
    assert (await shop.post({**CART, "customer_id": "ana"}))[0] == 202


async def test_a_cloud_events_headers_escape_what_is_not_ascii(shop):
    event = {"ce_specversion": "1.0", "ce_id": "1", "ce_type": "cart_updated", "ce_subject": "caf%C3%A9"}
    body = json.dumps(CART["properties"]).encode()
    assert (await answered(shop, data=body, key="Bearer a-write-key", **event))[0] == 202
    assert (await shop.known("caf%C3%A9"))["customer_id"] == "café"
    event["ce_subject"] = "caf%E9"
    status, told = await answered(shop, data=body, key="Bearer a-write-key", **event)
    assert (status, json.loads(told)["code"]) == (400, "bad_envelope")


async def test_too_many_events_at_once_are_refused(shop):
    many = b"[" + b",".join([b"{}"] * 10_001) + b"]"
    assert (await answered(shop, data=many, key="Bearer a-write-key"))[0] == 413


async def test_a_client_that_never_finishes_is_shown_the_door(shop, monkeypatch):
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.2)
    monkeypatch.setattr(bodies, "SECONDS", 0.2)
    port = int(shop.url.rpartition(":")[2])
    for beginning in (b"", b"POST /v1/events HTTP/1.1\r\nHost: x\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(beginning)
        assert await reader.read() == b""
        writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(BEGINNING + b"Content-Length: 50\r\n\r\n{")
    assert b"408" in await reader.readline()
    writer.close()
    for left in (b"x", b"x" * 50):  # without a key: answered at once, and let go of whether the rest comes or not
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n")
        assert b"401" in await reader.readline()
        await reader.readuntil(b"}")
        writer.write(left)
        assert await reader.read() == b""
        writer.close()


PATHS = [
    "/../etc/passwd",
    "/v1/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/v1/customers/../../x",
    "/static/..%2f..%2fetc",
]


CHUNKED = BEGINNING + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


BESIDE = [b"POST /", BEGINNING, BEGINNING + b"X: ", CHUNKED, CHUNKED + b"X: "]


async def test_what_stands_beside_a_body_has_an_end(shop):
    for beginning in BESIDE:
        for piece in (b"a" * 64_000, b"a: " + b"b" * 64_000 + b"\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(shop.url.rpartition(":")[2]))
            writer.write(beginning)
            sent = 0
            try:
                while sent < 4 << 20 and not reader.at_eof():
                    writer.write(piece)
                    await writer.drain()
                    sent += len(piece)
                    await asyncio.sleep(0)
                answer = await reader.read()
                assert answer == b"" or answer.split()[1] in (b"400", b"431"), answer[:80]
            except ConnectionError:
                pass  # closed on us in the middle, which is an answer too
            writer.close()
            assert sent < 2 << 20, beginning
    assert (await shop.post({**CART, "customer_id": "ana"}))[0] == 202


async def test_a_body_in_the_smallest_pieces_is_read_as_any_other(shop):
    body = json.dumps({**CART, "customer_id": "ana", "pad": "x" * 60_000}).encode()
    pieces = b"".join(b"1\r\n%c\r\n" % each for each in body)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(shop.url.rpartition(":")[2]))
    writer.write(BEGINNING + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")
    assert b" 202 " in await reader.readline()
    writer.close()


async def test_the_mark_that_windows_puts_before_a_text_is_no_part_of_it(shop):
    event = {"event": "cart_updated", "userId": "ana", "type": "track", "messageId": "m1"}
    for path in ("/v1/events", "/v1/track", "/v1/batch"):
        told = json.dumps({"batch": [event]} if path == "/v1/batch" else event).encode()
        status, answer = await answered(shop, path, b"\xef\xbb\xbf" + told, "Bearer a-write-key")
        assert (status, answer) == (202, '{"accepted":1,"refused":[]}')


async def test_what_is_not_there_is_answered_as_everything_else_is(shop):
    for method, path in (("GET", "/v1/customers/a%0Ab"), ("GET", "/nothing"), ("DELETE", "/healthz")):
        async with shop.client.request(method, path) as response:
            told = await response.json()
            assert (response.status, told["code"]) in [(404, "unknown"), (405, "wrong_method")]


async def test_no_path_leads_to_a_file(shop):
    for path in PATHS:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(shop.url.rpartition(":")[2]))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        told = await reader.read()
        assert told.split()[1] in (b"404", b"401")
        assert b"root:" not in told
        writer.close()


async def test_a_customers_name_is_no_template_and_no_html(shop):
    name = "{{ brand.address }}{% for x in (1..9999999) %}x{% endfor %}<script>alert(1)</script>\r\nBcc: x@y.example"
    [made] = shop.service.preparer.prepare(action(data={"profile": {"first_name": name}}), shop.clock.now_ms())
    assert made.rendered.fields["subject"].startswith("{{ brand.address }}{% for x")
    mail = message_from_bytes(compose(made, "Tienda <hola@shop.example>").content, policy=default)
    assert "<script>" not in mail.get_body(("html",)).get_content()
    assert mail["Bcc"] is None


PLACES = {"u": Kind.UNSUBSCRIBE, "s": Kind.SURVEY, "c": Kind.CONFIRM, "r": Kind.CLICK, "o": Kind.OPEN}


@pytest.mark.parametrize("path", ["u", "s", "c", "r", "o"])
async def test_links_that_are_not_ours_change_nothing(shop, path):
    await shop.greet()
    before = await shop.known()
    good = LINKS.make(Kind.UNSUBSCRIBE, ABOUT, shop.clock.now_ms()).rpartition("/")[2]
    others = [kind for kind in Kind if kind is not PLACES[path] and (path, kind) != ("u", Kind.PREFERENCES)]
    wrong = [LINKS.make(kind, ABOUT, shop.clock.now_ms(), "http://x").rpartition("/")[2] for kind in others]
    for token in ("x", "a.b", good[:-1], good + "a", f".{good}", "%00", *wrong):
        for ask in (shop.client.get, shop.client.post):
            async with ask(f"/{path}/{token}", allow_redirects=False) as response:
                assert response.status in (404, 405, 410) or (path == "o" and response.content_type == "image/gif")
                assert "Location" not in response.headers
    assert await shop.known() == before


async def test_a_link_that_has_expired_says_so_and_changes_nothing(shop):
    await shop.greet()
    old = LINKS.make(Kind.UNSUBSCRIBE, ABOUT, shop.clock.now_ms() - 731 * 86_400_000).rpartition("/")[2]
    async with shop.client.post(f"/u/{old}", headers={"Accept-Language": "es"}) as response:
        assert response.status == 410
        assert "Este enlace ha caducado" in await response.text()
    year_old = LINKS.make(Kind.CLICK, ABOUT, shop.clock.now_ms() - 366 * 86_400_000, "https://shop.example/x")
    async with shop.client.get(f"/r/{year_old.rpartition('/')[2]}", headers={"Accept-Language": "es"}) as response:
        assert response.status == 410
        assert "Este enlace ha caducado" in await response.text()
    assert [each["granted"] for each in (await shop.known())["consents"]] == [True]


async def test_a_redirect_leads_only_to_the_web(shop):
    token = LINKS.make(Kind.CLICK, ABOUT, shop.clock.now_ms(), "javascript:alert(1)").rpartition("/")[2]
    async with shop.client.get(f"/r/{token}", allow_redirects=False) as response:
        assert response.status == 404


async def test_other_methods_are_refused(shop):
    async with shop.client.get("/v1/events") as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST, OPTIONS")
    async with shop.client.delete("/v1/customers/ana") as response:
        assert response.status == 405
    async with shop.client.options("/v1/batch") as response:
        assert response.status == 204
