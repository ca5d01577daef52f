"""The event: what a customer did, as received, in one shape whatever envelope it came in.

Owns the value and the part of it that an entry keeps. Reading envelopes is `envelopes`' work.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from orchestrator.errors import EventError

# An event's properties nest at most this deep; the codec's own recursion limit lies far above.
_decode_properties = msgspec.json.Decoder(dict[str, Any]).decode


class Event(msgspec.Struct):
    """One event of one customer.

    `properties` is decoded when first asked for: most events of a stream are asked for nothing, and
    the hot path must not pay for those.
    """

    id: str
    type: str
    time_ms: int
    customer_id: str | None = None
    identifiers: dict[str, str] = {}
    channel: str | None = None
    raw_properties: msgspec.Raw | None = None
    decoded: dict[str, Any] | None = None

    @property
    def properties(self) -> dict[str, Any]:
        """The event's properties; raises EventError (`not_json`) when they are no JSON object."""
        if self.decoded is None:
            if self.raw_properties is None:
                self.decoded = {}
            else:
                try:
                    self.decoded = _decode_properties(self.raw_properties)
                except (msgspec.DecodeError, RecursionError) as error:
                    raise EventError("bad_properties", f"properties: {error}") from error
        return self.decoded


class KeptEvent(msgspec.Struct, array_like=True):
    """What an entry keeps of an event: the envelope, and the properties that its journey reads."""

    id: str
    type: str
    time_ms: int
    channel: str | None = None
    properties: dict[str, Any] = {}


def keep(event: Event, names: frozenset[str] | None) -> KeptEvent:
    """Cut an event down to what is kept of it: the properties in `names`, or all where `names` is None."""
    return KeptEvent(event.id, event.type, event.time_ms, event.channel, pick(event.properties, names))


def pick(properties: Mapping[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    """Copy the properties that are in `names` (all where it is None), in the event's own order."""
    if names is None:
        return dict(properties)
    return {name: value for name, value in properties.items() if name in names}
