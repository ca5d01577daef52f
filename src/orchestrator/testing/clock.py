"""The virtual clock of an example: the customer's local time, and instants named by authors.

Owns how `20m` and `"2026-03-03T12:00"` become instants: a length of time counts from the start, a local time is the
customer's. Must never look at the machine's clock.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from orchestrator.engine import calendars
from orchestrator.language import durations
from orchestrator.model import instants


class VirtualClock:
    """Where an example begins, and what time it is for its customer."""

    def __init__(self, start: str, zone: ZoneInfo) -> None:
        self.zone = zone
        self.start_ms = self._local_to_ms(start)

    def instant(self, moment: str) -> int:
        """Find the instant of a moment: so long after the start, or that local time."""
        length_ms = durations.milliseconds(moment)
        return self._local_to_ms(moment) if length_ms is None else self.start_ms + length_ms

    def local(self, instant_ms: int) -> datetime:
        """Read an instant on the customer's wall clock, without its zone: that is how authors write it."""
        return calendars.local(instant_ms, self.zone).replace(tzinfo=None)

    def _local_to_ms(self, text: str) -> int:
        # A local time that does not exist moves forward by the gap, one that exists twice is the first: fold=0.
        return instants.from_datetime(datetime.fromisoformat(text).replace(tzinfo=self.zone))
