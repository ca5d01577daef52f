"""Receipts: what each provider's report comes to in our words."""

import json

import pytest

from orchestrator.channels.inbound import mailgun, meta, postmark, sendgrid, ses, twilio
from orchestrator.channels.inbound.findings import Other, Reported
from orchestrator.channels.receipts import Report
from orchestrator.channels.references import read_reference, reference_in, reference_of
from providers import hooks
from providers.hooks import ACTION, MESSAGE_ID, NOW_MS, PROFILE, REFERENCE, SECRET, request

APPLE = "Mozilla/5.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
LINK = "https://shop.example/lamp"


def told(what, channel="email", each="", **properties):
    return Reported(Report(what, ACTION, PROFILE, channel, properties), each)


def of_sendgrid(**event):
    body, headers = hooks.sendgrid({"orchestrator": REFERENCE, "sg_event_id": "e1", **event})
    [found] = sendgrid.read(request(body, headers, secret=hooks.SENDGRID_KEY, password=""))
    return found


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "delivered"}, told("delivered")),
        ({"event": "delivered", "orchestrator": None, "smtp-id": MESSAGE_ID}, told("delivered")),
        ({"event": "open", "useragent": IPHONE}, told("opened", each="e1")),
        ({"event": "open", "useragent": IPHONE, "sg_machine_open": True}, told("opened", each="e1", machine=True)),
        ({"event": "open", "useragent": APPLE}, told("opened", each="e1", machine=True)),
        ({"event": "click", "url": LINK, "useragent": IPHONE}, told("clicked", each="e1", link=LINK)),
        ({"event": "click", "url": LINK}, told("clicked", each="e1", link=LINK)),
        ({"event": "bounce", "status": "5.1.1"}, told("bounced", kind="hard", status="5.1.1")),
        (
            {"event": "bounce", "status": "5.0.0", "reason": "550 5.2.2 full"},
            told("bounced", kind="hard", status="5.0.0"),
        ),
        ({"event": "bounce", "status": "5.2.2"}, told("bounced", kind="soft", status="5.2.2")),
        ({"event": "bounce", "type": "blocked", "status": "5.1.1"}, told("bounced", kind="soft", status="5.1.1")),
        ({"event": "bounce", "bounce_classification": "Reputation"}, told("bounced", kind="soft")),
        ({"event": "bounce"}, told("bounced", kind="hard")),
        ({"event": "dropped", "reason": "Bounced Address"}, told("bounced", kind="hard")),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, told("complained")),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, told("unsubscribed")),
        ({"event": "dropped", "reason": "Spam Content"}, told("failed", reason="refused", why="Spam Content")),
        ({"event": "spamreport"}, told("complained")),
        ({"event": "unsubscribe"}, told("unsubscribed")),
        ({"event": "group_unsubscribe"}, told("unsubscribed")),
        ({"event": "processed"}, Other("passing")),
        ({"event": "deferred"}, Other("passing")),
        ({"event": "teleported"}, Other("unknown")),
        ({"event": 7}, Other("unknown")),
        ({"event": "delivered", "orchestrator": "theirs", "smtp-id": "<x@y>"}, Other("not_ours")),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_sendgrids_events(event, expected):
    assert of_sendgrid(**event) == expected


def test_what_is_no_event_among_sendgrids_holds_up_no_other():
    body, headers = hooks.sendgrid({"event": "delivered", "orchestrator": REFERENCE}, 7, "x")
    found = sendgrid.read(request(body, headers, secret=hooks.SENDGRID_KEY, password=""))
    assert found == [told("delivered"), Other("unknown"), Other("unknown")]


def test_a_request_of_metas_that_holds_nothing_is_counted():
    body, headers = hooks.meta({"object": "page", "entry": [{"id": "P"}, "x"]})
    assert meta.read(request(body, headers, secret=SECRET, token="")) == [Other("unknown")]


