"""The resolved topic, which joins resolve and turn: events keyed by their profile, and clocks between them.

Owns the shape of both kinds of record. Must never hold anything that the turn would need a later release to read.
"""

import msgspec

from orchestrator.errors import EventError

# The key of a record that tells a clock; no profile's id looks like it.
CLOCK_KEY = b"@clock"

# Where a forwarded event came from, for dead letters: `topic/partition/offset`.
ORIGIN_HEADER = "orchestrator-origin"


class Tick(msgspec.Struct):
    """One source's clock: everything it was sent before this instant is in the resolved topic before this record.

    `live` tells that it is the wall clock, at the end of what the source was sent, and not the time of a record.
    """

    source: str
    at_ms: int
    live: bool = False


encode_tick = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Tick).decode


def decode_tick(raw: bytes | None) -> Tick:
    """Read a clock record; EventError for one that is none."""
    try:
        return _decode(raw or b"")
    except msgspec.DecodeError as error:
        raise EventError("not_json", f"a clock in the resolved topic cannot be read: {error}") from error
