"""The actions that wait, of the partitions that this process delivers: by lane, the longest due first.

Owns these rows and their bytes in delivery's changelog. An action that is done stays as a mark without content until
nobody can hand it over a second time. Must never be changed before the changelog holds the change.
"""

from bisect import bisect_left, insort
from collections.abc import Collection

import msgspec

from orchestrator.storage import Pending, Settled

NOTHING = msgspec.Raw(b"null")
# What the keys of a lane's notes begin with, among the rows.
NOTE = "@note/"
# A row must not outgrow what its changelog takes, whatever an exception says.
WHY_LENGTH = 1_000


class Row(msgspec.Struct, omit_defaults=True):
    """One action in delivery's changelog; once it is done, without content.

    `offset` is its place in its topic, `revived` that of what last asked for it to be tried again.
    """

    id: str
    partition: int
    offset: int
    profile_id: str = ""
    lane: str = ""
    due_ms: int = 0
    attempts: int = 0
    cancelled: bool = False
    reason: str | None = None
    why: str | None = None
    # msgspec reads no `Raw | None`.
    action: msgspec.Raw = NOTHING
    revived: int = 0

    @property
    def waits(self) -> bool:
        """Tell whether it is still to be sent."""
        return not self.is_done and self.reason is None

    @property
    def is_done(self) -> bool:
        """Tell whether only the mark is left."""
        return bytes(self.action) == b"null"

    def pending(self) -> Pending:
        """Give it as the lanes know it."""
        action = bytes(self.action)
        return Pending(
            self.id,
            self.lane,
            self.due_ms,
            self.profile_id,
            action,
            self.attempts,
            self.cancelled,
            self.reason,
            self.why,
        )

    def settled(self, settled: Settled) -> "Row":
        """Give what becomes of it with an outcome: done, given up with a reason, or due again."""
        change = msgspec.structs.replace
        why = None if settled.why is None else settled.why[:WHY_LENGTH]
        if self.is_done:
            return self  # its customer was forgotten meanwhile
        if settled.reason is not None:
            return change(self, reason=settled.reason, why=why, attempts=settled.attempts)
        if settled.due_ms is not None:
            due_ms = 0 if self.cancelled else settled.due_ms
            action = self.action if settled.action is None else msgspec.Raw(settled.action)
            return change(self, due_ms=due_ms, why=why, attempts=settled.attempts, action=action)
        return Row(self.id, self.partition, self.offset)

    def again(self, offset: int, now_ms: int) -> "Row | None":
        """Give what becomes of it when it is asked for again there; None where that changes nothing.

        What was asked for once may be read again, and is not asked for twice by that.
        """
        if self.is_done or self.reason is None or offset <= self.revived:
            return None
        return msgspec.structs.replace(self, reason=None, why=None, attempts=0, due_ms=now_ms, revived=offset)


encode_row = msgspec.json.Encoder().encode
decode_row = msgspec.json.Decoder(Row).decode


class Pendings:
    """The rows of several partitions, found by action and by lane."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._lanes: dict[str, list[tuple[int, str]]] = {}
        # What is not done, by profile.
        self._profiles: dict[str, tuple[str, ...]] = {}
        # What is done, by partition, in the order of the topic.
        self._marks: dict[int, list[tuple[int, str]]] = {}

    def get(self, action_id: str) -> Row | None:
        """Find an action, done or not."""
        return self._rows.get(action_id)

    def put(self, row: Row) -> None:
        """Take over a row as the changelog has it."""
        self._unlist(self._rows.get(row.id))
        self._rows[row.id] = row
        if row.waits:
            insort(self._lanes.setdefault(row.lane, []), (row.due_ms, row.id))
        elif row.is_done:
            insort(self._marks.setdefault(row.partition, []), (row.offset, row.id))
        if not row.is_done:
            self._profiles[row.profile_id] = (*self._profiles.get(row.profile_id, ()), row.id)

    def of_profile(self, profile_id: str) -> tuple[str, ...]:
        """Name what is not done of a profile."""
        return self._profiles.get(profile_id, ())

    def drop(self, action_id: str) -> None:
        """Forget a row."""
        self._unlist(self._rows.pop(action_id, None))

    def drop_partition(self, partition: int) -> None:
        """Forget the rows of a partition that somebody else delivers now."""
        for row in [row for row in self._rows.values() if row.partition == partition]:
            self.drop(row.id)

    def due(self, lane: str, until_ms: int, limit: int, but: Collection[str] = ()) -> list[Pending]:
        """Find what is due on a lane, but these, the longest due first."""
        found: list[Pending] = []
        for due_ms, action_id in self._lanes.get(lane, []):
            if due_ms > until_ms or len(found) >= limit:
                break
            if action_id not in but:
                found.append(self._rows[action_id].pending())
        return found

    def next_due(self, lane: str, after_ms: int) -> int | None:
        """Find when the next of a lane is due after an instant."""
        listed = self._lanes.get(lane, [])
        at = bisect_left(listed, (after_ms + 1, ""))
        return listed[at][0] if at < len(listed) else None

    def oldest_mark(self, partition: int, beyond: int) -> str | None:
        """Name the oldest mark of a partition that has more than so many; None when it has not."""
        marks = self._marks.get(partition, [])
        return marks[0][1] if len(marks) > beyond else None

    def _unlist(self, row: Row | None) -> None:
        if row is not None and row.waits:
            listed = self._lanes[row.lane]
            del listed[bisect_left(listed, (row.due_ms, row.id))]
        elif row is not None and row.is_done:
            marks = self._marks[row.partition]
            del marks[bisect_left(marks, (row.offset, row.id))]
        if row is not None and not row.is_done:
            left = tuple(each for each in self._profiles[row.profile_id] if each != row.id)
            if left:
                self._profiles[row.profile_id] = left
            else:
                del self._profiles[row.profile_id]