def of_mailgun(**event):
    headers = {"message": {"headers": {"message-id": MESSAGE_ID.strip("<>")}}}
    body, http = hooks.mailgun({"id": "e1", **headers, **event})
    [found] = mailgun.read(request(body, http, secret=SECRET))
    return found


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"event": "delivered"}, told("delivered")),
        ({"event": "delivered", "message": {}, "user-variables": {"orchestrator": REFERENCE}}, told("delivered")),
        ({"event": "opened", "client-info": {"user-agent": IPHONE, "bot": ""}}, told("opened", each="e1")),
        (
            {"event": "opened", "client-info": {"bot": "apple"}},
            told("opened", each="e1", machine=True),
        ),
        ({"event": "clicked", "url": LINK}, told("clicked", each="e1", link=LINK)),
        ({"event": "complained"}, told("complained")),
        ({"event": "unsubscribed"}, told("unsubscribed")),
        ({"event": "failed", "severity": "temporary"}, Other("passing")),
        (
            {"event": "failed", "severity": "permanent", "delivery-status": {"enhanced-code": "5.1.1"}},
            told("bounced", kind="hard", status="5.1.1"),
        ),
        (
            {"event": "failed", "severity": "permanent", "delivery-status": {"message": "552 5.2.2 over quota"}},
            told("bounced", kind="soft", status="5.2.2"),
        ),
        (
            {"event": "failed", "severity": "permanent", "delivery-status": {"message": "550 5.7.1 policy"}},
            told("failed", reason="refused", status="5.7.1"),
        ),
        ({"event": "failed", "severity": "permanent", "reason": "suppress-bounce"}, told("bounced", kind="hard")),
        ({"event": "failed", "severity": "permanent", "reason": "suppress-complaint"}, told("complained")),
        ({"event": "failed", "severity": "permanent", "reason": "suppress-unsubscribe"}, told("unsubscribed")),
        ({"event": "rejected", "reject": {"reason": "no"}}, told("failed", reason="refused", why="no")),
        ({"event": "accepted"}, Other("passing")),
        ({"event": "beamed"}, Other("unknown")),
        ({"event": "delivered", "message": {"headers": {"message-id": "x@y"}}}, Other("not_ours")),
        ({"event": "delivered", "message": [1], "user-variables": "none"}, Other("not_ours")),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_mailguns_events(event, expected):
    assert of_mailgun(**event) == expected


def of_postmark(**record):
    body, headers = hooks.postmark({"Metadata": {"orchestrator": REFERENCE}, **record})
    [found] = postmark.read(request(body, headers, password=hooks.PASSWORD))
    return found


