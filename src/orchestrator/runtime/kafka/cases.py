"""Cases on Kafka: they are where their customers are, in the partition that decides everything else about them.

    handoff decided, case_opened, call task ─► the file, in the partition's state and changelog
    case_asked, in the receipts topic        ─► claim, release, note; or an answer or a closing, and its turn

What agents ask of any gateway comes through one log, and is done or refused in its order, in the transaction of the
turn that it leads to: of many who claim at once exactly one has the case, whichever gateways they ask. What became of
it stands in the file, where every gateway finds it when it copies the changelog.

Owns the places of the files, their size, and how long closed ones are kept. What may be done is the desk's. Must never
talk to Kafka.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from orchestrator.errors import EventError
from orchestrator.model import codec, instants
from orchestrator.model.casework import CaseFile, TurnedDown
from orchestrator.model.decision import Decision
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.runtime.desk import CLAIM_MS, Ask, Desk, NotDone, line_of
from orchestrator.runtime.kafka.state import PartitionState, beside, content_of
from orchestrator.runtime.metrics import OTHER_TEAMS

# In front of a file's name, as its key among the profiles; no profile's id looks like it, and none has a space.
PLACE = "@case "
# What an agent asks of a case, and a call that somebody is to make: for partitions, from gateways and deliverers.
ASKED, TASK = "case_asked", "call_tasked"
# A record of a log has two million bytes at most; the oldest lines go first.
MOST_BYTES = 512 << 10
# Of a customer whose cases nobody ever closes the oldest go.
MOST_CASES = 200
# So many refusals stand in a file, until whoever asked has read theirs.
MOST_TURNED_DOWN = 50

Read = TypeVar("Read")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CaseFile).decode


class Asking(msgspec.Struct):
    """What an agent asks, as the log has it; `asking` is what the refusal of this very asking is known by."""

    asking: str
    ask: Ask
    claim_ms: int = CLAIM_MS


def place_of(profile_id: str, case_id: str) -> str:
    """Name the place of a customer's case."""
    return f"{PLACE}{profile_id} {case_id}"


def whose(place: str) -> tuple[str, str]:
    """Tell whose case a place is for, and which."""
    profile_id, _, case_id = place.removeprefix(PLACE).partition(" ")
    return profile_id, case_id


def read_file(record: bytes) -> CaseFile:
    """Read a case as the changelog has it."""
    return _decode(content_of(record))


