"""The desk: cases as people work on them, within the turns of the customers whom they are about.

    handoff action, case_opened, call task ─► a case file      claim, release, note ─► its lines
    answer, close ─► an event that the customer's journeys hear, in the same commit

Owns who may do what with a case: one agent holds it, for as long as they do something about it, and only they may
answer and close it. A claim that lapsed is nobody's, without any timer. Belongs to whoever takes those turns. Must
never decide whether an answer may leave: the engine does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from orchestrator.errors import EventError, OrchestratorError
from orchestrator.model import ids, instants
from orchestrator.model.casework import MAX_TEXT, PRIORITIES, CaseFile, CaseLine, case_id_of
from orchestrator.model.catalog import CASE_EVENTS, RECEIPTS
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.effects import Action
from orchestrator.model.event import Event

CLAIM_MS = 30 * instants.MINUTE_MS
MESSAGE = "message_received"
# What the contact centre may tell of a case: a file is read whole whenever anybody looks at it.
MOST_TOLD_BYTES = 256 << 10
# How a call task ends when the customer was reached; every other outcome is that they were not.
REACHED = "reached"

_encode = msgspec.msgpack.Encoder().encode

Verb = Literal["claim", "release", "note", "answer", "close"]
# Told the team, `claim` or `close`, and the seconds it took.
Measure = Callable[[str, str, float], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """What an agent asks to be done about a case. `once` tells two askings apart from one that is repeated."""

    case_id: str
    verb: Verb
    agent: str
    once: str
    text: str = ""
    channel: str | None = None
    subject: str | None = None
    outcome: str | None = None


class NotDone(OrchestratorError):  # noqa: N818 - an answer to whoever asked
    """Why an asking changed nothing: a reason's word, and a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.args = (reason, message)
        self.reason = reason


def line_of(ask: Ask) -> str:
    """Name the line, and the event, that an asking leaves when it is done."""
    return ids.derive(ask.case_id, ask.verb, ask.once)


class Files(Protocol):
    """The cases as they were before this batch."""

    def case(self, case_id: str) -> CaseFile | None:
        """Return one case; None when there is none of this id."""
        ...

    def opened(self) -> list[tuple[str, str]]:
        """List the cases that are open, as (profile id, case id), the oldest first."""
        ...


