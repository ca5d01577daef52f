"""The live service answers customers where they wrote, within WhatsApp's window and after it."""

from providers.apis import Meta
from providers.live import HOUR, LiveShop, until, write_project

PROJECT = """
project: shop
channels:
  whatsapp: {address: profile.phone}
  email: {address: profile.email}
purposes:
  service: {consent: none}
"""
JOURNEY = """
journey: answer
version: 1
purpose: service
status: live
enter: {event: message_received, again: always}
steps:
  - {id: reply, send: {message: thanks, channels: [same]}}
  - {id: think, wait: 1d}
  - {id: decided, send: {message: thanks, channels: [same, email]}}
"""
MESSAGE = "message: thanks\nwhatsapp: {text: Enseguida te decimos}\nemail: {subject: Ya lo sabemos, text: Todo listo}\n"


async def test_a_reply_goes_where_they_wrote_and_what_comes_a_day_later_by_the_next_channel(tmp_path):
    write_project(tmp_path / "shop", JOURNEY, project=PROJECT)
    (tmp_path / "shop/messages/thanks.message.yaml").write_text(MESSAGE)
    (tmp_path / "shop/messages/cart-reminder.message.yaml").unlink()
    outbox = tmp_path / "mails.jsonl"
    async with Meta(tmp_path) as meta:
        url = meta.setup(f"whatsapp:?phone_id={Meta.PHONE_ID}", "whatsapp", None).url
        channels = {"whatsapp": url, "whatsapp_secret": Meta.TOKEN, "email": f"file:{outbox}"}
        async with LiveShop(tmp_path, **channels) as shop:
            traits = {"phone": "+34600000001", "email": "ana@example.com"}
            await shop.post(
                {"type": "profile_updated", "customer_id": "ana", "properties": traits},
                {
                    "type": "message_received",
                    "customer_id": "ana",
                    "channel": "whatsapp",
                    "properties": {"text": "¿Y?"},
                },
            )
            [said] = await until(lambda: meta.taken)
            assert (said["type"], said["text"]["body"]) == ("text", "Enseguida te decimos")
            shop.later(25 * HOUR)
            await until(lambda: outbox.exists() and outbox.read_text())
            verdicts = await shop.verdicts()
    assert len(meta.taken) == 1
    assert ("suppressed", "window_closed") in verdicts
