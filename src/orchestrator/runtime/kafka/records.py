"""Kafka records in and out: an event from a record, and what is written about a record that is none.

Owns which envelope a record's headers announce, and the shape of a dead letter. Reading the envelopes themselves is
the model's work. Must never raise anything but EventError for a record that somebody else wrote.
"""

import base64
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from orchestrator.errors import EventError
from orchestrator.model import envelopes, instants
from orchestrator.model.event import Event

# What a dead letter quotes of a record; the whole one is at its source and offset.
QUOTED_BYTES = 16 << 10


class KafkaRecord(Protocol):
    """What is needed of an aiokafka record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class DeadLetter(msgspec.Struct, omit_defaults=True):
    """Why a record, or one entry's part of a turn, came to nothing, and where to find it."""

    reason: str
    message: str
    source: str
    offset: int
    at: str
    key: str | None = None
    record: str | None = None
    record_base64: str | None = None
    profile_id: str | None = None
    entry_id: str | None = None
    journey: str | None = None
    traceback: str | None = None


def event_of(record: KafkaRecord) -> Event:
    """Read the event that a record holds; its own time is the event's where that names none.

    Raises EventError for a record that holds none.
    """
    raw = record.value
    if raw is None:
        raise EventError("not_json", "the record has no value; a tombstone is no event")
    if record.headers and any(name.lower() == "ce_specversion" for name, _ in record.headers):
        headers = [(name, value or b"") for name, value in record.headers]
        return envelopes.read_binary_cloud_event(headers, raw, record.timestamp)
    return envelopes.read(raw, record.timestamp)


def source_of(record: KafkaRecord) -> str:
    """Name the partition that a record came from: `events/3`."""
    return f"{record.topic}/{record.partition}"


def dead_letter(record: KafkaRecord, reason: str, message: str, wall_ms: int, **about: Any) -> DeadLetter:
    """Describe a record that came to nothing, quoting its beginning as text, or base64 where it is none."""
    raw = (record.value or b"")[:QUOTED_BYTES]
    try:
        quoted = {"record": raw.decode()}
    except UnicodeDecodeError:
        quoted = {"record_base64": base64.b64encode(raw).decode()}
    return DeadLetter(
        reason=reason,
        message=message,
        source=source_of(record),
        offset=record.offset,
        at=instants.to_text(wall_ms),
        key=None if record.key is None else record.key.decode(errors="replace"),
        **quoted,
        **about,
    )