class Desk:
    """The cases of some customers, as this batch of turns changes them. `claim_ms` is how long a claim holds."""

    def __init__(self, files: Files, claim_ms: int = CLAIM_MS) -> None:
        self._files = files
        self.claim_ms = claim_ms
        self._changed: dict[str, CaseFile] = {}
        self._measured: list[tuple[str, str, float]] = []
        self._open: dict[str, list[str]] = {}
        self.undo()

    # A batch

    def undo(self) -> None:
        """Forget what this batch changed."""
        self._changed, self._measured = {}, []
        self._open = {}
        for profile_id, case_id in self._files.opened():
            self._open.setdefault(profile_id, []).append(case_id)

    def changes(self) -> list[CaseFile]:
        """Give the cases that this batch changed, for its commit."""
        return list(self._changed.values())

    def committed(self, measure: Measure) -> None:
        """Take note that the changes are durable, and tell what they measured."""
        for told in self._measured:
            measure(*told)
        self._changed, self._measured = {}, []

    # What happens to customers

    def listens(self, event_type: str) -> bool:
        """Whether an event of this type may concern a case."""
        return event_type in CASE_EVENTS or (bool(self._open) and (event_type == MESSAGE or event_type in RECEIPTS))

    def hand_over(self, action: Action, now_ms: int) -> None:
        """Open the case that a journey hands over."""
        told = action.data
        usable = (told.get("channels") or {}).get("usable") or [None]
        self._put_new(
            CaseFile(
                action.id,
                "case",
                action.profile_id,
                str(action.to),
                now_ms,
                action.customer_id,
                told.get("skill"),
                str(told.get("priority") or "normal"),
                usable[0],
                told.get("reason"),
                None,
                action.journey,
                action.step,
                context=told,
            )
        )

    def put(self, file: CaseFile) -> None:
        """Open a case that somebody else made, such as a call task; one that is known stays as it is."""
        self._put_new(file)

    def adopt(self, file: CaseFile) -> None:
        """Take over a case, open or closed, as others knew it; one that is known stays as it is."""
        if self._find(file.id) is None:
            self._changed[file.id] = file
            if not file.closed_ms:
                self._open.setdefault(file.profile_id, []).append(file.id)

    def hear(self, event: Event, profile_id: str, decisions: Sequence[Decision], now_ms: int) -> None:
        """Take note of what an event says about a customer's cases; its turn came to these decisions.

        Raises EventError for what no case can hold, and then nothing has changed.
        """
        said = event.properties
        if event.type == "case_opened":
            self._open_theirs(event, profile_id, now_ms)
        elif event.type == "case_closed":
            self._close(event, profile_id, now_ms)
        elif event.type == "case_answered":
            self._answered(event, decisions, now_ms)
        elif event.type == MESSAGE:
            channel = _word(said.get("channel")) or event.channel
            line = CaseLine(now_ms, "customer", "customer", _text(said.get("text")), channel, id=event.id)
            for file in self._open_of(profile_id):
                if all(known.id != event.id for known in file.lines):  # journeys that ask for none know no repetition
                    self._note(file, line)
        else:
            self._hear_receipt(event, profile_id)

    def merge(self, before: str, profile_id: str, customer_id: str | None) -> None:
        """Let the cases of one profile be another's, whose customer id is known now, if it is."""
        for file in self._open_of(before):
            file.profile_id = profile_id  # or whatever else this batch says of it would look for it in the old place
            file.customer_id = file.customer_id or customer_id
            self._changed[file.id] = file
        if before in self._open:
            self._open[profile_id] = [*self._open.get(profile_id, []), *self._open.pop(before)]

    def forget(self, profile_id: str) -> None:
        """Forget a profile that was erased."""
        self._open.pop(profile_id, None)
        self._changed = {key: file for key, file in self._changed.items() if file.profile_id != profile_id}

    def _open_theirs(self, event: Event, profile_id: str, now_ms: int) -> None:
        said = event.properties
        _check_told(said)
        priority = said.get("priority")
        self._put_new(
            CaseFile(
                _word(case_id_of(said)) or event.id,
                "theirs",
                profile_id,
                _word(said.get("team")) or "",
                now_ms,
                event.customer_id,
                _word(said.get("skill")),
                priority if priority in PRIORITIES else "normal",
                _word(said.get("channel")) or event.channel,
                _word(said.get("reason")),
                _text(said.get("summary") or said.get("subject")) or None,
                context={"event": {"type": event.type, "properties": said}},
            )
        )

    def _close(self, event: Event, profile_id: str, now_ms: int) -> None:
        said = event.properties
        open_now = [file for file in self._open_of(profile_id) if file.kind != "call"]
        case_id = _word(case_id_of(said)) or (open_now[-1].id if open_now else None)
        file = next((each for each in open_now if each.id == case_id), None)
        if file is not None:
            agent, outcome = _word(said.get("agent")), _word(said.get("outcome"))
            self._end(file, agent, outcome, _text(said.get("comment")), event.id, now_ms)

    def _end(
        self, file: CaseFile, agent: str | None, outcome: str | None, text: str, line_id: str, now_ms: int
    ) -> None:
        if not file.claimed_ms and agent is not None:
            file.claimed_ms = now_ms  # nobody claimed it here: whoever closed it took it then at the latest
            self._measured.append((file.team, "claim", (now_ms - file.opened_ms) / 1000))
        file.closed_ms, file.outcome, file.agent, file.until_ms = now_ms, outcome, agent or file.agent, 0
        self._note(file, CaseLine(now_ms, "closed", agent or "unknown", text, id=line_id))
        self._open[file.profile_id] = [each for each in self._open.get(file.profile_id, []) if each != file.id]
        if not self._open[file.profile_id]:
            del self._open[file.profile_id]
        self._measured.append((file.team, "close", (now_ms - file.opened_ms) / 1000))

    def _answered(self, event: Event, decisions: Sequence[Decision], now_ms: int) -> None:
        said = event.properties
        file = self._find(str(said.get("case_id") or ""))
        decided = next((each for each in decisions if "agent" in each.saw and each.cause == event.id), None)
        if file is None or decided is None:
            return
        channel = _word(said.get("channel")) or event.channel
        line = CaseLine(now_ms, "answer", str(said.get("agent") or ""), _text(said.get("text")), channel, id=event.id)
        line.action_id = decided.action_id
        line.status = "on its way" if decided.verdict == Verdict.SENT else decided.reason
        self._note(file, line)

    def _hear_receipt(self, event: Event, profile_id: str) -> None:
        action_id = event.properties.get("action_id")
        for file in self._open_of(profile_id):
            for line in file.lines:
                if line.action_id is not None and line.action_id == action_id:
                    reason = event.properties.get("reason")
                    line.status = reason if isinstance(reason, str) else event.type.removeprefix("message_")
                    self._changed[file.id] = file

    # What agents ask

    def do(self, ask: Ask, now_ms: int) -> tuple[CaseFile, Event | None]:
        """Do what an agent asks; give the case, and the event that its customer's turn is to take.

        Raises NotDone, and then nothing has changed. What was done already is done, and not again.
        """
        file = self._find(ask.case_id)
        if file is None:
            raise NotDone("unknown", "there is no such case")
        line_id = line_of(ask)
        if any(line.id == line_id for line in file.lines):
            return file, None
        if file.closed_ms:
            raise NotDone("closed", "the case is closed")
        if ask.verb != "note":
            self._check_holder(file, ask, now_ms)
        if ask.verb in ("claim", "release"):
            self._take_or_leave(file, ask, line_id, now_ms)
            return file, None
        _check_complete(file, ask)
        if file.holder(now_ms) in (None, ask.agent) and ask.verb != "note":
            self._hold(file, ask.agent, now_ms)
        if ask.verb == "note":
            self._note(file, CaseLine(now_ms, "note", ask.agent, _text(ask.text), id=line_id))
            return file, None
        return file, self._event(file, ask, line_id, now_ms)

    def _check_holder(self, file: CaseFile, ask: Ask, now_ms: int) -> None:
        holder = file.holder(now_ms)
        if holder not in (None, ask.agent):
            raise NotDone("taken", f"{holder} works on it")
        if holder is None and ask.verb != "claim" and file.agent != ask.agent:
            raise NotDone("unclaimed", "claim the case first")

    def _take_or_leave(self, file: CaseFile, ask: Ask, line_id: str, now_ms: int) -> None:
        if ask.verb == "claim":
            self._hold(file, ask.agent, now_ms)
            self._note(file, CaseLine(now_ms, "claimed", ask.agent, id=line_id))
        else:
            file.agent, file.until_ms = None, 0
            self._note(file, CaseLine(now_ms, "released", ask.agent, id=line_id))

    def _hold(self, file: CaseFile, agent: str, now_ms: int) -> None:
        if not file.claimed_ms:
            file.claimed_ms = now_ms
            self._measured.append((file.team, "claim", (now_ms - file.opened_ms) / 1000))
        file.agent, file.until_ms = agent, now_ms + self.claim_ms
        self._changed[file.id] = file

    def _event(self, file: CaseFile, ask: Ask, event_id: str, now_ms: int) -> Event | None:
        """Make the event that the customer's journeys hear of an answer or a closing."""
        channel = ask.channel or file.channel
        said: dict[str, Any] = {"case_id": file.id, "agent": ask.agent}
        if ask.verb == "answer":
            said |= {"channel": channel, "text": _text(ask.text)}
            if ask.subject:
                said["subject"] = ask.subject[:200]
            return Event(event_id, "case_answered", now_ms, channel=channel, decoded=said)
        if file.kind == "call":
            return self._called(file, ask, event_id, now_ms)
        said |= {"outcome": ask.outcome, "team": file.team}
        if ask.text.strip():
            said["comment"] = _text(ask.text)
        return Event(event_id, "case_closed", now_ms, channel=channel, decoded=said)

    def _called(self, file: CaseFile, ask: Ask, event_id: str, now_ms: int) -> Event:
        """End a call task: what came of it is the message's receipt."""
        self._end(file, ask.agent, ask.outcome, _text(ask.text), event_id, now_ms)
        what = "message_delivered" if ask.outcome == REACHED else "message_failed"
        said = {"action_id": file.context.get("action_id"), "channel": file.channel, "outcome": ask.outcome}
        said |= {"agent": ask.agent, **({} if ask.outcome == REACHED else {"reason": ask.outcome})}
        return Event(event_id, what, now_ms, channel=file.channel, decoded=said)

    # Files

    def _find(self, case_id: str) -> CaseFile | None:
        return self._changed.get(case_id) or self._files.case(case_id)

    def _open_of(self, profile_id: str) -> list[CaseFile]:
        return [file for case_id in self._open.get(profile_id, ()) if (file := self._find(case_id)) is not None]

    def _put_new(self, file: CaseFile) -> None:
        if self._find(file.id) is None:
            self._changed[file.id] = file
            self._open.setdefault(file.profile_id, []).append(file.id)

    def _note(self, file: CaseFile, line: CaseLine) -> None:
        file.note(line)
        self._changed[file.id] = file


def _check_complete(file: CaseFile, ask: Ask) -> None:
    """Refuse what lacks a part, before anything changes."""
    if ask.verb in ("note", "answer") and not ask.text.strip():
        raise NotDone("empty", "there is no text")
    if ask.verb == "answer" and (ask.channel or file.channel) is None:
        raise NotDone("no_channel", "nothing is known of how to reach the customer; name a channel")
    if ask.verb == "close" and not ask.outcome:
        raise NotDone("no_outcome", "say how it ended")


def _check_told(said: dict[str, Any]) -> None:
    """Refuse what a file cannot be written with: everybody else's events are in the same commit."""
    try:
        size = len(_encode(said))
    except OverflowError as error:
        raise EventError("bad_properties", "a number of the event is too large to be stored") from error
    if size > MOST_TOLD_BYTES:
        raise EventError("too_large", f"a case takes up to {MOST_TOLD_BYTES} bytes of properties; these take {size}")


def _word(value: object) -> str | None:
    return value[:200] if isinstance(value, str) and value else None


def _text(value: object) -> str:
    return value[:MAX_TEXT] if isinstance(value, str) else ""
