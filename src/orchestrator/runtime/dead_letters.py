"""Dead letters: what is written about a record, or one entry's part of a turn, that came to nothing.

Owns the shape of a dead letter, the same wherever records come from. Must never be the reason that a
stream stops: anything can be quoted, whatever its bytes are.
"""

import base64
from typing import Any

import msgspec

# What is quoted of a record; the whole one is at its source and offset.
QUOTED_BYTES = 16 << 10


class DeadLetter(msgspec.Struct, omit_defaults=True):
    """One dead letter. `reason` is a stable snake_case word, `at` RFC 3339 text.

    `source`, `offset` and, in files, `line` say where the record stood. `record` quotes its beginning,
    as base64 where it is no text.
    """

    reason: str
    message: str
    source: str
    offset: int
    at: str
    line: int | None = None
    key: str | None = None
    record: str | None = None
    record_base64: str | None = None
    profile_id: str | None = None
    entry_id: str | None = None
    journey: str | None = None
    traceback: str | None = None


def quote(raw: bytes) -> dict[str, Any]:
    """Quote the beginning of a record in the field that can hold it."""
    beginning = raw[:QUOTED_BYTES]
    try:
        return {"record": beginning.decode()}
    except UnicodeDecodeError:
        return {"record_base64": base64.b64encode(beginning).decode()}
