"""Text messages, WhatsApp and Telegram: what providers on this machine get, and what each answer comes to."""

from datetime import timedelta

import pytest

from orchestrator.channels.port import Setup
from orchestrator.channels.registry import open_channel
from orchestrator.errors import Bounced, OptedOut, OrchestratorError, Refused, TryLater, Unavailable, WindowClosed
from orchestrator.model import instants
from providers import action, delivery
from providers.apis import HERE, Gateway, Meta, Telegram, Twilio, query_of, told
from providers.deliveries import NOW_MS, PROFILE
from providers.web import HANG, RESET, answer

TEXTS = {
    "sms": {"text": "Tu cesta te espera, {{ profile.first_name }}"},
    "whatsapp": {
        "text": "Hola {{ profile.first_name }}",
        "template": "cesta",
        "parameters": ["{{ profile.first_name }}", "a\n b"],
    },
    "telegram": {"title": "Tienda", "text": "Tu cesta te espera", "url": "https://shop.example/c"},
}
URLS = {
    "sms": f"twilio:?account={Twilio.ACCOUNT}&from={Twilio.SENDER}",
    "whatsapp": f"whatsapp:?phone_id={Meta.PHONE_ID}",
    "telegram": "telegram:",
}
SECRETS = {"sms": Twilio.TOKEN, "whatsapp": Meta.TOKEN, "telegram": Telegram.TOKEN}
KINDS = {"sms": Twilio, "whatsapp": Meta, "telegram": Telegram}
TO = {"sms": "+34600000001", "whatsapp": "+34 600 000 001", "telegram": "42"}
OPEN = instants.to_text(NOW_MS + 1)


def text(channel, to=None, content=None, **fields):
    return delivery({channel: content or TEXTS[channel]}, channel=channel, to=to or TO[channel], **fields)


async def sent(provider, channel, one, url=None, secret=None, **fields):
    road = open_channel(provider.setup(url or URLS[channel], channel, secret or SECRETS[channel], **fields))
    try:
        return await road.send(one)
    finally:
        await road.close()


async def test_twilio_gets_a_text_message_that_its_reports_can_be_told_by(tmp_path):
    one = text("sms", "600 000 001", expires_at=instants.to_text(NOW_MS + 90_500))
    async with Twilio(tmp_path) as provider:
        url = URLS["sms"] + "&region=es"
        receipt = await sent(provider, "sms", one, url, hooks="https://shop.example/hooks/sms")
    [form] = provider.taken
    callback = form.pop("StatusCallback")
    assert form == {
        "To": "+34600000001",
        "From": Twilio.SENDER,
        "Body": "Tu cesta te espera, Ana",
        "ValidityPeriod": "90",
    }
    assert callback.startswith("https://shop.example/hooks/sms/twilio?")
    assert query_of(callback) == {"action_id": one.action.id, "profile_id": PROFILE}
    assert (receipt.reference, receipt.details) == ("SM" + "1".zfill(32), {"parts": 1, "alphabet": "GSM-7"})
    assert (receipt.named, receipt.to) == (Twilio.SENDER, "+34600000001")


async def test_twilio_by_a_messaging_service_and_without_anywhere_to_report_to(tmp_path):
    async with Twilio(tmp_path) as provider:
        url = f"twilio:?account={Twilio.ACCOUNT}&service=MG1"
        with pytest.raises(Unavailable):  # this one has no such service, and says 21603: no From
            await sent(provider, "sms", text("sms"), url)
    [(_, _, body)] = provider.requests
    assert b"MessagingServiceSid=MG1" in body
    assert b"StatusCallback" not in body


async def test_the_receipt_tells_how_many_parts_a_text_was(tmp_path):
    long = text("sms", content={"text": "á" * 71})
    async with Twilio(tmp_path) as provider:
        assert (await sent(provider, "sms", long)).details == {"parts": 2, "alphabet": "UCS-2"}
        for content, why in (({"text": "á" * 671}, "11 parts"), ({"text": " "}, "empty")):
            with pytest.raises(Refused, match=why):
                await sent(provider, "sms", text("sms", content=content))
    assert len(provider.requests) == 1


