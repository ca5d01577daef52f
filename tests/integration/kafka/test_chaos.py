"""Chaos: a seeded schedule of everything that can happen to workers and their broker, against a run without any.

Each round loads a day of events, doubled, delayed and out of order; starts workers; kills, freezes, stops and adds
them, at random moments and at fault points; loses answers; restarts the broker; and when all is processed compares
every line and every record with the simulated runtime. `make chaos ROUNDS=50` runs many.
"""

import asyncio
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from integration.kafka.test_crowds import PARTITIONS, STRICT, as_committed, identity, records_of
from orchestrator.testing.streams import Loaded, WorkerProcess
from shop.crowds import crowd

EVENTS = 12_000
CROWD = 4_000
MOST_WORKERS = 3
DEEDS = 6
POINTS = ["begin.opened", "begin.restored", "begin.positioned", "restore.records", "restore.end"]
# A failure here is no partition's but the worker's own: its process ends, as with any bug, and says so.
WORKERS_OWN = "turn.fetched"
POINTS += [f"commit.{step}" for step in ("begin", "lines", "changes", "check", "offsets", "end", "ended", "state")]
POINTS.append(WORKERS_OWN)


def disturbed(records: list[Loaded], dice: random.Random) -> list[Loaded]:
    """Double some records, delay some, and swap neighbours; the last event of each partition stays last."""
    body, ends = records[:-4], records[-4:]
    places = []
    for place, record in enumerate(body):
        places.append((place + (dice.randrange(2000) if dice.random() < 0.02 else dice.random() * 3), record))
        if dice.random() < 0.03:
            places.append((place + dice.randrange(3000), record))
    return [record for _, record in sorted(places, key=lambda each: each[0])] + ends


class Chaos:
    """Does things to the workers of a shop, and counts them."""

    def __init__(self, shop, dice: random.Random, folder: Path) -> None:
        self.shop = shop
        self.dice = dice
        self.folder = folder
        self.running: list[WorkerProcess] = []
        self.frozen: list[WorkerProcess] = []
        self.deeds: Counter[str] = Counter()
        # The workers that are to fail outside of any partition.
        self.failing: list[WorkerProcess] = []
        self._started = 0

    def start(self, *, may_fail: bool = True) -> None:
        """Start a worker, with a fault somewhere in its life, in memory or on a disk of its own."""
        self._started += 1
        settings = {"TRANSACTION_FACTS": str(self.dice.choice([20, 40, 80])), "LOG_LEVEL": "info"}
        if self.dice.random() < 0.3:
            settings["STATE"] = f"rocksdb:{self.folder / f'disk-{self._started}'}"
        point = behaviour = ""
        if may_fail and self.dice.random() < 0.6:
            behaviour = self.dice.choice(["kill", "kill", "raise"])
            point = self.dice.choice(POINTS)
            settings["FAULT"] = f"{point}:{self.dice.randint(1, 40)}:{behaviour}"
            self.deeds[f"fault {behaviour}"] += 1
        worker = self.shop.start_worker(**settings)
        if (point, behaviour) == (WORKERS_OWN, "raise"):
            self.failing.append(worker)
        self.running.append(worker)
        self.deeds["start"] += 1

    def take(self) -> WorkerProcess:
        return self.running.pop(self.dice.randrange(len(self.running)))

    async def act(self) -> None:
        """Do one thing."""
        # Who died at a fault point is counted, and replaced when the dice say so.
        for worker in [worker for worker in self.running if worker.exit_code is not None]:
            assert worker.exit_code == self.end_of(worker), self.shop.said()
            self.running.remove(worker)
            self.deeds["died at a fault"] += 1
        deed = self.dice.choice(["join", "join", "kill", "kill", "leave", "leave", "freeze", "thaw", "thaw", "broker"])
        if deed == "join" and len(self.running) < MOST_WORKERS:
            self.start()
        elif deed == "kill" and self.running:
            self.take().kill()
            self.deeds["kill"] += 1
        elif deed == "leave" and self.running:
            await self.leave(self.take())
        elif deed == "freeze" and self.running:
            worker = self.take()
            if worker.exit_code is None:
                worker.freeze()
                self.frozen.append(worker)
                self.deeds["freeze"] += 1
        elif deed == "thaw" and self.frozen:
            self.wake()
        elif deed == "broker":
            await asyncio.to_thread(self.shop.broker.restart)
            self.deeds["broker restart"] += 1
        if not self.running:
            self.start()

    async def leave(self, worker: WorkerProcess) -> None:
        """Stop a worker; it may be dying of its fault just now, or not have come as far as hearing a signal."""
        code = await asyncio.to_thread(worker.stop)
        assert code in (0, self.end_of(worker), -signal.SIGTERM), self.shop.said()
        self.deeds["leave"] += 1

    def end_of(self, worker: WorkerProcess) -> int:
        """Give the exit code that a worker's own fault ends it with."""
        return 2 if worker in self.failing else -signal.SIGKILL

    def wake(self) -> None:
        """Let a frozen worker go on: a zombie, if its session is over."""
        worker = self.frozen.pop()
        worker.thaw()
        self.running.append(worker)
        self.deeds["thaw"] += 1

    async def end(self) -> None:
        """Let everybody finish: nobody frozen, and one worker at least that has no fault ahead."""
        while self.frozen:
            self.wake()
        self.start(may_fail=False)
        await (self.shop.resolved(180) if self.shop.variables["RESOLVE"] == "on" else self.shop.drained(180))
        for worker in self.running:
            if worker.exit_code is None:
                await self.leave(worker)


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(0)
async def test_whatever_happens_nothing_is_lost_doubled_or_wrong(
    shop_to_break, rounds, first_round, a_day, scatter, tmp_path, fresh_name, capsys
):
    total: Counter[str] = Counter()
    written = shop_to_break.project / "orchestrator.yaml"
    text = written.read_text()
    for number in range(first_round, first_round + rounds):
        dice = random.Random(number)
        shop = type(shop_to_break)(shop_to_break.broker, fresh_name("shop"), tmp_path, shop_to_break.project)
        # Every second round with resolve: then customers are all over the partitions, in the order of their times,
        # because nobody could say what late records come to there.
        shop.variables["RESOLVE"] = "on" if number % 2 else "off"
        # Every fourth, they are people with shared devices besides.
        links = number % 4 == 3
        written.write_text(text + identity(STRICT) if links else text)
        await shop.open()
        a_days, people = a_day(EVENTS, seed=number), crowd(CROWD, number) if links else []
        if links:
            records = records_of(people, a_days[-PARTITIONS:], dice)
        else:
            records = scatter(a_days, seed=number) if number % 2 else disturbed(a_days, dice)
        await shop.receive(records)
        chaos = Chaos(shop, dice, tmp_path / f"round-{number}")
        try:
            chaos.start()
            for _ in range(DEEDS):
                await asyncio.sleep(dice.uniform(0.5, 4))
                await chaos.act()
            await chaos.end()
            expected = await shop.check(records)
            if links:
                await as_committed(shop, people)
        finally:
            shop.close()
        total += chaos.deeds + Counter(
            actions=len(expected.actions), decisions=len(expected.decisions), rebalances=rebalances(shop.said_all())
        )
        with capsys.disabled():
            done = f"{number - first_round + 1} of {rounds}, resolve {shop.variables['RESOLVE']}, links {links}"
            print(f"\nchaos round {done}: 0 lost, 0 doubled, 0 wrong;", dict(total), flush=True)  # noqa: T201


def rebalances(said: str) -> int:
    """Count how often workers were given partitions."""
    return said.count("assigned partitions")
