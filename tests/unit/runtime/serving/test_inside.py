"""How many are inside each journey: counted as it changes, and always what a walk over all records comes to."""

import json
import random
from collections import Counter

import pytest

import shoppers
from orchestrator.errors import StorageError
from orchestrator.language import compile_sources
from orchestrator.model import codec
from orchestrator.runtime import inside, rights, versions
from orchestrator.runtime.inside import Inside
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.runtime.serving.turns import Records, Turns
from orchestrator.storage import Batch, MemoryStore

HOUR = 3_600_000
SHOP = shoppers.sources("cart_updated", "order_placed", "10h", address="profile.customer_id")
SHOP["orchestrator.yaml"] += "identity: {identifiers: [customer_id, cookie]}\nretention: {inactive: 30d}\n"


class Unsteady(MemoryStore):
    """A store whose next commit fails."""

    fails = False

    def commit(self, batch: Batch) -> int:
        if self.fails:
            self.fails = False
            raise StorageError("the disk is full")
        return super().commit(batch)


@pytest.fixture
def store():
    return Unsteady()


def begin(store):
    metrics = Metrics()
    return Turns(versions.take_up(compile_sources(SHOP), store).catalog, store, metrics, 0), metrics


def work(turns, now_ms, *events):
    turns.work([Records([json.dumps(event).encode() for event in events], "test")], now_ms)


def told(metrics):
    return metrics.registry.get_sample_value("orchestrator_entries", {"journey": "abandoned-cart"})


def walked(store):
    return Counter(entry.journey for _, record in store.records() for entry in codec.decode(record).entries)


def cart(number, **more):
    return {"type": "cart_updated", "customer_id": f"c{number}", "id": f"e{number}", **more}


def test_whatever_happens_to_customers_the_count_is_that_of_their_records(store):
    turns, metrics = begin(store)
    dice, seen = random.Random(7), set()
    for number in range(300):
        now_ms, who = (1 + number // 10) * HOUR, f"c{dice.randrange(12)}"
        kinds = {"cart_updated": 8, "order_placed": 4, "profile_erase_requested": 1}
        (kind,) = dice.choices(list(kinds), kinds.values())
        cookie = {"cookie": f"k{dice.randrange(20)}"}
        event = {"type": kind, "id": str(number), "identifiers": cookie if dice.random() < 0.6 else {}}
        store.fails = dice.random() < 0.05
        try:
            work(turns, now_ms, event if event["identifiers"] and dice.random() < 0.5 else event | {"customer_id": who})
        except StorageError:
            continue
        assert (told(metrics) or 0) == walked(store)["abandoned-cart"]
        seen.add(told(metrics))
    assert len(seen) > 5
    # Nothing was heard of anybody for longer than is kept.
    work(turns, 60 * 24 * HOUR, cart(99))
    assert (told(metrics), walked(store)["abandoned-cart"]) == (1, 1)


def test_the_next_process_knows_the_count_without_reading_every_record(store, monkeypatch):
    work(begin(store)[0], HOUR, cart(0), cart(1))
    monkeypatch.setattr(store, "records", lambda: pytest.fail("every record is read"))
    assert told(begin(store)[1]) == 2


def test_who_changes_it_in_between_has_it_counted_anew(store):
    work(begin(store)[0], HOUR, cart(0), cart(1), cart(2))
    turns, _ = begin(store)
    profile_id = next(name for name, _ in store.records())
    rights.erase(store, turns.catalog.project, profile_id, HOUR)  # as the command does
    assert told(begin(store)[1]) == 2
    inside.forget(store)  # as a run does
    store.commit(Batch(records={"odd": bytes(9)}))
    assert Inside(store).counts() == {"abandoned-cart": 2}


def test_a_journey_that_nobody_is_in_any_more_is_not_told(store):
    turns, metrics = begin(store)
    work(turns, HOUR, cart(0))
    work(turns, HOUR, {"type": "order_placed", "customer_id": "c0", "id": "o"})
    assert told(metrics) is None
