"""The state of a partition: memory and RocksDB keep the same promises.

Must never know how either of them does it.
"""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.runtime.kafka.state import Checkpoint, DamagedError, MemoryState, RocksState


@pytest.fixture(params=["memory", "rocksdb"])
def state(request, tmp_path):
    opened = MemoryState() if request.param == "memory" else RocksState(tmp_path / "state")
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


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["put", "drop", "commit"]), st.sampled_from("abc"), st.binary(max_size=2))))
def test_both_answer_alike_whatever_is_done(tmp_path_factory, steps):
    memory, rocks = MemoryState(), RocksState(tmp_path_factory.mktemp("rocks") / "state")
    changes: dict[str, bytes | None] = {}
    try:
        for offset, (what, profile_id, record) in enumerate(steps):
            for state in (memory, rocks):
                if what == "put":
                    state.put(profile_id, record)
                elif what == "drop":
                    state.drop(profile_id)
                else:
                    state.commit(changes, Checkpoint(offset, 0.0))
            if what == "commit":
                changes = {}
            else:
                changes[profile_id] = record if what == "put" else None
            assert dict(memory) == dict(rocks)
            assert [memory.get(name) for name in "abc"] == [rocks.get(name) for name in "abc"]
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
