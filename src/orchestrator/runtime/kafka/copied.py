"""The copy of the customers in a local file: what the changelogs, decisions and messages say, as a store to be asked.

The file is a store as `serve` keeps one, so that everything that reads those reads this one too (`explain`, `stats`),
but it is a copy: it may be thrown away, and must never be written by anything but the topics.
Owns how their records become the store's, and when the copy is too old to go on from. Must never talk to Kafka.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from aiokafka.structs import ConsumerRecord, TopicPartition

from orchestrator.errors import StorageError
from orchestrator.model import instants
from orchestrator.model.casework import CaseFile, Streamed
from orchestrator.model.project import Project
from orchestrator.runtime import addressing
from orchestrator.runtime.kafka.cases import PLACE, read_file, whose
from orchestrator.runtime.kafka.header import HEADER_KEY, decode_header
from orchestrator.runtime.kafka.linking_partition import read_name
from orchestrator.runtime.kafka.restore import OLDEST_CHECKPOINT_S
from orchestrator.runtime.wall_clock import wall_clock_ms
from orchestrator.storage import Batch, Named, SqliteStore

log = logging.getLogger(__name__)

# What marks the file as a copy, and as whose; how old it is; how far it came in each partition.
OF = "copy.of"
AT = "copy.at"
POSITION = "copy/"
# The name of the log that each partition was copied from.
LOG = "copy.log/"
PRUNE_S = 3600.0
# So long at most, what nobody should find any more waits for a moment with nothing to copy, which may never come.
LONGEST_UNTIDY_S = 15.0
# So many erased customers are remembered, for decisions about them that are still on their way here.
MOST_GONE = 10_000


class AnotherLogError(StorageError):
    """A topic was made anew: what was copied of it before is of customers who are not in it."""


@dataclass(slots=True)
class News:
    """What was read of the topics since the last time, by topic, in their order, and how far that reaches."""

    links: list[ConsumerRecord] = field(default_factory=list)
    states: list[ConsumerRecord] = field(default_factory=list)
    decisions: list[ConsumerRecord] = field(default_factory=list)
    messages: list[ConsumerRecord] = field(default_factory=list)
    positions: dict[TopicPartition, int] = field(default_factory=dict)


class _Message(msgspec.Struct):
    """What a message for the company's own apps says of itself."""

    id: str
    channel: str
    at: str
    expires_at: str


_HEADER_KEY = HEADER_KEY.encode()
_read_message = msgspec.json.Decoder(_Message).decode


def origin_of(partition: int, number: int) -> int:
    """Write a message's place in its topic as a number, which grows within a partition; `number` counts from 1."""
    return partition << 47 | number


def split_origin(origin: int) -> tuple[int, int]:
    """Read a message's partition, and its number there."""
    return origin >> 47, origin & (1 << 47) - 1


