"""Hooks, end to end: what providers send over HTTP, and what it does to messages, journeys and pages."""

import io
import json
from urllib.parse import parse_qs, urlencode

import aiohttp

from orchestrator.channels.email.composing import read_message_id
from orchestrator.channels.inbound import amazon
from orchestrator.channels.links import About, Kind
from orchestrator.errors import OrchestratorError
from orchestrator.model import ids
from orchestrator.model.instants import DAY_MS, HOUR_MS
from orchestrator.runtime.live import Busy
from providers import LINKS, MailServer, WebServer, hooks
from providers.certificates import contexts
from providers.live import CART, HOUR, LiveShop, until, write_project
from providers.web import answer

ANA, BEN, CARLA = "+34600000001", "+34600000002", "+34600000003"
PROJECT = """
project: shop
timezone: Europe/Madrid
languages: [es, en]
channels:
  email: {address: profile.email, preferred_order: 1}
  sms: {address: profile.phone, preferred_order: 2}
  whatsapp: {address: profile.phone}
purposes:
  marketing: {consent: opt_in}
  service: {consent: none}
identity: {identifiers: [customer_id, email, phone, facebook_id]}
keywords: {stop: [dejadme]}
"""
OFFER = """
journey: offer
version: 1
purpose: marketing
status: live
enter: {event: cart_updated, again: always}
steps:
  - {id: tell, send: {message: offer, channels: [sms]}}
"""
REMINDER = OFFER.replace("journey: offer", "journey: reminder").replace("[sms]", "[email]")
ANSWER = """
journey: answer
version: 1
purpose: service
status: live
enter: {event: message_received, again: always}
steps:
  - {id: reply, send: {message: thanks, channels: [same]}}
"""
MESSAGES = {
    "offer": 'message: offer\nsms: {text: "Tu cesta"}\nemail: {subject: Tu cesta, text: Tu cesta}\n',
    "thanks": 'message: thanks\nsms: {text: "Dijiste {{ event.properties.text }}"}\nwhatsapp: {text: "Por WhatsApp"}\n'
    'email: {subject: Gracias, text: "Por correo"}\n',
}
SETTINGS = {
    "hook_twilio_secret": hooks.SECRET,
    "hook_meta_secret": hooks.SECRET,
    "hook_meta_token": "meatyhamhock",
    "hook_telegram_secret": hooks.SECRET,
    "hook_mailgun_secret": hooks.SECRET,
    "hook_postmark_password": hooks.PASSWORD,
    "hook_sendgrid_secret": hooks.SENDGRID_KEY,
    "hook_sendgrid_password": hooks.PASSWORD,
    "hook_ses_topics": "arn:aws:sns:us-west-2:131990247566:dongie-standard-topic",
}


def make_shop(folder, *journeys, **channels):
    write_project(folder / "shop", *(journeys or (OFFER, ANSWER)), project=PROJECT)
    for name, text in MESSAGES.items():
        (folder / "shop" / "messages" / f"{name}.message.yaml").write_text(text)
    (folder / "shop" / "messages" / "cart-reminder.message.yaml").unlink()
    shop = LiveShop(folder, **channels)
    shop.settings |= SETTINGS
    return shop


async def greet(shop, name, phone):
    known = {"customer_id": name, "identifiers": {"phone": phone, "email": f"{name}@example.com"}}
    await shop.post(
        {**known, "type": "profile_updated", "properties": {"first_name": name}},
        {**known, "type": "consent_changed", "properties": {"purpose": "marketing", "granted": True}},
    )


async def call(shop, path, made, method="POST"):
    """Send a provider's request as it is, without a key of ours."""
    body, headers = made
    async with (
        aiohttp.ClientSession(shop.url) as client,
        client.request(method, path, data=body, headers=headers) as response,
    ):
        return response.status, await response.text()


def sms(sender, text, sid="SM1", **fields):
    named = {"MessageSid": sid, "From": sender, "To": "+34911111111", "Body": text, **fields}
    return hooks.twilio(named, "/hooks/sms/twilio")


