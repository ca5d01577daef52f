"""Reports that come back by mail, in the forms in which servers write them."""

import pytest

from orchestrator.channels.email import reports
from orchestrator.channels.email.composing import compose
from orchestrator.channels.receipts import Report
from providers import action, delivery

MAIL = compose(delivery(), "Tienda <hola@shop.example>")
ABOUT = (action().id, action().profile_id, "email")


def report(kind: str, status: str, original: bytes = MAIL.content, quoted: str = "message/rfc822") -> bytes:
    part = "delivery-status" if kind == "delivery-status" else "feedback-report"
    head = f"""From: MAILER-DAEMON@mx.example
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type={kind}; boundary="b"

--b
Content-Type: text/plain

I am sorry.

--b
Content-Type: message/{part}

{status}

--b
Content-Type: {quoted}

"""
    return head.replace("\n", "\r\n").encode() + original + b"\r\n--b--\r\n"


def bounce(status: str = "5.1.1", told: str = "smtp; 550 5.1.1 unknown", what: str = "failed", **options) -> bytes:
    fields = f"""Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ana@example.com
Action: {what}
Status: {status}
Diagnostic-Code: {told}"""
    return report("delivery-status", fields, **options)


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        ("5.1.1", "smtp; 550 5.1.1 unknown", "hard"),
        ("5.0.0", "smtp; 550-5.1.1 The email account does not exist", "hard"),
        ("5.2.2", "smtp; 552 mailbox full", "soft"),
        ("5.0.0", "smtp; 552 5.2.2 full", "soft"),
        ("4.4.7", "smtp; 451 4.4.1 expired", "soft"),
    ],
)
def test_a_bounce_says_whose_mail_and_whether_for_good(status, told, kind):
    [found] = reports.read(bounce(status, told), "email")
    assert (found.what, found.action_id, found.profile_id, found.channel) == ("bounced", *ABOUT)
    assert found.properties["kind"] == kind


def test_a_refusal_of_ours_does_not_make_the_address_bad():
    assert reports.read(bounce("5.7.1", "smtp; 550 5.7.1 spam"), "email") == [
        Report("failed", *ABOUT, {"reason": "refused", "status": "5.7.1"})
    ]


def test_a_delay_is_no_bounce_and_a_delivery_is_a_delivery():
    assert reports.read(bounce("4.4.7", what="delayed"), "email") == []
    assert reports.read(bounce("2.0.0", "smtp; 250 ok", "delivered"), "email") == [Report("delivered", *ABOUT)]


def test_headers_alone_are_enough_to_know_the_mail():
    headers = MAIL.content.partition(b"\r\n\r\n")[0] + b"\r\n"
    assert len(reports.read(bounce(original=headers, quoted="text/rfc822-headers"), "email")) == 1


@pytest.mark.parametrize(("feedback", "counts"), [("abuse", 1), ("fraud", 1), ("not-spam", 0), ("other", 0)])
def test_a_complaint(feedback, counts):
    raw = report("feedback-report", f"Feedback-Type: {feedback}\nUser-Agent: FBL/1.0\nVersion: 1")
    assert reports.read(raw, "email") == [Report("complained", *ABOUT)] * counts


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff",
        b"Subject: Out of office\r\n\r\nback on monday",
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n',
        bounce(original=b"Message-ID: <other@mail.example>\r\n\r\nx"),
        MAIL.content,
    ],
)
def test_other_mails_are_no_reports(raw):
    with pytest.raises(reports.NoReport):
        reports.read(raw, "email")


def test_a_report_that_comes_twice_is_one_event():
    [first], [again] = reports.read(bounce(), "email"), reports.read(bounce(), "email")
    assert first.event(1).id == again.event(2).id
    assert first.event(1).properties == {
        "action_id": ABOUT[0],
        "channel": "email",
        "kind": "hard",
        "status": "5.1.1",
    }


@pytest.mark.parametrize(
    "parts",
    [
        b"Content-Type: message/rfc822\r\n\r\n" * 5_000,
        b"Content-Type: message/x\r\n\r\n" * 150,
        b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(3_000)),
        b"Content-Type: message/delivery-status\r\n\r\n" + b"Action: failed\r\n\r\n" * 50_000,
    ],
)
def test_a_report_that_is_made_to_be_expensive_is_none(parts):
    head = b"Content-Type: multipart/report; report-type=delivery-status; boundary=b0\r\n\r\n--b0\r\n"
    with pytest.raises(reports.NoReport):
        reports.read(head + parts + b"\r\n--b0--\r\n", "email")


def test_a_report_about_many_recipients_is_read_whole():
    blocks = "\n\n".join("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1" for _ in range(100))
    assert len(reports.read(report("delivery-status", f"Reporting-MTA: dns; mx.example\n\n{blocks}"), "email")) == 100
