"""Twilio: SMS and WhatsApp, status callbacks and what customers write.

    everything     a form, signed by HMAC-SHA1 over the URL and the fields     keys: secret, the auth token(s)

Owns Twilio's signature and what its states and error codes mean. The URL that Twilio signs is the one that it was
given, the public one, whatever a proxy made of it. A message is known by the parameters `action_id` and
`profile_id` of its StatusCallback. Twilio's own opt-out may know more words:
`OptOutType` says that it heard one. Must never read a parameter before the signature that covers it.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlsplit

from orchestrator.channels.inbound import bodies, signing
from orchestrator.channels.inbound.findings import Finding, Forbidden, Other, Reported, Request, Written
from orchestrator.channels.receipts import Report
from orchestrator.channels.references import reference_in
from orchestrator.model import ids

SIGNATURE = "x-twilio-signature"
_PASSING = frozenset({"accepted", "scheduled", "queued", "sending", "sent", "receiving", "received", "canceled"})
# Error codes: no such number, or none that takes this; off for now; and those who said STOP to Twilio.
_HARD = frozenset({"21211", "21612", "21614", "30005", "30006", "63003", "63024"})
_SOFT = frozenset({"30003"})
_OPTED_OUT = frozenset({"21610", "63033"})
# Over a day since they wrote, and no template.
_CLOSED = "63016"
_WORDS = {"STOP": "stop", "START": "start"}


def read(request: Request) -> list[Finding]:
    """Read a status or a message; raises Forbidden or Unreadable."""
    form = bodies.form_of(request)
    _check(request, form)
    fields = bodies.first_of(form)
    status = fields.get("MessageStatus") or fields.get("SmsStatus", "")
    if "Body" in fields and status in ("", "received"):
        return [_written(request, fields)]
    about = reference_in(request.query)
    if about is None:
        return [Other("not_ours")]
    told = _meaning(status, fields.get("ErrorCode", ""))
    if told is None:
        return [Other("passing" if status in _PASSING else "unknown")]
    what, properties = told
    return [Reported(Report(what, *about, request.channel, properties))]


def signature_of(key: str, url: str, form: bodies.Form) -> str:
    """Sign as Twilio does: the URL, then every field's name and value, sorted, each pair once."""
    signed = url + "".join(f"{name}{value}" for name, value in sorted(set(form)))
    return base64.b64encode(hmac.new(key.encode(), signed.encode(errors="replace"), hashlib.sha1).digest()).decode()


def _check(request: Request, form: bodies.Form) -> None:
    given = request.headers.get(SIGNATURE, "")
    expected = [signature_of(key, url, form) for key in request.keys["secret"] for url in _ways_to_write(request.url)]
    if not signing.is_any(given, expected):
        raise Forbidden("the signature is not Twilio's; it signs the URL that it was given (ORCHESTRATOR_PUBLIC_URL)")


def _ways_to_write(url: str) -> tuple[str, str]:
    """Give the URL with its port and without: which of the two Twilio signs has changed over time."""
    parts = urlsplit(url)
    bare = (parts.hostname or "").join(["[", "]"] if ":" in (parts.hostname or "") else ["", ""])
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts._replace(netloc=bare).geturl(), parts._replace(netloc=f"{bare}:{port}").geturl()


def _written(request: Request, fields: Mapping[str, str]) -> Written:
    sender, ours = (_number(fields.get(name, "")) for name in ("From", "To"))
    is_chat = fields.get("From", "").startswith("whatsapp:")
    said = fields.get("Body", "") or fields.get("ButtonText", "")
    media = [fields[f"MediaUrl{at}"] for at in range(10) if fields.get(f"MediaUrl{at}")]
    return Written(
        fields.get("MessageSid") or fields.get("SmsSid", ""),
        sender,
        "phone",
        said[: bodies.MAX_TEXT],
        ids.derive("conversation", request.channel, ours, sender),
        word=_WORDS.get(fields.get("OptOutType", "")),
        properties={"media": media} if media else {},
        answers=fields.get("OriginalRepliedMessageSid", ""),
        ours=None if is_chat else tuple(filter(None, (ours, fields.get("MessagingServiceSid", "")))),
    )


def _number(address: str) -> str:
    """Take the kind of address off: `whatsapp:+34600000001` is a phone number too."""
    return address.rpartition(":")[2].strip()


def _meaning(status: str, code: str) -> tuple[str, dict[str, str]] | None:
    if status == "delivered":
        return "delivered", {}
    if status == "read":
        return "opened", {}
    if status not in ("undelivered", "failed"):
        return None
    if code in _OPTED_OUT:
        return "unsubscribed", {}
    if code in _HARD or code in _SOFT:
        return "bounced", {"kind": "hard" if code in _HARD else "soft", "status": code}
    reason = "window_closed" if code == _CLOSED else "refused"
    return "failed", {"reason": reason, **({"status": code} if code else {})}