AT = "2026-01-05T10:00:00Z"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"RecordType": "Delivery"}, told("delivered")),
        (
            {"RecordType": "Bounce", "Type": "HardBounce", "Description": "x"},
            told("bounced", kind="hard", why="x"),
        ),
        ({"RecordType": "Bounce", "Type": "SoftBounce"}, told("bounced", kind="soft", why="")),
        ({"RecordType": "Bounce", "Type": "DnsError"}, told("bounced", kind="soft", why="")),
        ({"RecordType": "Bounce", "Type": "SpamNotification"}, told("complained")),
        ({"RecordType": "Bounce", "Type": "Unsubscribe"}, told("unsubscribed")),
        ({"RecordType": "Bounce", "Type": "AutoResponder"}, Other("passing")),
        ({"RecordType": "Bounce", "Type": "Quantum"}, Other("unknown")),
        ({"RecordType": "SpamComplaint"}, told("complained")),
        ({"RecordType": "Open", "ReceivedAt": AT, "UserAgent": IPHONE}, told("opened", each=AT)),
        ({"RecordType": "Open", "ReceivedAt": AT, "UserAgent": APPLE}, told("opened", each=AT, machine=True)),
        (
            {"RecordType": "Click", "ReceivedAt": AT, "OriginalLink": LINK},
            told("clicked", each=f"{AT} {LINK}", link=LINK),
        ),
        (
            {"RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "HardBounce"},
            told("bounced", kind="hard"),
        ),
        (
            {"RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "SpamComplaint"},
            told("complained"),
        ),
        (
            {"RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "ManualSuppression"},
            told("unsubscribed"),
        ),
        ({"RecordType": "SubscriptionChange", "SuppressSending": False}, Other("passing")),
        ({"RecordType": "Rumour"}, Other("unknown")),
        ({"RecordType": "Delivery", "Metadata": {}}, Other("not_ours")),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_postmarks_records(record, expected):
    assert of_postmark(**record) == expected


def of_ses(kind, about=None, mail=None, **further):
    headers = {"commonHeaders": {"messageId": MESSAGE_ID}}
    notice = {"eventType": kind, "mail": headers if mail is None else mail, kind.lower(): about or {}, **further}
    envelope = {"Type": "Notification", "Message": json.dumps(notice)}
    [found] = ses.read_envelope(request(b"", topics="arn"), envelope)
    return found


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("Delivery",), told("delivered")),
        (("Delivery", {}, {"tags": {"orchestrator": [REFERENCE]}}), told("delivered")),
        (("Delivery", {}, {"headers": [{"name": "Message-ID", "value": MESSAGE_ID}]}), told("delivered")),
        (("Bounce", {"bounceType": "Permanent"}), told("bounced", kind="hard")),
        (
            (
                "Bounce",
                {"bounceType": "Permanent", "bouncedRecipients": [{"diagnosticCode": "550 5.1.1"}]},
            ),
            told("bounced", kind="hard", status="5.1.1"),
        ),
        (("Bounce", {"bounceType": "Transient"}), told("bounced", kind="soft")),
        (("Bounce", {"bounceType": "Undetermined"}), told("bounced", kind="soft")),
        (("Complaint", {"complaintFeedbackType": "abuse"}), told("complained")),
        (("Complaint",), told("complained")),
        (("Complaint", {"complaintFeedbackType": "not-spam"}), Other("passing")),
        (("Open", {"timestamp": AT, "userAgent": IPHONE}), told("opened", each=AT)),
        (("Open", {"timestamp": AT, "userAgent": APPLE}), told("opened", each=AT, machine=True)),
        (("Click", {"timestamp": AT, "link": LINK}), told("clicked", each=f"{AT} {LINK}", link=LINK)),
        (("Reject", {"reason": "Bad content"}), told("failed", reason="refused", why="Bad content")),
        (("Subscription",), told("unsubscribed")),
        (("Send",), Other("passing")),
        (("DeliveryDelay",), Other("passing")),
        (("Whisper",), Other("unknown")),
        (("Delivery", {}, {}), Other("not_ours")),
        (("Delivery", {}, {"commonHeaders": 7, "tags": {"orchestrator": "x"}}), Other("not_ours")),
    ],
    ids=str,
)
def test_ses_events(arguments, expected):
    assert of_ses(*arguments) == expected


def test_what_ses_says_in_words_is_nothing_to_us():
    envelope = {"Type": "Notification", "Message": "Successfully validated SNS topic for Amazon SES event publishing."}
    assert ses.read_envelope(request(b"", topics="arn"), envelope) == [Other("unknown")]


