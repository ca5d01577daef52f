"""Customers whose addresses are traits and no identifiers: what they write is theirs, and about what we sent them."""

import aiohttp
import msgspec
import pytest

from orchestrator.model import ids
from orchestrator.runtime import addressing, rights
from orchestrator.storage import Batch, SqliteStore
from providers import hooks
from providers.apis import Meta, Telegram, Twilio
from providers.live import CART, LiveShop, until, write_project

PHONE, CHAT = "+34600000001", "4242"
OURS, OTHER = Twilio.SENDER, "+15005550099"
PROJECT = """
project: shop
timezone: Europe/Madrid
languages: [es]
channels:
  sms: {address: profile.phone}
  whatsapp: {address: profile.phone}
  telegram: {address: profile.chat}
  email: {address: profile.email}
purposes:
  marketing: {consent: opt_in}
  service: {consent: none}
identity: {identifiers: [customer_id]}
"""
ASKING = """
journey: NAME
version: 1
purpose: service
status: live
enter: {event: NAME, again: always}
steps:
  - {id: tell, send: {message: question, channels: [CHANNEL], purpose: service}}
  - id: answer
    wait_for: {event: message_received, within: 2d}
    then: [{exit: answered}]
    on_timeout: [{exit: silent}]
"""
OFFER = """
journey: offer
version: 1
purpose: marketing
status: live
enter: {event: cart_updated, again: always}
steps:
  - {id: tell, send: {message: question, channels: [CHANNEL]}}
"""
QUESTION = """
message: question
sms: {text: "¿Qué talla?"}
whatsapp: {text: "¿Qué talla?", template: size}
telegram: {text: "¿Qué talla?"}
email: {subject: "¿Qué talla?", text: "¿Qué talla?"}
"""
SETTINGS = {
    "hook_twilio_secret": hooks.SECRET,
    "hook_meta_secret": hooks.SECRET,
    "hook_meta_token": "token",
    "hook_telegram_secret": hooks.SECRET,
    "hook_postmark_password": hooks.PASSWORD,
    "channel_sms_secret": Twilio.TOKEN,
    "channel_whatsapp_secret": Meta.TOKEN,
    "channel_telegram_secret": Telegram.TOKEN,
}


def journey(name, channel):
    return ASKING.replace("NAME", name).replace("CHANNEL", channel)


def make_shop(folder, *journeys, **channels):
    write_project(folder / "shop", *journeys, project=PROJECT)
    for path in (folder / "shop" / "messages").iterdir():
        path.unlink()
    (folder / "shop" / "messages" / "question.message.yaml").write_text(QUESTION)
    shop = LiveShop(folder, **channels)
    shop.settings |= SETTINGS
    return shop


def twilio_at(provider, more=""):
    return f"twilio://{provider.host}?account={Twilio.ACCOUNT}&from=%2B{OURS[1:]}&ca={provider.ca}{more}"


async def know(shop, name, **traits):
    await shop.post(
        {"type": "profile_updated", "customer_id": name, "properties": traits},
        {"type": "consent_changed", "customer_id": name, "properties": {"purpose": "marketing", "granted": True}},
    )


async def call(shop, path, made):
    """Send a provider's request as it is, without a key of ours."""
    async with (
        aiohttp.ClientSession(shop.url) as client,
        client.post(path, data=made[0], headers=made[1]) as response,
    ):
        return response.status


async def text(shop, said, sid="SM1", sender=PHONE, to=OURS):
    made = hooks.twilio({"MessageSid": sid, "From": sender, "To": to, "Body": said})
    assert await call(shop, "/hooks/sms/twilio", made) == 204


async def whatsapp(shop, said, number="wamid.in", **message):
    made = hooks.whatsapp(messages=[
        {"from": PHONE[1:], "id": number, "type": "text", "text": {"body": said}, **message}])  # fmt: skip
    assert await call(shop, "/hooks/whatsapp/meta", made) == 200


async def telegram(shop, said, number=1, **message):
    chat = {"id": int(CHAT), "type": "private"}
    made = hooks.telegram({"update_id": number, "message": {"chat": chat, "from": chat, "text": said, **message}})
    assert await call(shop, "/hooks/telegram/telegram", made) == 200


