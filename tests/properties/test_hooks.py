"""Hooks: whatever a provider's signed request holds, it is read, or refused in words; nothing else ever happens."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.channels.inbound import mail, mailgun, meta, postmark, sendgrid, ses, sns, standard, telegram, twilio
from orchestrator.channels.inbound.findings import Finding, Forbidden, Unreadable
from orchestrator.channels.inbound.quoting import reply_in
from providers import hooks
from providers.hooks import PASSWORD, REFERENCE, SECRET, request

# The names and words that the providers use, so that what is drawn gets somewhere.
NAMES = st.sampled_from(
    [
        "entry", "id", "changes", "field", "value", "messages", "statuses", "from", "type", "text", "body", "status",
        "errors", "code", "message", "chat", "sender", "mid", "event", "orchestrator", "smtp-id", "useragent", "url",
        "reason", "event-data", "user-variables", "delivery-status", "client-info", "severity", "RecordType", "Type",
        "Metadata", "FromFull", "From", "Headers", "Name", "Value", "TextBody", "data", "conversation_id",
        "reference", "update_id", "callback_query", "my_chat_member", "new_chat_member", "biz_opaque_callback_data",
        "eventType", "mail", "tags", "commonHeaders", "messageId", "bounce", "complaint", "headers", "name",
        "bounceType", "bouncedRecipients", "complaintFeedbackType", "content", "receipt", "action", "encoding",
        "user_preferences", "wa_id", "item", "verb", "comment_id", "interactive", "button_reply", "messaging",
        "is_echo", "caption", "photo",
    ]
)  # fmt: skip
WORDS = st.sampled_from(
    [
        REFERENCE,
        hooks.MESSAGE_ID,
        "messages",
        "feed",
        "failed",
        "delivered",
        "bounce",
        "Bounce",
        "Complaint",
        "Received",
        "private",
        "text",
        "interactive",
        "image",
        "stop",
        "+34600000001",
        "34600000001",
        "permanent",
        "a@example.com",
        "",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8) | WORDS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=25
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=8)


def of_sendgrid(value):
    body, headers = hooks.sendgrid({"orchestrator": REFERENCE, **value})
    return sendgrid.read(request(body, headers, secret=hooks.SENDGRID_KEY, password=""))


def of_mailgun(value):
    body, headers = hooks.mailgun({"user-variables": {"orchestrator": REFERENCE}, **value})
    return mailgun.read(request(body, headers, secret=SECRET))


def of_postmark(value):
    body, headers = hooks.postmark({"Metadata": {"orchestrator": REFERENCE}, **value})
    return postmark.read(request(body, headers, password=PASSWORD))


def of_meta(value):
    body, headers = hooks.meta(value)
    return meta.read(request(body, headers, channel="whatsapp", secret=SECRET, token=""))


def of_whatsapp(value):
    body, headers = hooks.whatsapp(messages=[value], statuses=[{"biz_opaque_callback_data": REFERENCE, **value}])
    return meta.read(request(body, headers, channel="whatsapp", secret=SECRET, token=""))


def of_telegram(value):
    body, headers = hooks.telegram(value)
    return telegram.read(request(body, headers, channel="telegram", secret=SECRET))


def of_standard(value):
    body, headers = hooks.standard({"type": "message.received", "data": value})
    return standard.read(request(body, headers, secret=hooks.STANDARD_KEY))


def of_ses(value):
    notice = {"eventType": "Bounce", "mail": {"tags": {"orchestrator": [REFERENCE]}}, **value}
    return ses.read_envelope(request(b"", topics="t"), {"Type": "Notification", "Message": json.dumps(notice)})


def of_sns(value):
    made = request(json.dumps({"Type": "Notification", "TopicArn": "t", **value}).encode(), topics="t")
    envelope = sns.envelope_of(made)
    sns.certificate_url(envelope)
    return []


READERS = [of_sendgrid, of_mailgun, of_postmark, of_meta, of_whatsapp, of_telegram, of_standard, of_ses, of_sns]


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@settings(max_examples=20, deadline=None)
@given(value=OBJECTS)
def test_any_json_is_read_or_refused(read, value):
    try:
        found = read(value)
    except (Forbidden, Unreadable):
        return
    assert all(isinstance(each, Finding) for each in found)
    json.dumps([str(each) for each in found])


FIELDS = st.sampled_from(["Body", "From", "To", "MessageSid", "MessageStatus", "SmsStatus", "ErrorCode", "OptOutType"])


@settings(max_examples=20, deadline=None)
@given(fields=st.dictionaries(FIELDS, st.text(max_size=12) | WORDS))
def test_any_form_is_read_or_refused(fields):
    body, headers = hooks.twilio(fields)
    [found] = twilio.read(request(body, headers, channel="sms", path="/hooks/sms/twilio", secret=SECRET))
    assert isinstance(found, Finding)


PIECES = st.sampled_from(
    [
        b"From: a@example.com\r\n", b"Subject: =?utf-8?b?!?=\r\n", b"In-Reply-To: <a.b@c>\r\n", b"\r\n",
        b"--b\r\n", b"--b--\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n", b"> a\r\n", b"=\r\n",
        b"Content-Type: text/html; charset=x\r\n", b"Content-Transfer-Encoding: base64\r\n", b"\xff\x00",
        b"Content-Type: message/rfc822\r\n", b"Content-Disposition: attachment\r\n",
        b"Content-Type: message/delivery-status\r\n", b"Content-Type: multipart/report; report-type=x\r\n",
    ]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(PIECES | st.binary(max_size=20), max_size=25))
def test_any_mail_is_read_or_refused(pieces):
    try:
        found = mail.read(request(b""), b"From: a@example.com\r\n" + b"".join(pieces))
    except Unreadable:
        return
    assert all(isinstance(each, Finding) for each in found)


@given(text=st.text())
def test_a_reply_is_part_of_what_was_written(text):
    kept = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    assert {line.strip() for line in reply_in(text).split("\n")} <= {*kept, ""}