async def test_meta_gets_the_text_while_the_window_is_open_and_the_template_after(tmp_path):
    async with Meta(tmp_path) as provider:
        inside, at_its_end = (
            text("whatsapp", window_until=OPEN),
            text("whatsapp", window_until=instants.to_text(NOW_MS)),
        )
        receipt = await sent(provider, "whatsapp", inside)
        await sent(provider, "whatsapp", at_its_end)
        await sent(provider, "whatsapp", text("whatsapp"))
    first, second, third = provider.taken
    assert (receipt.reference, receipt.named, receipt.to) == ("wamid.1", "wamid.1", "+34600000001")
    assert first["to"] == "+34600000001"
    assert first["biz_opaque_callback_data"] == f"{inside.key}.{PROFILE}"
    assert (first["type"], first["text"]["body"]) == ("text", "Hola Ana")
    assert second["template"] == third["template"]
    assert second["template"] == {
        "name": "cesta",
        "language": {"code": "es"},
        "components": [
            {"type": "body", "parameters": [{"type": "text", "text": "Ana"}, {"type": "text", "text": "a b"}]}
        ],
    }


async def test_neither_form_fits(tmp_path):
    only_text = text("whatsapp", content={"text": "Hola"})
    empty = text("whatsapp", content={"template": "t", "parameters": ["x", "{{ profile.last_name }}"]})
    async with Meta(tmp_path) as provider:
        with pytest.raises(WindowClosed):
            await sent(provider, "whatsapp", only_text)
        with pytest.raises(Refused, match="parameter 2"):
            await sent(provider, "whatsapp", empty)
    assert provider.requests == []


async def test_whatsapp_by_twilio(tmp_path):
    url = URLS["sms"].replace("twilio:", "twilio+whatsapp:")
    async with Twilio(tmp_path) as provider:
        await sent(provider, "whatsapp", text("whatsapp", window_until=OPEN), url, Twilio.TOKEN)
        await sent(provider, "whatsapp", text("whatsapp"), url, Twilio.TOKEN)
    first, second = provider.taken
    assert first == {"To": "whatsapp:+34600000001", "From": f"whatsapp:{Twilio.SENDER}", "Body": "Hola Ana"}
    assert (second["ContentSid"], second["ContentVariables"]) == ("cesta", '{"1":"Ana","2":"a b"}')


async def test_telegram_gets_title_text_and_link(tmp_path):
    async with Telegram(tmp_path) as provider:
        receipt = await sent(provider, "telegram", text("telegram"), "telegram:?silent=on")
        with pytest.raises(Refused, match="4,097"):
            await sent(provider, "telegram", text("telegram", content={"text": "x" * 4097}))
    [said] = provider.taken
    assert said == {
        "chat_id": "42",
        "text": "Tienda\nTu cesta te espera\nhttps://shop.example/c",
        "disable_notification": True,
    }
    assert (receipt.reference, receipt.named, receipt.to) == ("42:1", "42:1", "42")


@pytest.mark.parametrize("form", ["on", "off"])
async def test_a_gateway_gets_its_own_names(tmp_path, form):
    one = text("sms")
    async with Gateway(tmp_path) as provider:
        names = "to=msisdn&text=message&reference=ref&from=source&sender=Shop"
        url = f"sms+https://{provider.host}/v2/send?account=7#{names}&auth=header:X-Api-Key&form={form}&rate=5"
        road = open_channel(Setup("sms", f"{url}&ca={provider.ca}", Gateway.KEY, HERE))
        receipt = await road.send(one)
        with pytest.raises(Bounced):
            await road.send(text("sms", "+3"))
        await road.close()
    assert provider.taken == [
        {
            "path": "/v2/send?account=7",
            "key": one.key,
            "msisdn": "+34600000001",
            "message": "Tu cesta te espera, Ana",
            "source": "Shop",
            "ref": one.key,
        }
    ]
    assert (receipt.reference, receipt.details["parts"]) == ("701", 1)


# What became of the message: the error, and after how many seconds it may go again.
MISBEHAVING = [
    (answer(429, Retry_After="7"), Unavailable, 7),
    (answer(500), Unavailable, None),
    (answer(503, Retry_After="60"), Unavailable, 60),
    (HANG, Unavailable, None),
    (RESET, Unavailable, None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ok\":", Unavailable, None),
    (b"\x00\x01nonsense\r\n\r\n", Unavailable, None),
    (answer(307, Location="https://elsewhere.example/"), Refused, None),
]  # fmt: skip


