"""Drift: how far the partitions of one member are apart in time while they catch up.

What one passes on waits behind us for the clocks of all, and no more than so much may wait (`alignment`): beyond that,
records go on before the timers that lie before them. So who is far ahead reads on when the slowest has come closer.
Owns who waits for whom, and that nobody waits for long: where one partition is filled with what is old, the others are
slowed down, and no more. Must never wait for one that stands still, such as a partition without a leader.
"""

from collections.abc import Collection, Sequence

from orchestrator.runtime.kafka.unit import Unit

# Who has stood still for so long is not waited for.
STANDING_S = 1.0
# So long one waits at most; then it may be twice as far ahead as it is.
LONGEST_S = 3.0


class Drift:
    """The partitions of one member. `most` is how many records may be passed on ahead of the slowest one's clock."""

    def __init__(self, most: int) -> None:
        self._most = most
        # By partition: its clock, and when that was seen to have moved.
        self._moved: dict[int, tuple[int, float]] = {}
        # By partition: how far ahead it may be by now, and since when it waits.
        self._may: dict[int, int] = {}
        self._since: dict[int, float] = {}

    def too_far_ahead(self, units: Sequence[Unit], now_s: float) -> Collection[int]:
        """Name those of some partitions, none of which is at its end, that wait for the slowest of them."""
        self._moved = {unit.number: self._moved_of(unit, now_s) for unit in units}
        clocks = [at_ms for at_ms, moved_s in self._moved.values() if now_s - moved_s < STANDING_S]
        leads = {unit.number: unit.lead_over(min(clocks)) for unit in units} if clocks else {}
        self._may = {number: may for number, may in self._may.items() if leads.get(number, 0) > self._most}
        ahead = {number for number, lead in leads.items() if lead > self._may.get(number, self._most)}
        self._since = {number: self._since.get(number, now_s) for number in ahead}
        for number, since_s in self._since.items():
            if now_s - since_s >= LONGEST_S:
                self._may[number] = 2 * leads[number]
                ahead.discard(number)
        return ahead

    def _moved_of(self, unit: Unit, now_s: float) -> tuple[int, float]:
        known = self._moved.get(unit.number)
        return known if known is not None and known[0] == unit.clock.now_ms else (unit.clock.now_ms, now_s)
