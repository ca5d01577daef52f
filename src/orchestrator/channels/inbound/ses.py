"""SES: what becomes of mails, and the mails that it receives, by way of SNS (`sns`).

    everything     a message of SNS     keys: topics, the ARNs of the topics that may speak

Owns what SES' notifications and events mean. A message is known by its tag `orchestrator`, or by our own Message-ID,
which SES keeps among the headers that it quotes. Must never take `Transient` for an end of the address.
"""

import base64
from binascii import Error as BinasciiError
from typing import Any

from orchestrator.channels.email import answers
from orchestrator.channels.inbound import bodies, mail
from orchestrator.channels.inbound.findings import Finding, Other, Reported, Request, Unreadable, made_by
from orchestrator.channels.receipts import Report
from orchestrator.channels.references import NAME, read_reference

_PASSING = frozenset({"Send", "DeliveryDelay"})


def read_envelope(request: Request, envelope: dict[str, Any]) -> list[Finding]:
    """Read what a message of SNS says, whose signature was checked; raises Unreadable."""
    if envelope["Type"] != "Notification":
        return [Other("subscription")]
    said = bodies.text(envelope.get("Message"))
    if not said.startswith("{"):
        return [Other("unknown")]  # SES says so in words that a topic was set up
    notice = bodies.object_of(_whole(envelope))
    kind = bodies.text(notice.get("eventType") or notice.get("notificationType"))
    if kind == "Received":
        return _received(request, notice)
    about = _about(bodies.part(notice, "mail"))
    if about is None:
        return [Other("not_ours")]
    if bodies.part(notice, "complaint").get("complaintFeedbackType") == "not-spam":
        return [Other("passing")]  # somebody found it in the wrong folder
    read = _meaning(kind, notice)
    if read is None:
        return [Other("passing" if kind in _PASSING else "unknown")]
    what, properties, each = read
    return [Reported(Report(what, *about, request.channel, properties), each)]


def _whole(envelope: dict[str, Any]) -> str:
    """Give the message as it is: a received mail is longer than any other text that is read."""
    said = envelope.get("Message")
    return said if isinstance(said, str) else ""


def _about(about: dict[str, Any]) -> tuple[str, str] | None:
    tags = bodies.part(about, "tags").get(NAME)
    found = read_reference(tags[0]) if isinstance(tags, list) and tags else None
    if found is not None:
        return found
    ours = [bodies.text(bodies.part(about, "commonHeaders").get("messageId"))]
    headers = bodies.listed(about.get("headers"))
    ours += [
        bodies.text(each.get("value")) for each in headers if bodies.text(each.get("name")).lower() == "message-id"
    ]
    return next((read for each in ours if (read := mail.reference_in(each)) is not None), None)


def _meaning(kind: str, notice: dict[str, Any]) -> tuple[str, dict[str, Any], str] | None:
    about = bodies.part(notice, kind.lower())
    if kind == "Delivery":
        return "delivered", {}, ""
    if kind == "Bounce":
        return _bounced(about)
    if kind == "Complaint":
        return "complained", {}, ""
    at = bodies.text(about.get("timestamp"))
    machine = made_by(about.get("userAgent"))
    if kind == "Open":
        return "opened", machine, at
    if kind == "Click":
        link = bodies.text(about.get("link"))
        return "clicked", {"link": link, **machine}, f"{at} {link}"
    if kind in ("Reject", "Rendering Failure"):
        why = bodies.text(about.get("reason")) or kind
        return "failed", {"reason": "refused", "why": why[:300]}, ""
    if kind == "Subscription":
        return "unsubscribed", {}, ""
    return None


def _bounced(about: dict[str, Any]) -> tuple[str, dict[str, Any], str]:
    told = bodies.listed(about.get("bouncedRecipients"))
    said = f"{bodies.text(told[0].get('diagnosticCode'))} {bodies.text(told[0].get('status'))}" if told else ""
    status = answers.status_in(said)
    kind = "hard" if about.get("bounceType") == "Permanent" else "soft"
    return "bounced", {"kind": kind, **({"status": status} if status else {})}, ""


def _received(request: Request, notice: dict[str, Any]) -> list[Finding]:
    content = notice.get("content")
    if not isinstance(content, str):
        raise Unreadable("the mail is not in the notification; let the rule's SNS action carry it, up to 150 KB")
    encoding = bodies.part(notice, "receipt", "action").get("encoding")
    if encoding == "BASE64":
        try:
            return mail.read(request, base64.b64decode(content, validate=True))
        except (BinasciiError, ValueError) as error:
            raise Unreadable("the mail is no base64") from error
    return mail.read(request, content.encode(errors="replace"))
