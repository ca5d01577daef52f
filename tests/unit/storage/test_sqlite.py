"""The state file: what survives closing, who may open it, and what is said when it cannot be read."""

import sqlite3
from pathlib import Path

import pytest

from orchestrator.errors import StorageError
from orchestrator.storage import Batch, OutboxLines, Release, SqliteStore, VersionTexts
from orchestrator.storage.migrations import APPLICATION_ID, MIGRATIONS

RECORD = (5).to_bytes(8, "big") + b"\x01state"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


def _fill(path):
    with SqliteStore(path) as store:
        store.commit(
            Batch(
                records={"ana": RECORD},
                lines={"actions": b"a\n"},
                decisions=[("ana", b"d\n")],
                positions={"clock": b"1"},
                lengths={"out": 3},
            )
        )
        store.define([VersionTexts("welcome", 1, {"file": "text"})])


def test_a_new_file_has_pages_of_the_size_asked_for_and_keeps_them(path):
    SqliteStore(path, page_bytes=16_384).close()
    _fill(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA page_size").fetchone() == (16_384,)


def _permissions(path):
    return {each.name: oct(each.stat().st_mode & 0o777) for each in path.parent.iterdir() if "-lock" not in each.name}


def test_a_new_file_and_its_log_are_for_their_owner_alone(path):
    with SqliteStore(path) as store:
        store.commit(Batch(records={"ana": RECORD}))
        assert _permissions(path) == dict.fromkeys(("state.db", "state.db-wal", "state.db-shm"), "0o600")
        store.scrub()
    assert _permissions(path) == {"state.db": "0o600"}


def test_a_file_that_was_opened_to_others_stays_open_to_them(path):
    _fill(path)
    path.chmod(0o640)
    with SqliteStore(path) as store:
        store.commit(Batch(records={"ben": RECORD}))
        assert set(_permissions(path).values()) == {"0o640"}


def test_everything_is_there_when_the_file_is_opened_again(path):
    _fill(path)
    with SqliteStore(path) as store:
        assert store.read("ana") == RECORD
        assert list(store.waiting()) == [(5, "ana")]
        assert list(store.outbox()) == [OutboxLines(1, "actions", b"a\n")]
        assert list(store.decisions_of("ana")) == [b"d"]
        assert store.positions("") == {"clock": b"1"}
        assert store.lengths() == {"out": 3}
        assert store.definitions() == [VersionTexts("welcome", 1, {"file": "text"})]


def test_a_batch_that_fails_changes_nothing(path):
    _fill(path)
    with SqliteStore(path) as store:
        with pytest.raises(StorageError):
            store.commit(Batch(records={"ana": RECORD + b"new", "ben": RECORD}, lengths={"out": None}))
        assert store.read("ana") == RECORD
        assert store.read("ben") is None
        store.commit(Batch(records={"ben": RECORD}))
        assert store.read("ben") == RECORD


def test_a_second_writer_is_refused_and_told_who_the_first_one_is(path):
    with SqliteStore(path), pytest.raises(StorageError, match=r"in use by another process \(process id \d+\)"):
        SqliteStore(path)
    SqliteStore(path).close()


def test_one_file_has_one_writer_whatever_name_it_goes_by(path, tmp_path):
    (tmp_path / "link.db").symlink_to(path)
    with SqliteStore(path), pytest.raises(StorageError, match="in use by another process"):
        SqliteStore(tmp_path / "link.db")
    with SqliteStore(tmp_path / "link.db"), pytest.raises(StorageError, match="in use by another process"):
        SqliteStore(path)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_nothing_is_kept_in_a_file_that_was_taken_away(path, tmp_path, is_replaced):
    with SqliteStore(path) as store:
        store.commit(Batch(records={"ana": RECORD}))
        path.rename(tmp_path / "away.db")
        if is_replaced:
            path.write_bytes(b"")
        with pytest.raises(StorageError, match="was removed or replaced while it was in use"):
            store.commit(Batch(records={"ben": RECORD}))
        (tmp_path / "away.db").rename(path)
        store.commit(Batch(records={"ben": RECORD}))
    with SqliteStore(path) as store:
        assert [name for name, _ in store.records()] == ["ana", "ben"]


@pytest.mark.parametrize("path", ["", "."])
def test_a_folder_is_no_state_file_and_nothing_is_left_in_it(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match="is a folder; name a file in it"):
        SqliteStore(Path(path))
    assert list(tmp_path.iterdir()) == []


def test_readers_see_the_last_commit_beside_the_writer(path):
    with SqliteStore(path) as writer:
        writer.commit(Batch(records={"ana": RECORD}))
        with SqliteStore(path, writes=False) as reader:
            assert reader.read("ana") == RECORD
            with pytest.raises(StorageError, match="cannot be written"):
                reader.commit(Batch(records={"ana": RECORD}))


def test_a_reader_of_a_file_that_is_not_there_makes_none(path):
    with pytest.raises(StorageError, match="cannot be opened"):
        SqliteStore(path, writes=False)
    assert not path.exists()


def test_a_file_that_is_no_database_is_refused_and_left_alone(path):
    path.write_text("name,amount\n" * 1000)
    with pytest.raises(StorageError, match="is no state file"):
        SqliteStore(path)
    assert path.read_text() == "name,amount\n" * 1000


def test_the_database_of_another_program_is_refused_and_left_alone(path):
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="another program"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_file_of_a_newer_release_is_refused(path):
    _fill(path)
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer.close()
    with pytest.raises(StorageError, match="newer release"):
        SqliteStore(path)


def test_a_damaged_file_is_said_to_be_damaged(path):
    with SqliteStore(path) as store:
        store.commit(Batch(records={f"p{number}": RECORD * 50 for number in range(500)}))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="is damaged; restore it from a backup"), SqliteStore(path) as store:
        store.read("p1")


def test_the_file_says_whose_it_is_and_which_shape_it_has(path):
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StorageError, match="-lock cannot be written"):
        SqliteStore(tmp_path / "nowhere" / "state.db")


def test_a_release_may_be_put_in_beside_the_writer_and_nothing_else(path):
    with SqliteStore(path) as writer:
        with SqliteStore(path, writes=False, publishes=True) as publisher:
            publisher.define([], Release(1, {"orchestrator.yaml": "project: shop"}))
            with pytest.raises(StorageError, match="cannot be written"):
                publisher.commit(Batch(records={"ana": RECORD}))
        assert writer.release() == Release(1, {"orchestrator.yaml": "project: shop"})
        writer.commit(Batch(records={"ana": RECORD}))


def test_of_two_who_publish_at_once_the_second_looks_again(path):
    with SqliteStore(path) as writer:
        writer.define([], Release(1, {}))
        with SqliteStore(path, writes=False, publishes=True) as publisher:
            publisher.define([], Release(2, {}))
        with pytest.raises(StorageError, match="release 2 was published meanwhile"):
            writer.define([], Release(2, {}))
