"""The state of a partition: memory and RocksDB keep the same promises.

Must never know how either of them does it.
"""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model.ids import profile_id_of
from orchestrator.runtime.kafka import state as states
from orchestrator.runtime.kafka.state import Checkpoint, DamagedError, Memory, MemoryState, PlainMemory, RocksState


def memory_of(kind) -> MemoryState:
    """Make a state in memory of one kind; where there is no compiler, both are the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "Memory", kind)
        return MemoryState()


@pytest.fixture(params=["memory", "plain memory", "rocksdb"])
def state(request, tmp_path):
    kinds = {"memory": Memory, "plain memory": PlainMemory}
    opened = RocksState(tmp_path / "state") if request.param == "rocksdb" else memory_of(kinds[request.param])
    yield opened
    opened.close()


def test_a_record_is_what_was_put_last(state):
    assert state.get("ana") is None
    state.put("ana", b"1")
    state.put("ana", b"2")
    assert state.get("ana") == b"2"


def test_a_dropped_profile_is_gone_before_and_after_the_commit(state):
    state.load([("ana", b"1"), ("ben", b"1")], Checkpoint(2, 0.0))
    state.drop("ana")
    assert (state.get("ana"), dict(state)) == (None, {"ben": b"1"})
    state.commit({"ana": None}, Checkpoint(3, 0.0))
    assert (state.get("ana"), dict(state)) == (None, {"ben": b"1"})


def content_of(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:  # it was merged into another one just now
        return b""


def test_what_is_dropped_leaves_the_files_too(tmp_path):
    state = RocksState(tmp_path / "state", cleaning_s=0.0)
    many = [(f"c{number}", b"x" * 100) for number in range(500)]
    state.load([*many, ("ana", b"planted-value")], Checkpoint(501, 0.0))
    state.drop("c1")
    state.commit({"c1": None}, Checkpoint(502, 0.0))

    def found() -> list[str]:
        return [path.name for path in (tmp_path / "state").iterdir() if b"planted-value" in content_of(path)]

    assert found() != []
    state.drop("ana")
    deadline = time.monotonic() + 30
    changes = {"ana": None}
    while found():  # RocksDB merges its files in the background
        state.commit(changes, Checkpoint(503, 0.0))
        changes = {}
        assert time.monotonic() < deadline
    assert len(dict(state)) == 499
    state.close()


def test_all_records_are_run_over_committed_or_not(state):
    state.load([("ana", b"1"), ("ben", b"1")], Checkpoint(2, 0.0))
    state.put("ben", b"2")
    state.put("eva", b"1")
    assert dict(state) == {"ana": b"1", "ben": b"2", "eva": b"1"}


def test_a_restore_applies_changes_in_order_and_tombstones(state):
    state.load([("ana", b"1"), ("ana", b"2"), ("ben", b"1"), ("ben", None)], Checkpoint(4, 0.0))
    assert dict(state) == {"ana": b"2"}


def test_a_change_made_while_a_commit_was_under_way_stays_visible(state):
    state.put("ana", b"1")
    state.put("ana", b"2")
    state.commit({"ana": b"1"}, Checkpoint(1, 0.0))
    assert state.get("ana") == b"2"
    state.commit({"ana": b"2"}, Checkpoint(2, 0.0))
    assert state.get("ana") == b"2"


def test_wiped_it_holds_nothing(state):
    state.load([("ana", b"1")], Checkpoint(1, 0.0))
    state.put("ben", b"1")
    state.wipe()
    assert (dict(state), state.checkpoint()) == ({}, None)
    state.put("ben", b"2")
    assert dict(state) == {"ben": b"2"}


def test_files_hold_what_was_committed_and_their_checkpoint_and_nothing_else(tmp_path):
    state = RocksState(tmp_path / "state")
    state.put("ana", b"1")
    state.commit({"ana": b"1"}, Checkpoint(7, 1.5, b"header"))
    state.put("ana", b"2")
    state.put("ben", b"1")
    state.close()
    again = RocksState(tmp_path / "state")
    assert (dict(again), again.checkpoint()) == ({"ana": b"1"}, Checkpoint(7, 1.5, b"header"))
    again.close()


def test_memory_never_claims_a_checkpoint():
    state = MemoryState()
    state.load([("ana", b"1")], Checkpoint(1, 0.0))
    assert state.checkpoint() is None


# Ids of profiles, and names of places, some of them nearly ids.
NAMES = [profile_id_of("customer_id", "ana"), "f" * 32, "F" * 32, "0" * 31, "0" * 32, "@case 1", "", "ä" * 16]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["put", "drop", "commit"]), st.sampled_from(NAMES), st.binary(max_size=2))))
def test_all_answer_alike_whatever_is_done(tmp_path_factory, steps):
    rocks = RocksState(tmp_path_factory.mktemp("rocks") / "state")
    compiled, plain = memory_of(Memory), memory_of(PlainMemory)
    changes: dict[str, bytes | None] = {}
    try:
        for offset, (what, name, record) in enumerate(steps):
            for state in (compiled, plain, rocks):
                if what == "put":
                    state.put(name, record)
                elif what == "drop":
                    state.drop(name)
                else:
                    state.commit(changes, Checkpoint(offset, 0.0))
            if what == "commit":
                changes = {}
            else:
                changes[name] = record if what == "put" else None
            assert dict(compiled) == dict(plain) == dict(rocks)
            assert len(compiled) == len(plain)
            assert sorted(compiled.walk()) == sorted(plain.walk())
            for name in NAMES:
                assert compiled.get(name) == plain.get(name) == rocks.get(name)
    finally:
        rocks.close()


def test_the_files_of_a_state_on_disk_are_for_their_owner_alone(tmp_path):
    state = RocksState(tmp_path / "disk" / "state")
    assert (tmp_path / "disk" / "state").stat().st_mode & 0o777 == 0o700
    state.close()


def _damaged(folder, where):
    state = RocksState(folder)
    state.load([(f"c{number:04}", random.Random(number).randbytes(200)) for number in range(500)], Checkpoint(501, 0.0))
    state.close()
    [file] = folder.glob("*.sst")
    content = bytearray(file.read_bytes())
    at = int(len(content) * where)
    content[at : at + 2000] = bytes(2000)
    file.write_bytes(content)
    return RocksState(folder)


@pytest.mark.parametrize("where", [0.0, 0.5])
def test_who_walks_through_damaged_files_is_told_that_some_are_missing(tmp_path, where):
    state = _damaged(tmp_path / "state", where)
    with pytest.raises(DamagedError, match="is damaged"):
        list(state.walk())
    state.close()


@pytest.mark.parametrize("where", [0.0, 0.5])
def test_files_that_were_damaged_are_made_anew_and_never_taken_for_all_there_is(tmp_path, where):
    state = _damaged(tmp_path / "state", where)
    with pytest.raises(DamagedError, match="is made anew from the changelog"):
        dict(state)
    assert (state.checkpoint(), dict(state)) == (None, {})
    state.close()


def test_a_folder_that_was_copied_in_part_is_made_anew(tmp_path):
    folder = tmp_path / "state"
    state = RocksState(folder)
    state.load([("ana", b"1")], Checkpoint(2, 0.0))
    state.close()
    (folder / "CURRENT").write_text("MANIFEST")
    state = RocksState(folder)
    assert (state.checkpoint(), dict(state)) == (None, {})
    state.close()
