"""State at rest: bytes, with its next wake-up in front and a format that can be upgraded.

Owns the layout of a record:

    bytes 0..7   due_ms, big-endian: the earliest instant at which anything wakes; 0 for nothing
    byte  8      the state format
    bytes 9..    the state as MessagePack

A runtime reads `due_of(record)` without decoding the rest: that is how timers are rebuilt and how a
stale wake-up is recognised. Never writes a format newer than it was asked to: while some processes of a fleet still
run the release before, the others go on writing what that one reads (`write_format`).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from orchestrator.errors import StorageError
from orchestrator.model.state import Glimpse, State, StoredWithPast

FORMAT = 1
# The due instant and the format.
HEADER_BYTES = 9

# From the untyped content of format n to that of format n + 1; applied in order when an older record is read.
Upgrade = Callable[[list[Any]], list[Any]]
UPGRADES: dict[int, Upgrade] = {}
# The way back, from the untyped content of format n + 1 to that of format n: what a release can still write.
DOWNGRADES: dict[int, Upgrade] = {}

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StoredWithPast).decode
_glimpse = msgspec.msgpack.Decoder(Glimpse).decode
_asked_for: int | None = None


def oldest_written() -> int:
    """Return the oldest format that this release can still write."""
    oldest = FORMAT
    while oldest - 1 in DOWNGRADES:
        oldest -= 1
    return oldest


def write_format(number: int | None) -> None:
    """Have this process write an older format from now on, the newest with None; for the start of a process.

    Raises StorageError for a format that this release cannot write.
    """
    global _asked_for
    if number is not None and not oldest_written() <= number <= FORMAT:
        raise StorageError(
            f"state format {number} cannot be written; this release writes {oldest_written()} to {FORMAT}"
        )
    _asked_for = None if number == FORMAT else number


def written_format() -> int:
    """Return the format that this process writes."""
    return FORMAT if _asked_for is None else _asked_for


def check_format(number: int, where: str) -> None:
    """Refuse what a newer release has written; raises StorageError with what to do."""
    if number > FORMAT:
        raise StorageError(
            f"{where} holds state of format {number}, and this release reads up to {FORMAT}: start a release that "
            "reads it; ORCHESTRATOR_STATE_FORMAT is raised once all processes are upgraded"
        )


def encode(state: State) -> bytes:
    """Encode a state as a record of the newest format, or of the older one that was asked for."""
    if _asked_for is not None:
        return _encode_older(state, _asked_for)
    due_ms, content = state.at_rest()
    return (due_ms << 8 | FORMAT).to_bytes(HEADER_BYTES, "big") + content


def decode(record: bytes) -> State:
    """Decode a record of this format or an older one.

    Raises StorageError for a record that a newer release wrote, or that is no record at all.
    """
    if len(record) > HEADER_BYTES and record[8] == FORMAT:
        try:
            return State.of(_decode(record[HEADER_BYTES:]))
        except msgspec.DecodeError as error:
            raise StorageError(f"a state record cannot be read: {error}; restore it from a backup") from error
    return _decode_older(record)


def glimpse(record: bytes) -> Any:
    """Read of a record what tells that an event comes to nothing: a `Glimpse`; None where it takes a whole `decode`."""
    if len(record) <= HEADER_BYTES or record[8] != FORMAT:
        return None
    try:
        return _glimpse(record[HEADER_BYTES:])
    except msgspec.DecodeError:
        return None


def due_of(record: bytes) -> int:
    """Read a record's next wake-up in epoch milliseconds, 0 for none, without decoding the rest."""
    return int.from_bytes(record[:8], "big")


def _encode_older(state: State, number: int) -> bytes:
    due_ms, encoded = state.at_rest()
    content = msgspec.msgpack.decode(encoded)
    for newer in range(FORMAT - 1, number - 1, -1):
        content = DOWNGRADES[newer](content)
    return (due_ms << 8 | number).to_bytes(HEADER_BYTES, "big") + _encode(content)


def _decode_older(record: bytes) -> State:
    if len(record) <= HEADER_BYTES:
        raise StorageError(f"a state record of {len(record)} bytes is too short; restore it from a backup")
    number = record[8]
    if number > FORMAT:
        raise StorageError(
            f"state format {number} was written by a newer release, this one reads up to {FORMAT}; upgrade this process"
        )
    if any(older not in UPGRADES for older in range(number, FORMAT)):
        raise StorageError(f"state format {number} is unknown; this release reads up to {FORMAT}")
    try:
        content = msgspec.msgpack.decode(memoryview(record)[HEADER_BYTES:])
        for older in range(number, FORMAT):
            content = UPGRADES[older](content)
        return State.of(_decode(_encode(content)))
    except msgspec.MsgspecError as error:
        raise StorageError(f"a state record cannot be read: {error}; restore it from a backup") from error