async def granted_on_the_page(shop, name="ana"):
    about = About(ids.profile_id_of("customer_id", name), "ab" * 16, "email", "marketing", "es")
    link = LINKS.make(Kind.PREFERENCES, about, shop.clock.now_ms()).removeprefix("https://shop.example")
    async with shop.client.get(link) as response:
        text = await response.text()
    return {
        channel: "checked" in text.split(f'value="{channel}"')[1].split(">")[0]
        for channel in ("email", "sms", "whatsapp")
    }


async def consents(shop, name="ana"):
    return [
        (each["channel"], each["purpose"], each["granted"], each["source"])
        for each in (await shop.known(name))["consents"]
    ]


async def test_stop_by_sms_while_an_sms_waits_in_the_outbox(tmp_path):
    async with WebServer() as gateway:
        # One message a day for a new sender: Ben's goes, Ana's and Carla's wait for tomorrow.
        async with make_shop(tmp_path, OFFER, sms=f"{gateway.url}#ramp=1") as shop:
            shop.clock.shift_ms = 20 * HOUR_MS - shop.clock.now_ms() % DAY_MS
            for name, phone in (("ben", BEN), ("ana", ANA), ("carla", CARLA)):
                await greet(shop, name, phone)
                await shop.post({**CART, "customer_id": name})
            await until(lambda: gateway.requests)
            assert await granted_on_the_page(shop) == {"email": True, "sms": True, "whatsapp": True}
            assert await call(shop, "/hooks/sms/twilio", sms(ANA, "Stop.")) == (204, "")
            assert await granted_on_the_page(shop) == {"email": True, "sms": False, "whatsapp": True}
            assert await consents(shop) == [(None, "marketing", True, None), ("sms", None, False, "twilio")]
            shop.later(5 * HOUR)
            await until(lambda: len(gateway.requests) == 2)
            assert ("suppressed", "cancelled") in await shop.verdicts()
            await shop.post({**CART, "id": "again", "customer_id": "ana"})
            assert (await shop.verdicts())[-2:] == [("suppressed", "no_consent"), ("exited", "completed")]
        assert [each["data"]["to"] for each in gateway.bodies] == [BEN, CARLA]


async def test_whoever_left_comes_back_by_start_and_only_there(tmp_path):
    async with make_shop(tmp_path) as shop:
        await greet(shop, "ana", ANA)
        for word, sid in (("BAJA", "SM1"), ("dejadme", "SM2"), ("ALTA", "SM3")):
            assert (await call(shop, "/hooks/sms/twilio", sms(ANA, word, sid)))[0] == 204
            assert (await granted_on_the_page(shop))["sms"] is (word == "ALTA")
        assert (await call(shop, "/hooks/sms/twilio", sms(ANA, "BAJA", "SM1")))[0] == 204  # the first one once more
        assert (await granted_on_the_page(shop))["sms"] is True
        [said] = [each for each in (await shop.service.state_of(profile("ana"))).profile.consents if each.channel]
        assert (said.wording, said.method, said.confirmed) == ("ALTA", "keyword", True)
        assert said.evidence == {"message_id": "SM3"}


def profile(name):
    return ids.profile_id_of("customer_id", name)


async def test_a_stop_does_not_silence_what_needs_no_consent(tmp_path):
    async with WebServer() as gateway, make_shop(tmp_path, sms=gateway.url) as shop:
        await greet(shop, "ana", ANA)
        await call(shop, "/hooks/sms/twilio", sms(ANA, "STOP"))
        assert gateway.requests == []  # a STOP is an order, and no message that somebody answers
        await call(shop, "/hooks/sms/twilio", sms(ANA, "¿Y mi pedido?", "SM2"))
        await until(lambda: gateway.requests)


