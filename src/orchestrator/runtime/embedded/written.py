"""What the turns of a batch led to, as lines: written the moment each turn is over.

Owns the lines until they are committed, and the counts that go with them. Actions and decisions are let go of at
once: kept until their batch ends they are more than a processor's cache holds, and every turn pays for it. Must never
write a file: where lines go is `outputs`'s work.
"""

from collections import Counter
from collections.abc import Mapping
from operator import attrgetter

import msgspec

from orchestrator.runtime.dead_letters import DeadLetter
from orchestrator.runtime.turn import Turned
from orchestrator.storage import Batch

_encode_lines = msgspec.json.Encoder().encode_lines
_kind_of = attrgetter("kind")
_verdict_of = attrgetter("verdict")


class Written:
    """The lines of one batch; cleared by each commit, never replaced.

    `targets` names where lines of each kind go (actions, decisions, dead_letters); a kind that is not in it is only
    counted. `keeps_decisions` says that the store is to keep them by customer. `turns` counts those that led to any.
    """

    def __init__(self, targets: Mapping[str, str], *, keeps_decisions: bool) -> None:
        self.turns = 0
        self._targets = targets
        self._keeps_decisions = keeps_decisions
        self._writes_decisions = keeps_decisions or "decisions" in targets
        self._actions: list[bytes] = []
        self._decisions: list[tuple[str, bytes]] = []
        self._letters: list[DeadLetter] = []
        self._kinds: list[str] = []
        self._verdicts: list[str] = []

    def add(self, profile_id: str, turned: Turned) -> None:
        """Write what a turn led to."""
        actions, decisions = turned.actions, turned.decisions
        if actions:
            self._actions.append(_encode_lines(actions))
            self._kinds.extend(map(_kind_of, actions))
        if decisions:
            if self._writes_decisions:
                self._decisions.append((profile_id, _encode_lines(decisions)))
            self._verdicts.extend(map(_verdict_of, decisions))
        elif not actions:
            return
        self.turns += 1

    def bury(self, letter: DeadLetter) -> None:
        """Keep a dead letter."""
        self._letters.append(letter)

    def fill(self, batch: Batch) -> None:
        """Put the lines into a batch: by target, and the decisions by customer where the store keeps them."""
        joined = {"actions": b"".join(self._actions), "dead_letters": _encode_lines(self._letters)}
        if self._keeps_decisions:
            batch.decisions, batch.told_to = list(self._decisions), self._targets.get("decisions")
        else:
            joined["decisions"] = b"".join([lines for _, lines in self._decisions])
        for kind, lines in joined.items():
            if lines and kind in self._targets:
                # Two kinds may share a pipe, though never a file.
                target = self._targets[kind]
                batch.lines[target] = batch.lines.get(target, b"") + lines

    def clear(self, actions: Counter[str], decisions: Counter[str]) -> None:
        """Forget what is committed, and count it."""
        actions.update(self._kinds)
        decisions.update(self._verdicts)
        for held in (self._actions, self._decisions, self._letters, self._kinds, self._verdicts):
            held.clear()
        self.turns = 0
