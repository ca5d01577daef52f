"""Reports that come back by mail: bounces (RFC 3464) and complaints (ARF, RFC 5965).

Owns the reading of both. Which mail a report is about stands in the Message-ID of ours that it quotes; a report that
quotes none is nobody's. Must never believe a report more than it says: what is no permanent failure is no bounce.
"""

from collections.abc import Iterator
from email import message_from_bytes
from email.errors import MessageError
from email.message import Message

from orchestrator.channels.email import answers
from orchestrator.channels.email.composing import read_message_id
from orchestrator.channels.receipts import Report

MAX_REPORT_BYTES = 1 << 20
# A report has three parts and a block for each recipient; the mail that it quotes has a few of its own.
MAX_SIGNS = 200
_QUOTED = frozenset({"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"})


class NoReport(ValueError):  # noqa: N818 - an answer, not a failure of ours
    """A mail that is no report about a mail of ours; it says why."""


def is_one(raw: bytes) -> bool:
    """Whether a mail says that it is a report, by its headers alone."""
    head = message_from_bytes(raw[:MAX_REPORT_BYTES].partition(b"\r\n\r\n")[0].partition(b"\n\n")[0])
    return head.get_content_type() == "multipart/report"


def read(raw: bytes, channel: str) -> list[Report]:
    """Read a report; raises NoReport when it is none, or is not about a mail of ours, or cannot be read."""
    # Whoever's mail bounces writes what comes back: parts inside each other without an end, or thousands of them.
    lower = raw[:MAX_REPORT_BYTES].lower()
    if sum(lower.count(sign) for sign in (b"boundary", b"message/", b"\naction:")) > MAX_SIGNS:
        raise NoReport(f"the report has over {MAX_SIGNS} parts")
    try:
        return _read(raw, channel)
    except NoReport:
        raise
    except (MessageError, ValueError, LookupError, RecursionError, AssertionError) as error:
        raise NoReport("the report cannot be read") from error


def _read(raw: bytes, channel: str) -> list[Report]:
    message = message_from_bytes(raw[:MAX_REPORT_BYTES])
    kind = str(message.get_param("report-type") or "").lower()
    if message.get_content_type() != "multipart/report" or kind not in ("delivery-status", "feedback-report"):
        raise NoReport("the mail is neither a delivery report (RFC 3464) nor a complaint (RFC 5965)")
    about = _original(message)
    if about is None:
        raise NoReport("the report quotes no Message-ID of ours")
    if kind == "feedback-report":
        return [Report("complained", *about, channel)] if _is_complaint(message) else []
    return [report for fields in _recipients(message) if (report := _report_of(fields, about, channel)) is not None]


def _original(message: Message) -> tuple[str, str] | None:
    """Find (action id, profile id) in the headers of the mail that the report quotes."""
    for part in message.walk():
        if part.get_content_type() not in _QUOTED:
            continue
        payload = part.get_payload()
        quoted = payload[0] if isinstance(payload, list) and payload else message_from_bytes(_bytes_of(part))
        if isinstance(quoted, Message):
            found = read_message_id(str(quoted.get("Message-ID", "")))
            if found is not None:
                return found
    return None


def _bytes_of(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _parts(message: Message, content_type: str) -> Iterator[Message]:
    return (part for part in message.walk() if part.get_content_type() == content_type)


def _recipients(message: Message) -> Iterator[Message]:
    """Walk the blocks of a delivery status that are about a recipient; the first one is about the mail."""
    for part in _parts(message, "message/delivery-status"):
        payload = part.get_payload()
        if isinstance(payload, list):
            yield from (block for block in payload if isinstance(block, Message) and "Action" in block)


def _report_of(fields: Message, about: tuple[str, str], channel: str) -> Report | None:
    action = str(fields.get("Action", "")).strip().lower()
    if action in ("delivered", "relayed", "expanded"):
        return Report("delivered", *about, channel) if action == "delivered" else None
    if action != "failed":  # delayed: the other server goes on trying, and tells again
        return None
    told = str(fields.get("Diagnostic-Code", ""))
    # The status field is the reporting server's summary, and often 5.0.0; the diagnostic is what the last one said.
    status = answers.status_in(told) or answers.status_in(str(fields.get("Status", ""))) or "5.0.0"
    kind = "soft" if status.startswith("4") else answers.bounce_kind(status)
    if kind is None:
        return Report("failed", *about, channel, {"reason": "refused", "status": status})
    return Report("bounced", *about, channel, {"kind": kind, "status": status})


def _is_complaint(message: Message) -> bool:
    for part in _parts(message, "message/feedback-report"):
        payload = part.get_payload()
        fields = payload[0] if isinstance(payload, list) and payload else message_from_bytes(_bytes_of(part))
        if isinstance(fields, Message):
            # "not-spam" and "other" take nothing back; abuse, fraud and virus do.
            return str(fields.get("Feedback-Type", "")).strip().lower() in ("abuse", "fraud", "virus", "opt-out")
    return False
