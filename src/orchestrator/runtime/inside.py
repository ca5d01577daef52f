"""Who is inside: how many customers each journey has, over all profiles that one process has.

Owns that count and its bytes, so that nobody has to decode every record to know. A store remembers it for one process
that serves after the other; whoever else changes who is inside has it forgotten, and then it is counted anew.
Must never be read by the product: what it decides depends on events alone.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from orchestrator.errors import StorageError
from orchestrator.model import codec
from orchestrator.model.decision import Decision, Verdict
from orchestrator.storage import Batch, Store

# The position by which a store remembers it.
INSIDE = "inside"
# What a decision does to the count of its journey. Bound once: to look up an enum's member costs as much as a call.
MOVES = {Verdict.ENTERED.value: 1, Verdict.EXITED.value: -1}
_decode = msgspec.json.Decoder(dict[str, int]).decode
_encode = msgspec.json.Encoder().encode


class Inside:
    """The count of one store. `changed` says that the store does not know it yet."""

    def __init__(self, store: Store) -> None:
        stored = store.position(INSIDE)
        records: Iterable[tuple[str, bytes]] = store.records() if stored is None else ()
        self._counts = Counter(each for _, record in records for each in _journeys_of(record))
        self._counts.update({} if stored is None else _decode(stored))
        self.changed = stored is None

    def counts(self) -> dict[str, int]:
        """Give how many are inside each journey that has any."""
        return {journey: count for journey, count in sorted(self._counts.items()) if count}

    def written(self) -> bytes:
        """Write it for a store."""
        return _encode(self.counts())

    def note(self, decisions: Sequence[Decision]) -> None:
        """Count who came in or left by what was decided."""
        for decision in decisions:
            if decision.verdict in MOVES:
                self._counts[decision.journey] += MOVES[decision.verdict]
                self.changed = True

    def leave(self, record: bytes | None) -> None:
        """Take note that a record is gone, as when its customer is erased."""
        self._counts.subtract(() if record is None else _journeys_of(record))
        self.changed = True


def forget(store: Store) -> None:
    """Have it counted anew by whoever serves next: who is inside changes without it."""
    if store.position(INSIDE) is not None:
        store.commit(Batch(positions={INSIDE: None}))


def _journeys_of(record: bytes) -> list[str]:
    try:
        return [entry.journey for entry in codec.decode(record).entries]
    except StorageError:
        return []  # its customer's next turn says so, and holds up nobody else
