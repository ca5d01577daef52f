"""Delivery's outbox on Kafka, without a broker: what it tells its lanes of what was noted before."""

import asyncio
from typing import ClassVar

import msgspec
import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, ProducerFenced

from orchestrator.model.effects import Action
from orchestrator.runtime.kafka import delivery
from orchestrator.runtime.kafka.delivery import KafkaOutbox, NotOursError
from orchestrator.runtime.kafka.pendings import NOTE, Row, encode_row
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.kafka.topics import Topics

KEPT = {0: {f"{NOTE}ramp email": b"zero"}, 3: {f"{NOTE}ramp email": b"three", "a1": encode_row(Row("a1", 3, 7))}}


class Log:
    """A partition's journal that holds what it was told before; of what comes, the first `troubles` writes fail."""

    opened: ClassVar[list[int]] = []
    troubles = 0
    largest = 1 << 20

    def __init__(self, settings, topics, number, fail):
        self.number = number
        self.fail = fail
        self.taken, self.letters, self.receipts = {}, [], []

    async def open(self):
        Log.opened.append(self.number)
        return KEPT[self.number]

    async def write(self, changes, receipts=(), letters=()):
        if Log.troubles:
            Log.troubles -= 1
            self.fail(KafkaTimeoutError())
            raise ConnectionError("no answer")
        self.taken |= changes
        self.receipts += receipts
        self.letters += letters

    async def discard(self):
        pass

    async def close(self):
        pass


@pytest.fixture
def buried():
    """Collect what the metrics are told: the reasons of dead letters."""
    return []


@pytest.fixture
def outbox(monkeypatch, buried):
    async def largest_batch(*_):
        return Log.largest

    monkeypatch.setattr(delivery, "Journal", Log)
    monkeypatch.setattr(delivery, "largest_batch", largest_batch)
    monkeypatch.setattr(Log, "largest", 1 << 20)
    monkeypatch.setattr(Log, "opened", [])
    monkeypatch.setattr(Log, "troubles", 0)
    settings = KafkaSettings.of({"app_id": "shop"})
    return KafkaOutbox(settings, Topics.of(settings), 0, buried.append)


async def opened(outbox, *partitions):
    outbox.assign(partitions)
    await asyncio.gather(*outbox._opening.values())


async def test_a_note_is_told_by_the_partition_that_holds_it_and_again_when_that_is_opened_anew(outbox):
    assert await outbox.recall("ramp email") == {}
    await opened(outbox, 0)
    assert await outbox.recall("ramp email") == {"0/1": b"zero"}
    await opened(outbox, 3)
    assert await outbox.recall("ramp email") == {"0/1": b"zero", "3/2": b"three"}
    await outbox.revoke([3])
    await opened(outbox, 3)
    assert await outbox.recall("ramp email") == {"0/1": b"zero", "3/3": b"three"}
    assert await outbox.recall("ramp push") == {}
    await outbox.close()


def message(action_id: str) -> bytes:
    at = "2026-01-01T10:00:00.000Z"
    return msgspec.json.encode(Action(action_id, "message", "p", "ana", "cart", 1, "n", "s", at, "email"))


async def test_an_action_is_taken_in_though_its_partition_had_to_be_opened_anew_meanwhile(outbox):
    await opened(outbox, 0)
    Log.troubles = 2
    assert await outbox.accept(0, 5, message("a1")) == ("email", ())
    assert list(outbox._journals[0].taken) == ["a1"]
    assert Log.opened == [0, 0, 0]
    [pending] = await outbox.due("email", 1 << 60, 10, ())
    assert pending.action_id == "a1"
    await outbox.close()


@pytest.mark.parametrize(
    ("raw", "reason"), [(b"{", "not_json"), (None, "not_json"), (b"\xff", "not_json"), (b"{}", "bad_envelope")]
)
async def test_what_is_no_action_is_a_dead_letter_and_done_with(outbox, buried, raw, reason):
    await opened(outbox, 3)
    assert await outbox.accept(3, 9, raw) == (None, ())
    [letter] = outbox._journals[3].letters
    assert (letter.reason, letter.source, letter.offset) == (reason, "actions/3", 9)
    assert buried == [reason]
    await outbox.close()


