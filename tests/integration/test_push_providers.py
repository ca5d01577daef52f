"""Push by Firebase, Apple and browsers' own services on this machine: what they get, and what each answer comes to."""

import asyncio
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace

from orchestrator.channels.port import Setup, Tracking
from orchestrator.channels.push.devices import kind_of
from orchestrator.channels.push.webpush import Subscription, encrypted
from orchestrator.channels.registry import open_channel
from orchestrator.errors import Bounced, OrchestratorError, Refused, TryLater, Unavailable
from orchestrator.model import instants
from providers import delivery
from providers.deliveries import NOW_MS
from providers.push import HERE, Apple, Firebase, PushService, decrypted, packed, pem, unpacked
from providers.web import HANG, RESET, answer

CONTENT = {
    "push": {
        "title": "{{ brand.name }}",
        "body": "Tu cesta te espera, {{ profile.first_name }}",
        "url": "https://shop.example/c",
        "image": "https://shop.example/c.png",
    }
}
EXPIRES = instants.to_text(NOW_MS + 90_000)
VAPID = ec.generate_private_key(ec.SECP256R1())


def notice(to="device-1", **fields):
    return delivery(fields.pop("content", CONTENT), channel="push", to=to, **fields)


def firebase(provider):
    return open_channel(provider.setup("fcm:", "push", provider.account()))


def apple(provider, url=None):
    return open_channel(Setup("push", url or provider.url, pem(provider.key), HERE))


def browsers(provider, query="subject=mailto:ops@shop.example", key=VAPID):
    return open_channel(provider.setup(f"webpush:?{query}", "push", pem(key)))


async def sent(road, one):
    try:
        return await road.send(one)
    finally:
        await road.close()


async def refused(road, one):
    with pytest.raises((TryLater, Refused)) as caught:
        await sent(road, one)
    return caught.value


# Firebase