@pytest.mark.parametrize("channel", list(KINDS))
@pytest.mark.parametrize(("fault", "error", "after"), MISBEHAVING)
async def test_what_becomes_of_a_message_when_the_provider_misbehaves(tmp_path, channel, fault, error, after):
    async with KINDS[channel](tmp_path, fault) as provider:
        with pytest.raises((TryLater, Refused)) as caught:
            await sent(provider, channel, text(channel))
        assert type(caught.value) is error
        if after is not None:
            assert caught.value.after == timedelta(seconds=after)
        assert SECRETS[channel] not in str(caught.value)
        # Nothing is wrong with the channel: the same message goes when the provider behaves.
        await sent(provider, channel, text(channel))
    assert len(provider.taken) == 1


SAID = [
    ("sms", "+15005550009", Bounced, True),  # no mobile number
    ("sms", "+15005550004", OptedOut, False),  # said STOP to this sender
    ("sms", "+3", Bounced, True),
    ("sms", "600000001", Bounced, True),  # without its country, and no region says which
    ("whatsapp", "+34600000009", Bounced, True),
    ("whatsapp", "+34600000012", OptedOut, False),
    ("whatsapp", "+34600000010", WindowClosed, None),
    ("whatsapp", "+34600000011", Unavailable, None),  # too fast for one customer
    ("telegram", "666", Bounced, True),
    ("telegram", "404", Bounced, True),
    ("telegram", "400", Refused, None),
]


@pytest.mark.parametrize(("channel", "to", "error", "hard"), SAID)
async def test_what_a_provider_says_about_an_address(tmp_path, channel, to, error, hard):
    async with KINDS[channel](tmp_path) as provider:
        with pytest.raises(error) as caught:
            await sent(provider, channel, text(channel, to))
    assert type(caught.value) is error
    assert getattr(caught.value, "hard", None) is hard
    if len(to) > 5:
        assert to not in str(caught.value)  # the reason ends up in logs


async def test_twilio_says_that_the_window_is_closed(tmp_path):
    url = URLS["sms"].replace("twilio:", "twilio+whatsapp:")
    async with Twilio(tmp_path) as provider:
        with pytest.raises(WindowClosed):
            await sent(provider, "whatsapp", text("whatsapp", "+15005550010"), url, Twilio.TOKEN)


@pytest.mark.parametrize("channel", list(KINDS))
async def test_a_wrong_secret_holds_the_channel_and_refuses_nobody(tmp_path, channel):
    async with KINDS[channel](tmp_path) as provider:
        with pytest.raises(Unavailable):
            await sent(provider, channel, text(channel), secret="wrong")


async def test_telegram_says_itself_how_long_to_wait(tmp_path):
    flood = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 5}}
    async with Telegram(tmp_path, told(429, flood), told(200, {"ok": True})) as provider:
        with pytest.raises(Unavailable) as caught:
            await sent(provider, "telegram", text("telegram"))
        assert caught.value.after == timedelta(seconds=5)
        with pytest.raises(TryLater, match="nothing that says it was taken"):
            await sent(provider, "telegram", text("telegram"))


@pytest.mark.parametrize(
    ("url", "secret", "why"),
    [
        ("twilio:?from=+1", "s", "lacks account"),
        ("twilio:?account=AC1", "s", "one of from and service"),
        ("twilio:?account=AC1&from=+1&service=MG1", "s", "one of from and service"),
        ("twilio:?account=AC1&from=+1", None, "ORCHESTRATOR_CHANNEL_IN_APP_SECRET"),
        ("twilio:?account=AC1&form=+1", "s", "no option 'form'"),
        ("whatsapp:", "s", "lacks phone_id"),
        ("telegram:?timeout=soon", "s", "timeout is seconds"),
        ("telegram:?ca=/nowhere.pem", "s", "no file of certificates"),
        ("telegram:", None, "_SECRET_FILE"),
        ("sms+https://gateway.example/#auth=oauth", "s", "auth=oauth"),
        ("sms+https://gateway.example/#auth=bearer", None, "_SECRET_FILE"),
    ],
)
def test_a_url_that_cannot_be_says_what_to_write(url, secret, why):
    with pytest.raises(OrchestratorError, match=why):
        open_channel(Setup("in-app", url, secret))


async def test_a_provider_at_an_address_that_is_not_public_is_not_asked(tmp_path):
    async with Telegram(tmp_path) as provider:
        road = open_channel(Setup("telegram", f"telegram://{provider.host}", Telegram.TOKEN))
        with pytest.raises(Refused):
            await road.send(text("telegram"))
        await road.close()
    assert provider.requests == []


def test_an_action_carries_the_end_of_the_window():
    assert action(window_until=OPEN).window_until == OPEN