async def mail(shop, said):
    await a_mail_comes(shop, "ana@example.com", said)


async def a_mail_comes(shop, sender, said, **headers):
    named = [{"Name": name.replace("_", "-"), "Value": value} for name, value in headers.items()]
    record = {"From": sender, "FromFull": {"Email": sender}, "MessageID": "m1", "TextBody": said, "Headers": named}
    assert await call(shop, "/hooks/email/postmark", hooks.postmark(record)) == 200


async def noes(shop, name="ana"):
    return [each["channel"] for each in (await shop.known(name))["consents"] if not each["granted"]]


@pytest.mark.parametrize(
    ("channel", "says"), [("sms", text), ("whatsapp", whatsapp), ("telegram", telegram), ("email", mail)]
)
async def test_stop_is_heard_from_an_address_that_is_only_a_trait(tmp_path, channel, says):
    async with make_shop(tmp_path, OFFER.replace("CHANNEL", "email")) as shop:
        await know(shop, "ana", phone=PHONE, chat=CHAT, email="Ana@Example.com")
        await know(shop, "ben", phone="+34600000002", chat="77", email="ben@example.com")
        await says(shop, "STOP")
        assert (await noes(shop), await noes(shop, "ben")) == ([channel], [])
        assert await shop.service.intake.run(shop.service.intake.store.profiles) == 2  # and nobody was made up


async def test_stop_is_heard_from_an_identifier_that_links_nobody(tmp_path):
    async with make_shop(tmp_path, OFFER.replace("CHANNEL", "email")) as shop:
        await shop.post({"type": "profile_updated", "customer_id": "ana", "identifiers": {"phone": PHONE}})
        await text(shop, "STOP")
        assert await noes(shop) == ["sms"]
        assert await shop.service.intake.run(shop.service.intake.store.profiles) == 1  # and nobody was made up


async def test_stop_by_sms_to_a_number_that_is_a_trait_takes_back_what_waits(tmp_path):
    async with Twilio(tmp_path) as provider:
        shop = make_shop(tmp_path, OFFER.replace("CHANNEL", "sms"), sms=twilio_at(provider, "&region=ES#ramp=1"))
        async with shop:
            # Written without its country: what the provider was told is what Ana's phone answers from.
            for name, phone in (("ben", "600 000 002"), ("ana", "600 000 001")):
                await know(shop, name, phone=phone)
                await shop.post({**CART, "customer_id": name})
            await until(lambda: shop.service.reached("sms", "+34600000002"))
            await text(shop, "Baja", sender="+34600000002")
            assert (await noes(shop, "ben"), await noes(shop)) == (["sms"], [])
        assert [form["To"] for form in provider.taken] == ["+34600000002"]


async def test_a_stop_before_the_first_message_left_takes_it_back(tmp_path):
    async with Twilio(tmp_path) as provider:
        async with make_shop(tmp_path, OFFER.replace("CHANNEL", "sms"), sms=twilio_at(provider, "#ramp=1")) as shop:
            for name, phone in (("ben", "+34600000002"), ("ana", PHONE)):
                await know(shop, name, phone=phone)
                await shop.post({**CART, "customer_id": name})
            await until(lambda: provider.taken)
            await text(shop, "STOP")
            await until(lambda: is_cancelled(shop))
            shop.later(86_400)
            await shop.post({**CART, "id": "again", "customer_id": "ben"})
            await until(lambda: len(provider.taken) == 2)
        assert [form["To"] for form in provider.taken] == ["+34600000002"] * 2


async def is_cancelled(shop):
    return ("suppressed", "cancelled") in await shop.verdicts()


