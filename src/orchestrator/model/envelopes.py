"""Envelopes: the shapes in which events arrive, and one event out of each.

Owns the reading of native, CloudEvents 1.0 and Segment records (CONTRACTS.md, "Events in"). The
envelope is recognised per record. What is malformed raises EventError with a stable reason; the
caller puts the record into dead letters and goes on.
"""

import binascii
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec

from orchestrator.errors import EventError
from orchestrator.model import ids, instants
from orchestrator.model.event import NOT_GIVEN, Event

# A record over this many bytes is refused unread (CONTRACTS.md).
MAX_RECORD_BYTES = 1 << 20
# The beginning of the year 9000: whatever somebody waits for after it (a hundred years at most) can still be written.
LATEST_EVENT_MS = 221_845_392_000_000

Name = str | int
# The identifiers of an event that has none; shared, because nobody changes an event's.
NOBODY_ELSE: dict[str, str] = {}


class _Envelope(msgspec.Struct):
    """The fields of all three envelopes, so that one pass over the bytes is enough."""

    id: Name | None = None
    type: str | None = None
    time: str | int | float | None = None
    customer_id: Name | None = None
    identifiers: dict[str, Name | None] | None = None
    channel: str | None = None
    properties: msgspec.Raw = NOT_GIVEN
    # CloudEvents
    specversion: str | None = None
    subject: Name | None = None
    data: msgspec.Raw = NOT_GIVEN
    data_base64: str | None = None
    # Segment; what a native event may well carry as something else is not judged here
    event: Any = None
    user_id: Name | None = msgspec.field(name="userId", default=None)
    anonymous_id: Name | None = msgspec.field(name="anonymousId", default=None)
    previous_id: Name | None = msgspec.field(name="previousId", default=None)
    group_id: Name | None = msgspec.field(name="groupId", default=None)
    message_id: Name | None = msgspec.field(name="messageId", default=None)
    timestamp: Any = None
    traits: msgspec.Raw = NOT_GIVEN
    name: Any = None


_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Plain(Event, gc=False):
    """What nearly every record is: native, with an id as text, a customer_id, or identifiers that are texts.

    Such a record is decoded straight into its event; whatever does not fit (another envelope, a field of
    another kind) is read again, as an `_Envelope`. A field that accepts only null keeps records out that
    would mean something else by it.
    """

    id: _Text
    type: _Text
    # Text is read as a time in the same pass (measured: a third of what reading it afterwards takes).
    time_ms: datetime | int | float | None = msgspec.field(name="time", default=None)  # type: ignore[assignment]
    customer_id: str = ""
    raw_properties: msgspec.Raw = msgspec.field(name="properties", default=NOT_GIVEN)
    decoded: None = None
    specversion: None = None


_decode_plain = msgspec.json.Decoder(_Plain).decode
_decode = msgspec.json.Decoder(_Envelope).decode
_decode_nullable = msgspec.json.Decoder(dict[str, Any] | None).decode
_NO_TYPE = "the event has no type; name what happened in `type`"
_NO_KIND = (
    "the event has no type; `event` with `userId` or `anonymousId` is Segment's form: "
    'add `"type": "track"`, or post it to `/v1/track`'
)
SEGMENT_TYPES = frozenset({"track", "identify", "page", "screen", "group", "alias"})


