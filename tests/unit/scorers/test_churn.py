"""Churn: what recency, frequency, money and silence make of each other, reckoned by hand here."""

import pytest

from orchestrator.model.instants import DAY_MS
from orchestrator.model.state import Purchases
from orchestrator.scorers.churn import open_scorer
from orchestrator.scorers.port import Setup


@pytest.fixture
def ana(seen):
    """Make a customer who bought so often, last so long ago, and was seen so long ago."""

    def make(bought=0, recency=0.0, known=0.0, spent=0.0, silent=None):
        scope = seen()
        now = scope.now_ms
        scope.state.profile.first_seen_ms = now - int((recency + known) * DAY_MS)
        if silent is not None:
            scope.state.profile.last_seen_ms = {"web": now - int(silent * DAY_MS), "email": 0}
        if bought:
            last = now - int(recency * DAY_MS)
            scope.state.past.purchases = Purchases(count=bought, last_ms=last, spent={"EUR": spent}, currency="EUR")
        return scope

    return make


def _judge(scope, **settings):
    return open_scorer(Setup("churn", {"usual_days": 30.0, **settings}))(None, scope)


def test_nobody_is_lost_before_they_are_expected_back(ana):
    judgement = _judge(ana(bought=1, recency=29, spent=20))
    assert (judgement.value, judgement.label) == (0.0, "low")
    assert judgement.why == ["no purchase for 29 days, expected after 30", "1 purchase, 20 in all"]


@pytest.mark.parametrize(("recency", "value", "label"), [(60, 0.5, "medium"), (90, 0.75, "high"), (120, 0.875, "high")])
def test_each_gap_that_passes_halves_the_hope(ana, recency, value, label):
    judgement = _judge(ana(bought=1, recency=recency))
    assert (judgement.value, judgement.label) == (value, label)


def test_who_buys_often_is_missed_sooner(ana):
    # Three gaps in thirty days, and the usual one: fifteen days each.
    often = _judge(ana(bought=4, recency=30, known=30))
    assert often.why[0] == "no purchase for 30 days, expected after 15"
    assert often.value == 0.5
    assert _judge(ana(bought=1, recency=30, known=30)).value == 0.0


def test_who_still_looks_in_is_only_half_gone(ana):
    assert _judge(ana(bought=1, recency=90, silent=1)).value == round(0.75 * (1 + 1 / 90) / 2, 4)
    assert _judge(ana(bought=1, recency=90, silent=90)).value == 0.75


def test_who_has_spent_much_is_likelier_to_come_back(ana):
    assert _judge(ana(bought=1, recency=60, spent=500), much=400).value == 0.4
    assert _judge(ana(bought=1, recency=60, spent=500), much=600).value == 0.5


def test_who_never_bought_is_judged_by_silence_alone(ana):
    judgement = _judge(ana(silent=60))
    assert (judgement.value, judgement.why) == (0.5, ["has never bought", "not seen for 60 days"])


def test_of_whom_nothing_is_known_nothing_is_said(ana):
    assert _judge(ana()) is None
