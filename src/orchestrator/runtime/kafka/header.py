"""The header of a partition: what its changelog says of the partition itself, in the transaction of each commit.

Owns its shape and its key. Must never hold anything of a customer.
"""

import msgspec

# The key of a partition's header in its changelog; no profile's id looks like it.
HEADER_KEY = "@partition"


class Header(msgspec.Struct, omit_defaults=True):
    """Where a partition stood at a commit.

    `offsets` are the input offsets of the transaction that wrote it: the same as the group's, unless somebody moved
    those. `revision` is that of the definitions in force. Behind resolve, `heard` are the sources' clocks, `logged_ms`
    is the latest record that any of them told of, and of the records between the offset and `read`, those up to the
    mark (time, then offset) are processed, but for the `late` ones; `held` are those among them that wait for a life.
    `entries` counts the customers inside each journey, so that nobody has to decode every state to know.
    `settled` is what of pauses, moves and audiences is settled with all customers here. `admitted` counts the customers
    that journeys with a limit took lately, by journey and instant. `count` is how many partitions the customers lie in,
    and `is_behind_resolve` whether their events came that way (0 and None: not known); `log` is the name of this very
    changelog, drawn when it began: another one may be called the same. `format` is the newest that states were written
    in here: whoever does not read that must not begin.
    """

    clock_ms: int = 0
    revision: int = 0
    offsets: dict[str, int] = {}
    heard: dict[str, int] = {}
    read: int = 0
    mark_ms: int = 0
    mark_offset: int = 0
    late: list[int] = []
    entries: dict[str, int] = {}
    settled: list[str] = []
    logged_ms: int = 0
    admitted: dict[str, list[list[int]]] = {}
    held: list[int] = []
    count: int = 0
    is_behind_resolve: bool | None = None
    log: str = ""
    format: int = 0


encode_header = msgspec.json.Encoder().encode
decode_header = msgspec.json.Decoder(Header).decode
