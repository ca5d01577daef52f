"""Signatures: the providers' own published values, what is changed on the way, and what is old."""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from orchestrator.channels.inbound import (
    mailgun,
    meta,
    postmark,
    providers,
    sendgrid,
    ses,
    signing,
    sns,
    standard,
    telegram,
    twilio,
)
from orchestrator.channels.inbound.findings import Forbidden, Other, Unreadable
from orchestrator.model import instants
from orchestrator.model.instants import DAY_MS, HOUR_MS, MINUTE_MS
from providers import hooks
from providers.hooks import NOW_MS, NOW_S, SECRET, request

SNS = Path(__file__).parent / "sns"
DELIVERED = {"event": "delivered", "orchestrator": hooks.REFERENCE}

# From twilio-python's tests of its request validator: token, URL and parameters with the signatures they come to.
TWILIO_TOKEN = "12345"
TWILIO_URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
TWILIO_FORM = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
    ("Caller", "+14158675309"),
]


@pytest.mark.parametrize(
    ("url", "form", "expected"),
    [
        (TWILIO_URL, TWILIO_FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (TWILIO_URL.replace(".com", ".com:443"), TWILIO_FORM, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (
            TWILIO_URL,
            [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234")],
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
    ],
)
def test_twilios_published_signatures_are_what_we_reckon(url, form, expected):
    assert twilio.signature_of(TWILIO_TOKEN, url, form) == expected


def twilio_request(url=TWILIO_URL, form=None, signature="RSOYDt4T1cUTdK1PDd93/VVr8B8=", key=TWILIO_TOKEN):
    body = urlencode(TWILIO_FORM if form is None else form).encode()
    made = request(body, {"content-type": hooks.FORM, "x-twilio-signature": signature}, channel="sms", secret=key)
    return type(made)(made.channel, made.headers, body, url, made.query, made.keys, made.now_ms)


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        (TWILIO_URL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (TWILIO_URL, "kvajT1Ptam85bY51eRf/AJRuM3w="),  # signed with the port that HTTPS has anyway
        (TWILIO_URL.replace(".com", ".com:1234"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="),  # and without one that we have
        (TWILIO_URL.replace("https", "http"), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (TWILIO_URL.replace("https://mycompany.com", "http://mycompany.com:1234"), "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    ],
)
def test_twilios_published_requests_are_let_in_with_the_port_and_without(url, signature):
    assert twilio.read(twilio_request(url, signature=signature)) == [Other("not_ours")]


@pytest.mark.parametrize(
    "changed",
    [
        {"url": TWILIO_URL.replace("foo=1", "foo=2")},
        {"url": TWILIO_URL.replace("mycompany", "yourcompany")},
        {"form": [*TWILIO_FORM, ("Body", "STOP")]},
        {"form": TWILIO_FORM[1:]},
        {"form": [("Digits", "12345") if name == "Digits" else (name, value) for name, value in TWILIO_FORM]},
        {"signature": "RSOYDt4T1cUTdK1PDd93/VVr8B9="},
        {"signature": ""},
        {"key": "12346"},
    ],
    ids=str,
)
def test_twilios_published_request_changed_anywhere_is_not(changed):
    with pytest.raises(Forbidden):
        twilio.read(twilio_request(**changed))


# From sendgrid-python's tests of its event webhook.
SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eN"
    "Ec6wEA3F+g=="
)
OTHER_SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqTxd43gyp8IOEto2LdIfjRQrIbsd4SXZkLW6jDutdhXSJCWHw8REntlo7aNDthvj+y7GjUuFDb/R"
    "1NGe1OPzpA=="
)
SENDGRID_SIGNATURE = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
OTHER_SENDGRID_SIGNATURE = (
    "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH3j/0="
)
SENDGRID_AT = "1600112502"
SENDGRID_BODY = (
    b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
    b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
    b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
    b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
)


def sendgrid_request(body=SENDGRID_BODY, signature=SENDGRID_SIGNATURE, at=SENDGRID_AT, key=SENDGRID_KEY, after_ms=0):
    headers = {"content-type": hooks.JSON, sendgrid.SIGNATURE: signature, sendgrid.TIMESTAMP: at}
    return request(body, headers, now_ms=1_600_112_502_000 + after_ms, secret=key, password="")


def test_sendgrids_published_request_is_let_in():
    assert sendgrid.read(sendgrid_request()) == [Other("not_ours")]


def test_a_second_key_in_force_lets_in_too():
    assert sendgrid.read(sendgrid_request(key=f"{OTHER_SENDGRID_KEY},{SENDGRID_KEY}")) == [Other("not_ours")]


@pytest.mark.parametrize(
    "changed",
    [
        {"body": SENDGRID_BODY.rstrip()},
        {"body": b"payload"},
        {"body": SENDGRID_BODY.replace(b"dropped", b"dropper")},
        {"signature": OTHER_SENDGRID_SIGNATURE},
        {"signature": ""},
        {"signature": "no base64!"},
        {"at": "timestamp"},
        {"at": "1600112503"},
        {"key": OTHER_SENDGRID_KEY},
        {"key": "no key"},
        {"key": "bm8ga2V5"},
        {"after_ms": 26 * HOUR_MS},
        {"after_ms": -10 * MINUTE_MS},
    ],
    ids=str,
)
def test_sendgrids_published_request_changed_anywhere_or_old_is_not(changed):
    with pytest.raises(Forbidden):
        sendgrid.read(sendgrid_request(**changed))


# From the tests of Amazon's SNS message manager in the AWS SDK for Java 2: signed by SNS itself, with its certificate.
TOPIC = "arn:aws:sns:us-west-2:131990247566:dongie-standard-topic"
CERTIFICATE = (SNS / "certificate.pem").read_bytes()
MESSAGES = ("version-1", "version-2", "subscription")


def message_of(name, **changed):
    return {**json.loads((SNS / f"{name}.json").read_text()), **changed}


def checked(message, after_ms=1_000, certificate=CERTIFICATE, topics=TOPIC):
    made = request(json.dumps(message).encode(), topics=topics)
    envelope = sns.envelope_of(made)
    sns.certificate_url(envelope)
    sns.check(envelope, certificate, instants.parse("2026-03-06T20:00:26Z") + after_ms)
    sns.confirmation_url(envelope)
    return envelope


@pytest.mark.parametrize("name", MESSAGES)
def test_amazons_published_messages_are_let_in(name):
    envelope = checked(message_of(name))
    assert sns.certificate_url(envelope).endswith(".pem")
    assert sns.confirmation_url(envelope) == envelope.get("SubscribeURL")
    assert [type(each) for each in ses.read_envelope(request(b"", topics=TOPIC), envelope)] == [Other]


@pytest.mark.parametrize("name", MESSAGES)
def test_amazons_published_messages_changed_in_any_signed_field_are_not(name):
    message = message_of(name)
    for field in sns.SIGNED[message["Type"]]:
        if field in message and field != "Type":
            changed = message[field].replace("2", "3", 1) if field == "Timestamp" else message[field] + "x"
            with pytest.raises(Forbidden):
                checked({**message, field: changed}, topics=f"{TOPIC},{TOPIC}x")
    with pytest.raises(Forbidden):
        checked({**message, "Signature": message["Signature"].replace("A", "B", 1)})
    with pytest.raises(Forbidden):
        checked({**message, "SignatureVersion": "2" if message["SignatureVersion"] == "1" else "1"})
    with pytest.raises(Forbidden):
        checked({**message, "SignatureVersion": "0"})


def test_a_subject_put_in_or_taken_out_is_noticed():
    without = message_of("version-1")
    del without["Subject"]
    for changed in (without, message_of("version-2", Subject="urgent")):
        with pytest.raises(Forbidden):
            checked(changed)


@pytest.mark.parametrize("after_ms", [2 * DAY_MS, -2 * HOUR_MS])
def test_an_old_message_of_sns_and_one_from_the_future_are_not_let_in(after_ms):
    with pytest.raises(Forbidden):
        checked(message_of("version-2"), after_ms)


def test_a_topic_that_the_operator_did_not_name_is_not_let_in():
    for topics in ("arn:aws:sns:us-west-2:131990247566:another", "", TOPIC[:-1]):
        with pytest.raises(Forbidden):
            checked(message_of("version-2"), topics=topics)


@pytest.mark.parametrize("certificate", [b"", b"no certificate", CERTIFICATE[:900]])
def test_a_certificate_that_cannot_be_read_lets_nobody_in(certificate):
    with pytest.raises(Forbidden):
        checked(message_of("version-2"), certificate=certificate)


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.us-west-2.amazonaws.com/SimpleNotificationService-1.pem",
        "https://sns.us-west-2.amazonaws.com.evil.example/SimpleNotificationService-1.pem",
        "https://evil.example/sns.us-west-2.amazonaws.com/1.pem",
        "https://sns.us-west-2.amazonaws.com@evil.example/1.pem",
        "https://evil.example#sns.us-west-2.amazonaws.com/1.pem",
        "https://sns.us-west-2.amazonaws.com:8443/1.pem",
        "https://snsxus-west-2.amazonaws.com/1.pem",
        "https://bucket.s3.us-west-2.amazonaws.com/1.pem",
        "https://sns.us-west-2.amazonaws.com/1.txt",
        "https://[::1/1.pem",
        "https://127.0.0.1/1.pem",
        "",
        7,
    ],
)
def test_a_certificate_is_looked_for_at_amazons_only(url):
    with pytest.raises(Forbidden):
        sns.certificate_url(message_of("version-2", SigningCertURL=url))
    if url != "https://sns.us-west-2.amazonaws.com/1.txt":
        with pytest.raises(Forbidden):
            sns.confirmation_url(message_of("subscription", SubscribeURL=url))


def test_china_has_hosts_of_its_own():
    url = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem"
    assert sns.certificate_url({"SigningCertURL": url}) == url


# From GitHub's documentation of X-Hub-Signature-256, the scheme that Meta signs by too; Meta publishes no value.
HUB_SECRET, HUB_BODY = "It's a Secret to Everybody", b"Hello, World!"
HUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_the_published_hub_signature_is_let_in_as_far_as_the_body():
    with pytest.raises(Unreadable):  # it is no JSON, which nobody learns who has not signed
        meta.read(request(HUB_BODY, {meta.SIGNATURE: HUB_SIGNATURE}, secret=HUB_SECRET))


@pytest.mark.parametrize(
    ("body", "signature", "secret"),
    [
        (HUB_BODY + b"!", HUB_SIGNATURE, HUB_SECRET),
        (HUB_BODY, HUB_SIGNATURE[:-1] + "8", HUB_SECRET),
        (HUB_BODY, HUB_SIGNATURE.removeprefix("sha256="), HUB_SECRET),
        (HUB_BODY, "", HUB_SECRET),
        (HUB_BODY, HUB_SIGNATURE, "It's a Secret"),
    ],
)
def test_the_published_hub_signature_changed_anywhere_is_not(body, signature, secret):
    with pytest.raises(Forbidden):
        meta.read(request(body, {meta.SIGNATURE: signature}, secret=secret))


def challenged(**changed):
    # The values of Meta's documentation (Graph API, Webhooks, "Getting started").
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "meatyhamhock", **changed}
    return meta.challenge(request(b"", path=f"/hooks/whatsapp/meta?{urlencode(asked)}", token="meatyhamhock"))


def test_metas_published_challenge_is_answered():
    assert challenged() == "1158201444"


@pytest.mark.parametrize("changed", [{"hub.verify_token": "ham"}, {"hub.verify_token": ""}, {"hub.mode": "stop"}])
def test_metas_challenge_with_another_token_is_not(changed):
    with pytest.raises(Forbidden):
        challenged(**changed)


# From the Standard Webhooks specification's libraries.
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
STANDARD_BODY, STANDARD_KEY = b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def standard_request(body=STANDARD_BODY, key=STANDARD_KEY, after_ms=0, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return request(body, {**STANDARD, **named}, now_ms=1_614_265_330_000 + after_ms, secret=key)


def test_the_published_standard_webhook_is_let_in():
    assert standard.read(standard_request()) == [Other("unknown")]
    two = f"v1,bm9wZQ== {STANDARD['webhook-signature']}"
    assert standard.read(standard_request(webhook_signature=two)) == [Other("unknown")]


@pytest.mark.parametrize(
    "changed",
    [
        {"body": b'{"test": 2432232315}'},
        {"key": "whsec_AfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
        {"key": "!"},
        {"webhook_id": "msg_1"},
        {"webhook_id": ""},
        {"webhook_timestamp": "1614265331"},
        {"webhook_timestamp": "9" * 5_000},
        {"webhook_signature": ""},
        {"webhook_signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"after_ms": 6 * MINUTE_MS},
        {"after_ms": -6 * MINUTE_MS},
    ],
    ids=lambda changed: str(changed)[:60],
)
def test_the_published_standard_webhook_changed_anywhere_or_old_is_not(changed):
    with pytest.raises(Forbidden):
        standard.read(standard_request(**changed))


# From mailgun-php's tests of its verification: the key, and what it signs. ("Securing webhooks" gives no key.)
MAILGUN_KEY = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"
MAILGUN_AT_S = 1_403_645_220
MAILGUN_SIGNED = {
    "timestamp": str(MAILGUN_AT_S),
    "token": "5egbgr1vjgqxtrnp65xfznchgdccwh5d6i09vijqi3whgowmn6",
    "signature": "9cfc5c41582e51246e73c88d34db3af0a3a2692a76fbab81492842f000256d33",
}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"token": "owyldpe6nxhmrn78epljl6bj0orrki1u3d2v5e6cnlmmuox8jr"},
        {"timestamp": str(MAILGUN_AT_S + 1)},
        {"signature": "8" + MAILGUN_SIGNED["signature"][1:]},
    ],
)
def test_mailguns_published_signature_is_let_in_and_none_that_was_changed(changed):
    body = json.dumps({"signature": {**MAILGUN_SIGNED, **changed}, "event-data": {}}).encode()
    made = request(body, {"content-type": hooks.JSON}, secret=MAILGUN_KEY, now_ms=MAILGUN_AT_S * 1000)
    if changed:
        with pytest.raises(Forbidden):
            mailgun.read(made)
    else:
        assert mailgun.read(made) == [Other("not_ours")]


@pytest.mark.parametrize(
    "changed",
    [
        {"timestamp": str(NOW_S + 1)},
        {"token": "u" * 50},
        {"token": ""},
        {"signature": "12d99f5a15355c180971bed7494d578b093c958f57766f3fe750761baed12345"},
        {"signature": ""},
        hooks.mailgun_signature(NOW_S - 10 * 3600),
        hooks.mailgun_signature(NOW_S + 3600),
    ],
    ids=lambda changed: str(changed)[:40],
)
def test_mailguns_signature_changed_anywhere_or_old_is_not_let_in(changed):
    good = {"signature": hooks.mailgun_signature(), "event-data": {}}
    assert mailgun.read(request(json.dumps(good).encode(), {"content-type": hooks.JSON}, secret=SECRET))
    bad = {**good, "signature": {**good["signature"], **changed}}
    with pytest.raises(Forbidden):
        mailgun.read(request(json.dumps(bad).encode(), {"content-type": hooks.JSON}, secret=SECRET))
    with pytest.raises(Forbidden):
        mailgun.read(request(json.dumps(good).encode(), {"content-type": hooks.JSON}, secret="another"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer " + hooks.PASSWORD},
        {"authorization": "Basic !"},
        {"authorization": "Basic /w=="},
        hooks.basic("another"),
        hooks.basic("", ""),
        {"x-webhook-secret": "another"},
    ],
    ids=str,
)
def test_postmark_needs_the_password(headers):
    body, good = hooks.postmark({"RecordType": "Delivery"})
    assert postmark.read(request(body, good, password=hooks.PASSWORD)) == [Other("not_ours")]
    in_header = {"x-webhook-secret": hooks.PASSWORD}
    assert postmark.read(request(body, in_header, password=hooks.PASSWORD)) == [Other("not_ours")]
    with pytest.raises(Forbidden):
        postmark.read(request(body, headers, password=hooks.PASSWORD))


@pytest.mark.parametrize("given", ["", "another", SECRET[:-1]])
def test_telegram_needs_its_secret_token(given):
    body, good = hooks.telegram({"update_id": 1})
    assert telegram.read(request(body, good, secret=SECRET)) == [Other("unknown")]
    with pytest.raises(Forbidden):
        telegram.read(request(body, {**good, telegram.SECRET: given}, secret=SECRET))


GOOD = {
    "sendgrid": (hooks.sendgrid(DELIVERED), hooks.SENDGRID_KEY),
    "twilio": (hooks.twilio({"MessageStatus": "delivered", "MessageSid": "SM1"}), SECRET),
    "meta": (hooks.whatsapp(statuses=[{"id": "wamid.1", "status": "delivered"}]), SECRET),
    "standard": (hooks.standard({"type": "message.received", "data": {"from": "ana", "id": "1"}}), hooks.STANDARD_KEY),
}


@pytest.mark.parametrize("name", GOOD)
def test_no_byte_of_a_signed_body_can_be_changed(name):
    (body, headers), key = GOOD[name]
    provider = providers.PROVIDERS[name]

    def read(changed):
        channel = "sms" if name == "twilio" else "email"
        made = request(changed, headers, channel=channel, path=f"/hooks/{channel}/{name}", secret=key, password="")
        return provider.read(made)

    assert len(read(body)) == 1
    for at in range(len(body)):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        with pytest.raises((Forbidden, Unreadable)):
            read(changed)


def test_without_any_key_nobody_is_let_in():
    for name, provider in providers.PROVIDERS.items():
        if provider.read is not None:
            keys = dict.fromkeys(provider.settings, "")
            body, headers = GOOD[name][0] if name in GOOD else hooks.telegram({"update_id": 1})
            with pytest.raises(Forbidden):
                provider.read(request(body, headers, **keys))


def test_a_key_is_one_of_those_in_force_and_no_part_of_one():
    assert signing.is_any("b", ["a", "b"])
    assert not signing.is_any("", ["a", "b"])
    assert not signing.is_any("a,b", ["a", "b"])


def test_the_time_of_signing_has_its_bounds():
    made = request(b"", now_ms=NOW_MS)
    signing.check_age(made, str(NOW_S - 60), MINUTE_MS)
    for at in (str(NOW_S - 61), str(NOW_S + 301), "-1", "1e9", "٣", "9" * 13, ""):
        with pytest.raises(Forbidden):
            signing.check_age(made, at, MINUTE_MS)
