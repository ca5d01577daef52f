"""Drift: whoever is far ahead of the slowest partition waits, but for nobody who stands still."""

from itertools import groupby
from types import SimpleNamespace

import pytest

from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.drift import LONGEST_S, STANDING_S, Drift
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.resolving import ResolvingPartition

LONGEST_TICKS = int(LONGEST_S * 10)


class Partition(SimpleNamespace):
    """A partition that has passed on one record each second, up to its clock."""

    def lead_over(self, instant_ms: int) -> int:
        return max(0, self.clock.now_ms - instant_ms) // 1000


def partitions(*seconds: int) -> list[Partition]:
    return [Partition(number=number, clock=PartitionClock(1000 * at)) for number, at in enumerate(seconds)]


def test_who_is_too_far_ahead_waits_for_the_slowest():
    assert Drift(10).too_far_ahead(partitions(100, 105, 110, 111), 0.0) == {3}
    assert Drift(10).too_far_ahead(partitions(100, 0), 0.0) == {0}


@pytest.mark.parametrize("at", [(), (7,)])
def test_nobody_waits_where_there_is_nobody_to_wait_for(at):
    assert not Drift(0).too_far_ahead(partitions(*at), 0.0)


def test_nobody_waits_for_long_where_one_partition_is_filled_with_what_is_old():
    drift, (old, live) = Drift(10), partitions(0, 20)
    waited = []
    for tick in range(140):
        old.clock.now_ms += 1
        waited.append(bool(drift.too_far_ahead([old, live], tick / 10)))
        if not waited[-1]:
            live.clock.now_ms += 1_001
    # Each time it goes on until it is twice as far ahead.
    assert [(each, len(list(ticks))) for each, ticks in groupby(waited)][:4] == [
        (True, LONGEST_TICKS), (False, 20), (True, LONGEST_TICKS), (False, 40),
    ]  # fmt: skip
    old.clock.now_ms += 1
    live.clock.now_ms = old.clock.now_ms
    assert not drift.too_far_ahead([old, live], 20.0)
    live.clock.now_ms += 11_000
    assert drift.too_far_ahead([old, live], 20.1) == {1}


def test_who_stands_still_is_waited_for_no_longer():
    drift, stuck, (ahead,) = Drift(10), Partition(number=7, clock=PartitionClock(0)), partitions(500)
    assert drift.too_far_ahead([stuck, ahead], 0.0) == {0}
    assert drift.too_far_ahead([stuck, ahead], STANDING_S - 0.1) == {0}
    ahead.clock.now_ms += 1
    assert drift.too_far_ahead([stuck, ahead], STANDING_S) == set()
    stuck.clock.now_ms = 1
    assert drift.too_far_ahead([stuck, ahead], STANDING_S + 0.1) == {0}


def test_who_came_to_an_end_is_forgotten():
    drift, (slow, ahead) = Drift(10), partitions(0, 500)
    assert drift.too_far_ahead([slow, ahead], 0.0) == {1}
    assert drift.too_far_ahead([ahead], 0.1) == set()


def test_resolve_knows_how_much_of_what_it_passed_on_is_later():
    unit = ResolvingPartition(0, 1, Inputs(["events"]), PartitionClock(), 100)
    for hour, count in ((1, 3), (2, 5), (3, 7)):
        unit.clock.pass_record(hour, 10)
        unit.outgoing.facts = count
        unit.take_outgoing()
    assert [unit.lead_over(hour) for hour in (0, 1, 2, 3)] == [15, 12, 7, 0]
