"""The restore without a broker: what lies on disk is gone on from only where it is of this very changelog."""

import time
from dataclasses import dataclass

import pytest
from aiokafka.structs import TopicPartition

from orchestrator.errors import StorageError
from orchestrator.model import codec
from orchestrator.runtime.kafka import reading, turning
from orchestrator.runtime.kafka.header import HEADER_KEY, Header, encode_header
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.restore import restore
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.state import Checkpoint, MemoryState, RocksState
from orchestrator.runtime.kafka.turning import TurnJob, check
from unit.runtime.kafka.conftest import hired

LOG = "shop-turn-changelog"
CHANGELOG = TopicPartition(LOG, 0)
SETTINGS = KafkaSettings.of({"app_id": "shop"})


@dataclass
class Line:
    """One record of a changelog."""

    key: bytes
    value: bytes
    topic: str = CHANGELOG.topic


class Changelog:
    """One partition of a log, read as aiokafka does it."""

    def __init__(self, name: str, *profiles: str) -> None:
        header = encode_header(Header(log=name))
        self.lines = [Line(profile.encode(), bytes(9) + name.encode()) for profile in profiles]
        self.lines.append(Line(HEADER_KEY.encode(), header))
        self.at = 0

    def assign(self, partitions):
        pass

    async def start(self):
        pass

    async def stop(self):
        pass

    async def beginning_offsets(self, partitions):
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions):
        return dict.fromkeys(partitions, len(self.lines))

    def seek(self, partition, offset):
        self.at = offset

    async def position(self, partition):
        return self.at

    async def getmany(self, partition, **_):
        found, self.at = self.lines[self.at :], len(self.lines)
        return {partition: found}


@pytest.fixture
def reads(monkeypatch):
    def choose(changelog):
        monkeypatch.setattr(reading, "AIOKafkaConsumer", lambda **_: changelog)

    return choose


async def test_what_lies_on_disk_of_another_changelog_of_the_same_length_is_not_gone_on_from(reads, tmp_path):
    state = RocksState(tmp_path / "partition-0")
    reads(Changelog("before", "ana", "ben"))
    await restore(SETTINGS, CHANGELOG, state)
    # The topic was made anew, or ORCHESTRATOR_APP_ID changed, and the new one has grown beyond the old one's end.
    reads(Changelog("after", "eva", "fay", "gil", "ben"))
    restored = await restore(SETTINGS, CHANGELOG, state)
    assert dict(state) == dict.fromkeys(("eva", "fay", "gil", "ben"), bytes(9) + b"after")
    assert (restored.header.log, restored.records) == ("after", 5)
    state.close()


@pytest.mark.parametrize("name", ["one", ""])
async def test_what_lies_on_disk_of_this_changelog_is_gone_on_from(reads, tmp_path, name):
    state, changelog = RocksState(tmp_path / "partition-0"), Changelog(name, "ana", "ben")
    reads(changelog)
    await restore(SETTINGS, CHANGELOG, state)
    changelog.lines.append(Line(b"eva", bytes(9)))
    assert (await restore(SETTINGS, CHANGELOG, state)).records == 1
    assert sorted(profile for profile, _ in state) == ["ana", "ben", "eva"]
    state.close()


async def test_a_checkpoint_of_a_release_that_knew_no_names_is_gone_on_from(reads, tmp_path):
    state = RocksState(tmp_path / "partition-0")
    state.load([("ana", bytes(9))], Checkpoint(1, time.time(), encode_header(Header(7))))
    reads(Changelog("one", "ana", "ben"))
    assert (await restore(SETTINGS, CHANGELOG, state)).records == 2
    state.close()


def test_a_state_of_a_newer_format_is_refused_by_its_header_though_no_record_is_read():
    with pytest.raises(StorageError, match="shop-turn-changelog holds state of format 2, and this release reads up to"):
        check(Header(format=codec.FORMAT + 1), 4, LOG, resolves=True)
    check(Header(format=codec.FORMAT), 4, LOG, resolves=True)


