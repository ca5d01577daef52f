"""Mail from a customer: who wrote it, what is new in it, and which message of ours it answers.

    raw RFC 822 (SES, `message/rfc822`), or the headers and texts that a provider has taken apart already

Owns the reading of it. The answered message stands in In-Reply-To and References, which quote our Message-ID. Whoever
is away, and whatever else answers by itself, is no customer who writes: answering it would never end. Must never
decode more than is read: a mail has as many parts inside each other as a stranger likes.
"""

from collections.abc import Iterable, Mapping
from email import message_from_bytes, policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses

from orchestrator.channels.email import html as markup
from orchestrator.channels.email import reports
from orchestrator.channels.email.composing import read_message_id
from orchestrator.channels.inbound import bodies, quoting
from orchestrator.channels.inbound.findings import Finding, Other, Reported, Request, Unreadable, Written
from orchestrator.model import ids

MAX_BYTES = 1 << 20
# Ordinary mails have four or five; each is looked for in every line of what is inside of it.
MAX_PARTS = 50
_SUBJECT_LENGTH = 300


def read(request: Request, raw: bytes) -> list[Finding]:
    """Read a whole mail; raises Unreadable for what is none, or is made to be expensive."""
    beginning = raw[:MAX_BYTES]
    if beginning.lower().count(b"boundary") > MAX_PARTS or beginning.lower().count(b"message/rfc822") > MAX_PARTS:
        raise Unreadable(f"the mail has over {MAX_PARTS} parts")
    if reports.is_one(beginning):
        return _reported(request, beginning)
    try:
        message = message_from_bytes(beginning, policy=policy.compat32)
        headers = by_name((name, str(value)) for name, value in message.items())
        plain, html = _texts(message)
    except (MessageError, ValueError, LookupError, RecursionError, AssertionError) as error:
        raise Unreadable("the mail cannot be read") from error
    return found(request, headers, plain, html)


def _reported(request: Request, raw: bytes) -> list[Finding]:
    """Read a report about a mail of ours, which comes where answers do."""
    try:
        return [Reported(report) for report in reports.read(raw, request.channel)] or [Other("passing")]
    except reports.NoReport:
        return [Other("not_ours")]


def headers_of(raw: bytes) -> dict[str, str]:
    """Read a block of headers."""
    block = message_from_bytes(raw[:MAX_BYTES], policy=policy.compat32)
    return by_name((name, str(value)) for name, value in block.items())


def by_name(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Put headers under their lower-case names; of several the first."""
    found: dict[str, str] = {}
    for name, value in headers:
        found.setdefault(name.lower(), value)
    return found


def found(request: Request, headers: Mapping[str, str], plain: str, html: str) -> list[Finding]:
    """Say what a mail comes to."""
    if _is_automatic(headers):
        return [Other("automatic")]
    sender = _sender(headers.get("from", ""))
    if sender is None:
        raise Unreadable("the mail names no sender")
    answered = f"{headers.get('in-reply-to', '')} {headers.get('references', '')}"[: bodies.MAX_TEXT]
    about = read_message_id(answered)
    subject = _decoded(headers.get("subject", ""))[:_SUBJECT_LENGTH]
    written = quoting.reply_in(plain) or quoting.reply_in(_text_in(html))
    message_id = headers.get("message-id", "").strip()
    # A thread is known by its first mail, which References name first.
    thread = (headers.get("references") or headers.get("in-reply-to") or message_id).split()
    return [
        Written(
            message_id or ids.derive(sender, headers.get("date", ""), subject, written),
            sender,
            "email",
            written,
            about[0] if about else ids.derive("conversation", request.channel, thread[0] if thread else sender),
            about,
            properties={"subject": subject} if subject else {},
        )
    ]


def _text_in(html: str) -> str:
    """Write HTML as text. Comments go first: of one without an end the library looks for it again and again."""
    first, *others = html[: bodies.MAX_TEXT * 5].split("<!--")
    return markup.as_text(first + "".join(each.partition("-->")[2] for each in others))


def reference_in(message_id: str) -> tuple[str, str] | None:
    """Read a Message-ID of ours, with its brackets or without; None for any other."""
    return read_message_id(f"<{message_id.strip().strip('<>')}>")


def _is_automatic(headers: Mapping[str, str]) -> bool:
    """Whether a program wrote it (RFC 3834), or it went to a list; a bounce has no sender to write from."""
    said = headers.get("auto-submitted", "no").partition(";")[0].strip().lower()
    bulk = headers.get("precedence", "").strip().lower() in ("bulk", "junk", "list", "auto_reply")
    by_itself = any(name in headers for name in ("x-autoreply", "x-autorespond", "list-id"))
    return said != "no" or bulk or by_itself or headers.get("return-path", "").strip() == "<>"


def _sender(value: str) -> str | None:
    addresses = [address for _, address in getaddresses([value[:1_000]]) if "@" in address]
    return addresses[0] if len(addresses) == 1 else None


def _decoded(value: str) -> str:
    try:
        return " ".join(str(make_header(decode_header(value))).split())
    except (MessageError, ValueError, LookupError):
        return " ".join(value.split())


def _texts(message: Message) -> tuple[str, str]:
    """Find the first plain and the first HTML text that is no attachment."""
    texts = {"text/plain": "", "text/html": ""}
    for part in message.walk():
        kind = part.get_content_type()
        if kind in texts and not texts[kind] and part.get_content_disposition() != "attachment":
            texts[kind] = _text_of(part)
    return texts["text/plain"], texts["text/html"]


def _text_of(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    return bodies.decoded(payload, str(part.get_content_charset("utf-8")))