async def test_a_journey_confirms_that_somebody_left(tmp_path):
    left = ANSWER.replace("journey: answer", "journey: left").replace(
        "{event: message_received,", "{event: consent_changed, where: not granted,"
    )
    async with WebServer() as gateway, make_shop(tmp_path, left, sms=gateway.url) as shop:
        await greet(shop, "ana", ANA)
        await call(shop, "/hooks/sms/twilio", sms(ANA, "BAJA"))
        await until(lambda: gateway.requests)
        await call(shop, "/hooks/sms/twilio", sms(ANA, "ALTA", "SM2"))
        assert len((await shop.known())["messages"]) == 1


async def test_a_journey_answers_on_the_same_channel(tmp_path):
    async with (
        WebServer() as texts,
        WebServer() as chats,
        make_shop(tmp_path, sms=texts.url, whatsapp=chats.url) as shop,
    ):
        await greet(shop, "ana", ANA)
        assert (await call(shop, "/hooks/sms/twilio", sms(ANA, "Hola")))[0] == 204
        await until(lambda: texts.requests)
        assert texts.bodies[0]["data"]["content"] == {"text": "Dijiste Hola"}
        message = {"from": "34600000001", "id": "wamid.1", "type": "text", "text": {"body": "Hola"}}
        made = hooks.whatsapp(messages=[message])
        assert await call(shop, "/hooks/whatsapp/meta", made) == (200, '{"accepted":1}')
        await until(lambda: is_said(shop, "whatsapp"))
        for _ in range(2):  # the provider says it again
            assert await call(shop, "/hooks/whatsapp/meta", made) == (200, '{"accepted":1}')
        assert [each["channel"] for each in (await shop.known())["messages"]] == ["whatsapp", "sms"]


async def is_said(shop, channel):
    return channel in [each["channel"] for each in (await shop.known())["messages"]]


async def test_somebody_who_was_never_heard_of_is_answered_too(tmp_path):
    async with WebServer() as texts, make_shop(tmp_path, sms=texts.url) as shop:
        await call(shop, "/hooks/sms/twilio", sms(BEN, "Hola"))
        await until(lambda: texts.requests)
        assert texts.bodies[0]["data"]["to"] == BEN
        await greet(shop, "ben", BEN)
        assert (await shop.known("ben"))["identifiers"]["phone"] == [BEN]


async def test_receipts_of_a_mail_by_every_provider_of_mail(tmp_path):
    async with MailServer() as server, make_shop(tmp_path, REMINDER, email=server.url) as shop:
        for name, phone in (("ana", ANA), ("ben", BEN)):
            await greet(shop, name, phone)
            await shop.post({**CART, "customer_id": name})
        await until(lambda: len(server.mails) == 2)
        ours = {mail["To"]: mail["Message-ID"] for mail in server.mails}
        at_s = shop.clock.now_ms() // 1000
        bounced = hooks.sendgrid({"event": "bounce", "status": "5.1.1", "smtp-id": ours["ana@example.com"]}, at_s=at_s)
        assert await call(shop, "/hooks/email/sendgrid", bounced) == (200, '{"accepted":1}')
        assert (await shop.known())["unreachable"] == ["email"]
        reference = ".".join(read_message_id(ours["ben@example.com"]))
        left = {"RecordType": "SubscriptionChange", "SuppressSending": True, "Metadata": {"orchestrator": reference}}
        assert await call(shop, "/hooks/email/postmark", hooks.postmark(left)) == (200, '{"accepted":1}')
        assert (await consents(shop, "ben"))[-1] == ("email", "marketing", False, "message_unsubscribed")
        complained = hooks.mailgun(
            {"event": "complained", "message": {"headers": {"message-id": ours["ben@example.com"][1:-1]}}}, at_s
        )
        assert await call(shop, "/hooks/email/mailgun", complained) == (200, '{"accepted":1}')
        assert (await shop.known("ben"))["unreachable"] == ["email"]
        for provider in ("sendgrid", "postmark", "mailgun"):
            assert await counted(shop, provider, "told")


