"""Readers of copied messages: who comes back to another gateway gets what they have not seen, each once."""

import json
import random
from types import SimpleNamespace

import pytest
from aiokafka.structs import TopicPartition

from orchestrator.model import instants
from orchestrator.model.project import Project
from orchestrator.runtime.kafka.copied import Copy, News
from orchestrator.runtime.kafka.readers import Streams, read_place, write_place
from orchestrator.runtime.streams import PAGE, NoPlace

NOW = 1_800_000_000_000
WEEK = 7 * 24 * 3_600_000


def message(partition: int, offset: int, profile_id: str = "ana", channel: str = "in-app") -> SimpleNamespace:
    told = {"id": f"{partition}/{offset}", "channel": channel, "at": instants.to_text(NOW)}
    value = json.dumps({**told, "expires_at": instants.to_text(NOW + WEEK)}).encode()
    return SimpleNamespace(key=profile_id.encode(), value=value, timestamp=NOW, partition=partition, offset=offset)


class Gate:
    """The streams of one gateway, over a copy of its own."""

    def __init__(self, path):
        self.copy = Copy(path, "shop", WEEK, lambda: Project("shop"))
        self.streams = Streams(self, SimpleNamespace(now_ms=lambda: NOW))

    async def look(self, call):
        return call(self.copy)

    def read(self, *messages):
        reached = {}
        for each in messages:
            reached[TopicPartition("messages", each.partition)] = each.offset + 1
        self.copy.take(News(messages=list(messages), positions=reached), 0)


async def seen(reader):
    """Read to the end; give the messages, and the place behind them."""
    found, place = [], None
    while page := await reader.page():
        assert len(page) <= PAGE
        found += [json.loads(message)["id"] for _, message in page]
        place = page[-1][0]
    return found, place


@pytest.fixture
def gates(tmp_path):
    made = [Gate(tmp_path / f"{n}.db") for n in range(2)]
    yield made
    for each in made:
        each.copy.close()


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_order_each_gateway_copied_in_nothing_is_missed_and_nothing_comes_twice(gates, seed):
    dice = random.Random(seed)
    ends = [dice.randrange(1, 40) for _ in range(3)]
    everything = {f"{number}/{offset}" for number, end in enumerate(ends) for offset in range(end)}
    logs = [[message(number, offset) for offset in range(end)] for number, end in enumerate(ends)]
    orders = []
    for gate in gates:
        left = [list(log) for log in logs]
        order = []
        while any(left):
            order.append(dice.choice([log for log in left if log]).pop(0))
        orders.append(order)
        gate.read(*order[: dice.randrange(len(order) + 1)])
    got, place = [], None
    for turn in range(6):
        gate, order = gates[turn % 2], orders[turn % 2]
        if turn in (2, 3):  # the rest comes, to each in its order
            have = len(gate.copy.store.casework.streamed("in-app", None, 0, NOW, 1_000))
            gate.read(*order[have:])
        reader = await gate.streams.open("in-app", None, place, is_new=False)
        found, behind = await seen(reader)
        got, place = got + found, behind or place
    assert (len(got), set(got)) == (len(everything), everything)


async def test_a_customer_reads_their_own_and_who_begins_now_only_what_comes(gates):
    gate = gates[0]
    gate.read(message(0, 0), message(1, 0, "ben"), message(0, 1, channel="till"))
    mine = await gate.streams.open("in-app", "ben", None, is_new=False)
    new = await gate.streams.open("in-app", None, None, is_new=True)
    assert ((await seen(mine))[0], (await seen(new))[0]) == (["1/0"], [])
    gate.read(message(2, 0), message(1, 1, "ben"))
    assert ((await seen(mine))[0], (await seen(new))[0]) == (["1/1"], ["2/0", "1/1"])


async def test_a_reader_goes_on_when_the_copy_is_made_anew(gates):
    gate = gates[0]
    gate.read(*(message(0, offset) for offset in range(5)))
    reader = await gate.streams.open("in-app", None, None, is_new=False)
    await seen(reader)
    gate.copy.wipe()
    gate.read(*(message(0, offset) for offset in range(6)))
    assert (await seen(reader))[0] == ["0/5"]


@pytest.mark.parametrize(
    "text", ["", "7", "1.x", "1.2-", "-1.2", "1.2,3.4", "9" * 20, "1.2-" * 3_000 + "1.2", "65535.1"]
)
def test_what_is_no_place_is_refused(text):
    with pytest.raises(NoPlace):
        read_place(text)


def test_a_place_is_read_as_it_was_written():
    assert read_place(write_place({3: 17, 0: 2})) == {0: 2, 3: 17}
