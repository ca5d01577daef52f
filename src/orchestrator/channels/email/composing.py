"""Composing: one mail, from what was rendered for a customer.

Owns which parts and headers a mail has: plain text always; HTML where the author wrote any, in the customer's
language; the Message-ID that a report leads back by; and for a purpose that needs consent, the way out, in the
headers (RFC 8058) and in every part that does not show it. Must never send.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from orchestrator.channels.email import html, mime
from orchestrator.channels.port import Delivery, Unsubscribing
from orchestrator.channels.references import read_reference, reference_of
from orchestrator.errors import Refused


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, and its envelope."""

    sender: str
    recipient: str
    message_id: str
    content: bytes


# <action.profile@domain>: the report of a mail that bounced quotes it, and so names the action and the customer.
_MESSAGE_ID = re.compile(r"<([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)@[^>\s]+>")


def message_id_of(delivery: Delivery, domain: str) -> str:
    """Name a mail after its action, so that sending it twice is known as the same mail."""
    return f"<{reference_of(delivery.key, delivery.action.profile_id)}@{domain}>"


def read_message_id(text: str) -> tuple[str, str] | None:
    """Find (action id, profile id) in a text that quotes a Message-ID of ours; None when there is none."""
    found = _MESSAGE_ID.search(text)
    return None if found is None else read_reference(found[1])


def compose(delivery: Delivery, sender: str, return_path: str | None = None, mark: str | None = None) -> Mail:
    """Compose a mail.

    `sender` is the operator's `Name <address>`, which the message's own `from` replaces. `return_path` is where
    reports go, `mark` a header for the message's reference, where the server gives mails another Message-ID. Raises
    Refused for content that cannot be a mail, Bounced for an address that is none.
    """
    fields = delivery.rendered.fields
    sender_header = mime.mailbox_header(str(fields.get("from") or sender))
    sender_address = sender_header.rpartition("<")[2].rstrip(">")
    recipient = mime.address_of(delivery.to)
    subject = mime.clean(str(fields.get("subject") or ""))
    message_id = message_id_of(delivery, sender_address.rpartition("@")[2])
    headers = [
        ("From", sender_header),
        ("To", recipient),
        ("Subject", mime.text_header(subject)),
        ("Date", formatdate(delivery.now_ms / 1000, usegmt=True)),
        ("Message-ID", message_id),
    ]
    if mark is not None:
        headers.append((mark, reference_of(delivery.key, delivery.action.profile_id)))
    if fields.get("reply_to"):
        headers.append(("Reply-To", mime.mailbox_header(str(fields["reply_to"]))))
    if delivery.unsubscribing is not None:
        headers.append(("List-Unsubscribe", f"<{delivery.unsubscribing.url}>"))
        headers.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    text, written = _bodies(fields)
    parts = [mime.part("plain", _text(text, delivery.unsubscribing))]
    if written is not None:
        parts.append(mime.part("html", _html(written, subject, delivery)))
    return Mail(
        mime.address_of(return_path) if return_path else sender_address,
        recipient,
        message_id,
        mime.mail(headers, parts, delivery.key),
    )


def _bodies(fields: Mapping[str, Any]) -> tuple[str, str | None]:
    """Give the plain text, made of the HTML where the author wrote none, and the HTML."""
    written: str | None = None
    if fields.get("html"):
        written = str(fields["html"])
    elif fields.get("mjml"):
        written = html.from_mjml(str(fields["mjml"]))
    elif fields.get("markdown"):
        written = html.from_markdown(str(fields["markdown"]))
    text = str(fields["text"]) if fields.get("text") else html.as_text(written or "")
    if not text.strip() and written is None:
        raise Refused("the mail has no content: neither text nor html, mjml or markdown gave any")
    return text, written


def _text(text: str, unsubscribing: Unsubscribing | None) -> str:
    if unsubscribing is None or unsubscribing.url in text:
        return text
    footer = "\n".join(filter(None, [unsubscribing.address, f"{unsubscribing.words}: {unsubscribing.url}"]))
    # The line with "-- " is how mail programs know where a text ends and its signature begins.
    return f"{text.rstrip()}\n\n-- \n{footer}\n"


def _html(written: str, subject: str, delivery: Delivery) -> str:
    made = html.document(written, delivery.rendered.language, subject)
    tracking, unsubscribing = delivery.tracking, delivery.unsubscribing
    if tracking.click is not None:
        made = html.with_redirects(made, tracking.click, tracking.own)
    if delivery.rendered.fields.get("preheader"):
        made = html.with_preheader(made, str(delivery.rendered.fields["preheader"]))
    if unsubscribing is not None and unsubscribing.url not in made:
        made = html.with_footer(made, unsubscribing.address, unsubscribing.url, unsubscribing.words)
    if tracking.pixel is not None:
        made = html.with_pixel(made, tracking.pixel)
    return made
