"""Mailgun: webhooks, and the routes by which it forwards mail.

    events     JSON, with a signature over timestamp and token inside     keys: secret, the webhook signing key(s)
    mail       a form with the same three fields

Owns what Mailgun's events mean. A message is known by its user variable `orchestrator`, or by the Message-ID that the
event quotes. The signature covers no more than its own time and token, so whoever holds one could write anything
around it for as long as it is good: it is good for hours, not for ever, and only TLS keeps it from others.
Must never take a `temporary` failure for an end: Mailgun goes on trying.
"""

from collections.abc import Mapping
from typing import Any

from orchestrator.channels.email import answers
from orchestrator.channels.inbound import bodies, mail, signing
from orchestrator.channels.inbound.findings import Finding, Forbidden, Other, Reported, Request, Unreadable, made_by
from orchestrator.channels.receipts import Report
from orchestrator.channels.references import NAME, read_reference
from orchestrator.model.instants import HOUR_MS

# It tries again for eight hours.
WITHIN_MS = 9 * HOUR_MS
_LISTED = {"suppress-complaint": "complained", "suppress-unsubscribe": "unsubscribed"}
_PASSING = frozenset({"accepted", "stored", "list_member_uploaded"})


def read(request: Request) -> list[Finding]:
    """Read an event, or a mail from a customer; raises Forbidden or Unreadable."""
    if request.content_type != "application/json":
        raw = bodies.first_of(bodies.fields_of(request))
        _check(request, {name: value.decode(errors="replace") for name, value in raw.items()})
        return _forwarded(request, raw)
    body = bodies.object_of(request.body)
    _check(request, {name: bodies.text(value) for name, value in bodies.part(body, "signature").items()})
    return [_event(request, bodies.part(body, "event-data"))]


def _check(request: Request, signed: Mapping[str, str]) -> None:
    at, token, signature = (signed.get(name, "") for name in ("timestamp", "token", "signature"))
    expected = [signing.hmac_hex(key, f"{at}{token}".encode()) for key in request.keys["secret"]]
    if not at or not token or not signing.is_any(signature, expected):
        raise Forbidden("the signature is not Mailgun's")
    signing.check_age(request, at, WITHIN_MS)


def _event(request: Request, event: dict[str, Any]) -> Finding:
    kind = bodies.text(event.get("event"))
    headers = bodies.part(event, "message", "headers")
    about = read_reference(bodies.part(event, "user-variables").get(NAME))
    about = about or mail.reference_in(bodies.text(headers.get("message-id")))
    if about is None:
        return Other("not_ours")
    if kind in _PASSING or (kind == "failed" and event.get("severity") == "temporary"):
        return Other("passing")
    read = _meaning(kind, event)
    if read is None:
        return Other("unknown")
    what, properties = read
    each = bodies.text(event.get("id")) if what in ("opened", "clicked") else ""
    return Reported(Report(what, *about, request.channel, properties), each)


def _meaning(kind: str, event: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    client = bodies.part(event, "client-info")
    machine = made_by(client.get("user-agent"), bool(client.get("bot")) or client.get("client-type") == "robot")
    if kind in ("delivered", "complained", "unsubscribed"):
        return kind, {}
    if kind == "opened":
        return "opened", machine
    if kind == "clicked":
        return "clicked", {"link": bodies.text(event.get("url")), **machine}
    if kind == "failed":
        return _failed(event)
    if kind == "rejected":
        why = bodies.text(bodies.part(event, "reject").get("reason"))
        return "failed", {"reason": "refused", "why": why[:300]}
    return None


def _failed(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Read a permanent failure. What Mailgun itself held back says which list the address is on."""
    reason = bodies.text(event.get("reason"))
    if reason in _LISTED:
        return _LISTED[reason], {}
    status = bodies.part(event, "delivery-status")
    told = f"{bodies.text(status.get('enhanced-code'))} {bodies.text(status.get('message'))}"
    found = answers.status_in(told)
    if reason == "suppress-bounce" or found is None:
        return "bounced", {"kind": "hard"}
    kind = answers.bounce_kind(found)
    if kind is None:
        return "failed", {"reason": "refused", "status": found}
    return "bounced", {"kind": kind, "status": found}


def _forwarded(request: Request, fields: Mapping[str, bytes]) -> list[Finding]:
    """Read what a route forwards: the whole mail as `body-mime`, or its headers and texts."""
    if "body-mime" in fields:
        return mail.read(request, fields["body-mime"])
    if "message-headers" not in fields:
        raise Unreadable("the form holds no mail")
    pairs = bodies.json_of(fields["message-headers"])
    headers = [
        (bodies.text(pair[0]), bodies.text(pair[1]))
        for pair in (pairs if isinstance(pairs, list) else [])
        if isinstance(pair, list) and len(pair) == 2
    ]
    plain, html = (fields.get(name, b"").decode(errors="replace") for name in ("body-plain", "body-html"))
    return mail.found(request, mail.by_name(headers), plain, html)
