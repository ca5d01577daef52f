"""Turns of the live service: whom new journeys move, in portions, whatever becomes of a commit in between."""

import json

import pytest

import shoppers
from orchestrator.errors import StorageError
from orchestrator.language import compile_sources
from orchestrator.model import codec
from orchestrator.runtime import versions
from orchestrator.runtime.serving import turns as serving_turns
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.runtime.serving.scrubbing import AGAIN_MS
from orchestrator.runtime.serving.turns import Records, Turns
from orchestrator.runtime.timers import NEVER_MS
from orchestrator.storage import Batch, MemoryStore

HOUR = 3_600_000
BEFORE = shoppers.sources("cart_updated", "order_placed", "10h", address="profile.customer_id")
WAITS, SENDS = '{for: 10h, restart_on: "cart_updated"}', "{message: cart-reminder, channels: [email]}"
# Who waits is moved to a step that sends at once.
AFTER = {
    name: text.replace("version: 1", "version: 2\non_change: migrate\nmoves: {settle: calm}")
    .replace(f"id: settle\n    wait: {WAITS}", f"id: calm\n    send: {SENDS}")
    .replace(f"id: remind\n    send: {SENDS}", "id: rest\n    wait: 1h")
    for name, text in BEFORE.items()
}


class Unsteady(MemoryStore):
    """A store whose next commits fail."""

    failing = scrubs = 0
    is_full = False

    def scrub(self) -> None:
        if self.is_full:
            raise StorageError("no space left")
        self.scrubs += 1
        super().scrub()

    def commit(self, batch: Batch) -> int:
        if self.failing:
            self.failing -= 1
            raise StorageError("the disk is full")
        return super().commit(batch)


@pytest.fixture
def store():
    return Unsteady()


@pytest.fixture
def turns(store, monkeypatch):
    """Let five customers wait, and work in portions of two."""
    monkeypatch.setattr(serving_turns, "TIMERS_A_BATCH", 2)
    made = Turns(versions.take_up(compile_sources(BEFORE), store).catalog, store, Metrics(), 0)
    carts = [{"type": "cart_updated", "customer_id": f"c{number}", "id": f"e{number}"} for number in range(5)]
    made.work([Records([json.dumps(cart).encode() for cart in carts], "test")], HOUR)
    return made


def standing(store):
    return sorted(
        (entry.version, entry.step) for _, record in store.records() for entry in codec.decode(record).entries
    )


def take_up(turns, store):
    turns.take_up(versions.take_up(compile_sources(AFTER), store).catalog)


def test_whom_new_journeys_move_moves_in_portions_and_each_once(turns, store):
    take_up(turns, store)
    seen = []
    while turns.next_ms < 2 * HOUR:
        turns.work([], 2 * HOUR)
        seen.append(sum(version == 2 for version, _ in standing(store)))
    assert seen == [2, 4, 5]
    assert (standing(store), len(store.due("email", NEVER_MS, 99))) == ([(2, "rest")] * 5, 5)


def test_a_commit_that_fails_in_between_leaves_nobody_behind_and_nobody_twice(turns, store):
    take_up(turns, store)
    turns.work([], 2 * HOUR)
    store.failing = 2
    for _ in range(2):
        with pytest.raises(StorageError):
            turns.work([], 2 * HOUR)
    assert sum(version == 2 for version, _ in standing(store)) == 2
    while turns.next_ms < 2 * HOUR:
        turns.work([], 2 * HOUR)
    assert (standing(store), len(store.due("email", NEVER_MS, 99))) == ([(2, "rest")] * 5, 5)


def test_a_process_that_dies_in_between_leaves_the_rest_to_the_next(turns, store):
    take_up(turns, store)
    turns.work([], 2 * HOUR)
    again = Turns(versions.take_up(compile_sources(AFTER), store).catalog, store, Metrics(), 0)
    take_up(again, store)
    while again.next_ms < 3 * HOUR:
        again.work([], 3 * HOUR)
    assert (standing(store), len(store.due("email", NEVER_MS, 99))) == ([(2, "rest")] * 5, 5)


def test_once_all_have_settled_nobody_is_looked_at_again(turns, store, monkeypatch):
    take_up(turns, store)
    while turns.next_ms < 2 * HOUR:
        turns.work([], 2 * HOUR)
    monkeypatch.setattr(store, "records", lambda: pytest.fail("every record is read"))
    again = Turns(versions.take_up(compile_sources(AFTER), store).catalog, store, Metrics(), 0)
    again.take_up(again.catalog)
    assert again.next_ms >= 2 * HOUR


def test_the_file_is_rewritten_once_for_all_whom_a_batch_erases(turns, store):
    erasures = [{"type": "profile_erase_requested", "customer_id": f"c{number}"} for number in range(4)]
    worked = turns.work([Records([json.dumps(each).encode()], "test") for each in erasures], 2 * HOUR)
    assert (store.scrubs, worked.refusals, store.profiles()) == (1, [[]] * 4, 1)
    turns.work(
        [Records([json.dumps({"type": "cart_updated", "customer_id": "c4", "id": "e9"}).encode()], "test")], HOUR
    )
    assert store.scrubs == 1


def test_a_file_that_cannot_be_rewritten_keeps_nobody_waiting_and_is_tried_again_also_by_the_next_process(turns, store):
    store.is_full = True
    erasure, cart = {"type": "profile_erase_requested", "customer_id": "c0"}, {"type": "cart_updated", "id": "e9"}
    worked = turns.work([Records([json.dumps(erasure).encode()], "a"), Records([json.dumps(cart).encode()], "b")], HOUR)
    assert ([each and each[0].reason for each in worked.refusals], store.profiles()) == ([[], "nobody"], 4)
    assert turns.next_ms == HOUR + AGAIN_MS
    turns.work([], turns.next_ms)
    store.is_full = False
    again = Turns(turns.catalog, store, Metrics(), 0)
    assert again.next_ms == 0
    again.work([], HOUR + AGAIN_MS)
    assert (store.scrubs, again.next_ms > 10 * HOUR) == (1, True)
    again.work([], 2 * HOUR)
    assert store.scrubs == 1
    assert Turns(turns.catalog, store, Metrics(), 0).next_ms > 10 * HOUR
