"""Casework: a case as the people see it who work on it.

Owns the shape of a case file, of what is noted in it, and who holds it when. The engine knows only that a case is open
(`state.Case`); everything else about it is here. Instants are epoch milliseconds, 0 for what has not happened.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

# How urgent a case is, the most urgent last.
PRIORITIES = ("low", "normal", "high", "urgent")
# A contact centre's own case that names no team is everybody's.
NO_TEAM = ""
# What is kept of a conversation; a case that goes on for longer is one to be closed.
MAX_LINES = 500
MAX_TEXT = 10_000


def case_id_of(said: Mapping[str, Any]) -> str | None:
    """Read which case an event is about; a number is its text, and anything else names none."""
    case_id = said.get("case_id")
    if isinstance(case_id, int) and not isinstance(case_id, bool):
        return str(case_id)
    return case_id if isinstance(case_id, str) and case_id else None


class CaseLine(msgspec.Struct):
    """Something that happened in a case: a claim, a release, a note, an answer, what the customer said, the closing.

    `status` is what became of an answer: why it did not leave, or the last that was heard of it. `id` is what a
    repetition is known by.
    """

    at_ms: int
    what: Literal["claimed", "released", "note", "answer", "customer", "closed"]
    who: str
    text: str = ""
    channel: str | None = None
    action_id: str | None = None
    status: str | None = None
    id: str = ""


class TurnedDown(msgspec.Struct):
    """Why one asking of an agent changed nothing, for whoever still waits to hear of it."""

    asking: str
    reason: str
    message: str


class CaseFile(msgspec.Struct):
    """One case. `kind` is `case` for a handoff of ours, `theirs` for the contact centre's own, `call` for a call task.

    `channel` is how the customer is answered best, `until_ms` when the claim of `agent` lapses, `claimed_ms` when
    anybody first claimed it. `context` is what the journey told. `turned_down` are the newest refusals, where whoever
    asked is told by the file alone.
    """

    id: str
    kind: Literal["case", "theirs", "call"]
    profile_id: str
    team: str
    opened_ms: int
    customer_id: str | None = None
    skill: str | None = None
    priority: str = "normal"
    channel: str | None = None
    reason: str | None = None
    summary: str | None = None
    journey: str = ""
    step: str = ""
    agent: str | None = None
    until_ms: int = 0
    claimed_ms: int = 0
    closed_ms: int = 0
    outcome: str | None = None
    lines: list[CaseLine] = []
    context: dict[str, Any] = {}
    turned_down: list[TurnedDown] = []

    @property
    def rank(self) -> int:
        """How urgent it is, as a number that grows with it."""
        return PRIORITIES.index(self.priority) if self.priority in PRIORITIES else PRIORITIES.index("normal")

    def holder(self, now_ms: int) -> str | None:
        """Who works on it; None once it is closed, released, or the claim has lapsed."""
        return self.agent if not self.closed_ms and self.until_ms > now_ms else None

    def note(self, line: CaseLine) -> None:
        """Add a line, the newest last; of a case without end the oldest go."""
        self.lines = [*self.lines, line][-MAX_LINES:]


class Wanted(msgspec.Struct, frozen=True):
    """Which cases somebody asks for: of `teams` with their skills (None for all teams, or for all skills of one).

    `channels` is empty for all. `closed` asks for those that are, the newest first.
    """

    teams: dict[str, frozenset[str] | None] | None = None
    channels: frozenset[str] = frozenset()
    closed: bool = False

    def covers(self, team: str, skill: str | None, channel: str | None) -> bool:
        """Whether a case of this team, skill and channel is wanted; what names none of them is everybody's."""
        if self.channels and channel is not None and channel not in self.channels:
            return False
        if self.teams is None or team == NO_TEAM:
            return True
        if team not in self.teams:
            return False
        skills = self.teams[team]
        return skills is None or skill is None or skill in skills


class Streamed(msgspec.Struct):
    """A message for a company's own app, till or tablet: `number` is its place, given by the store.

    `message` is JSON as readers get it. Nobody gets it from `until_ms` on. `origin` is its place where it was copied
    from, 0 where it was not.
    """

    id: str
    profile_id: str
    channel: str
    at_ms: int
    until_ms: int
    message: bytes
    number: int = 0
    origin: int = 0