async def test_firebase_gets_a_message_under_a_token_that_google_granted(tmp_path):
    one = notice(expires_at=EXPIRES)
    async with Firebase(tmp_path) as provider:
        receipt = await sent(firebase(provider), one)
    assert receipt.reference == "projects/shop-1/messages/1"
    assert provider.taken == [
        {
            "token": "device-1",
            "notification": {
                "title": "Tienda",
                "body": "Tu cesta te espera, Ana",
                "image": "https://shop.example/c.png",
            },
            "data": {"action_id": one.action.id, "url": "https://shop.example/c"},
            "android": {"ttl": "90s", "notification": {"tag": one.key}},
            "apns": {"headers": {"apns-collapse-id": one.key, "apns-expiration": str(NOW_MS // 1000 + 90)}},
        }
    ]


async def test_one_token_serves_until_it_ends_however_many_ask_at_once(tmp_path):
    async with Firebase(tmp_path) as provider:
        road = firebase(provider)
        await asyncio.gather(*(road.send(notice(number=number)) for number in range(5)))
        assert len(provider.granted) == 1
        await sent(road, _later(notice(), hours=1))
    assert len(provider.granted) == 2
    assert len(provider.taken) == 6


def _later(one, hours):
    return replace(one, now_ms=one.now_ms + hours * 3_600_000)


async def test_a_token_that_is_refused_is_renewed_once(tmp_path):
    async with Firebase(tmp_path) as provider:
        road = firebase(provider)
        await road.send(notice())
        provider.refused.add("ya29.0")
        await road.send(notice())
        assert provider.granted == ["ya29.0", "ya29.1"]
        provider.refused |= {"ya29.1", "ya29.2"}
        with pytest.raises(Unavailable):
            await road.send(notice())
        await road.close()
    assert provider.granted == ["ya29.0", "ya29.1", "ya29.2"]
    assert len(provider.taken) == 2


@pytest.mark.parametrize(
    ("device", "error", "hard", "after"),
    [
        ("gone", Bounced, True, None),
        ("stranger", Bounced, True, None),
        ("misspelt", Bounced, True, None),
        ("no token", Bounced, True, None),
        ("too big", Refused, None, None),
        ("fat", Refused, None, None),
        ("apple", Unavailable, None, None),
        ("many", Unavailable, None, timedelta(seconds=9)),
    ],
)
async def test_what_firebase_says_about_a_device(tmp_path, device, error, hard, after):
    async with Firebase(tmp_path) as provider:
        caught = await refused(firebase(provider), notice(device))
    assert type(caught) is error
    assert (getattr(caught, "hard", None), getattr(caught, "after", None)) == (hard, after)
    assert len(provider.granted) == 1


async def test_google_that_grants_no_token_holds_the_channel(tmp_path, monkeypatch):
    async with Firebase(tmp_path) as provider:
        monkeypatch.setattr(provider, "_grant", lambda body: answer(400, b'{"error": "invalid_grant"}'))
        caught = await refused(firebase(provider), notice())
    assert (type(caught), len(provider.requests)) == (Unavailable, 1)


# Apple


async def test_apple_gets_a_message_over_http_2(tmp_path):
    one = notice("aa11", expires_at=EXPIRES)
    async with Apple(tmp_path) as provider:
        receipt = await sent(apple(provider), one)
    [(headers, payload)] = provider.taken
    assert receipt.reference == headers["apns-id"]
    assert headers["apns-id"].replace("-", "") == one.key
    assert headers["apns-collapse-id"] == one.key
    assert headers["apns-expiration"] == str(NOW_MS // 1000 + 90)
    assert headers[":path"] == "/3/device/aa11"
    assert payload == {
        "aps": {
            "alert": {"title": "Tienda", "body": "Tu cesta te espera, Ana"},
            "sound": "default",
            "mutable-content": 1,
        },
        "action_id": one.action.id,
        "url": "https://shop.example/c",
        "image": "https://shop.example/c.png",
    }


async def test_one_connection_and_one_token_carry_many_messages(tmp_path):
    async with Apple(tmp_path) as provider:
        road = apple(provider)
        await road.send(notice())
        await asyncio.gather(*(road.send(notice(number=number)) for number in range(20)))
        assert (provider.connections, len(provider.tokens), len(provider.taken)) == (1, 1, 21)
        await sent(road, _later(notice(), hours=1))
    assert len(provider.tokens) == 2


async def test_a_provider_token_that_has_expired_is_renewed_once(tmp_path):
    async with Apple(tmp_path) as provider:
        road = apple(provider)
        await road.send(notice())
        provider.expired.update(provider.tokens)
        await road.send(notice())
        assert (len(provider.tokens), len(provider.taken)) == (2, 2)
        provider.faults += [(403, "ExpiredProviderToken")] * 3
        assert "ExpiredProviderToken" in str(await refused(road, notice()))
    assert len(provider.faults) == 1


@pytest.mark.parametrize(
    ("device", "error", "hard", "after"),
    [
        ("gone", Bounced, True, None),
        ("bad", Bounced, True, None),
        ("other", Refused, None, None),
        ("many", TryLater, None, timedelta(seconds=3)),
    ],
)
async def test_what_apple_says_about_a_device(tmp_path, device, error, hard, after):
    async with Apple(tmp_path) as provider:
        caught = await refused(apple(provider), notice(device))
    assert type(caught) is error
    assert (getattr(caught, "hard", None), getattr(caught, "after", None)) == (hard, after)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ((429, "TooManyProviderTokenUpdates"), Unavailable),
        ((500, "InternalServerError"), Unavailable),
        ((503, "Shutdown"), Unavailable),
        ((403, "InvalidProviderToken"), Unavailable),
        ((400, "TopicDisallowed"), Unavailable),
        ((400, "BadMessageId"), Refused),
        ("hang", Unavailable),
        ("reset", Unavailable),
        ("half", Unavailable),
        ("endless", Unavailable),
    ],
)
async def test_what_becomes_of_a_message_when_apple_misbehaves(tmp_path, fault, error):
    async with Apple(tmp_path, fault) as provider:
        road = apple(provider)
        with pytest.raises((TryLater, Refused)) as caught:
            await road.send(notice())
        assert type(caught.value) is error
        await sent(road, notice())  # and by the same channel, when it behaves
        assert provider.endless_bytes < 32 << 20  # what HTTP/2 lets be sent unread is some 16 MiB
    assert len(provider.taken) == 1


async def test_apple_without_anybody_there_or_without_its_certificate(tmp_path):
    async with Apple(tmp_path) as provider:
        url = provider.url
        (tmp_path / "other").mkdir()
        other = Apple(tmp_path / "other")
        assert (
            type(await refused(apple(provider, url.replace(str(provider.ca), str(other.ca))), notice())) is Unavailable
        )
    assert type(await refused(apple(provider, url), notice())) is Unavailable


async def test_a_notice_that_is_too_long_or_empty_is_not_sent(tmp_path):
    long = {"push": {"title": "T", "body": "x" * 4_200}}
    async with Firebase(tmp_path) as google:
        assert "4,096" in str(await refused(firebase(google), notice(content=long)))
    assert google.taken == []
    async with Apple(tmp_path) as provider, PushService(tmp_path) as browser:
        assert "4,096" in str(await refused(apple(provider), notice(content=long)))
        assert "3,993" in str(await refused(browsers(browser), notice(browser.subscription(), content=long)))
        empty = notice(content={"push": {"title": " ", "body": "{{ profile.last_name }}"}})
        assert type(await refused(apple(provider), empty)) is Refused
    assert (provider.connections, browser.requests) == (0, [])


# Browsers


async def test_a_browser_gets_what_only_it_can_read(tmp_path):
    async with PushService(tmp_path) as provider:
        one = notice(provider.subscription(), expires_at=EXPIRES)
        road = browsers(provider)
        receipt = await road.send(one)
        await sent(road, one)
        first, second = provider.taken
        assert receipt.reference == f"https://{provider.host}/m/1"
    [body, again] = [body for _, _, body in provider.requests]
    assert b"cesta" not in body
    assert body != again  # a new key each time
    assert first == second
    assert (first["ttl"], first["title"], first["body"]) == ("90", "Tienda", "Tu cesta te espera, Ana")
    assert (first["tag"], first["action_id"]) == (one.key, one.action.id)


async def test_a_vapid_key_in_base64url_is_the_same_key(tmp_path):
    async with PushService(tmp_path) as provider:
        raw = packed(VAPID.private_numbers().private_value.to_bytes(32))
        road = open_channel(provider.setup("webpush:?subject=mailto:a@b.example&urgency=high", "push", raw))
        await sent(road, notice(provider.subscription()))
    [(_, headers, _)] = provider.requests
    assert headers["urgency"] == "high"


def test_what_we_encrypt_is_read_by_the_keys_of_the_standard():
    # RFC 8291, appendix A: the browser's keys, and the message that the standard encrypts for them.
    browser = ec.derive_private_key(
        int.from_bytes(unpacked("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")), ec.SECP256R1()
    )
    auth = unpacked("BTBZMqHH6r4Tts7J_aSIgg")
    theirs = unpacked(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95"
        "bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert decrypted(theirs, browser, auth) == b"When I grow up, I want to be a watermelon"
    public = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    keys = {"p256dh": public, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}
    ours = encrypted(b"hello", Subscription.read(json.dumps({"endpoint": "https://push.example/1", "keys": keys})))
    assert decrypted(ours, browser, auth) == b"hello"


@pytest.mark.parametrize(
    ("fault", "error", "after"),
    [
        (answer(404), Bounced, None),
        (answer(410), Bounced, None),
        (answer(413), Refused, None),
        (answer(403), Refused, None),
        (answer(429, Retry_After="7"), TryLater, 7),
        (answer(500), TryLater, None),
        (answer(307, Location="https://elsewhere.example/"), Refused, None),
        (HANG, TryLater, None),
        (RESET, TryLater, None),
        (b"HTTP/1.1 201 Created\r\nContent-Le", TryLater, None),
    ],
)
async def test_what_becomes_of_a_message_when_a_push_service_misbehaves(tmp_path, fault, error, after):
    async with PushService(tmp_path, fault) as provider:
        road = browsers(provider)
        with pytest.raises((TryLater, Refused)) as caught:
            await road.send(notice(provider.subscription()))
        # Never Unavailable: one service's trouble, at an address that a customer gave, holds up no other.
        assert type(caught.value) is error
        assert getattr(caught.value, "after", None) == (None if after is None else timedelta(seconds=after))
        await sent(road, notice(provider.subscription()))
    assert len(provider.taken) == 1


@pytest.mark.parametrize(
    "address",
    [
        "not json",
        "{}",
        '{"endpoint": "https://p.example/", "keys": {"p256dh": "AAAA", "auth": "AAAA"}}',
        '{"endpoint": "http://p.example/", "keys": %s}',
        '{"endpoint": "https:///x", "keys": %s}',
    ],
)
async def test_what_is_no_subscription_bounces(tmp_path, address):
    async with PushService(tmp_path) as provider:
        keys = json.dumps(json.loads(provider.subscription())["keys"])
        caught = await refused(browsers(provider), notice(address % keys if "%s" in address else address))
    assert (type(caught), caught.hard) == (Bounced, True)
    assert provider.requests == []


async def test_an_endpoint_that_is_not_public_is_not_asked(tmp_path):
    async with PushService(tmp_path) as provider:
        road = open_channel(Setup("push", "webpush:?subject=mailto:ops@shop.example", pem(VAPID)))
        assert type(await refused(road, notice(provider.subscription()))) is Refused
    assert provider.requests == []


# Several kinds of devices


def test_an_address_says_what_it_is():
    assert kind_of("fcm:abc:APA91", "apns") == ("fcm", "abc:APA91")
    assert kind_of("abc:APA91", "fcm") == ("fcm", "abc:APA91")
    assert kind_of("apns:aa11", "fcm") == ("apns", "aa11")
    assert kind_of('{"endpoint": 1}', "fcm") == kind_of('webpush:{"endpoint": 1}', "fcm")


async def test_each_device_goes_by_its_own_service(tmp_path):
    folders = [tmp_path / name for name in ("google", "phone", "browser")]
    for folder in folders:
        folder.mkdir()
    async with Firebase(folders[0]) as google, Apple(folders[1]) as phone, PushService(folders[2]) as browser:
        settings = {
            "fcm": f"fcm://{google.host}?ca={google.ca}",
            "fcm_secret": google.account(),
            "apns": phone.url.split("&ca=")[0] + f"&ca={phone.ca}",
            "apns_secret": pem(phone.key),
            "webpush": f"webpush:?subject=mailto:ops@shop.example&ca={browser.ca}",
            "webpush_secret": pem(VAPID),
        }
        road = open_channel(Setup("push", "push:?default=apns", None, HERE, find=settings.get))
        for address in ("fcm:device-1", "bare-token", browser.subscription()):
            await road.send(notice(address))
        with pytest.raises(Bounced):
            await road.send(notice("fcm:gone"))
        phone.faults.append((503, "Shutdown"))
        with pytest.raises(TryLater) as caught:
            await road.send(notice("apns:aa11"))
        assert type(caught.value) is TryLater  # Apple's trouble does not hold up Firebase
        await road.close()
    assert [len(each.taken) for each in (google, phone, browser)] == [1, 1, 1]


async def test_a_device_of_a_kind_that_nobody_set_up_waits(tmp_path):
    async with Firebase(tmp_path) as google:
        settings = {"fcm": f"fcm://{google.host}?ca={google.ca}", "fcm_secret": google.account()}
        road = open_channel(Setup("push", "push:", None, HERE, find=settings.get))
        caught = await refused(road, notice("apns:aa11"))
    assert (type(caught), "set ORCHESTRATOR_CHANNEL_PUSH_APNS" in caught.why) == (TryLater, True)


async def test_a_link_that_may_be_tracked_is_the_one_that_a_tap_opens(tmp_path):
    tracked = replace(
        notice(), tracking=Tracking(None, lambda url: f"https://shop.example/r/{len(url)}", "https://own/")
    )
    async with Firebase(tmp_path) as provider:
        await sent(firebase(provider), tracked)
    assert provider.taken[0]["data"]["url"] == "https://shop.example/r/22"


@pytest.mark.parametrize(
    ("url", "secret", "why"),
    [
        ("fcm:", None, "ORCHESTRATOR_CHANNEL_PUSH_SECRET"),
        ("fcm:", "{}", "no service account's JSON"),
        (
            "fcm:",
            '{"project_id":"p","private_key_id":"k","private_key":"x","client_email":"e","token_uri":"t"}',
            "private_key cannot be read",
        ),
        ("apns:?team=T&key=K", "s", "lacks topic"),
        ("apns:?team=T&key=K&topic=t", "s", "BEGIN PRIVATE KEY"),
        ("webpush:?subject=ops@shop.example", packed(b"\1" * 32), "mailto:"),
        ("webpush:?subject=mailto:a@b.example&urgency=now", packed(b"\1" * 32), "urgency"),
        ("push:", None, "ORCHESTRATOR_CHANNEL_PUSH_FCM=fcm:"),
    ],
)
def test_a_url_or_key_that_cannot_be_says_what_to_write(url, secret, why):
    with pytest.raises(OrchestratorError, match=why) as caught:
        open_channel(Setup("push", url, secret))
    assert secret is None or secret == "s" or secret not in str(caught.value)
