"""Limits: how many customers each journey with a `limit` has taken lately, over all profiles that one process has.

Owns that count, a sliding window (t - per, t] as with caps, and its bytes. Exact on one machine, where one store holds
all profiles; on Kafka each partition counts its own and may take its share, which is a best effort over all of them.
Must never open an entry, nor refuse one: the engine asks it.
"""

from collections.abc import Sequence

import msgspec

from orchestrator.model import instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.journey import Journey

# The position by which a store remembers it.
LIMITS = "limits"
_ENTERED = Verdict.ENTERED.value
# By journey: [instant in ms, how many entered at it], the oldest first. A broadcast enters many at one instant.
Taken = dict[str, list[list[int]]]
_decode = msgspec.json.Decoder(Taken).decode
_encode = msgspec.json.Encoder().encode


class Ledger:
    """What was taken. Of `parts` that share each limit this is number `part`.

    With `most`, no more instants than so many are told apart: where there are more, they are rounded up, so that a
    limit holds, and is free again a little late.
    """

    def __init__(self, taken: Taken | None = None, part: int = 0, parts: int = 1, most: int | None = None) -> None:
        self.taken = taken or {}
        self._part, self._parts = part, parts
        self._most = most
        self.changed = False

    @classmethod
    def of(cls, stored: bytes | None) -> "Ledger":
        """Read what a store remembers."""
        return cls(_decode(stored) if stored else None)

    def written(self) -> bytes:
        """Write it for a store."""
        return _encode(self.taken)

    def copy(self) -> Taken:
        """Give what was taken as it is now."""
        return {journey: [list(pair) for pair in pairs] for journey, pairs in self.taken.items()}

    def has_room(self, journey: Journey, now_ms: int, besides: int) -> bool:
        """Tell whether a journey may take one more now, when `besides` were taken by the turn that asks."""
        limit = journey.limit
        if limit is None:
            return True
        mine = limit.entries // self._parts + (self._part < limit.entries % self._parts)
        since_ms = now_ms - limit.per_ms
        return besides + sum(count for at_ms, count in self.taken.get(journey.id, ()) if at_ms > since_ms) < mine

    def note(self, catalog: Catalog, decisions: Sequence[Decision]) -> None:
        """Count those who entered by what was decided."""
        for decision in decisions:
            if decision.verdict == _ENTERED and decision.journey in catalog.limited:
                self._add(catalog.limited[decision.journey], instants.parse(decision.at) or 0)

    def _add(self, journey: Journey, now_ms: int) -> None:
        limit = journey.limit
        assert limit is not None  # noqa: S101 - as its catalog says
        since_ms = now_ms - limit.per_ms
        kept = [pair for pair in self.taken.get(journey.id, ()) if pair[0] > since_ms]
        if kept and kept[-1][0] == now_ms:
            kept[-1][1] += 1
        else:
            kept.append([now_ms, 1])
        if self._most is not None and len(kept) > self._most:
            kept = _rounded(kept, max(1, 2 * limit.per_ms // self._most))
        self.taken[journey.id] = kept
        self.changed = True


def _rounded(pairs: list[list[int]], step_ms: int) -> list[list[int]]:
    """Count what was taken in one step of time as taken at its end."""
    rounded = list[list[int]]()
    for at_ms, count in pairs:
        end_ms = -(-at_ms // step_ms) * step_ms
        if rounded and rounded[-1][0] == end_ms:
            rounded[-1][1] += count
        else:
            rounded.append([end_ms, count])
    return rounded
