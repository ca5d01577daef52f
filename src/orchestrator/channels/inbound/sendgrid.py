"""SendGrid: the Event Webhook, and Inbound Parse.

    events     a JSON array, signed by ECDSA over timestamp and body     keys: secret, the verification key(s)
    mail       a form, raw or taken apart, signed by nobody              keys: password, as Basic authentication

Owns what SendGrid's events mean. A message is known by its custom argument `orchestrator`, or by `smtp-id`, which is
our own Message-ID where it was handed over by SMTP. Must never read `dropped` as sent: SendGrid says why it did not.
"""

import base64
from binascii import Error as BinasciiError
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from orchestrator.channels.email import answers
from orchestrator.channels.inbound import bodies, mail, signing
from orchestrator.channels.inbound.findings import Finding, Forbidden, Other, Reported, Request, Unreadable, made_by
from orchestrator.channels.receipts import Report
from orchestrator.channels.references import NAME, read_reference
from orchestrator.model.instants import HOUR_MS

# It tries again for a day, and signs each try anew or not: nobody says. The same event again changes nothing anyway.
WITHIN_MS = 25 * HOUR_MS
SIGNATURE, TIMESTAMP = "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"
# On their way, or about nothing that we keep.
_NOT_THE_ADDRESS = ("Technical", "Content", "Reputation", "Frequency or Volume Too High", "Mailbox Unavailable")
_PASSING = frozenset({"processed", "deferred", "group_resubscribe"})


def read(request: Request) -> list[Finding]:
    """Read events, or a mail from a customer; raises Forbidden or Unreadable."""
    if request.content_type == "multipart/form-data":
        signing.check_password(request)
        return _parsed(request)
    _check(request)
    events = bodies.json_of(request.body)
    if not isinstance(events, list):
        raise Unreadable("the body is no JSON array")
    return [_event(request, each) if isinstance(each, dict) else Other("unknown") for each in events]


def _check(request: Request) -> None:
    at = request.headers.get(TIMESTAMP, "")
    signature = signing.unbase64(request.headers.get(SIGNATURE, ""))
    if not any(_verifies(key, signature, at.encode() + request.body) for key in request.keys["secret"]):
        raise Forbidden("the signature is not SendGrid's")
    signing.check_age(request, at, WITHIN_MS)


def _verifies(key: str, signature: bytes, signed: bytes) -> bool:
    try:
        public = load_der_public_key(base64.b64decode(key))
    except (BinasciiError, ValueError, UnsupportedAlgorithm):
        return False  # the operator's own mistake lets nobody in
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return False
    try:
        public.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _event(request: Request, event: dict[str, Any]) -> Finding:
    kind = bodies.text(event.get("event"))
    about = read_reference(event.get(NAME)) or mail.reference_in(bodies.text(event.get("smtp-id")))
    if about is None:
        return Other("not_ours")
    read = _meaning(kind, event)
    if read is None:
        return Other("passing" if kind in _PASSING else "unknown")
    what, properties = read
    each = bodies.text(event.get("sg_event_id")) if what in ("opened", "clicked") else ""
    return Reported(Report(what, *about, request.channel, properties), each)


def _meaning(kind: str, event: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    agent = event.get("useragent")
    if kind == "delivered":
        return "delivered", {}
    if kind == "open":
        return "opened", made_by(agent, event.get("sg_machine_open") is True)
    if kind == "click":
        return "clicked", {"link": bodies.text(event.get("url")), **made_by(agent)}
    if kind == "bounce":
        return _bounced(event)
    if kind == "dropped":
        return _dropped(bodies.text(event.get("reason")))
    if kind == "spamreport":
        return "complained", {}
    if kind in ("unsubscribe", "group_unsubscribe"):
        return "unsubscribed", {}
    return None


def _bounced(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    told = f"{bodies.text(event.get('status'))} {bodies.text(event.get('reason'))}"
    status = answers.status_in(told)
    kind = None if status is None else answers.bounce_kind(status)
    # `blocked` is the other server's judgement of the mail or of us, not of the address.
    if event.get("type") == "blocked" or event.get("bounce_classification") in _NOT_THE_ADDRESS:
        kind = "soft"
    return "bounced", {"kind": kind or "hard", **({"status": status} if status else {})}


def _dropped(reason: str) -> tuple[str, dict[str, Any]]:
    lower = reason.lower()
    if "spam report" in lower:
        return "complained", {}
    if "unsubscribed" in lower:
        return "unsubscribed", {}
    if "bounced" in lower or "invalid" in lower:
        return "bounced", {"kind": "hard"}
    return "failed", {"reason": "refused", "why": reason[:300]}


def _parsed(request: Request) -> list[Finding]:
    """Read what Inbound Parse posts: the whole mail as `email`, or its headers and texts."""
    fields = bodies.first_of(bodies.fields_of(request))
    if "email" in fields:
        return mail.read(request, fields["email"])
    if "headers" not in fields:
        raise Unreadable("the form holds no mail")
    charsets = bodies.object_of(fields.get("charsets") or b"{}")
    plain, html = (
        bodies.decoded(fields.get(name, b""), bodies.text(charsets.get(name)) or "utf-8") for name in ("text", "html")
    )
    return mail.found(request, mail.headers_of(fields["headers"]), plain, html)