async def test_what_came_of_a_partition_that_is_somebody_elses_is_let_go(outbox, monkeypatch):
    monkeypatch.setattr(delivery, "ASSIGNING_S", 0.01)
    with pytest.raises(NotOursError):
        await outbox.accept(0, 5, message("a1"))
    # And holds up nobody: this waits for all that is being taken in.
    await opened(outbox, 3)
    forget = msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(message("c"), type=Action), kind="cancel"))
    assert await outbox.accept(3, 6, forget) == (None, [])
    await outbox.close()


async def test_a_record_that_is_here_before_its_partition_waits_for_it(outbox):
    taking = asyncio.create_task(outbox.accept(0, 5, message("a1")))
    await asyncio.sleep(0)
    outbox.assign([0])
    assert await taking == ("email", ())
    await outbox.close()


async def test_whoever_was_fenced_looks_whether_the_partition_is_still_theirs_before_fencing_others(outbox):
    await opened(outbox, 0)
    outbox._journals[0].fail(ProducerFenced())
    for _ in range(10):
        await asyncio.sleep(0)
    assert Log.opened == [0]
    await outbox.revoke([0])
    assert Log.opened == [0]


async def test_what_was_given_out_is_held_until_its_partition_goes_or_somebody_else_has_tried_it(outbox):
    await opened(outbox, 0)
    await outbox.accept(0, 5, message("a1"))
    [pending] = await outbox.due("email", 1 << 60, 10, ())
    assert outbox.holds(pending)
    await outbox.revoke([0])
    assert not outbox.holds(pending)
    tried = Row("a1", 0, 5, "p", "email", attempts=2, action=msgspec.Raw(message("a1")))
    outbox._pendings.put(tried)
    assert not outbox.holds(pending)
    assert outbox.holds(tried.pending())
    outbox._pendings.put(Row("a1", 0, 5))
    assert not outbox.holds(tried.pending())
    await outbox.close()


def large(action_id: str, kilobytes: int) -> bytes:
    action = msgspec.json.decode(message(action_id), type=Action)
    return msgspec.json.encode(msgspec.structs.replace(action, data={"text": "x" * (kilobytes << 10)}))


async def test_an_action_whose_row_its_changelog_would_refuse_is_given_up_and_the_next_is_taken_in(outbox, buried):
    await opened(outbox, 0)
    assert await outbox.accept(0, 5, large("a1", 1010)) == (None, ())
    journal = outbox._journals[0]
    [letter], [receipt] = journal.letters, journal.receipts
    assert (letter.reason, letter.source, letter.offset, letter.profile_id) == ("too_large", "actions/0", 5, "p")
    assert "shop-delivery-changelog takes 1048576" in letter.message
    told = msgspec.json.decode(receipt[1])
    assert (told["type"], told["properties"]["reason"], receipt[0]) == ("message_failed", "too_large", b"p")
    assert await outbox.due("email", 1 << 60, 10, ()) == []
    assert await outbox.accept(0, 5, large("a1", 1010)) == ("email", ())  # again, after a restart: it is done with
    assert await outbox.accept(0, 6, large("a2", 900)) == ("email", ())
    assert ([letter.offset for letter in journal.letters], buried) == ([5], ["too_large"])
    await outbox.close()


async def test_a_changelog_that_takes_less_than_before_is_asked_again(outbox, buried):
    await opened(outbox, 0)
    Log.largest = 100 << 10
    outbox._journals[0].fail(MessageSizeTooLargeError())
    assert await outbox.accept(0, 5, large("a1", 90)) == (None, ())
    assert buried == ["too_large"]
    await outbox.close()


async def test_it_is_ready_once_the_group_has_told_what_is_its_own_and_that_is_open(outbox):
    assert not outbox.is_ready
    outbox.assign([0])
    assert (outbox.is_ready, set(outbox.partitions)) == (False, {0})
    await opened(outbox)
    assert (outbox.is_ready, set(outbox.partitions)) == (True, {0})
    await outbox.revoke([0])
    assert (outbox.is_ready, set(outbox.partitions)) == (False, set())
    outbox.assign([])  # more of us than partitions
    assert outbox.is_ready
    await outbox.close()