def of_twilio(query=f"?action_id={ACTION}&profile_id={PROFILE}", **fields):
    path = f"/hooks/sms/twilio{query}"
    body, headers = hooks.twilio({"MessageSid": "SM1", **fields}, path)
    [found] = twilio.read(request(body, headers, channel="sms", path=path, secret=SECRET))
    return found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"MessageStatus": "delivered"}, told("delivered", "sms")),
        ({"SmsStatus": "delivered"}, told("delivered", "sms")),
        ({"MessageStatus": "read"}, told("opened", "sms")),
        ({"MessageStatus": "undelivered", "ErrorCode": "30005"}, told("bounced", "sms", kind="hard", status="30005")),
        ({"MessageStatus": "failed", "ErrorCode": "30003"}, told("bounced", "sms", kind="soft", status="30003")),
        ({"MessageStatus": "failed", "ErrorCode": "21610"}, told("unsubscribed", "sms")),
        ({"MessageStatus": "failed", "ErrorCode": "30007"}, told("failed", "sms", reason="refused", status="30007")),
        ({"MessageStatus": "failed"}, told("failed", "sms", reason="refused")),
        (
            {"MessageStatus": "failed", "ErrorCode": "63016"},
            told("failed", "sms", reason="window_closed", status="63016"),
        ),
        ({"MessageStatus": "sent"}, Other("passing")),
        ({"MessageStatus": "warped"}, Other("unknown")),
        ({"MessageStatus": "delivered", "query": ""}, Other("not_ours")),
        ({"MessageStatus": "delivered", "query": "?action_id=&profile_id="}, Other("not_ours")),
    ],
    ids=str,
)
def test_twilios_states(fields, expected):
    assert of_twilio(**fields) == expected


def of_meta(**status):
    named = {"id": "wamid.1", "biz_opaque_callback_data": f"{ACTION}:{PROFILE}", **status}
    body, headers = hooks.whatsapp(statuses=[named])
    [found] = meta.read(request(body, headers, channel="whatsapp", secret=SECRET, token=""))
    return found


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"status": "delivered"}, told("delivered", "whatsapp")),
        ({"status": "read"}, told("opened", "whatsapp")),
        ({"status": "delivered", "biz_opaque_callback_data": REFERENCE}, told("delivered", "whatsapp")),
        ({"status": "sent"}, Other("passing")),
        ({"status": "dreamt"}, Other("unknown")),
        (
            {"status": "failed", "errors": [{"code": 131026, "title": "Message undeliverable"}]},
            told("bounced", "whatsapp", kind="hard", status="131026"),
        ),
        ({"status": "failed", "errors": [{"code": 131050}]}, told("unsubscribed", "whatsapp")),
        (
            {"status": "failed", "errors": [{"code": 131047, "title": "Re-engagement message"}]},
            told("failed", "whatsapp", reason="window_closed", status="131047", why="Re-engagement message"),
        ),
        ({"status": "failed"}, told("failed", "whatsapp", reason="refused", status="", why="")),
        (
            {"status": "failed", "errors": [{"code": [], "title": {}}]},
            told("failed", "whatsapp", reason="refused", status="", why=""),
        ),
        ({"status": "delivered", "biz_opaque_callback_data": "theirs"}, Other("not_ours")),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_metas_states(status, expected):
    assert of_meta(**status) == expected


def test_a_reference_is_read_back_as_it_was_written():
    assert read_reference(reference_of(ACTION, PROFILE)) == (ACTION, PROFILE)
    assert read_reference(reference_of(f"{ACTION}-2", PROFILE)) == (ACTION, PROFILE)
    assert reference_in({"action_id": ACTION, "profile_id": PROFILE}) == (ACTION, PROFILE)
    for theirs in ("", "x", f"{REFERENCE}\n", f"{REFERENCE}.x", None, 7, ["x"]):
        assert read_reference(theirs) is None


def test_the_same_report_twice_is_one_event_and_two_clicks_are_two():
    first, again = of_sendgrid(event="click", url=LINK), of_sendgrid(event="click", url=LINK)
    other = of_sendgrid(event="click", url=LINK, sg_event_id="e2")
    ids = [each.report.event(NOW_MS, each=each.each).id for each in (first, again, other)]
    assert ids[0] == ids[1] != ids[2]
    bounced = [of_sendgrid(event="bounce", sg_event_id=each, status="5.1.1") for each in ("e1", "e2")]
    assert len({each.report.event(NOW_MS, each=each.each).id for each in bounced}) == 1