async def test_a_familys_phone_stops_for_all_and_answers_for_whom_it_was_sent_to(tmp_path):
    async with (
        Twilio(tmp_path) as provider,
        make_shop(tmp_path, journey("order", "sms"), sms=twilio_at(provider)) as shop,
    ):
        for name in ("ana", "ben"):
            await know(shop, name, phone=PHONE)
        await shop.post({"type": "order", "customer_id": "ben"})
        await shop.post({"type": "order", "customer_id": "ana"})
        await until(lambda: len(provider.taken) == 2)
        await until(lambda: is_named(shop, "ana"))
        await text(shop, "38", "SM1")
        assert (await shop.verdicts())[-1] == ("exited", "answered")
        assert (await shop.verdicts("ben"))[-1][0] == "waited"
        await text(shop, "Stop", "SM2")
        assert (await noes(shop), await noes(shop, "ben")) == (["sms"], ["sms"])
        await text(shop, "Start", "SM3")
        assert (await noes(shop), await noes(shop, "ben")) == ([], [])
        # Somebody who shares the phone, and had said no for themselves, has not come back by that.
        await know(shop, "dan", phone=PHONE)
        no = {"channel": "sms", "purpose": "marketing", "granted": False}
        await shop.post({"type": "consent_changed", "customer_id": "dan", "properties": no})
        await text(shop, "Start", "SM4")
        assert await noes(shop, "dan") == ["sms"]
        assert await shop.service.intake.run(shop.service.intake.store.profiles) == 3


async def is_named(shop, name, count=1):
    """Whether it is known how answers name a customer's messages."""
    state = await shop.service.state_of(ids.profile_id_of("customer_id", name))
    return sum(bool(each.named) for each in state.sent) == count


async def exits(shop):
    timeline = (await shop.known())["timeline"]
    return {each["journey"]: each["reason"] for each in timeline if each["verdict"] == "exited"}


async def test_a_text_answers_the_latest_message_from_that_number(tmp_path):
    async with Twilio(tmp_path) as provider:
        journeys = journey("first", "sms"), journey("second", "sms")
        async with make_shop(tmp_path, *journeys, sms=twilio_at(provider)) as shop:
            await know(shop, "ana", phone=PHONE)
            for at, name in enumerate(("first", "second"), start=1):
                await shop.post({"type": name, "customer_id": "ana"})
                await until(lambda at=at: is_named(shop, "ana", at))
            await text(shop, "38")
            assert await exits(shop) == {"second": "answered"}
            await text(shop, "40", "SM2")  # of what waits still
            assert await exits(shop) == {"second": "answered", "first": "answered"}


async def test_a_text_to_another_number_of_ours_answers_no_message_of_this_one(tmp_path):
    async with Twilio(tmp_path) as provider:
        journeys = journey("first", "sms"), journey("second", "sms")
        async with make_shop(tmp_path, *journeys, sms=twilio_at(provider)) as shop:
            await know(shop, "ana", phone=PHONE)
            for at, name in enumerate(("first", "second"), start=1):
                await shop.post({"type": name, "customer_id": "ana"})
                await until(lambda at=at: is_named(shop, "ana", at))
            await text(shop, "38", to=OTHER)
            assert await exits(shop) == {"second": "answered", "first": "answered"}  # nothing says which of them


async def test_a_text_that_comes_days_later_answers_nothing_in_particular(tmp_path):
    async with (
        Twilio(tmp_path) as provider,
        make_shop(tmp_path, journey("first", "sms"), sms=twilio_at(provider)) as shop,
    ):
        await know(shop, "ana", phone=PHONE)
        await shop.post({"type": "first", "customer_id": "ana"})
        await until(lambda: is_named(shop, "ana"))
        shop.later(4 * 86_400)
        found = await shop.service.reached("sms", PHONE)
        now_ms = shop.clock.now_ms()
        assert [addressing.answered(each, "", (), None, now_ms) for each in found] == [None]
        earlier_ms = now_ms - addressing.ANSWERED_WITHIN_MS
        assert all(addressing.answered(each, "", (), None, earlier_ms) for each in found)


