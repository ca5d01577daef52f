"""How far delivery is behind, without a broker."""

from types import SimpleNamespace

import pytest
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from orchestrator.runtime.kafka import behind
from orchestrator.runtime.kafka.behind import Behind
from orchestrator.runtime.kafka.metrics import Metrics
from orchestrator.runtime.kafka.settings import KafkaSettings

NOW = 1_000_000
ZERO, ONE = TopicPartition("actions", 0), TopicPartition("actions", 1)


class Actions:
    """Two partitions, each with times of records by offset, and the mark of a transaction at its end."""

    def __init__(self, times: dict[TopicPartition, dict[int, int]], first: int = 0) -> None:
        self.times, self.first, self.at = times, first, {}

    def assign(self, tps):
        self.assigned = set(tps)

    async def beginning_offsets(self, tps):
        return dict.fromkeys(tps, self.first)

    async def end_offsets(self, tps):
        return {tp: max(self.times[tp], default=self.first) + 2 for tp in tps}

    def seek(self, tp, offset):
        self.at[tp] = offset

    async def position(self, tp):
        return self.at[tp]

    async def getmany(self, *tps, timeout_ms):
        found = {}
        for tp in tps:
            records = [SimpleNamespace(timestamp=at) for offset, at in self.times[tp].items() if offset >= self.at[tp]]
            self.at[tp] = (await self.end_offsets([tp]))[tp]
            if records:
                found[tp] = records
        return found


@pytest.fixture
def measured(monkeypatch):
    """Measure by what the group has committed; give the lag and what was lost."""
    monkeypatch.setattr(behind, "wall_clock_ms", lambda: NOW)
    metrics, numbers = Metrics(), {0, 1}
    measuring = Behind(KafkaSettings.of({"app_id": "shop"}), "actions", "shop-deliver", metrics, lambda: numbers)

    async def measure(actions, committed, ours=(0, 1)):
        async def committed_by(admin, group, tps):
            return {tp: OffsetAndMetadata(committed[tp], "") for tp in tps if tp in committed}

        monkeypatch.setattr(behind, "committed_by", committed_by)
        numbers.clear()
        numbers.update(ours)
        await measuring._measure(actions, None)
        value = metrics.registry.get_sample_value
        return value("orchestrator_delivery_lag_seconds"), value(
            "orchestrator_records_lost_total", {"topic": "actions"}
        )

    return measure


async def test_it_is_the_age_of_the_oldest_action_that_is_not_taken_in_and_nothing_where_all_are(measured):
    actions = Actions({ZERO: {0: NOW - 90_000, 1: NOW - 60_000}, ONE: {0: NOW - 20_000}})
    assert await measured(actions, {}) == (90.0, None)
    assert await measured(actions, {ZERO: 1}) == (60.0, None)
    assert await measured(actions, {ZERO: 2}) == (20.0, None)
    assert await measured(actions, {ZERO: 2, ONE: 1}) == (0.0, None)  # but for the marks of transactions
    assert await measured(actions, {}, ours=[1]) == (20.0, None)
    assert await measured(actions, {}, ours=[]) == (0.0, None)
    assert actions.assigned == set()  # what is not ours is not looked for


async def test_actions_that_were_deleted_before_they_were_taken_in_are_counted_and_said_once(measured, caplog):
    actions = Actions({ZERO: {7: NOW - 5_000}, ONE: {}}, first=7)
    for _ in range(2):
        assert await measured(actions, {ZERO: 3, ONE: 7}) == (5.0, 4)
    [complaint] = caplog.messages
    assert "actions/0 begins at 7 by now, and delivery had come to 3" in complaint
    assert await measured(actions, {ZERO: 8, ONE: 7}) == (0.0, 4)
