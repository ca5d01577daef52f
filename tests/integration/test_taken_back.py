"""Messages that wait in the outbox when their reason is gone, that cannot be made, or that a provider refuses."""

import re

import pytest

from orchestrator.storage import SqliteStore
from providers import MailServer
from providers.live import CART, HOUR, JOURNEY, MESSAGES, PROJECT, LiveShop, until, write_project

BUSY = "451 4.3.2 come back later"
ORDER = {"type": "order_placed", "properties": {"cart_id": "c1"}}


async def is_told(shop, *verdict, name="ana"):
    return verdict in await shop.verdicts(name)


async def wait_in_the_outbox(shop, server, name="ana"):
    """Let a customer's mail be refused for now, so that it waits for its next try."""
    server.refuse[f"{name}@example.com"] = BUSY
    await shop.greet(name)
    await shop.post({**CART, "customer_id": name})
    shop.later(HOUR)
    await until(lambda: is_told(shop, "sent", "allowed", name=name))
    await until(lambda: counted(shop, 'delivery_total{channel="email",outcome="retried"}'))


async def only_another_is_written_to(shop, server):
    """Let mail through again, long after; another customer's mail, which comes later, is all that arrives."""
    server.refuse.clear()
    shop.later(12 * HOUR)
    await shop.greet("ben")
    await shop.post({**CART, "customer_id": "ben"})
    shop.later(HOUR)
    await until(lambda: server.raw)
    assert [to for _, to in server.envelopes] == ["ben@example.com"]


async def counted(shop, what):
    async with shop.client.get("/metrics") as response:
        return f"orchestrator_{what}" in await response.text()


@pytest.mark.parametrize(
    "event",
    [
        ORDER,
        {"type": "consent_changed", "properties": {"purpose": "marketing", "granted": False}},
        {"type": "message_unsubscribed", "properties": {"channel": "email", "purpose": "marketing"}},
    ],
    ids=["exit", "consent", "unsubscribe"],
)
async def test_a_message_that_waits_when_its_reason_goes_is_not_sent(tmp_path, event):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url) as shop:
        await wait_in_the_outbox(shop, server)
        await shop.post({**event, "customer_id": "ana"})
        await until(lambda: is_told(shop, "suppressed", "cancelled"))
        await only_another_is_written_to(shop, server)


async def test_a_message_that_waits_when_its_customer_is_erased_is_not_sent(tmp_path):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url) as shop:
        await wait_in_the_outbox(shop, server)
        [waiting] = (await shop.known())["messages"]
        told = []
        stay = shop.service.lanes.cancel
        shop.service.lanes.cancel = lambda action_ids: (told.extend(action_ids), stay(action_ids))
        await shop.post({"type": "profile_erase_requested", "customer_id": "ana"})
        assert await shop.known() is None
        assert told == [waiting["action_id"]]  # also those that a lane has in hand
        await only_another_is_written_to(shop, server)


async def test_what_was_taken_back_stays_so_over_a_restart(tmp_path):
    async with MailServer() as server:
        async with LiveShop(tmp_path) as shop:  # nobody set the channel up: it waits
            await shop.greet()
            await shop.post({**CART, "customer_id": "ana"})
            shop.later(HOUR)
            await until(lambda: is_told(shop, "sent", "allowed"))
            await shop.post({**ORDER, "customer_id": "ana"})
        async with LiveShop(tmp_path, shop.clock, email=server.url) as shop:
            await until(lambda: is_told(shop, "suppressed", "cancelled"))
            assert server.raw == []


async def test_a_template_that_fails_is_a_decision_and_a_dead_letter_and_goes_once_it_is_mended(tmp_path):
    project = write_project(tmp_path / "shop")
    message = project / "messages" / "cart-reminder.message.yaml"
    message.write_text(MESSAGES["cart-reminder"].replace("Hola **{{", "{{ 1 | divided_by: profile.nothing }} **{{"))
    async with MailServer() as server:
        async with LiveShop(tmp_path, email=server.url) as shop:
            await shop.greet()
            await shop.post({**CART, "customer_id": "ana"})
            shop.later(HOUR)
            await until(lambda: is_told(shop, "suppressed", "not_rendered"))
            assert [entry["step"] for entry in (await shop.known())["journeys"]] == ["answer"]
            await until(lambda: counted(shop, 'dead_letters_total{reason="not_rendered"} 1.0'))
        message.write_text(MESSAGES["cart-reminder"])
        with SqliteStore(shop.state) as store:
            assert [each.reason for each in store.given_up()] == ["not_rendered"]
            store.revive(shop.clock.now_ms(), "not_rendered")
        async with LiveShop(tmp_path, shop.clock, email=server.url):
            await until(lambda: server.raw)


@pytest.mark.parametrize("reported", ["in the answer", "in a report"])
async def test_a_message_that_bounces_goes_by_the_next_channel(tmp_path, reported):
    pushed = tmp_path / "pushed.jsonl"
    async with MailServer() as server, LiveShop(tmp_path, email=server.url, push=f"file:{pushed}") as shop:
        if reported == "in the answer":
            server.refuse["ana@example.com"] = "550 5.1.1 unknown"
        await shop.greet()
        await shop.post({**CART, "customer_id": "ana"})
        shop.later(HOUR)
        if reported == "in a report":
            await until(lambda: server.raw)
            async with shop.client.post("/hooks/email", data=_bounce(server.mails[0])) as response:
                assert response.status == 202
        await until(lambda: pushed.exists() and "Tu cesta te espera" in pushed.read_text())
        known = await shop.known()
        assert known["unreachable"] == ["email"]
        assert [entry["step"] for entry in known["journeys"]] == ["answer"]


def _bounce(mail):
    return (
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
        "Final-Recipient: rfc822; ana@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {mail['Message-ID']}\r\n\r\n--b--\r\n"
    )


@pytest.mark.parametrize(("granted", "tracked"), [(True, True), (False, False), (None, False)])
async def test_links_are_led_back_and_a_pixel_placed_only_with_consent_to_it(tmp_path, granted, tracked):
    write_project(tmp_path / "shop", JOURNEY, project=PROJECT + "  tracking: {consent: opt_in}\n")
    async with MailServer() as server, LiveShop(tmp_path, email=server.url) as shop:
        await shop.greet()
        if granted is not None:
            said = {"channel": "email", "purpose": "tracking", "granted": granted}
            await shop.post({"type": "consent_changed", "customer_id": "ana", "properties": said})
        await shop.post({**CART, "customer_id": "ana"})
        shop.later(HOUR)
        await until(lambda: server.raw)
        text = server.mails[0].get_body(("html",)).get_content()
        assert bool(re.search(r"https://shop\.example/r/", text)) is tracked
        assert bool(re.search(r"https://shop\.example/o/", text)) is tracked