async def test_a_chat_names_the_message_that_it_answers(tmp_path):
    folders = [tmp_path / name for name in ("meta", "bot")]
    for folder in folders:
        folder.mkdir()
    async with Meta(folders[0]) as meta, Telegram(folders[1]) as bot:
        urls = {
            "whatsapp": f"whatsapp://{meta.host}?phone_id={Meta.PHONE_ID}&ca={meta.ca}",
            "telegram": f"telegram://{bot.host}?ca={bot.ca}",
        }
        names = [f"{which}-{channel}" for channel in urls for which in ("first", "second")]
        journeys = [journey(name, name.partition("-")[2]).replace(f"event: {name}", "event: ask") for name in names]
        async with make_shop(tmp_path, *journeys, **urls) as shop:
            await know(shop, "ana", phone=PHONE, chat=int(CHAT))
            await shop.post({"type": "ask", "customer_id": "ana"})
            await until(lambda: is_named(shop, "ana", 4))
            state = await shop.service.state_of(ids.profile_id_of("customer_id", "ana"))
            named = {each.journey: each.named for each in state.sent}
            await whatsapp(shop, "38", context={"from": "15551230001", "id": named["first-whatsapp"]})
            assert await exits(shop) == {"first-whatsapp": "answered"}
            message_id = int(named["second-telegram"].partition(":")[2])
            await telegram(shop, "39", reply_to_message={"message_id": message_id})
            assert await exits(shop) == {"first-whatsapp": "answered", "second-telegram": "answered"}
            await telegram(shop, "40", 2)  # which answers none of them in particular
            assert set((await exits(shop)).values()) == {"answered"}
            assert len(await exits(shop)) == 4


async def test_a_mail_from_another_address_is_whose_message_it_answers(tmp_path):
    async with make_shop(tmp_path, journey("order", "email"), email="file:" + str(tmp_path / "out.jsonl")) as shop:
        await know(shop, "ana", email="ana@example.com")
        await shop.post({"type": "order", "customer_id": "ana"})
        await until(lambda: (tmp_path / "out.jsonl").exists() and (tmp_path / "out.jsonl").read_text())
        sent = msgspec.json.decode((tmp_path / "out.jsonl").read_text().splitlines()[0])["data"]
        ours = f"<{sent['id']}.{sent['profile_id']}@shop.example>"
        await a_mail_comes(shop, "ana@work.example", "38", In_Reply_To=ours)
        assert await exits(shop) == {"order": "answered"}


async def test_whoever_was_erased_is_found_by_no_address_and_an_export_names_the_hashes(tmp_path):
    async with make_shop(tmp_path, OFFER.replace("CHANNEL", "sms"), sms="file:" + str(tmp_path / "out")) as shop:
        await know(shop, "ana", phone=PHONE)
        ana = ids.profile_id_of("customer_id", "ana")
        hashed = addressing.name_of(PHONE, None)
        run, store = shop.service.intake.run, shop.service.intake.store
        assert (await run(lambda: rights.export(store, ana, 0))).addresses == [hashed]
        assert [each.state.profile_id for each in await shop.service.reached("sms", PHONE)] == [ana]
        await shop.post({"type": "profile_erase_requested", "customer_id": "ana"})
        assert await shop.service.reached("sms", PHONE) == []
        assert await run(lambda: store.addresses.owners(hashed, 9)) == []


async def test_a_trait_that_changed_is_found_by_the_new_address_alone(tmp_path):
    async with make_shop(tmp_path, OFFER.replace("CHANNEL", "sms")) as shop:
        await know(shop, "ana", phone=PHONE)
        await know(shop, "ana", phone="+34600000009")
        assert await shop.service.reached("sms", PHONE) == []
        assert len(await shop.service.reached("sms", "+34 600 000 009")) == 1


async def test_a_store_from_before_there_was_an_index_is_given_one(tmp_path):
    async with make_shop(tmp_path, OFFER.replace("CHANNEL", "sms")) as shop:
        await know(shop, "ana", phone=PHONE)
    with SqliteStore(shop.state) as store:
        store.addresses.forget([(ids.profile_id_of("customer_id", "ana"),)])
        store.commit(Batch(positions={addressing.INDEXED: None}))
    async with make_shop(tmp_path, OFFER.replace("CHANNEL", "sms")) as shop:
        await text(shop, "STOP")
        assert await noes(shop) == ["sms"]