@pytest.mark.parametrize("known", [0, 7])
def test_the_newest_format_that_was_ever_written_stays_in_the_header(known):
    job = hired(TurnJob, SETTINGS, 4, frozenset({"0"}))
    _, header = job._partition(0, MemoryState(), Header(format=known)).take_outgoing()
    assert header.format == max(known, codec.FORMAT)


def test_a_state_that_lies_in_another_number_of_partitions_is_refused():
    with pytest.raises(StorageError, match="lie in 4 partitions, and there are 6"):
        check(Header(count=4), 6, LOG, resolves=True)
    check(Header(count=4), 4, LOG, resolves=True)
    check(Header(), 6, LOG, resolves=True)


@pytest.mark.parametrize("before", [True, False])
def test_an_application_that_began_with_resolve_goes_on_with_it_and_without_it_without(before):
    with pytest.raises(StorageError, match="began with ORCHESTRATOR_RESOLVE=" + ("on" if before else "off")):
        check(Header(is_behind_resolve=before), 4, LOG, resolves=not before)
    check(Header(is_behind_resolve=before), 4, LOG, resolves=before)
    check(Header(), 4, LOG, resolves=before)


@pytest.mark.parametrize("resolves", [True, False])
def test_what_is_known_of_a_changelog_is_in_the_header_of_every_commit(resolves):
    settings = KafkaSettings.of({"app_id": "shop", "resolve": resolves})
    sources = frozenset({"0"} if resolves else ())
    job = hired(TurnJob, settings, 4, sources)
    known = Header(count=4, is_behind_resolve=resolves, log="one")
    _, header = job._partition(0, MemoryState(), known).take_outgoing()
    assert (header.count, header.is_behind_resolve, header.log) == (4, resolves, "one")


def test_a_source_that_was_not_listened_to_for_so_long_is_not_said_to_be_silent(monkeypatch, caplog):
    settings, metrics = KafkaSettings.of({"app_id": "shop"}), Metrics()
    job = hired(TurnJob, settings, 4, frozenset({"events/0"}), metrics=metrics)
    units = [job._partition(0, MemoryState(), Header())]

    def silent_at(now: float) -> float | None:
        monkeypatch.setattr(turning.time, "monotonic", lambda: now)
        job.measure(units, 1_000_000_000)
        return metrics.registry.get_sample_value("orchestrator_silent_sources")

    assert (silent_at(1_000.0), silent_at(1_009.0), caplog.messages) == (0, 0, [])
    assert silent_at(1_010.0) == 1
    [complaint] = caplog.messages
    assert "events/0 have not told their clock for 10 s" in complaint
    units.clear()
    assert silent_at(1_011.0) == 0
    units.append(job._partition(0, MemoryState(), Header()))
    assert silent_at(1_012.0) == 0


@pytest.mark.parametrize("sources", [frozenset({"0"}), frozenset()])
def test_a_clock_that_was_set_back_is_said_to_hold_timers_back(monkeypatch, caplog, sources):
    settings, metrics = KafkaSettings.of({"app_id": "shop", "resolve": bool(sources)}), Metrics()
    job = hired(TurnJob, settings, 4, sources, metrics=metrics)
    units = [job._partition(0, MemoryState(), Header(clock_ms=1_000_000_000))]

    def ahead_at(now: float, wall_ms: int) -> float | None:
        monkeypatch.setattr(turning.time, "monotonic", lambda: now)
        job.measure(units, wall_ms)
        return metrics.registry.get_sample_value("orchestrator_clock_ahead_seconds")

    assert (ahead_at(0.0, 1_000_000_000), ahead_at(1.0, 1_000_050_000), caplog.messages) == (0, 0, [])
    assert (ahead_at(2.0, 999_999_900), caplog.messages) == (0.1, [])
    assert (ahead_at(3.0, 996_400_000), ahead_at(4.0, 996_401_000)) == (3600, 3599)
    [complaint] = caplog.messages
    assert "no timer fires for 3600 s: the clock of this machine lies so far behind" in complaint


def test_a_folder_that_cannot_be_made_is_the_operators_to_name(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"partition-0 cannot be made: Not a directory; name a folder that can in"):
        RocksState(tmp_path / "file" / "partition-0")