class Copy:
    """The copy of one application (`of`) in one file, of messages those in one topic; belongs to one thread.

    `project()` is the one in force. `generation` counts how often it was begun.
    """

    def __init__(
        self, path: Path, of: str, keeps_decisions_ms: int, project: Callable[[], Project], messages: str = "messages"
    ) -> None:
        self._project = project
        self._messages = messages
        self.generation = 1
        self._path = path
        self._of = of
        self._keeps_decisions_ms = keeps_decisions_ms
        self._gone: dict[str, int] = {}
        # How far the copy came in each partition, and the partitions whose log is known to be the one it is of.
        self._reached: dict[tuple[str, int], int] = {}
        self._proven: set[tuple[str, int]] = set()
        self._pruned_at = time.monotonic()
        self._erased_at: float | None = None
        self.store = self._opened()

    def _opened(self) -> SqliteStore:
        # What a power cut takes from a copy is copied again.
        store = SqliteStore(self._path, synchronous="NORMAL")
        of = store.position(OF)
        if of is None and not store.positions(""):
            store.commit(Batch(positions={OF: self._of.encode()}))
        elif of != self._of.encode():
            store.close()
            whose = "a store of its own" if of is None else f"the copy of {of.decode()}"
            raise StorageError(f"{self._path} is {whose}, not the copy of {self._of}; name another file with --state")
        return store

    def kept(self) -> dict[TopicPartition, int]:
        """Tell how far the copy came; one that is too old to go on from begins anew."""
        at = float((self.store.position(AT) or b"0").decode())
        # Tombstones may be gone by now, and whoever was erased meanwhile would stay.
        if at and time.time() - at > OLDEST_CHECKPOINT_S:
            log.info("the copy of the customers is too old to go on from, and is made anew")
            self.wipe()
        kept = self.store.positions(POSITION)
        places = {name.removeprefix(POSITION).rpartition("/"): int(offset) for name, offset in kept.items()}
        reached = {TopicPartition(topic, int(number)): offset for (topic, _, number), offset in places.items()}
        self._reached, self._proven = {**reached}, set()
        return reached

    def wipe(self) -> None:
        """Begin anew."""
        self.store.close()
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        self.generation += 1
        self._reached, self._proven = {}, set()
        self.store = self._opened()

    def read_of_messages(self) -> dict[int, int]:
        """Tell how many messages of each partition were read."""
        prefix = f"{POSITION}{self._messages}/"
        return {int(name.removeprefix(prefix)): int(at) for name, at in self.store.positions(prefix).items()}

    def take(self, news: News, since_ms: int) -> list[Streamed]:
        """Copy what was read, and give the messages that are new to readers.

        Decisions and messages from before an instant, for people of whom nothing is kept, are left out.

        They may be of somebody who was erased since. A customer's record that is gone was erased, or is part of
        another's: then the links, which are written before that, must be among what was read until now.

        Raises AnotherLogError, and takes nothing, where a changelog is not the one that the copy is of.
        """
        logs = self._prove([*news.links, *news.states])
        self._take_links(news.links)
        records: dict[str, bytes | None] = {}
        gone: dict[str, int] = {}
        files: dict[str, bytes | None] = {}
        for record in news.states:
            profile_id = (record.key or b"").decode()
            if profile_id.startswith("@"):  # no customer's state
                if profile_id.startswith(PLACE):
                    files[profile_id] = record.value
                continue
            records[profile_id] = record.value
            if record.value is None:
                gone[profile_id] = record.timestamp
        erased = {each: at_ms for each, at_ms in gone.items() if self.store.named(each) in (None, each)}
        self._remember(erased)
        # Names go by the links alone: whoever was erased may have come back under them since.
        names = {name: Named(each, kind) for each in gone for name, kind in self.store.names_of(each).items()}
        positions: dict[str, bytes | None] = {
            f"{POSITION}{tp.topic}/{tp.partition}": str(offset).encode() for tp, offset in news.positions.items()
        }
        positions |= logs
        positions[AT] = str(time.time()).encode()
        kept = self._kept(news.decisions, records, since_ms)
        batch = Batch(records=records, names=names, decisions=_together(kept), positions=positions)
        batch.cases, batch.dropped = self._cases(files)
        streamed = [_streamed(*each) for each in self._kept(news.messages, records, since_ms)]
        batch.streamed = [message for message in streamed if message is not None]
        batch.addressed = self._addressed(records)
        self.store.commit(batch)
        self._reached |= news.positions
        if erased and self._erased_at is None:
            self._erased_at = time.monotonic()
        return batch.streamed

    def _prove(self, records: Iterable[ConsumerRecord]) -> dict[str, bytes]:
        """Compare the names that changelogs have in their headers with what was copied; give those to be kept.

        Once where the copy goes on from: a release that knows no names may write to the same log in between.
        """
        headers: dict[tuple[str, int], bytes] = {}
        for record in records:
            place = record.topic, record.partition
            if record.offset < self._reached.get(place, 0):
                raise AnotherLogError(f"{record.topic}/{record.partition} was made anew")
            if record.key == _HEADER_KEY and record.value is not None and place not in self._proven:
                headers[place] = record.value
        names: dict[str, bytes] = {}
        for place, raw in headers.items():
            name, kept = f"{LOG}{place[0]}/{place[1]}", decode_header(raw).log.encode()
            known = self.store.position(name)
            if known and kept and known != kept:
                raise AnotherLogError(f"{place[0]}/{place[1]} was made anew")
            if kept:
                self._proven.add(place)
                names[name] = kept
        return names

    def _cases(self, files: Mapping[str, bytes | None]) -> tuple[list[CaseFile], list[tuple[str, str]]]:
        """Sort cases into those that are, and those that are not kept any more."""
        cases, dropped = list[CaseFile](), list[tuple[str, str]]()
        for place, file in files.items():
            profile_id, case_id = whose(place)
            if file is None:
                dropped.append((profile_id, case_id))
            elif self.store.named(profile_id) in (None, profile_id):  # else it is, or will be, in another partition
                cases.append(read_file(file))
        return cases, dropped

    def _addressed(self, records: Mapping[str, bytes | None]) -> list[tuple[str, str]]:
        """Give the addresses that customers are found by; all of them anew where they are written otherwise now."""
        project = self._project()
        addressing.index(self.store, project)
        kept = ((profile_id, record) for profile_id, record in records.items() if record is not None)
        return [(name, profile_id) for profile_id, record in kept for name in addressing.of_record(project, record)]

    def _take_links(self, links: Iterable[ConsumerRecord]) -> None:
        names: dict[str, Named | None] = {}
        for record in links:
            name = (record.key or b"").decode()
            if name != HEADER_KEY:
                names[name] = None if record.value is None else Named(*read_name(record.value))
        merged = [(name, known.profile_id) for name, known in names.items() if known is not None]
        if next(iter(self.store.records()), None) is None:
            merged = []  # of a copy that begins, which reads the links first, and there may be millions
        if names:
            self.store.commit(
                Batch(names=names, merged=[(before, after) for before, after in merged if before != after])
            )

    def _remember(self, erased: Mapping[str, int]) -> None:
        self._gone |= erased
        while len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]

    def _kept(
        self, found: Iterable[ConsumerRecord], records: Mapping[str, bytes | None], since_ms: int
    ) -> Iterator[tuple[str, ConsumerRecord]]:
        """Give what is about people who are known, by the profiles that they are now."""
        for record in found:
            key = (record.key or b"").decode()
            profile_id = self.store.named(key) or key
            is_new = record.timestamp >= since_ms
            is_kept = is_new or records.get(profile_id) is not None or self.store.read(profile_id) is not None
            if is_kept and record.timestamp > self._gone.get(profile_id, 0):
                yield profile_id, record

    @property
    def is_overdue(self) -> bool:
        """Whether tidying up cannot wait any longer for a moment with nothing to copy."""
        since = min(self._pruned_at + PRUNE_S, float("inf") if self._erased_at is None else self._erased_at)
        return time.monotonic() - since > LONGEST_UNTIDY_S

    def tidy(self) -> None:
        """Let go of what nobody should find any more; called when there is nothing to copy, or that is overdue."""
        if time.monotonic() - self._pruned_at > PRUNE_S:
            before_ms = wall_clock_ms() - self._keeps_decisions_ms
            self.store.drop_decisions(instants.to_text(before_ms))
            self.store.casework.drop_streamed(wall_clock_ms())
            self._pruned_at = time.monotonic()
        if self._erased_at is not None:
            self.store.scrub()
            self._erased_at = None

    def close(self) -> None:
        """Close the file."""
        self.store.close()


def _together(decided: Iterable[tuple[str, ConsumerRecord]]) -> list[tuple[str, bytes]]:
    """Join the lines of each profile."""
    lines: dict[str, bytes] = {}
    for profile_id, record in decided:
        lines[profile_id] = lines.get(profile_id, b"") + (record.value or b"") + b"\n"
    return list(lines.items())


def _streamed(profile_id: str, record: ConsumerRecord) -> Streamed | None:
    """Read a message as it is kept for readers; None for what is none."""
    try:
        message = _read_message(record.value or b"")
    except msgspec.DecodeError as error:
        log.warning("no reader gets record %d of partition %d: %s", record.offset, record.partition, error)
        return None
    at_ms, until_ms = instants.parse(message.at) or 0, instants.parse(message.expires_at) or 0
    origin = origin_of(record.partition, record.offset + 1)
    return Streamed(message.id, profile_id, message.channel, at_ms, until_ms, record.value, origin=origin)