class Cases:
    """The cases of one partition. `keep(place, record)` puts one into the state and the transaction, or takes it out.

    `found` are those that the state holds, `measure` is told how long people took. `teams` are the project's own.
    """

    def __init__(
        self,
        state: PartitionState,
        found: Iterable[str],
        keep: Callable[[str, bytes | None], None],
        measure: Callable[[str, str, float], None],
        keep_ms: int,
    ) -> None:
        self._state = state
        self._keep = keep
        self._measure = measure
        self._keep_ms = keep_ms
        self.teams: Collection[str] = ()
        self._places: dict[str, str] = {}
        self._of: dict[str, list[str]] = {}
        for place in found:
            self._list(place)
        self._desk = Desk(self)

    # What the desk reads

    def case(self, case_id: str) -> CaseFile | None:
        """Return one case; None when there is none of this id here."""
        place = self._places.get(case_id)
        record = None if place is None else self._state.get(place)
        return None if record is None else read_file(record)

    def opened(self) -> list[tuple[str, str]]:
        """List the cases that are open, as (profile id, case id), the oldest first."""
        records = (self._state.get(place) for place in self._places.values())
        # A closed one is due: to be forgotten.
        files = [read_file(record) for record in records if record is not None and not codec.due_of(record)]
        return [(file.profile_id, file.id) for file in sorted(files, key=lambda file: file.opened_ms)]

    # What happens to customers

    def listens(self, event: Event) -> bool:
        """Whether an event may concern a case; one whose properties cannot be read raises EventError here."""
        return self._desk.listens(event.type) and event.properties is not None

    def hear(self, event: Event, profile_id: str, decisions: Sequence[Decision], now_ms: int) -> None:
        """Take note of what an event says about a customer's cases; its turn came to these decisions."""
        self._desk.hear(event, profile_id, decisions, now_ms)
        self._flush()

    def hand_over(self, actions: Iterable[Action]) -> None:
        """Open the cases that journeys hand over."""
        handed = [action for action in actions if action.kind == "handoff"]
        for action in handed:
            self._desk.hand_over(action, instants.parse(action.at) or 0)
        if handed:
            self._flush()

    def forget(self, profile_id: str) -> None:
        """Leave nothing of a customer's cases."""
        self._desk.forget(profile_id)
        for case_id in self._of.pop(profile_id, []):
            self._keep(self._places.pop(case_id), None)

    def expire(self, place: str) -> None:
        """Forget a case that was closed long ago."""
        profile_id, case_id = whose(place)
        self._keep(place, None)
        self._unlist(profile_id, case_id)

    def leave(self, profile_id: str) -> list[bytes]:
        """Give the cases of a customer who is another's now, whose partition has them from now on."""
        files = [self._state.get(self._places[case_id]) for case_id in self._of.get(profile_id, [])]
        self.forget(profile_id)
        return [file for file in files if file is not None]

    def adopt(self, record: bytes, profile_id: str, customer_id: str | None) -> None:
        """Take over a case that came with its customer from elsewhere, whose customer id is known now, if it is."""
        file = read_file(record)
        file.profile_id = profile_id
        file.customer_id = file.customer_id or customer_id
        self._desk.adopt(file)
        self._flush()

    # What people ask

    def take(self, event: Event, profile_id: str, now_ms: int) -> Event | None:
        """Do what an agent asks, or put down a call task; give the event that the customer's turn is to take.

        Raises EventError for what is neither.
        """
        if event.type == TASK:
            file = _read(event, CaseFile)
            file.profile_id = profile_id
            self._desk.put(file)
            self._flush()
            return None
        asking = _read(event, Asking)
        self._desk.claim_ms = asking.claim_ms
        try:
            _, said = self._desk.do(asking.ask, now_ms)
        except NotDone as error:
            self._flush()
            self._turn_down(asking, error.reason, str(error.args[1]))
            return None
        self._flush()
        return said

    def settle(self, event: Event) -> None:
        """Turn down an asking whose event came to nothing, so that whoever asked does not wait for it."""
        asking = _read(event, Asking)
        file = self.case(asking.ask.case_id)
        if file is not None and not any(line.id == line_of(asking.ask) for line in file.lines):
            self._turn_down(asking, "not_done", "it came to nothing; look at the case again")

    def _turn_down(self, asking: Asking, reason: str, message: str) -> None:
        file = self.case(asking.ask.case_id)
        if file is None:
            return  # gone with its customer: whoever asked finds no case either
        file.turned_down = [*file.turned_down, TurnedDown(asking.asking, reason, message)][-MOST_TURNED_DOWN:]
        self._write(file)

    # Files

    def _flush(self) -> None:
        for file in self._desk.changes():
            self._write(file)
        self._desk.committed(self._tell)

    def _tell(self, team: str, what: str, seconds: float) -> None:
        # A contact centre may call its teams as it likes; a label is one of ours.
        self._measure(team if team in self.teams else OTHER_TEAMS, what, seconds)

    def _write(self, file: CaseFile) -> None:
        place = place_of(file.profile_id, file.id)
        if file.id not in self._places:
            self._list(place)
            if len(self._of[file.profile_id]) > MOST_CASES:
                self.expire(self._places[self._of[file.profile_id][0]])
        due_ms = file.closed_ms + self._keep_ms if file.closed_ms else 0
        self._keep(place, beside(_bounded(file), due_ms))

    def _list(self, place: str) -> None:
        profile_id, case_id = whose(place)
        self._places[case_id] = place
        self._of.setdefault(profile_id, []).append(case_id)

    def _unlist(self, profile_id: str, case_id: str) -> None:
        self._places.pop(case_id, None)
        left = [each for each in self._of.pop(profile_id, []) if each != case_id]
        if left:
            self._of[profile_id] = left


def _bounded(file: CaseFile) -> bytes:
    """Write a case; of one that is too large the oldest lines go, and then what the journey told."""
    written = _encode(file)
    while len(written) > MOST_BYTES and len(file.lines) > 1:
        file.lines = file.lines[len(file.lines) // 2 :]
        written = _encode(file)
    if len(written) > MOST_BYTES:
        file.context = {}
        written = _encode(file)
    return written


def _read(event: Event, kind: type[Read]) -> Read:
    properties: Mapping[str, object] = event.properties
    try:
        return msgspec.convert(properties, kind)
    except msgspec.ValidationError as error:
        raise EventError("not_a_case", f"{event.type} cannot be read: {error}") from error
