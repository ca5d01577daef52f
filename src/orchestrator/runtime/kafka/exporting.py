"""Exporting on Kafka: all that topics of ours keep of one customer, as the one document that they are given.

Four readings: of the linker's changelog, by which names they are known; then of every partition that may hold
something under one of those names; then of the dead letters, which quote whom they are about, and of the coupons' log,
which knows entries by a digest of their ids: those of whom nothing is kept any more are nobody's. What is on its way
between partitions at that moment is not waited for: a customer whose lives are being merged right then is asked for
again.
Owns what is read and how it comes together; the document itself is `runtime.rights`'. Must never write.
"""

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from aiokafka.structs import ConsumerRecord

from orchestrator.errors import StorageError
from orchestrator.model import codec
from orchestrator.model.casework import CaseFile
from orchestrator.model.identity import Identity
from orchestrator.model.project import Project
from orchestrator.model.rights import Export
from orchestrator.model.state import State
from orchestrator.runtime import rights
from orchestrator.runtime.kafka.cases import PLACE, read_file, whose
from orchestrator.runtime.kafka.coupons import Reckoning, digest_of
from orchestrator.runtime.kafka.linking_partition import read_name
from orchestrator.runtime.kafka.objections import PLACE as OBJECTION_PLACE
from orchestrator.runtime.kafka.objections import Objections
from orchestrator.runtime.kafka.pendings import Row, decode_row
from orchestrator.runtime.kafka.reading import partitions_of, read
from orchestrator.runtime.kafka.resolved_partition import is_life_of
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics
from orchestrator.runtime.objections import told_of
from orchestrator.storage.erasing import is_theirs

_decode = msgspec.json.decode


async def export(
    settings: KafkaSettings,
    topics: Topics,
    candidates: Collection[str],
    now_ms: int,
    project: Project | None = None,
) -> Export | None:
    """Give everything that is kept of whoever is known by one of these names; None when nothing is.

    The project says which are their addresses. Reads the changelogs, decisions and actions whole, so it takes as long
    as a restore. Raises StorageError while the customer's lives are being merged.
    """
    names = await _names_of(settings, topics, candidates)
    found = _Found(topics, names or candidates, Objections(settings.objection_keys))
    sought = [topics.changelog, topics.delivery_changelog, *found.lines]
    await read(settings, await partitions_of(settings, sought), found.take)
    if found.lives:
        raise StorageError("this customer's lives are being merged at this moment; ask again")
    # Where nothing links them, several names are several customers: the first of whom anything is known.
    known = found.known()
    profile_id = next((name for name in (*names, *candidates) if name in known), None)
    if profile_id is None:
        return None
    keys = names or {profile_id: ""}
    record = found.states.get(profile_id)
    decisions, actions, streamed = (
        [_decode(line) for name, line in lines if name in keys] for lines in found.lines.values()
    )
    # From several partitions, where they were somebody else's before.
    decisions.sort(key=lambda decision: decision["at"])
    pending = [_decode(row.action) for row in found.pending.values() if row.profile_id in keys]
    state = None if record is None else codec.decode(record)
    document = rights.document(profile_id, state, now_ms, decisions, pending, names)
    document.actions, document.streamed = actions, streamed
    reached = rights.reached_by(project, state, now_ms)
    document.dead_letters = await _letters(settings, topics, profile_id, [*keys, *reached])
    found.objections.identity = Identity() if project is None else project.identity
    document.objections = told_of(found.objections, reached)
    document.coupons = await _codes(settings, topics, _entries_of(state, [*decisions, *actions]))
    document.cases = [rights.named(file) for file in sorted(found.cases(), key=lambda file: file.opened_ms)]
    return document


async def _letters(
    settings: KafkaSettings, topics: Topics, profile_id: str, quoted: Collection[str]
) -> list[dict[str, object]]:
    """Find the dead letters that quote a customer."""
    found: list[dict[str, object]] = []

    def take(record: ConsumerRecord) -> None:
        if record.value is not None and is_theirs(record.value, profile_id, quoted):
            found.append(_decode(record.value))

    await read(settings, await partitions_of(settings, [topics.dead_letters]), take)
    return found


