"""Meta: WhatsApp's Cloud API, Messenger, Instagram, and comments on pages and pictures.

    events     JSON, signed by HMAC-SHA256 over the body     keys: secret, the app's secret(s)
    GET        the challenge that proves the address         keys: token, what we named in the app's settings

Owns what Meta's objects mean. A WhatsApp message is known by its biz_opaque_callback_data. Meta sends many changes in
one request, of several kinds: what is unknown is counted, and the others go their way. Must never take what a page
wrote itself for a customer's: it would be answered, and that answer again.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.channels.inbound import bodies, signing
from orchestrator.channels.inbound.findings import Finding, Forbidden, Other, Reported, Request, Stated, Written
from orchestrator.channels.receipts import Report
from orchestrator.channels.references import read_reference
from orchestrator.model import ids

SIGNATURE = "x-hub-signature-256"
MAX_CHANGES = 1_000
_STATES = {"delivered": "delivered", "read": "opened"}
_PASSING = frozenset({"sent", "deleted", "warning"})
# No such user, or none who can be reached by this at all; those who want no marketing; over a day since they wrote.
_HARD, _OPTED_OUT, _CLOSED = frozenset({"131026", "131021"}), "131050", "131047"


def challenge(request: Request) -> str:
    """Answer the question by which Meta proves an address; raises Forbidden for another's."""
    query = request.query
    is_asked = query.get("hub.mode") == "subscribe"
    if not is_asked or not signing.is_any(query.get("hub.verify_token", ""), request.keys["token"]):
        raise Forbidden("the verify token is not ours")
    return query.get("hub.challenge", "")


def read(request: Request) -> list[Finding]:
    """Read events; raises Forbidden or Unreadable."""
    expected = [f"sha256={signing.hmac_hex(key, request.body)}" for key in request.keys["secret"]]
    if not signing.is_any(request.headers.get(SIGNATURE, ""), expected):
        raise Forbidden("the signature is not Meta's")
    body = bodies.object_of(request.body)
    found: list[Finding] = []
    for entry in bodies.listed(body.get("entry"))[:MAX_CHANGES]:
        ours = bodies.text(entry.get("id"))
        for change in bodies.listed(entry.get("changes"))[:MAX_CHANGES]:
            found += _change(request, ours, bodies.text(change.get("field")), bodies.part(change, "value"))
        for event in bodies.listed(entry.get("messaging"))[:MAX_CHANGES]:
            found.append(_messaging(request, ours, event))
    return found or [Other("unknown")]


def _change(request: Request, ours: str, field: str, value: dict[str, Any]) -> Iterator[Finding]:
    if field == "messages":
        number = bodies.text(bodies.part(value, "metadata").get("phone_number_id"))
        yield from (_status(request, each) for each in bodies.listed(value.get("statuses")))
        yield from (_message(request, number, each) for each in bodies.listed(value.get("messages")))
    elif field == "user_preferences":
        yield from (_preference(each) for each in bodies.listed(value.get("user_preferences")))
    elif field in ("feed", "comments", "live_comments"):
        yield _comment(request, ours, value)
    else:
        yield Other("unknown")


def _status(request: Request, status: dict[str, Any]) -> Finding:
    about = read_reference(status.get("biz_opaque_callback_data"))
    if about is None:
        return Other("not_ours")
    state = bodies.text(status.get("status"))
    if state in _STATES:
        return Reported(Report(_STATES[state], *about, request.channel, {}))
    if state != "failed":
        return Other("passing" if state in _PASSING else "unknown")
    errors = bodies.listed(status.get("errors"))
    code = bodies.text(errors[0].get("code")) if errors else ""
    if code == _OPTED_OUT:
        return Reported(Report("unsubscribed", *about, request.channel, {}))
    if code in _HARD:
        return Reported(Report("bounced", *about, request.channel, {"kind": "hard", "status": code}))
    why = bodies.text(errors[0].get("title"))[:300] if errors else ""
    reason = "window_closed" if code == _CLOSED else "refused"
    return Reported(Report("failed", *about, request.channel, {"reason": reason, "status": code, "why": why}))


def _message(request: Request, number: str, message: dict[str, Any]) -> Finding:
    sender = _phone(bodies.text(message.get("from")))
    kind = bodies.text(message.get("type"))
    said = _said(kind, message)
    if not sender or kind in ("system", "unsupported", "reaction", "request_welcome"):
        return Other("passing")
    return Written(
        bodies.text(message.get("id")),
        sender,
        "phone",
        said,
        ids.derive("conversation", request.channel, number, sender),
        properties={} if said else {"media": kind},
        answers=bodies.text(bodies.part(message, "context").get("id")),
    )


def _said(kind: str, message: dict[str, Any]) -> str:
    """Find the words in a message: typed, chosen from a list, on a button, or under a picture."""
    about = bodies.part(message, kind)
    interactive = bodies.part(about, "button_reply") or bodies.part(about, "list_reply")
    words = (about.get("body"), about.get("text"), interactive.get("title"), about.get("caption"))
    return next((bodies.text(each) for each in words if bodies.text(each)), "")


def _phone(wa_id: str) -> str:
    """Write a WhatsApp id as the phone number that it is."""
    return f"+{wa_id}" if wa_id.isascii() and wa_id.isdecimal() else ""


def _preference(said: dict[str, Any]) -> Finding:
    sender, value = _phone(bodies.text(said.get("wa_id"))), said.get("value")
    if not sender or value not in ("stop", "resume"):
        return Other("unknown")
    event = ids.derive("meta", sender, bodies.text(said.get("timestamp")), str(value))
    return Stated(event, sender, "phone", value == "resume", bodies.text(said.get("detail")), "whatsapp settings")


def _comment(request: Request, ours: str, value: dict[str, Any]) -> Finding:
    """Read a comment on a page's post, or on a picture or film."""
    is_comment = value.get("item") in (None, "comment") and value.get("verb") in (None, "add")
    writer, text = bodies.part(value, "from"), bodies.text(value.get("message") or value.get("text"))
    sender = bodies.text(writer.get("id"))
    comment = bodies.text(value.get("comment_id") or value.get("id"))
    if not (is_comment and sender and comment and text) or sender == ours:
        return Other("passing")
    post = bodies.text(value.get("post_id")) or bodies.text(bodies.part(value, "media").get("id"))
    return Written(
        comment,
        sender,
        f"{request.channel}_id",
        text,
        bodies.text(value.get("parent_id")) or comment,
        is_public=True,
        properties={"comment_id": comment, **({"post_id": post} if post else {})},
    )


def _messaging(request: Request, ours: str, event: Mapping[str, Any]) -> Finding:
    """Read a message to a page or an Instagram account."""
    message = bodies.part(event, "message")
    sender = bodies.text(bodies.part(event, "sender").get("id"))
    if not message or message.get("is_echo") is True or sender in ("", ours):
        return Other("passing")
    said = bodies.text(message.get("text"))
    return Written(
        bodies.text(message.get("mid")),
        sender,
        f"{request.channel}_id",
        said,
        ids.derive("conversation", request.channel, ours, sender),
        properties={} if said else {"media": "attachment"},
    )