async def test_a_reply_by_mail_is_about_the_message_that_it_answers(tmp_path):
    async with MailServer() as server, make_shop(tmp_path, REMINDER, ANSWER, email=server.url) as shop:
        await greet(shop, "ana", ANA)
        await shop.post({**CART, "customer_id": "ana"})
        await until(lambda: server.mails)
        ours = server.mails[0]["Message-ID"]
        raw = f"From: Ana <ana@example.com>\r\nMessage-ID: <r1@x>\r\nIn-Reply-To: {ours}\r\n\r\nHola\r\n> Tu cesta\r\n"
        headers = {"Content-Type": "message/rfc822"}
        async with shop.client.post("/hooks/email", data=raw.encode(), headers=headers) as response:
            assert (response.status, await response.json()) == (200, {"accepted": 1})
        await until(lambda: len(server.mails) == 2)
        assert server.mails[1]["Subject"] == "Gracias"
        parsed = hooks.multipart({"email": raw.replace("<r1@x>", "<r2@x>")})
        made = (parsed[0], {**parsed[1], **hooks.basic()})
        assert await call(shop, "/hooks/email/sendgrid", made) == (200, '{"accepted":1}')
        await until(lambda: len(server.mails) == 3)


async def test_a_comment_on_a_page_is_heard_and_its_stop_is_only_a_word(tmp_path):
    async with make_shop(tmp_path) as shop:
        comment = {"item": "comment", "verb": "add", "comment_id": "1", "message": "Stop", "from": {"id": "77"}}
        made = hooks.meta({"object": "page", "entry": [{"id": "P", "changes": [{"field": "feed", "value": comment}]}]})
        assert await call(shop, "/hooks/facebook/meta", made) == (200, '{"accepted":1}')
        known = await shop.known("facebook_id:77")
        assert (known["consents"], [each["verdict"] for each in known["timeline"]][-1]) == ([], "entered")


async def test_a_header_says_whose_request_it_is_where_the_address_does_not(tmp_path):
    async with make_shop(tmp_path) as shop:
        made = hooks.twilio({"MessageStatus": "delivered", "MessageSid": "SM1"}, "/hooks/sms")
        assert await call(shop, "/hooks/sms", made) == (204, "")
        assert (await call(shop, "/hooks/sms", (made[0], {**made[1], "x-twilio-signature": "AAAA"})))[0] == 403


async def test_behind_a_proxy_the_public_address_is_signed(tmp_path):
    async with make_shop(tmp_path) as shop:
        query = f"?action_id={hooks.ACTION}&profile_id={hooks.PROFILE}&x=%20y"
        made = hooks.twilio({"MessageStatus": "delivered"}, f"/hooks/sms/twilio{query}")
        made[1]["Host"] = "10.0.0.7:8080"
        async with aiohttp.ClientSession() as client:
            url = aiohttp.client.URL(f"{shop.url}/hooks/sms/twilio{query}", encoded=True)
            async with client.post(url, data=made[0], headers=made[1]) as response:
                assert response.status == 204


async def test_what_twilio_and_meta_are_given_with_a_message_leads_back_to_it(tmp_path):
    tls, _ = contexts(tmp_path)
    taken = answer(201, b'{"sid": "SM9"}'), answer(200, b'{"messages": [{"id": "wamid.9"}]}')
    async with WebServer(taken[0], tls=tls) as texts, WebServer(taken[1], tls=tls) as chats:
        host, ca = "127.0.0.1", tmp_path / "server.pem"
        sms_url = f"twilio://{host}:{texts.port}?account=AC1&from=%2B15551230001&ca={ca}"
        shop = make_shop(tmp_path, ANSWER, sms=sms_url, whatsapp=f"whatsapp://{host}:{chats.port}?phone_id=1&ca={ca}")
        shop.settings |= {"channel_sms_secret": hooks.SECRET, "channel_whatsapp_secret": "token"}
        async with shop:
            await greet(shop, "ana", ANA)
            await call(shop, "/hooks/sms/twilio", sms(ANA, "Hola"))
            await until(lambda: texts.requests)
            [callback] = parse_qs(texts.requests[0][2].decode())["StatusCallback"]
            path = callback.removeprefix("https://shop.example")
            reported = hooks.twilio({"MessageStatus": "undelivered", "ErrorCode": "30005"}, path)
            assert await call(shop, path, reported) == (204, "")
            assert (await shop.known())["unreachable"] == ["sms"]
            message = {"from": "34600000001", "id": "wamid.1", "type": "text", "text": {"body": "Hola"}}
            await call(shop, "/hooks/whatsapp/meta", hooks.whatsapp(messages=[message]))
            await until(lambda: chats.requests)
            opaque = chats.bodies[0]["biz_opaque_callback_data"]
            failed = {"status": "failed", "errors": [{"code": 131026}], "biz_opaque_callback_data": opaque}
            assert (await call(shop, "/hooks/whatsapp", hooks.whatsapp(statuses=[failed])))[0] == 200
            assert (await shop.known())["unreachable"] == ["sms", "whatsapp"]