def _entries_of(state: State | None, lines: Iterable[dict[str, Any]]) -> list[str]:
    """List a customer's entries, past ones too, as far as anything still names them."""
    told = [line["entry_id"] for line in lines if line.get("entry_id")]
    if state is not None:
        told += [entry.id for entry in state.entries] + [ended.id for ended in state.ended]
        told += [sent.entry_id for sent in state.sent if sent.entry_id]
    return list(dict.fromkeys(told))


async def _codes(settings: KafkaSettings, topics: Topics, entries: Collection[str]) -> list[dict[str, str]]:
    """Find the codes that a customer's entries were given."""
    reckoning = Reckoning()
    await read(settings, await partitions_of(settings, [topics.coupons]), reckoning.hear)
    found = [reckoning.of(digest_of(entry)) for entry in entries]
    return [{"coupon": coupon, "code": code} for codes in found for coupon, code in codes.items()]


async def _names_of(settings: KafkaSettings, topics: Topics, candidates: Collection[str]) -> dict[str, str]:
    """Find all names of the customer whom one of these leads to, with their kinds; that of the profile is the first."""
    graph: dict[str, tuple[str, str]] = {}

    def take(record: ConsumerRecord) -> None:
        name = record.key.decode()
        if record.value is None:
            graph.pop(name, None)
        elif not name.startswith("@"):
            graph[name] = read_name(record.value)

    await read(settings, await partitions_of(settings, [topics.links_changelog]), take)
    root = next((graph[name][0] for name in candidates if name in graph), None)
    names = {name: kind for name, (leads_to, kind) in graph.items() if leads_to == root}
    return {} if root is None else {root: names.get(root, ""), **names}


class _Found:
    """What was found under some names so far; of compacted topics, the last word of each key."""

    def __init__(self, topics: Topics, names: Collection[str], objections: Objections) -> None:
        self._topics = topics
        self.objections = objections
        self._names = {name.encode(): name for name in names}
        self.states: dict[str, bytes] = {}
        self.lives: set[bytes] = set()
        self._files: dict[str, bytes] = {}
        self.lines: dict[str, list[tuple[str, bytes]]] = {
            topic: [] for topic in (topics.decisions, topics.actions, topics.messages)
        }
        self.pending: dict[bytes, Row] = {}

    def known(self) -> set[str]:
        """Name those of whom anything was found."""
        told = {name for lines in self.lines.values() for name, _ in lines}
        return {*self.states, *told, *(row.profile_id for row in self.pending.values())}

    def cases(self) -> list[CaseFile]:
        """Give the cases that were found."""
        return [read_file(file) for file in self._files.values()]

    def _take_file(self, place: str, file: bytes | None) -> None:
        if file is None:
            self._files.pop(place, None)
        elif whose(place)[0].encode() in self._names:
            self._files[place] = file

    def take(self, record: ConsumerRecord) -> None:
        """Take a record of any of the topics."""
        name = self._names.get(record.key)
        if record.topic == self._topics.delivery_changelog:
            self._take_row(record)
        elif record.topic == self._topics.changelog:
            if name is not None and record.value is not None:
                self.states[name] = record.value
            elif name is not None:
                self.states.pop(name, None)
            elif record.key.startswith(PLACE.encode()):
                self._take_file(record.key.decode(), record.value)
            elif record.value is not None and record.key.startswith(OBJECTION_PLACE.encode()):
                self.objections.restore(record.key.decode(), record.value)  # each partition has all of them
            elif is_life_of(record.key, self._names):
                (self.lives.discard if record.value is None else self.lives.add)(record.key)
        elif name is not None:
            self.lines[record.topic].append((name, record.value))

    def _take_row(self, record: ConsumerRecord) -> None:
        row = None if record.value is None or record.key.startswith(b"@") else decode_row(record.value)
        if row is not None and not row.is_done and row.profile_id.encode() in self._names:
            self.pending[record.key] = row
        else:
            self.pending.pop(record.key, None)
