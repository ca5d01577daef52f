"""What one transaction of a partition will carry: lines for the output topics, changed records, input offsets.

Owns the buffers between a turn and the commit. A record that changes several times in between is written once.
Must never hold more than one transaction's worth: a partition whose buffer is full takes no more facts.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

# An open transaction holds up every reader of the output topics.
MOST_BYTES = 8 << 20

Line = tuple[bytes | None, bytes | None]
# What resolve passes on: key, value, timestamp and headers as they came.
Forward = tuple[bytes, bytes, int, list[tuple[str, bytes]]]

_encode = msgspec.json.Encoder().encode


class Outgoing:
    """The buffers of one transaction."""

    __slots__ = (
        "actions",
        "bytes",
        "changes",
        "dead_letters",
        "decisions",
        "elsewhere",
        "facts",
        "forwards",
        "links",
        "most_facts",
        "offsets",
    )

    def __init__(self, most_facts: int) -> None:
        self.most_facts = most_facts
        self.actions: list[Line] = []
        # What takes back messages of profiles that were merged: to the partitions where those messages are.
        self.elsewhere: defaultdict[int, list[Line]] = defaultdict(list)
        self.decisions: list[Line] = []
        self.dead_letters: list[Line] = []
        self.links: list[Forward] = []
        self.forwards: defaultdict[int, list[Forward]] = defaultdict(list)
        self.changes: dict[str, bytes | None] = {}
        self.offsets: dict[str, int] = {}
        self.facts = 0
        self.bytes = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether a transaction with this would change nothing; what was done without a trace moves offsets."""
        return not (self.facts or self.offsets or self.is_urgent)

    @property
    def is_urgent(self) -> bool:
        """Tell whether somebody waits for this: it is more than a new position in the inputs."""
        lines = self.actions or self.decisions or self.dead_letters or self.elsewhere
        return bool(self.changes or lines or self.forwards or self.links)

    @property
    def is_full(self) -> bool:
        """Tell whether the next facts have to wait for the next transaction."""
        return self.facts >= self.most_facts or self.bytes >= MOST_BYTES

    @property
    def room(self) -> int:
        """Tell how many bytes it takes until it is full."""
        return MOST_BYTES - self.bytes

    def write(self, lines: list[Line], key: bytes, value: Any) -> None:
        """Add a line to one of the outputs."""
        line = _encode(value)
        lines.append((key, line))
        self.bytes += len(line)

    def write_all(self, lines: list[Line], key: bytes, values: Iterable[Any]) -> None:
        """Add a line for each value to one of the outputs."""
        written = [(key, _encode(value)) for value in values]
        lines += written
        self.bytes += sum([len(line) for _, line in written])
