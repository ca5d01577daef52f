"""A run that is carried on: wherever it stopped, whatever it is given next, each line is there once."""

import gzip
from collections import Counter

import pytest

from orchestrator.errors import InputError
from orchestrator.runtime import faults
from orchestrator.runtime.embedded import processing, sorting, sources
from orchestrator.storage import SqliteStore

KINDS = ("actions", "decisions", "dead_letters")
POINTS = ["run.before_commit", "run.after_commit", "run.within_append", "run.within_sync", "run.after_append"]
MINUTE_MS = 60_000


class StoppedError(Exception):
    """What a fault point raises in place of a kill."""


def _stop() -> None:
    raise StoppedError


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(processing, "BATCH_RECORDS", 40)
    monkeypatch.setattr(processing, "BATCH_TURNS", 7)
    monkeypatch.setattr(sources, "BLOCK_BYTES", 2000)
    monkeypatch.setattr(sorting, "_CHUNK_RECORDS", 20)


@pytest.fixture
def day(shop):
    """Make a day of events, a broken record among them."""
    records = shop.day(seed=3, events=400)
    return [*records[:150], b"broken", *records[150:]]


def _until_done(run, *events, point, passage, **options):
    """Run, stopping at every n-th passage of a fault point, until a run ends by itself."""
    for _ in range(200):
        try:
            with faults.armed(point, _stop, passage):
                return run(*events, **options)
        except StoppedError:
            pass
    raise AssertionError("it never ended")


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("point", POINTS)
# A start appends what the outbox holds, three kinds of lines at most: stopping within those every time, it would never
# get anywhere.
@pytest.mark.parametrize("passage", [4, 7])
def test_stopping_anywhere_leaves_each_line_once(run, write, day, state, in_order, point, passage):
    path = write(day)
    whole = run(path, into="whole", in_order=in_order, drain=True)
    ran = _until_done(run, path, point=point, passage=passage, in_order=in_order, drain=True, state=state)
    for kind in KINDS:
        assert ran.lines(kind) == whole.lines(kind) != []


@pytest.mark.parametrize("in_order", [False, True])
def test_a_run_cut_in_two_is_one_run(run, write, day, state, in_order):
    whole = run(write(day), into="whole", in_order=in_order, drain=True)
    first, second = write(day[:233], "first"), write(day[233:], "second")
    run(first, in_order=in_order, state=state)
    ran = run(second, in_order=in_order, state=state, drain=True)
    for kind in ("actions", "decisions"):
        assert ran.lines(kind) == whole.lines(kind)


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_same_file_given_again_adds_nothing_under_any_name(run, tmp_path, day, state, in_order, pack):
    first, second = tmp_path / "first", tmp_path / "second"
    packed = pack(b"\n".join(day))  # once: gzip writes the time of day into what it packs
    for path in (first, second):
        path.write_bytes(packed)
    before = run(first, in_order=in_order, state=state)
    lines = {kind: before.lines(kind) for kind in KINDS}
    again = run(first, second, in_order=in_order, state=state)
    assert {kind: again.lines(kind) for kind in KINDS} == lines
    assert again.summary.events == Counter()
    assert again.summary.clock_ms == before.summary.clock_ms


@pytest.mark.parametrize("in_order", [False, True])
def test_a_file_that_has_grown_is_read_from_where_it_ended(run, write, day, state, in_order):
    whole = run(write(day, "all"), into="whole", in_order=in_order, drain=True)
    run(write(day[:200]), in_order=in_order, state=state)
    ran = run(write(day), in_order=in_order, state=state, drain=True)
    assert sum(ran.summary.events.values()) == len(day) - 200
    assert ran.lines("decisions") == whole.lines("decisions")


@pytest.mark.parametrize("in_order", [False, True])
def test_a_file_is_known_in_every_length_it_was_read_to_its_end(run, write, day, state, in_order):
    for length in (100, 200):
        before = run(write(day[:length]), in_order=in_order, state=state).lines("decisions")
    ran = run(write(day[:100]), write(day[:200], "again"), in_order=in_order, state=state)
    assert ran.summary.events == Counter()
    assert ran.lines("decisions") == before


