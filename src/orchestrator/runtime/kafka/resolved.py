"""The resolved topic, which joins resolve and turn: events keyed by their profile, and clocks between them.

Where the project links identifiers, records of five more kinds travel here, named by a header, which is the last one:

    move     to the profile that is another's now, keyed by it: hand your life over
    life     from there to the other, keyed by that: here it is
    wait     to the other, keyed by it, before the event that linked: go on when all lives are here, and merge them
    case     before a life, to the same: a case of its, which comes with it
    receipt  what became of a message to a profile that was merged meanwhile, keyed by the one it is now

Whether it does or not, a partition tells all others of the noes of somebody it erased (`objection`, keyed by the place
where each keeps them). To the linker goes what it has to know of a profile: a receipt for one that may be merged, and
that one is forgotten (`forget`).

Owns the shape of all of them. Must never hold anything that the turn would need a later release to read.
"""

import msgspec

from orchestrator.errors import EventError
from orchestrator.runtime.dead_letters import DeadLetter
from orchestrator.runtime.kafka.clock import SourcedClock
from orchestrator.runtime.kafka.records import KafkaRecord, dead_letter

# The key of a record that tells a clock; no profile's id looks like it.
CLOCK_KEY = b"@clock"
# A source tells its clock this often.
TICK_MS = 500
# Each source tells its clock to every partition, so what brokers have to write for that grows with the square: a record
# and a mark each. So many are told in that time at most, and where there are more, each less often: timers are as much
# later. *Measured*, a broker beside its worker: 64 by 64, twice a second, fell 45 s behind, and further and further.
MOST_TOLD = 32 * 32
# A source whose clock is further behind the wall clock catches up, and tells it with every transaction: records wait
# for clocks then, and whoever reads on after a crash finds with the last record how far that one reached.
LAGGING_MS = 3_000

# Where a forwarded event came from, for dead letters: `topic/partition/offset`.
ORIGIN_HEADER = "orchestrator-origin"


class Tick(msgspec.Struct):
    """One source's clock: everything it was sent before this instant is in the resolved topic before this record.

    `live` tells that it is the wall clock, at the end of what the source was sent, and not the time of a record.
    """

    source: str
    at_ms: int
    live: bool = False


def tick_ms(sources: int, partitions: int) -> int:
    """Tell how often each of so many sources tells its clock to so many partitions."""
    return max(TICK_MS, TICK_MS * sources * partitions // MOST_TOLD)


encode_tick = msgspec.json.Encoder().encode
# A clock of nobody's, which is told only to bear the instant at which it was written. A segment of a log is deleted by
# its newest record, and records between partitions bear the times of their events, which may lie far back.
STAMP = encode_tick(Tick("", 0))
_decode = msgspec.json.Decoder(Tick).decode


def decode_tick(raw: bytes | None) -> Tick:
    """Read a clock record; EventError for one that is none."""
    try:
        return _decode(raw or b"")
    except msgspec.DecodeError as error:
        raise EventError("not_json", f"a clock in the resolved topic cannot be read: {error}") from error


def hear_tick(clock: SourcedClock, record: KafkaRecord, wall_ms: int) -> DeadLetter | None:
    """Let a clock hear what a source tells of its own; give the dead letter of a record that tells nothing."""
    try:
        tick = decode_tick(record.value)
    except EventError as error:
        return dead_letter(record, error.reason, error.message, wall_ms)
    clock.hear(tick.source, min(tick.at_ms, wall_ms), tick.live)
    return None


# What a record is that is neither an event nor a clock.
KIND_HEADER = "orchestrator-kind"
MOVE, LIFE, CASE, WAIT, RECEIPT = b"move", b"life", b"case", b"wait", b"receipt"
OBJECTION, FORGET = b"objection", b"forget"

# Whose identifiers an event names, as they are kept, where they were read and linked.
WHO_HEADER = "orchestrator-who"
# When an event came, in front of that, where it was late and is passed on with the time of an earlier link.
CAME_HEADER = "orchestrator-came"


class Move(msgspec.Struct, array_like=True):
    """Hand over the life of this record's key to `root`, because of `link`."""

    link: str
    root: str


class Life(msgspec.Struct, array_like=True):
    """The life that was known as `loser`, empty where there was none."""

    link: str
    loser: str
    record: bytes


class Brought(msgspec.Struct, array_like=True):
    """A case of whoever was known as `loser`, as it was kept there."""

    link: str
    loser: str
    file: bytes


class Wait(msgspec.Struct, array_like=True):
    """Go on once the lives of all `losers` are here; `refused` are links that were not made (kind, name, reason)."""

    link: str
    losers: list[str]
    event_id: str
    customer_id: str | None
    refused: list[tuple[str, str, str]]


class Who(msgspec.Struct, array_like=True):
    """The customer id and the other identifiers of an event, as they are kept."""

    customer_id: str | None
    identifiers: dict[str, str]


encode = msgspec.msgpack.Encoder().encode
decode_move = msgspec.msgpack.Decoder(Move).decode
decode_life = msgspec.msgpack.Decoder(Life).decode
decode_brought = msgspec.msgpack.Decoder(Brought).decode
decode_wait = msgspec.msgpack.Decoder(Wait).decode
decode_who = msgspec.msgpack.Decoder(Who).decode


def is_plain(record: KafkaRecord) -> bool:
    """Tell whether a record is an event that resolve passed on without more, as nearly all are."""
    headers = record.headers
    return len(headers) == 1 and headers[0][0] == ORIGIN_HEADER


def kind_of(record: KafkaRecord) -> bytes | None:
    """Tell what a record is; None for an event."""
    headers = record.headers
    return headers[-1][1] if headers and headers[-1][0] == KIND_HEADER else None


def origin_of(record: KafkaRecord) -> tuple[str, int] | None:
    """Tell where an event stood that was passed on, as source and offset; None for what is none."""
    # Resolve puts its own behind those of producers, who may call theirs as they like.
    found = next((value for name, value in reversed(record.headers) if name == ORIGIN_HEADER), None)
    if found is None:
        return None
    source, _, offset = found.decode().rpartition("/")
    return source, int(offset)


def came_of(record: KafkaRecord) -> int:
    """Tell when a record came, before the linker passed it on."""
    headers = record.headers
    # Only in front of the linker's own header it is the linker's; producers may call theirs as they like.
    is_late = len(headers) > 1 and headers[-1][0] == WHO_HEADER and headers[-2][0] == CAME_HEADER
    return int(headers[-2][1]) if is_late else record.timestamp


def is_linkers(record: KafkaRecord) -> bool:
    """Tell whether a record was passed on by the linker, whose times are in the order of its links."""
    headers = record.headers
    return bool(headers) and headers[-1][0] in (WHO_HEADER, KIND_HEADER)


def who_of(record: KafkaRecord) -> Who | None:
    """Give whom an event names, where that was read before it came here."""
    headers = record.headers
    return decode_who(headers[-1][1]) if headers and headers[-1][0] == WHO_HEADER else None
