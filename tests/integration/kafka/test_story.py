"""The whole story on Kafka: a cart is left, a mail comes, and what is done with it changes what comes next."""

import asyncio
import json
import time

import pytest

from orchestrator.channels.email.composing import read_message_id
from orchestrator.runtime.kafka.keys import partition_of
from orchestrator.testing.streams import Loaded, committed
from providers import MailServer
from providers.live import JOURNEY, MESSAGES, PROJECT

PARTITIONS = 4


def told(customer: str, event_type: str, **properties) -> Loaded:
    """Make a record of a customer, as a channel system writes it now."""
    now, key = int(time.time() * 1000), customer.encode()
    event = {"id": f"{customer} {event_type} {now}", "type": event_type, "customer_id": customer, "time": now}
    return Loaded(partition_of(key, PARTITIONS), now, key, json.dumps({**event, "properties": properties}).encode())


def cart(customer: str) -> list[Loaded]:
    traits = {"email": f"{customer}@example.com", "first_name": customer.capitalize(), "device_token": f"t-{customer}"}
    return [
        told(customer, "profile_updated", **traits),
        told(customer, "consent_changed", purpose="marketing", granted=True),
        told(customer, "cart_updated", cart_id="c1", total=40),
    ]


async def verdicts(shop, customer_reasons: set[str]) -> set[tuple[str, str]]:
    lines = [json.loads(line) for line in await shop.lines(shop.topics.decisions)]
    return {(each["verdict"], each["reason"]) for each in lines if each["reason"] in customer_reasons}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_cart_left_alone_becomes_a_mail_and_what_is_done_with_it_changes_what_comes_next(
    shop, project, tmp_path
):
    (project / "cart.journey.yaml").unlink()
    (project / "orchestrator.yaml").write_text(PROJECT)
    (project / "abandoned-cart.journey.yaml").write_text(JOURNEY.replace("for: 1h", "for: 2s"))
    for name, text in MESSAGES.items():
        (project / "messages" / f"{name}.message.yaml").write_text(text)
    pushed = tmp_path / "pushed.jsonl"
    async with MailServer() as server:
        server.refuse["carla@example.com"] = "550 5.1.1 unknown"
        settings = {"LINK_SECRET": "s" * 48, "PUBLIC_URL": "https://shop.example"}
        channels = {"CHANNEL_EMAIL": server.url, "CHANNEL_PUSH": f"file:{pushed}"}
        worker = shop.start_worker()
        deliverer = shop.start_worker("deliver", **settings, **channels)
        await shop.receive([record for name in ("ana", "ben", "carla") for record in cart(name)])

        async def both_mailed() -> bool:
            return {to for _, to in server.envelopes} == {"ana@example.com", "ben@example.com"}

        await shop.until(both_mailed, 120)
        mails = {mail["To"]: mail for mail in server.mails}
        ana, ben = mails["ana@example.com"], mails["ben@example.com"]
        assert ana["Subject"] == "Ana, tu cesta te espera"
        assert ana.get_body(("plain",)).get_content().startswith("Hola Ana: vuelve (https://")
        assert '<html lang="es">' in ana.get_body(("html",)).get_content()
        assert ana["List-Unsubscribe"].startswith("<https://shop.example/u/")
        assert ana["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

        async def carla_was_pushed() -> bool:
            return pushed.exists() and "t-carla" in pushed.read_text()

        await shop.until(carla_was_pushed, 60)  # her address bounced, so the next channel has it
        about_ana, about_ben = (read_message_id(mail["Message-ID"])[0] for mail in (ana, ben))
        await shop.receive(
            [
                told("ana", "message_clicked", action_id=about_ana, channel="email"),
                told("ben", "message_unsubscribed", action_id=about_ben, channel="email", purpose="marketing"),
                told("ben", "order_placed", cart_id="c1"),
                told("carla", "order_placed", cart_id="c1"),
            ]
        )

        async def ana_is_thanked() -> bool:
            return "Gracias" in [mail["Subject"] for mail in server.mails]

        await shop.until(ana_is_thanked, 60)
        await shop.receive([told(name, "cart_updated", cart_id="c2", total=50) for name in ("ben", "carla")])

        async def refused() -> bool:
            found = await verdicts(shop, {"no_consent", "unreachable"})
            return found == {("suppressed", "no_consent"), ("suppressed", "unreachable")}

        await shop.until(refused, 60)
        assert [await asyncio.to_thread(each.stop) for each in (deliverer, worker)] == [0, 0], shop.said()
        assert sorted(to for _, to in server.envelopes) == ["ana@example.com"] * 2 + ["ben@example.com"]
        receipts = [json.loads(each.value) for each in await committed(shop.servers, shop.topics.receipts, PARTITIONS)]
        assert [each["type"] for each in receipts].count("message_bounced") == 1
