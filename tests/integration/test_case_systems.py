"""Teams with a system of their own: a case told in its form, and what it says of the case, signed."""

import hmac
import json

import pytest

from orchestrator.web.case_hooks import chatwoot_signature, zendesk_signature
from providers import MailServer
from providers.live import PROJECT, LiveShop, until, write_project
from providers.web import WebServer, answer

KEY, HOOK = "a-key-that-is-long", "the-hooks-secret"
TEAMS = """
teams:
  care: {{to: "{url}", template: {template}, settings: {{inbox_id: 3}}}}
  other: {{}}
"""
HANDS_OVER = """
journey: unhappy
version: 1
purpose: service
status: live
enter: {event: comment_left}
steps:
  - id: to-care
    handoff: {to: care, priority: urgent, reason: angry, summary: "Says: {{ event.properties.text }}", until: closed}
    then: [{exit: cared_for}]
"""
COMMENT = {"type": "comment_left", "customer_id": "ana", "channel": "email",
           "properties": {"text": 'All "broken" \\ bad'}}  # fmt: skip


def shop_of(tmp_path, url, template, **settings):
    write_project(tmp_path / "shop", HANDS_OVER, project=PROJECT + TEAMS.format(url=url, template=template))
    live = LiveShop(tmp_path, email=settings.pop("email", f"file:{tmp_path}/mails.jsonl"))
    live.settings |= {"agents": f"eva:{KEY}", "team_care_hook_secret": HOOK, **settings}
    return live


# What Zendesk signs with before a webhook is made ("Verifying webhooks").
ZENDESK_TEST_KEY = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="


async def told(shop, server):
    """Let a customer be handed over; give what the team's system was told, as (headers, body)."""
    await shop.greet()
    await shop.post({"type": "profile_updated", "customer_id": "ana",
                     "properties": {"chatwoot_source_id": "src-1"}})  # fmt: skip
    await shop.post(COMMENT)
    await until(lambda: server.requests)
    [(_, headers, body)] = server.requests
    return headers, json.loads(body)


async def hook(shop, headers, body, team="care"):
    async with shop.client.post(f"/hooks/cases/{team}", data=body, headers=headers) as response:
        return response.status, await response.json()


async def exits(shop):
    return [reason for verdict, reason in await shop.verdicts() if verdict == "exited"]


async def test_zendesk_gets_a_ticket_and_a_ticket_that_is_solved_closes_the_case(tmp_path):
    async with WebServer(answer(201, b'{"ticket": {"id": 5}}')) as server:
        live = shop_of(tmp_path, server.url, "zendesk", team_care_header="Authorization: Basic abc")
        async with live as shop:
            headers, body = await told(shop, server)
            assert headers["authorization"] == "Basic abc"
            ticket = body["ticket"]
            assert (ticket["priority"], ticket["subject"]) == ("urgent", 'Says: All "broken" \\ bad')
            assert ticket["requester"] == {"name": "Ana", "email": "ana@example.com"}
            assert 'Says: All "broken" \\ bad' in ticket["comment"]["body"]
            stamp = _iso(shop)
            said = {"type": "zen:event-type:ticket.status_changed", "id": "e1",
                    "detail": {"external_id": ticket["external_id"], "assignee_id": "8447", "id": "5"},
                    "event": {"current": "OPEN", "previous": "NEW"}}  # fmt: skip
            assert await hook(shop, *_zendesk(said, stamp)) == (202, {"accepted": 0})
            said["event"]["current"] = "SOLVED"
            wrong = _zendesk(said, stamp, "another-secret")
            assert (await hook(shop, *wrong))[0] == 401
            headers, body = _zendesk(said, stamp)
            assert (await hook(shop, headers, body.replace(b"SOLVED", b"CLOSED")))[0] == 401
            assert (await hook(shop, *_zendesk(said, "2021-07-25T10:00:00Z")))[1]["code"] == "stale"
            assert (await hook(shop, headers, body, "other"))[0] == 404
            assert await exits(shop) == []
            assert [await hook(shop, headers, body) for _ in range(2)] == [(202, {"accepted": 1})] * 2
            assert await exits(shop) == ["cared_for"]


def _iso(shop):
    from orchestrator.model import instants

    return instants.to_text(shop.clock.now_ms())


