"""Claims of the live service on a store that fails: no code is lost, and none is anybody's too soon."""

import asyncio
from types import SimpleNamespace

import msgspec
import pytest

from orchestrator.errors import StorageError
from orchestrator.model.ids import derive
from orchestrator.runtime.delivery.coupons import NotClaimed
from orchestrator.runtime.serving.coupons import StoreClaims
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.storage import Batch, MemoryStore, Pending
from providers import action

ACTIONS = [action(number, entry_id=derive("entry", str(number))) for number in range(3)]


class Unsteady(MemoryStore):
    """A store that cannot be read, or written, for once."""

    unread: str | None = None
    is_full = False

    def codes_of_entry(self, entry_id: str) -> dict[str, str]:
        if entry_id == self.unread:
            self.unread = None
            raise StorageError("the disk cannot be read")
        return super().codes_of_entry(entry_id)

    def commit(self, batch: Batch) -> int:
        if self.is_full:
            self.is_full = False
            raise StorageError("the disk is full")
        return super().commit(batch)


@pytest.fixture
def store():
    made = Unsteady()
    waiting = [Pending(each.id, "email", 0, each.profile_id, msgspec.json.encode(each)) for each in ACTIONS]
    made.commit(Batch(pending=waiting))
    return made


@pytest.fixture
def claims(store):
    """Claim in the thread of the test."""

    async def run(call):
        return call()

    turns = SimpleNamespace(profile_of=lambda profile_id: profile_id)
    made = StoreClaims(SimpleNamespace(store=store, turns=turns, run=run), Metrics())
    made.open(SimpleNamespace(coupons={"gift": ["A", "B", "C"]}))
    return made


async def claimed(claims):
    return await asyncio.gather(*(claims.claim(each, ["gift"]) for each in ACTIONS), return_exceptions=True)


async def test_what_a_full_disk_did_not_take_is_given_when_it_is_asked_for_again(store, claims):
    store.is_full = True
    assert {type(each) for each in await claimed(claims)} == {NotClaimed}
    assert await claimed(claims) == [{"gift": "A"}, {"gift": "B"}, {"gift": "C"}]


async def test_codes_that_were_taken_before_the_store_could_not_be_read_are_not_lost(store, claims):
    store.unread = ACTIONS[2].entry_id
    assert {type(each) for each in await claimed(claims)} == {NotClaimed}
    assert await claimed(claims) == [{"gift": "A"}, {"gift": "B"}, {"gift": "C"}]