def test_a_file_that_was_overwritten_is_a_new_one(run, write, shop, state):
    run(write([shop.cart(0)]), state=state)
    ran = run(write([shop.cart(1, "ben")]), state=state, drain=True)
    assert ran.sent() == [("ana", "00:10"), ("ben", "00:11")]


def test_events_already_seen_change_nothing_in_another_file(run, write, day, state):
    before = run(write(day), state=state).lines("decisions")
    ran = run(write([*day[300:], b""], "again"), state=state)
    assert ran.lines("decisions") == before
    assert ran.summary.events["applied"] == 0


def _stopped_in_the_middle(run, path, state):
    with faults.armed("run.before_commit", _stop, 4), pytest.raises(StoppedError):
        run(path, state=state)


def test_sorted_input_that_was_begun_must_be_given_again(run, write, day, state):
    _stopped_in_the_middle(run, write(day), state)
    other = write(day[:10], "other")
    with pytest.raises(InputError, match="give the same --events again to finish it"):
        run(other, state=state)
    with pytest.raises(InputError, match="finish it without --in-order"):
        run(write(day), state=state, in_order=True)
    whole = run(write(day), into="whole", drain=True)
    ran = run(other, write(day), state=state, drain=True)
    assert ran.lines("actions") == whole.lines("actions")


def test_a_begun_file_that_has_grown_is_finished_and_then_read_on(run, write, day, state):
    _stopped_in_the_middle(run, write(day[:200]), state)
    ran = run(write(day), state=state, drain=True)
    assert ran.lines("decisions") == run(write(day), into="whole", drain=True).lines("decisions")


def test_events_without_a_time_keep_the_instant_at_which_they_arrived_first(run, write, state):
    record = b'{"type": "cart_updated", "customer_id": "%d"}'
    path = write([record % number for number in range(100)])
    _stopped_in_the_middle(run, path, state)
    ran = run(path, state=state)
    assert len({decision["at"] for decision in ran.lines("decisions")}) == 1


def test_what_follows_a_recorded_length_is_cut_off(run, write, shop, state):
    ran = run(write([shop.cart(0)]), state=state, drain=True)
    path = ran.folder / "actions.jsonl"
    with path.open("ab") as file:
        file.write(b'{"half a li')
    assert run(write([shop.cart(20)], "more"), state=state, drain=True).sent() == [("ana", "00:10"), ("ana", "00:30")]


def test_a_file_that_has_become_shorter_is_refused(run, write, shop, state):
    ran = run(write([shop.cart(0)]), state=state, drain=True)
    path = ran.folder / "actions.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="put it back as it was, or move it away"):
        run(write([shop.cart(20)], "more"), state=state)


def test_a_file_that_was_moved_away_is_begun_anew(run, write, shop, state):
    ran = run(write([shop.cart(0)]), state=state, drain=True)
    (ran.folder / "actions.jsonl").rename(ran.folder / "old")
    assert run(write([shop.cart(20)], "more"), state=state, drain=True).sent() == [("ana", "00:30")]


def test_lines_reach_the_file_they_were_meant_for_though_another_is_named_now(run, write, shop, state):
    path = write([shop.cart(0)])
    with faults.armed("run.within_append", _stop, 1), pytest.raises(StoppedError):
        run(path, state=state)  # committed, and nothing of it in a file yet
    run(path, state=state, into="other", drain=True)
    with SqliteStore(state, writes=False) as store:
        assert list(store.outbox()) == []
        assert len(list(store.decisions())) == 5
    out = state.parent / "out"
    assert len((out / "decisions.jsonl").read_bytes().splitlines()) == 2
    assert len((state.parent / "other" / "decisions.jsonl").read_bytes().splitlines()) == 3


def test_until_is_kept_in_mind(run, write, shop, state):
    run(write([shop.cart(0)]), state=state, until_ms=60 * MINUTE_MS)
    ran = run(write([shop.cart(20)], "late"), state=state, drain=True)
    assert ran.sent() == [("ana", "00:10"), ("ana", "01:10")]
