"""When an action is first due, and how patience and manners count."""

import random
from datetime import timedelta

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.model import instants
from orchestrator.runtime.delivery import timing
from orchestrator.runtime.delivery.pace import Manners
from orchestrator.runtime.delivery.patience import Backoff, Breaker
from providers import action

QUIET = {"zone": "Europe/Madrid", "windows": [{"from": "21:30", "to": "08:30"}]}
MORNING = "2026-03-02T07:30:00.000Z"  # 08:30 in Madrid
DICE = random.Random(1)


def ms(text: str) -> int:
    found = instants.parse(text)
    assert found is not None
    return found


def test_what_is_decided_in_the_middle_of_the_day_is_due_at_once():
    at = "2026-03-02T12:00:00.000Z"
    assert timing.first_due(action(at=at, quiet=QUIET)) == ms(at)


def test_what_the_end_of_quiet_hours_lets_go_is_spread_the_same_way_every_time():
    dues = [timing.first_due(action(number, at=MORNING, quiet=QUIET)) - ms(MORNING) for number in range(200)]
    assert dues == [timing.first_due(action(number, at=MORNING, quiet=QUIET)) - ms(MORNING) for number in range(200)]
    assert min(dues) < 60_000
    assert 14 * 60_000 < max(dues) < 15 * 60_000


def test_nothing_is_spread_beyond_its_own_end():
    ends = "2026-03-02T07:31:00.000Z"
    dues = [timing.first_due(action(number, at=MORNING, quiet=QUIET, expires_at=ends)) for number in range(50)]
    assert max(dues) < ms(ends)


def test_quiet_hours_that_cannot_be_read_hold_nothing_up():
    odd = {"zone": "Nowhere/At_All", "windows": [{"from": "x", "to": None}]}
    assert timing.check(action(quiet=odd), ms("2026-01-01T10:00:00Z")) is None


def test_patience_doubles_to_its_end():
    delays = [Backoff().delay_ms(attempts, None, DICE) for attempts in range(1, 40)]
    assert all(500 * 2**n <= delay <= 1000 * 2**n for n, delay in enumerate(delays[:9]))
    assert all(450_000 <= delay <= 900_000 for delay in delays[11:])
    assert 60_000 <= Backoff().delay_ms(1, timedelta(minutes=1), DICE) <= 61_000


def test_a_clock_that_is_set_back_leaves_no_provider_alone_for_longer():
    breaker, day_ms, hour_ms = Breaker(threshold=1, first_ms=1000), 86_400_000, 3_600_000
    breaker.failed(day_ms, None, DICE)
    wait_ms = breaker.wait_ms(day_ms + 100)
    assert 0 < wait_ms <= 900
    assert breaker.wait_ms(day_ms - hour_ms) == wait_ms
    assert breaker.wait_ms(day_ms - hour_ms + wait_ms) == 0
    breaker.failed(day_ms - 2 * hour_ms, timedelta(hours=1), DICE)
    assert breaker.wait_ms(day_ms - 3 * hour_ms) == hour_ms


def test_a_breaker_lets_one_try_through_and_believes_it():
    breaker = Breaker(threshold=2, first_ms=1000)
    breaker.failed(0, None, DICE)
    assert breaker.wait_ms(0) == 0
    breaker.failed(0, None, DICE)
    assert breaker.is_open
    assert 0 < breaker.wait_ms(0) <= 1000
    assert breaker.wait_ms(1000) == 0
    assert breaker.wait_ms(1000) > 0
    breaker.failed(1000, None, DICE)
    assert breaker.wait_ms(1900) > 0
    assert breaker.wait_ms(3000) == 0
    breaker.succeeded()
    assert not breaker.is_open
    assert [breaker.wait_ms(3000), breaker.wait_ms(3000)] == [0, 0]


@pytest.mark.parametrize("fragment", ["concurrency=0", "rate=fast", "ramp=-1", "concurrency=100000"])
def test_manners_that_make_no_sense_are_refused(fragment):
    with pytest.raises(OrchestratorError):
        Manners.from_url(f"https://push.example/#{fragment}")


def test_manners_stand_behind_the_url():
    assert Manners.from_url("https://x.example/?rate=1#concurrency=5&rate=2.5") == Manners(5, 2.5, None)