def read(raw: bytes, arrived_ms: int) -> Event:
    """Read one JSON record of any envelope into an event.

    `arrived_ms` stands in for an event without a time of its own. Raises EventError with reason
    `too_large`, `not_json`, `bad_envelope`, `no_type`, `nobody` or `bad_time`.
    """
    # Without the call: every record of a stream comes by here.
    if len(raw) > MAX_RECORD_BYTES:
        _check_size(raw)
    try:
        event = _decode_plain(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_any(raw, arrived_ms)
    if (event.identifiers or not event.customer_id or event.type in SEGMENT_TYPES) and (
        event.type in SEGMENT_TYPES or not _names_somebody(event)
    ):
        return _read_any(raw, arrived_ms)
    time: Any = event.time_ms
    if time.__class__ is datetime:
        # As `instants.from_datetime` has it, without the call: every record of a stream comes by here.
        time = round(time.timestamp() * 1000) if time.tzinfo is not None else instants.from_datetime(time)
        if 0 <= time <= LATEST_EVENT_MS:
            event.time_ms = time
            return event
    if time.__class__ is not int or not 0 <= time <= LATEST_EVENT_MS:
        event.time_ms = arrived_ms if time is None else _instant(time)
    return event


def read_receipt(raw: bytes, arrived_ms: int) -> Event:
    """Read a native event that is known to be about somebody, whatever it says of that itself.

    Raises EventError like `read`, but never for `nobody`.
    """
    _check_size(raw)
    envelope = _envelope_of(raw)
    if not envelope.type:
        raise EventError("no_type", _NO_TYPE)
    return Event(
        id=str(envelope.id or "") or ids.record_id(raw),
        type=envelope.type,
        time_ms=arrived_ms if envelope.time is None else _instant(envelope.time),
        channel=envelope.channel,
        raw_properties=envelope.properties,
    )


def _check_size(raw: bytes) -> None:
    if len(raw) > MAX_RECORD_BYTES:
        raise EventError("too_large", f"the record has {len(raw)} bytes; at most {MAX_RECORD_BYTES} are read")


def _names_somebody(event: _Plain) -> bool:
    """Whether it is plain who did it; an empty name, or a customer id among the identifiers, takes a closer look."""
    identifiers = event.identifiers
    if not identifiers or "customer_id" in identifiers or "" in identifiers.values():
        return False
    if not event.customer_id:
        event.customer_id = None  # type: ignore[assignment]
    return True


def _read_any(raw: bytes, arrived_ms: int) -> Event:
    """Read a record of any envelope whatever, and tell what is wrong with it."""
    envelope = _envelope_of(raw)
    if envelope.specversion is not None:
        return _from_cloud_event(envelope, raw, arrived_ms)
    if envelope.type in SEGMENT_TYPES and (envelope.user_id is not None or envelope.anonymous_id is not None):
        return _from_segment(envelope, raw, arrived_ms)
    if not envelope.type and envelope.event and (envelope.user_id is not None or envelope.anonymous_id is not None):
        raise EventError("no_type", _NO_KIND)
    return _event(
        envelope.id,
        envelope.type,
        envelope.time,
        envelope.customer_id,
        envelope.identifiers,
        envelope.channel,
        envelope.properties,
        raw,
        arrived_ms,
    )


def _envelope_of(raw: bytes) -> _Envelope:
    try:
        return _decode(raw)
    except msgspec.ValidationError as error:
        raise EventError("bad_envelope", f"{error}; an event is one JSON object, with type and customer_id") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventError("not_json", f"{error}; a record is one JSON object on one line") from error


def _instant(time: object) -> int:
    instant_ms = instants.parse(time)
    if instant_ms is not None and 0 <= instant_ms <= LATEST_EVENT_MS:
        return instant_ms
    if instant_ms is None:
        raise EventError("bad_time", "the time is neither RFC 3339 nor epoch milliseconds")
    if instant_ms < 0:
        # A timer's 0 means that nothing waits, so that nothing may be due before it.
        raise EventError("bad_time", "the time lies before 1970; no customer of ours did anything then")
    raise EventError("bad_time", "the time lies beyond the year 9000; look at the clock of whoever sent it")


def read_binary_cloud_event(headers: Iterable[tuple[str, bytes | None]], raw: bytes, arrived_ms: int) -> Event:
    """Read a CloudEvent in Kafka's binary mode: attributes in `ce_` headers, data as the record's value.

    Raises EventError like `read`.
    """
    _check_size(raw)
    try:
        attributes = {
            name[3:].lower(): value.decode() for name, value in headers if value and name.lower().startswith("ce_")
        }
        data = raw or b"{}"
        _decode_nullable(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventError("not_json", f"the data of the CloudEvent is not a JSON object: {error}") from error
    return _event(
        attributes.get("id"),
        attributes.get("type"),
        attributes.get("time"),
        attributes.get("subject"),
        None,
        attributes.get("channel"),
        msgspec.Raw(data),
        # Its attributes are as much of the record as its data: without an id, two types are two events.
        msgspec.json.encode(attributes, order="sorted") + raw,
        arrived_ms,
    )


def _event(
    event_id: Name | None,
    event_type: str | None,
    time: object,
    customer_id: Name | None,
    identifiers: Mapping[str, Name | None] | None,
    channel: str | None,
    properties: msgspec.Raw,
    raw: bytes,
    arrived_ms: int,
) -> Event:
    if not event_type:
        raise EventError("no_type", _NO_TYPE)
    known = {kind: str(value) for kind, value in identifiers.items() if value not in (None, "")} if identifiers else {}
    if customer_id is None or customer_id == "":
        # A customer_id among the identifiers is the same thing in another place.
        customer_id = known.pop("customer_id", None)
        if customer_id is None and not known:
            raise EventError("nobody", "the event names nobody; give a customer_id or identifiers")
    return Event(
        id=ids.record_id(raw) if event_id is None or event_id == "" else str(event_id),
        type=event_type,
        time_ms=arrived_ms if time is None else _instant(time),
        customer_id=None if customer_id is None else str(customer_id),
        identifiers=known,
        channel=channel,
        raw_properties=properties,
    )


def _object(raw: msgspec.Raw) -> dict[str, Any]:
    """Decode an object that may be null or not given at all."""
    return {} if raw is NOT_GIVEN else _decode_nullable(raw) or {}


def _from_cloud_event(envelope: _Envelope, raw: bytes, arrived_ms: int) -> Event:
    if envelope.data_base64 is not None and envelope.data is NOT_GIVEN:
        envelope.data = _from_base64(envelope.data_base64)
    return _event(
        envelope.id,
        envelope.type,
        envelope.time,
        envelope.subject,
        envelope.identifiers,
        envelope.channel,
        envelope.data,
        raw,
        arrived_ms,
    )


def _from_base64(data: str) -> msgspec.Raw:
    """Read data that a CloudEvents library took for bytes; of ours they are JSON all the same."""
    try:
        decoded = binascii.a2b_base64(data, strict_mode=True)
        _decode_nullable(decoded)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError) as error:
        raise EventError("bad_properties", f"data_base64 is not a JSON object in base64: {error}") from error
    return msgspec.Raw(decoded)


def _tracked(envelope: _Envelope) -> tuple[str | None, msgspec.Raw]:
    return envelope.event if isinstance(envelope.event, str) else None, envelope.properties


def _identified(envelope: _Envelope) -> tuple[str | None, msgspec.Raw]:
    return "profile_updated", envelope.traits


def _paged(envelope: _Envelope) -> tuple[str | None, msgspec.Raw]:
    return "page_viewed", _with_name(envelope)


def _screened(envelope: _Envelope) -> tuple[str | None, msgspec.Raw]:
    return "screen_viewed", _with_name(envelope)


def _grouped(envelope: _Envelope) -> tuple[str | None, msgspec.Raw]:
    groups = {"groups": {str(envelope.group_id): _object(envelope.traits)}}
    return "profile_updated", msgspec.Raw(msgspec.json.encode(groups))


def _aliased(envelope: _Envelope) -> tuple[str | None, msgspec.Raw]:
    return "profile_aliased", NOT_GIVEN


def _with_name(envelope: _Envelope) -> msgspec.Raw:
    if envelope.name is None:
        return envelope.properties
    return msgspec.Raw(msgspec.json.encode({**_object(envelope.properties), "name": envelope.name}))


_SEGMENT: dict[str, Callable[[_Envelope], tuple[str | None, msgspec.Raw]]] = {
    "track": _tracked,
    "identify": _identified,
    "page": _paged,
    "screen": _screened,
    "group": _grouped,
    "alias": _aliased,
}


def _from_segment(envelope: _Envelope, raw: bytes, arrived_ms: int) -> Event:
    try:
        event_type, properties = _SEGMENT[envelope.type or ""](envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise EventError("bad_properties", f"traits and properties must be JSON objects: {error}") from error
    others = {"anonymous_id": envelope.anonymous_id, "previous_id": envelope.previous_id}
    time = envelope.timestamp if envelope.timestamp is not None else envelope.time
    channel = envelope.channel
    return _event(envelope.message_id, event_type, time, envelope.user_id, others, channel, properties, raw, arrived_ms)
