"""Names of events that are nearly one that journeys ask for: told, and once."""

import json

import pytest
from structlog.testing import capture_logs

import shoppers
from orchestrator.language import compile_sources
from orchestrator.runtime import misnamed, versions
from orchestrator.runtime.misnamed import Misnamed
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.runtime.serving.turns import Records, Turns
from orchestrator.storage import MemoryStore

ASKED = {"cart_updated", "order_placed"}


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("Cart Updated", "cart_updated"),
        ("cartUpdated", "cart_updated"),
        ("CART-UPDATED", "cart_updated"),
        ("cart_updated ", "cart_updated"),
        ("cart_updates", None),
        ("page_viewed", None),
        ("", None),
    ],
)
def test_a_name_is_nearly_another_where_its_letters_and_digits_are_the_same(name, asked):
    assert Misnamed(ASKED).meet(name) == asked


def test_each_name_is_told_once_also_when_journeys_change():
    names = Misnamed(ASKED)
    assert [names.meet("Cart Updated"), names.meet("Cart Updated")] == ["cart_updated", None]
    names.follow({*ASKED, "Page Viewed"})
    assert [names.meet("Cart Updated"), names.meet("page_viewed")] == [None, "Page Viewed"]
    assert names.found == {"Cart Updated": "cart_updated", "page_viewed": "Page Viewed"}


def test_names_without_end_fill_no_memory(monkeypatch):
    monkeypatch.setattr(misnamed, "MOST_NAMES", 10)
    names = Misnamed(ASKED)
    for number in range(100):
        names.meet(f"page {number}")
    assert len(names.met) == 10


def test_serve_logs_a_name_that_journeys_hardly_mean():
    store = MemoryStore()
    sources = shoppers.sources("cart_updated", "order_placed", "10h", address="profile.customer_id")
    turns = Turns(versions.take_up(compile_sources(sources), store).catalog, store, Metrics(), 0)
    track = {"type": "track", "event": "Cart Updated", "userId": "ana", "messageId": "m1"}
    with capture_logs() as logged:
        turns.work([Records([json.dumps({**track, "messageId": f"m{each}"}).encode() for each in range(3)], "t")], 0)
    (told,) = logged
    assert (told["name"], told["asked"], told["log_level"]) == ("Cart Updated", "cart_updated", "warning")
