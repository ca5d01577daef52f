"""Random walks of a crowd through resolve, the linker and the turns: it comes to what one process does, in everything.

The units are driven as the loop of a membership drives them: they are given a share of the time that may be over after
any record, small transactions that are on their way while the next turns are worked, and a position that moves by
itself. They die with a transaction that was committed or was not, and are given up and taken up again with their
memory. What is compared is every decision, every action and every record of the state.
"""

import json
import random
from collections import Counter
from itertools import count

import msgspec
import pytest

from orchestrator.runtime.kafka import linking_partition, partition, resolved_partition
from orchestrator.runtime.kafka.resolving import ResolvingPartition
from shop.crowds import KINDS, NOBODY, crowd
from unit.runtime.kafka.test_linking import (
    END,
    HOUR,
    SOURCES,
    START,
    TURNS,
    WALL,
    LittleKafka,
    event_line,
    linking,
    simulated,
    told,
    told_by,
)

STRICT = {"limit": 8, "limits": {"customer_id": 1, "email": 2}, "never": {"email": frozenset({NOBODY})}}
# After so many steps nobody dies any more, so that it ends.
DEADLY_STEPS = 400


class Driven(LittleKafka):
    """Units that are driven as a membership drives them, by one kind of dice; `now` is what their clock says next."""

    def __init__(self, catalog, dice: random.Random, now: count) -> None:
        super().__init__(catalog)
        self._dice = dice
        self._now = now
        self._flying = {}

    def _made(self, name):
        unit = super()._made(name)
        unit.outgoing.most_facts = self._dice.choice([3, 20, 80])
        return unit

    def kill(self, name):
        """Let a unit die; whether its transaction on the way became visible is chance."""
        flying = self._flying.pop(name, None)
        if flying is not None and self._dice.random() < 0.5:
            self.apply(name, *flying)
        super().kill(name)

    def give_up(self, name):
        self._land(name)
        unit = self.unit(name)
        while not unit.outgoing.is_empty:
            self.commit(name, unit)
        unit.forget_fetched()
        self.read[name] = dict(self.offsets[name])

    def step(self, name, most: int) -> None:
        """Go round the loop once for one unit."""
        unit, number, topics, read = self.unit(name), int(name.partition("-")[2]), self.topics_of(name), self.read[name]
        if not unit.outgoing.is_full:
            for topic in topics:
                at = read.get(topic, 0)
                unit.inputs.add(topic, self.logs[topic, number][at : at + most])
                read[topic] = min(at + most, len(self.logs[topic, number]))
        if not unit.backlog:
            unit.pass_over({topic: read.get(topic, 0) for topic in topics})
        ended = {topic for topic in topics if read.get(topic, 0) == len(self.logs[topic, number])}
        if unit.is_due(self.wall_ms):
            unit.work(self.catalog, ended, self.wall_ms, next(self._now) + self._dice.choice([2, 5, 40, 1000]))
        if isinstance(unit, ResolvingPartition) and ended and not unit.backlog and self._dice.random() < 0.3:
            unit.reach_end(self.wall_ms)
            unit.work(self.catalog, ended, self.wall_ms)
        if name in self._flying:
            if self._dice.random() < 0.6:
                self._land(name)
        elif self._dice.random() < 0.7 and not unit.outgoing.is_empty:
            self._flying[name] = unit.take_outgoing()

    def _land(self, name) -> None:
        if name in self._flying:
            self.apply(name, *self._flying.pop(name))

    @property
    def is_done(self) -> bool:
        """Tell whether every turn's clock is behind the last record, all is read again, and nobody waits for a life."""
        turns = [self.unit(f"turn-{number}") for number in range(TURNS)]
        return all(unit.turned_ms >= WALL and unit._aligned.is_whole and not unit._aligned.held for unit in turns)


def drive(kafka: Driven, dice: random.Random, kills: float, most: int) -> None:
    steps = quiet = 0
    while quiet < 30:
        for name in [
            each for _ in range(3) for each in dice.sample(kafka.names(), dice.randint(1, len(kafka.names())))
        ]:
            chance = dice.random()
            if steps < DEADLY_STEPS and chance < kills:
                kafka.kill(name)
            elif steps < DEADLY_STEPS and chance < 2 * kills:
                kafka.give_up(name)
            kafka.step(name, dice.randint(1, most if steps < DEADLY_STEPS else 500))
        steps += 1
        quiet = quiet + 1 if kafka.is_done else 0
        kafka.wall_ms += 100
        assert steps < 6_000, "it stands still"
    for name in kafka.names():
        kafka.give_up(name)


# Those in which what this stands on shows: what is held, what is late, what leaves no trace, timers that are put back.
@pytest.mark.parametrize("seed", [0, 2, 9, 11, 16, 25, 30, 45, 56, 80, 96])
def test_a_crowd_comes_to_what_one_process_decides_wherever_its_units_are_interrupted(catalog, monkeypatch, seed):
    dice, now = random.Random(seed), count()
    for module in (resolved_partition, linking_partition, partition):
        monkeypatch.setattr(module, "perf_counter", lambda: next(now))
    catalog = linking(catalog, kinds=KINDS, **STRICT)
    sightings = crowd(dice.choice([60, 200]), seed, people=dice.choice([8, 30, 100]))
    step_ms, lines = dice.choice([HOUR // 180, HOUR // 30, HOUR // 6]), []
    kafka = Driven(catalog, dice, now)
    for number, each in enumerate(sightings):
        at_ms = START + number * step_ms
        line = json.dumps(each.event(dice.choice(["cart_updated", "order_placed", "seen"]), at_ms)).encode()
        for _ in range(dice.choice([1, 1, 1, 2])):
            lines.append((at_ms, line))
            kafka.append("events", dice.randrange(SOURCES), None, line, at_ms)
    for number in range(SOURCES):
        lines.append((END, event_line(-1 - number, END, {"type": "x", "customer_id": f"end{number}"})))
        kafka.append("events", number, None, lines[-1][1], END)
    drive(kafka, dice, kills=dice.choice([0.0, 0.02, 0.1, 0.2]), most=dice.choice([3, 9, 60]))
    runtime = simulated(catalog, lines)
    assert told(kafka.decisions) == told_by(runtime)
    assert Counter(map(written, kafka.actions)) == Counter(
        written(json.loads(msgspec.json.encode(action)))
        for happened in runtime.history
        for action in happened.turned.actions
    )
    kept = {who: record for number in range(TURNS) for who, record in kafka.kept[f"turn-{number}"].items()}
    assert kept == runtime.records()
    assert kafka.letters == []


def written(action: dict) -> str:
    return json.dumps({name: value for name, value in action.items() if name != "partition"}, sort_keys=True)
