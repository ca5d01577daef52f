"""Kafka records in and out: an event from a record, and what is written about a record that is none.

Owns which envelope a record's headers announce, and what a dead letter says of a record. Reading the envelopes
themselves is the model's work. Must never raise anything but EventError for a record that somebody else wrote.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from orchestrator.errors import EventError
from orchestrator.model import envelopes, instants
from orchestrator.model.event import Event
from orchestrator.runtime.dead_letters import DeadLetter, quote
from orchestrator.runtime.kafka.keys import partition_of

# Resolve passes headers on with a record of up to 1 MiB, and our topics take 2 MiB.
MOST_HEADER_BYTES = 64 << 10
# Longer than any identifier; a key may be as large as a record.
QUOTED_KEY_BYTES = 2 << 10


class KafkaRecord(Protocol):
    """What is needed of an aiokafka record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def event_of(record: KafkaRecord, came_ms: int | None = None) -> Event:
    """Read the event that a record holds; its own time, or when it came, is the event's where that names none.

    Raises EventError for a record that holds none.
    """
    raw = record.value
    at_ms = record.timestamp if came_ms is None else came_ms
    size = sum([len(name) + len(value or b"") for name, value in record.headers])
    if size > MOST_HEADER_BYTES:
        raise EventError("too_large", f"the record has {size} bytes of headers; at most {MOST_HEADER_BYTES} are read")
    if record.headers and any(name.lower() == "ce_specversion" for name, _ in record.headers):
        headers = [(name, value or b"") for name, value in record.headers]
        # Libraries leave the value out of a CloudEvent without data.
        return envelopes.read_binary_cloud_event(headers, raw or b"", at_ms)
    if raw is None:
        raise EventError("not_json", "the record has no value; a tombstone is no event")
    return envelopes.read(raw, at_ms)


class _Receipt(msgspec.Struct, omit_defaults=True):
    """A receipt, or what a customer said on a page: the record's key is the profile that it belongs to."""

    id: str
    type: str
    time: int
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    channel: str | None = None


_encode = msgspec.json.Encoder().encode
_decode_receipt = msgspec.json.Decoder(_Receipt).decode


def receipt_line(event: Event) -> bytes:
    """Write a receipt for the receipts topic."""
    properties = msgspec.Raw(_encode(event.properties))
    return _encode(_Receipt(event.id, event.type, event.time_ms, properties, event.channel))


def receipt_of(record: KafkaRecord) -> Event:
    """Read a receipt, delivery's or anybody's who reports on a message; raises EventError for a record that holds none.

    It need not name a customer: its key does, as an action names its profile.
    """
    if not record.key:
        raise EventError("nobody", "a receipt's key is the profile_id of its action; an action_id alone names nobody")
    try:
        record.key.decode()
    except UnicodeDecodeError as error:
        raise EventError("nobody", f"a receipt's key is the profile_id of its action, as text: {error}") from error
    raw = record.value or b""
    try:
        receipt = _decode_receipt(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return envelopes.read_receipt(raw, record.timestamp)
    return Event(receipt.id, receipt.type, receipt.time, channel=receipt.channel, raw_properties=receipt.properties)


def check_key(record: KafkaRecord, number: int, count: int) -> None:
    """Refuse a record whose key does not lead to the partition of `count` that it came by; raises EventError."""
    if record.key is None:
        raise EventError(
            "wrong_partition", "the record has no key; key it by the customer, or set ORCHESTRATOR_RESOLVE=on"
        )
    right = partition_of(record.key, count)
    if right != number:
        raise EventError(
            "wrong_partition",
            f"the record's key belongs to partition {right} by murmur2, and it is in {number}; "
            "let the producer partition as Java does, or set ORCHESTRATOR_RESOLVE=on",
        )


def source_of(record: KafkaRecord) -> str:
    """Name the partition that a record came from: `events/3`."""
    return f"{record.topic}/{record.partition}"


def dead_letter(
    record: KafkaRecord, reason: str, message: str, wall_ms: int, origin: tuple[str, int] | None = None, **about: Any
) -> DeadLetter:
    """Describe a record that came to nothing; `origin` is where it stood before it was passed on to here."""
    source, offset = origin or (source_of(record), record.offset)
    return DeadLetter(
        reason=reason,
        message=message,
        source=source,
        offset=offset,
        at=instants.to_text(wall_ms),
        key=None if record.key is None else record.key[:QUOTED_KEY_BYTES].decode(errors="replace"),
        **quote(record.value or b""),
        **about,
    )