async def test_metas_challenge(tmp_path):
    async with make_shop(tmp_path) as shop:
        asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "meatyhamhock"}
        path = "/hooks/whatsapp/meta?" + urlencode(asked)
        assert await call(shop, path, (b"", {}), "GET") == (200, "1158201444")
        assert (await call(shop, path.replace("meaty", "meat"), (b"", {}), "GET"))[0] == 403
        assert (await call(shop, "/hooks/sms/twilio", (b"", {}), "GET"))[0] == 405


async def counted(shop, provider, outcome):
    async with shop.client.get("/metrics") as response:
        return f'orchestrator_hooks_total{{outcome="{outcome}",provider="{provider}"}} 1.0' in await response.text()


TOKEN = {"x-telegram-bot-api-secret-token": hooks.SECRET}
DEEP = b'{"a":' * 500 + b"1" + b"}" * 500
MANY = "&".join(f"a{number}=1" for number in range(300)).encode()
BOMB = b"".join(b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' for _ in range(5_000)) + b"--b--\r\n"
NESTED = "".join(f'Content-Type: multipart/mixed; boundary="{n}"\r\n\r\n--{n}\r\n' for n in range(2_000))
FORM = {"content-type": "application/x-www-form-urlencoded"}
PARTS = {"content-type": "multipart/form-data; boundary=b"}
BAD = {
    "deep JSON": ("telegram", DEEP, TOKEN),
    "no JSON": ("telegram", b"\xff\xfe", TOKEN),
    "a list": ("telegram", b"[1]", TOKEN),
    "a huge number": (
        "telegram",
        b'{"update_id":' + b"9" * 400 + b"}",
        {"x-telegram-bot-api-secret-token": hooks.SECRET},
    ),
    "too many fields": ("twilio", MANY, FORM),
    "a form that is none": ("twilio", b"\xff=\xff", FORM),
    "another charset": (
        "twilio",
        "Body=BAJA".encode("utf-16"),
        {"content-type": FORM["content-type"] + "; charset=utf-16"},
    ),
    "no form": ("twilio", b"{}", {"content-type": "application/json"}),
    "a multipart bomb": ("sendgrid", BOMB, {**PARTS, **hooks.basic()}),
    "a form without a boundary": ("sendgrid", b"x", {"content-type": "multipart/form-data", **hooks.basic()}),
    "a form cut off": ("sendgrid", b"--b\r\nContent-Dis", {**PARTS, **hooks.basic()}),
    "a mail without end": (
        "sendgrid",
        hooks.multipart({"email": NESTED})[0],
        {**hooks.multipart({})[1], **hooks.basic()},
    ),
    "a form without a mail": ("sendgrid", hooks.multipart({"a": "b"})[0], {**hooks.multipart({})[1], **hooks.basic()}),
    "no message of SNS": ("ses", b'{"Type": "Rumour"}', {}),
}


async def test_what_cannot_be_read_ends_in_a_four_hundred_and_is_counted(tmp_path):
    async with make_shop(tmp_path) as shop:
        for name, (provider, body, headers) in BAD.items():
            status, told = await call(shop, f"/hooks/email/{provider}", (body, headers))
            assert (name, status, json.loads(told)["code"]) == (name, 400, "unreadable")
        assert await counted(shop, "ses", "unreadable")
        status, _ = await call(shop, "/hooks/sms/twilio", (io.BytesIO(b"a" * (11 << 20)), {}))
        assert status == 413
        assert await counted(shop, "twilio", "too_large")


async def test_forged_requests_are_counted_and_change_nothing(tmp_path):
    async with make_shop(tmp_path) as shop:
        await greet(shop, "ana", ANA)
        body, headers = sms(ANA, "STOP")
        status, told = await call(shop, "/hooks/sms/twilio", (body.replace(b"0001", b"0002"), headers))
        assert (status, json.loads(told)["code"]) == (403, "forbidden")
        assert hooks.SECRET not in told
        assert await counted(shop, "twilio", "forbidden")
        assert len(await consents(shop)) == 1


async def test_what_is_not_ours_or_unknown_is_counted_and_answered_well(tmp_path):
    async with make_shop(tmp_path) as shop:
        for made in ({"update_id": 1}, {"update_id": 2, "message": {"chat": {"type": "group", "id": 1}, "text": "x"}}):
            assert await call(shop, "/hooks/telegram/telegram", hooks.telegram(made)) == (200, '{"accepted":0}')
        assert await counted(shop, "telegram", "unknown")
        assert await counted(shop, "telegram", "passing")
        other = hooks.postmark({"RecordType": "Delivery"})
        assert await call(shop, "/hooks/email/postmark", other) == (200, '{"accepted":0}')
        assert await counted(shop, "postmark", "not_ours")


async def test_a_provider_that_nobody_set_up_is_told_to_come_back(tmp_path):
    shop = make_shop(tmp_path)
    del shop.settings["hook_telegram_secret"]
    async with shop:
        status, told = await call(shop, "/hooks/telegram/telegram", hooks.telegram({"update_id": 1}))
        assert (status, "ORCHESTRATOR_HOOK_TELEGRAM_SECRET" in told) == (503, True)
        assert await counted(shop, "telegram", "not_set_up")

        def broken(name):
            raise OrchestratorError("secret.txt: No such file or directory")

        shop.service.setting = broken
        assert (await call(shop, "/hooks/sms/twilio", sms(ANA, "STOP")))[0] == 503
        assert (await call(shop, "/hooks/sms/nobody", (b"", {})))[0] == 404
        assert (await call(shop, "/hooks/Sms!/telegram", (b"", {})))[0] == 404


async def test_what_is_not_kept_is_not_answered_for(tmp_path, monkeypatch):
    async with make_shop(tmp_path) as shop:
        await greet(shop, "ana", ANA)

        async def full(lines, source):
            raise Busy("more waits than may")

        monkeypatch.setattr(shop.service, "take", full)
        status, _ = await call(shop, "/hooks/sms/twilio", sms(ANA, "STOP"))
        assert status == 503
        monkeypatch.undo()
        assert (await call(shop, "/hooks/sms/twilio", sms(ANA, "STOP")))[0] == 204
        assert (await granted_on_the_page(shop))["sms"] is False


async def test_a_message_of_sns_whose_certificate_cannot_be_had_comes_again(tmp_path, monkeypatch):
    async def nothing(self, url):
        raise amazon.NotFetched("sns.us-west-2.amazonaws.com could not be asked")

    monkeypatch.setattr(amazon.Amazon, "_fetch", nothing)
    async with make_shop(tmp_path) as shop:
        envelope = {
            "Type": "Notification",
            "TopicArn": SETTINGS["hook_ses_topics"],
            "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-1.pem",
        }
        status, told = await call(shop, "/hooks/email/ses", (json.dumps(envelope).encode(), {}))
        assert (status, json.loads(told)["code"]) == (503, "not_fetched")