def _zendesk(said, stamp, key=HOOK):
    body = json.dumps(said).encode()
    signature = zendesk_signature(key, stamp, body)
    return {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": stamp}, body


async def test_chatwoot_gets_a_conversation_and_one_that_is_resolved_closes_the_case(tmp_path):
    header = {"team_care_header": "api_access_token: t"}
    async with WebServer(answer(200)) as server, shop_of(tmp_path, server.url, "chatwoot", **header) as shop:
        headers, body = await told(shop, server)
        assert headers["api_access_token"] == "t"
        assert (body["inbox_id"], body["source_id"], body["status"]) == ("3", "src-1", "open")
        case_id = body["custom_attributes"]["case_id"]
        said = {"event": "conversation_status_changed", "id": 7, "status": "resolved",
                "custom_attributes": {"case_id": case_id}, "meta": {"assignee": {"name": "Zoe"}}}  # fmt: skip
        raw, stamp = json.dumps(said).encode(), str(shop.clock.now_ms() // 1000)
        good = {"X-Chatwoot-Signature": chatwoot_signature(HOOK, stamp, raw),
                "X-Chatwoot-Timestamp": stamp}  # fmt: skip
        for bad in (
            {},
            {**good, "X-Chatwoot-Signature": "sha256=" + "0" * 64},
            {**good, "X-Chatwoot-Timestamp": "1"},
        ):
            assert (await hook(shop, bad, raw))[0] == 401
        assert await hook(shop, good, raw) == (202, {"accepted": 1})
        assert await exits(shop) == ["cared_for"]
        told_of = " ".join(each["sentence"] for each in (await shop.known())["timeline"])
        assert "was closed by Zoe: solved" in told_of


async def test_a_systems_own_json_keeps_its_shape_whatever_customers_write(tmp_path):
    template = (
        '{subject: "{{ summary }}", flags: [{urgent: true, case: "{{ case_id }}"}], queue: "{{ settings.inbox_id }}"}'
    )
    async with WebServer(answer(200)) as server, shop_of(tmp_path, server.url, template) as shop:
        _, body = await told(shop, server)
        assert body["subject"] == 'Says: All "broken" \\ bad'
        assert (body["flags"][0]["urgent"], body["queue"]) == (True, "3")


async def test_a_teams_mailbox_is_told_with_the_way_to_the_case(tmp_path):
    async with MailServer() as server:
        async with shop_of(tmp_path, "care@shop.example", "zendesk", email=server.url) as shop:
            await shop.greet()
            await shop.post(COMMENT)
            await until(lambda: server.raw)
            [mail] = server.mails
            text = mail.get_body(("plain",)).get_content()
            async with shop.client.get("/v1/inbox/cases", headers={"Authorization": f"Bearer {KEY}"}) as response:
                [case] = (await response.json())["cases"]
        assert (mail["To"], mail["Subject"]) == ("care@shop.example", '[urgent] Says: All "broken" \\ bad')
        assert f"https://shop.example/inbox/cases/{case['id']}" in text
        assert mail["List-Unsubscribe"] is None


def test_a_signature_of_zendesk_is_over_the_timestamp_and_then_the_body():
    """Zendesk publishes its test key and the rule, and no signature by it.

    The one value that an older edition of its page printed (key HRkRd4…, tRDSF7…) is over the body and then the
    timestamp, which is not the rule any more. So this value is an independent program's: webhookx, a gateway, has it
    in its tests, made with Zendesk's published key.
    """
    stamp, body = "1531420618", b'{"event_type": "foo.bar","data": {"key": "value"}}'
    signature = "qtmu3iClLKujnujOBkwe7yjI34o5CzsLD04Uy4LbE2A="
    assert zendesk_signature(ZENDESK_TEST_KEY, stamp, body) == signature
    assert zendesk_signature(ZENDESK_TEST_KEY, stamp, body + b" ") != signature
    assert zendesk_signature(ZENDESK_TEST_KEY, stamp[::-1], body) != signature


def test_a_signature_of_chatwoot_is_over_the_timestamp_a_dot_and_the_body():
    """Chatwoot publishes the rule (its pull request 13573), and no value: its own specs reckon it anew each time.

    So this is reckoned here as well, by other means than the product's.
    """
    secret, stamp, body = "a secret of the webhook's", "1700000000", b'{"event":"conversation_status_changed"}'
    made = hmac.new(secret.encode(), b"1700000000." + body, "sha256").hexdigest()
    assert chatwoot_signature(secret, stamp, body) == f"sha256={made}"
    assert chatwoot_signature(secret, "1700000001", body) != f"sha256={made}"


@pytest.mark.parametrize("template", ['{a: "{{ unclosed"}', '{a: {b: ["{{ x | nosuch }}"]}}'])
def test_a_template_that_cannot_be_is_refused(tmp_path, template):
    from orchestrator.errors import InvalidProject
    from orchestrator.language import load

    with pytest.raises(InvalidProject, match="E50"):
        load(write_project(tmp_path, project=PROJECT + TEAMS.format(url="https://x.example", template=template)))
