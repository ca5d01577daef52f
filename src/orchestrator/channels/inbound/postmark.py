"""Postmark: webhooks, and the inbound stream.

    everything     JSON, signed by nobody     keys: password, as Basic authentication or in X-Webhook-Secret

Owns what Postmark's records mean. A message is known by its metadata `orchestrator`; Postmark gives a mail a
Message-ID of its own, so that nothing else leads back. Must never read a body before its password.
"""

from typing import Any

from orchestrator.channels.inbound import bodies, mail, signing
from orchestrator.channels.inbound.findings import Finding, Other, Reported, Request, made_by
from orchestrator.channels.receipts import Report
from orchestrator.channels.references import NAME, read_reference

# Where the address itself is at fault, for good.
_HARD = frozenset({"HardBounce", "BadEmailAddress", "ManuallyDeactivated"})
_SOFT = frozenset(
    {"SoftBounce", "Transient", "Blocked", "DnsError", "AddressChange", "ChallengeVerification", "SMTPApiError"}
)
# Somebody's answer or a note on the way; nothing has ended.
_PASSING = frozenset({"AutoResponder", "OpenRelayTest", "Subscribe", "VirusNotification"})


def read(request: Request) -> list[Finding]:
    """Read a record, or a mail from a customer; raises Forbidden or Unreadable."""
    signing.check_password(request)
    record = bodies.object_of(request.body)
    if "RecordType" not in record and "FromFull" in record:
        pairs = [(bodies.text(each.get("Name")), bodies.text(each.get("Value"))) for each in _headers(record)]
        headers = mail.by_name([("from", bodies.text(record.get("From"))), *pairs])
        headers.setdefault("message-id", f"<{bodies.text(record.get('MessageID'))}@postmark>")
        headers.setdefault("subject", bodies.text(record.get("Subject")))
        return mail.found(request, headers, bodies.text(record.get("TextBody")), bodies.text(record.get("HtmlBody")))
    about = read_reference(bodies.part(record, "Metadata").get(NAME))
    if about is None:
        return [Other("not_ours")]
    read = _meaning(record)
    if isinstance(read, Other):
        return [read]
    what, properties, each = read
    return [Reported(Report(what, *about, request.channel, properties), each)]


def _headers(record: dict[str, Any]) -> list[dict[str, Any]]:
    return bodies.listed(record.get("Headers"))


def _meaning(record: dict[str, Any]) -> tuple[str, dict[str, Any], str] | Other:
    kind = record.get("RecordType")
    at = bodies.text(record.get("ReceivedAt"))
    machine = made_by(record.get("UserAgent"))
    if kind == "Delivery":
        return "delivered", {}, ""
    if kind == "Bounce":
        return _bounced(bodies.text(record.get("Type")), bodies.text(record.get("Description")))
    if kind == "SpamComplaint":
        return "complained", {}, ""
    if kind == "Open":
        return "opened", machine, at
    if kind == "Click":
        link = bodies.text(record.get("OriginalLink"))
        return "clicked", {"link": link, **machine}, f"{at} {link}"
    if kind == "SubscriptionChange":
        return _suppressed(record)
    return Other("unknown")


def _bounced(kind: str, why: str) -> tuple[str, dict[str, Any], str] | Other:
    if kind in _HARD or kind in _SOFT:
        return "bounced", {"kind": "hard" if kind in _HARD else "soft", "why": why[:300]}, ""
    if kind in ("SpamNotification", "SpamComplaint"):
        return "complained", {}, ""
    if kind == "Unsubscribe":
        return "unsubscribed", {}, ""
    return Other("passing") if kind in _PASSING else Other("unknown")


def _suppressed(record: dict[str, Any]) -> tuple[str, dict[str, Any], str] | Other:
    if record.get("SuppressSending") is not True:
        return Other("passing")
    why = record.get("SuppressionReason")
    if why == "HardBounce":
        return "bounced", {"kind": "hard"}, ""
    return ("complained", {}, "") if why == "SpamComplaint" else ("unsubscribed", {}, "")
