"""The event: what a customer did, as received, in one shape whatever envelope it came in.

Owns the value and the part of it that an entry keeps. Reading envelopes is `envelopes`' work.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from orchestrator.errors import EventError
from orchestrator.model import instants, values

# What stands for "not given": a field of type Raw can have no alternative, not even None.
NOT_GIVEN = msgspec.Raw()

# `properties: null` counts as none given.
_decode_properties = msgspec.json.Decoder(dict[str, Any] | None).decode


class Event(msgspec.Struct, gc=False):
    """One event of one customer.

    `properties` is decoded when first asked for: most events of a stream are asked for nothing, and
    the hot path must not pay for those. JSON cannot hold a cycle, so the garbage collector need not look.
    """

    id: str
    type: str
    time_ms: int
    customer_id: str | None = None
    identifiers: dict[str, str] = {}
    channel: str | None = None
    raw_properties: msgspec.Raw = NOT_GIVEN
    decoded: dict[str, Any] | None = None

    @property
    def properties(self) -> dict[str, Any]:
        """The event's properties; raises EventError (`bad_properties`) when they are no JSON object, or too deep."""
        if self.decoded is None:
            self.decoded = {} if self.raw_properties is NOT_GIVEN else _read(bytes(self.raw_properties))
        return self.decoded


def _read(raw: bytes) -> dict[str, Any]:
    try:
        properties = _decode_properties(raw) or {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise EventError("bad_properties", f"properties: {error}") from error
    except UnicodeDecodeError as error:
        # Found only now: that a record is JSON is looked at without a look into its texts.
        raise EventError("bad_properties", f"properties: {error}; JSON is UTF-8") from error
    if values.may_be_too_deep(raw) and not values.is_storable(properties):
        raise EventError("bad_properties", f"properties nest over {values.MAX_DEPTH} deep, or hold too large a number")
    return properties


class KeptEvent(msgspec.Struct, array_like=True, gc=False):
    """What an entry keeps of an event: the envelope, and the properties that its journey reads."""

    id: str
    type: str
    time_ms: int
    channel: str | None = None
    properties: dict[str, Any] = {}


def keep(event: Event, names: frozenset[str] | None) -> KeptEvent:
    """Cut an event down to what is kept of it: the properties in `names`, or all where `names` is None."""
    return KeptEvent(event.id, event.type, event.time_ms, event.channel, pick(event.properties, names))


def event_as_data(event: KeptEvent) -> dict[str, Any]:
    """Write a kept event as templates and people read it."""
    return {
        "id": event.id,
        "type": event.type,
        "time": instants.to_text(event.time_ms),
        "channel": event.channel,
        "properties": event.properties,
    }


def pick(properties: Mapping[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    """Copy the properties that are in `names` (all where it is None), in the event's own order."""
    if names is None:
        return dict(properties)
    return {name: value for name, value in properties.items() if name in names}
