"""Churn: how likely a customer has left for good, from when, how often and how much they bought, and from silence.

Owns the reckoning. Somebody is expected back after their own gap between purchases, which the usual gap stands in for
until there are some; each further gap that passes halves what is left of hope. Who still looks in is only half gone.
Must never read more than the judgement says why.
"""

from orchestrator.model.expression import Scope
from orchestrator.model.instants import DAY_MS
from orchestrator.model.project import Judgement, Scorer
from orchestrator.scorers.port import Setup

_USUAL_DAYS = 60.0
# From so much on: who is at risk, and who is as good as gone.
_MEDIUM, _HIGH = 0.4, 0.7
# Customers who have spent much come back more often than the gap alone lets expect.
_OF_GOOD_CUSTOMERS = 0.8


def open_scorer(setup: Setup) -> Scorer:
    """Make the scorer: `value` from 0 to 1, `label` low, medium or high, `why` what it is reckoned from."""
    usual = float(setup.settings.get("usual_days") or _USUAL_DAYS)
    much = setup.settings.get("much")

    def judge(_given: object, scope: Scope) -> Judgement | None:
        recency, silence = scope.bought("recency"), _silence(scope)
        if recency is None and silence is None:
            return None
        why = []
        if recency is None:
            value = _overdue((silence or 0.0) / usual)
            why.append("has never bought")
        else:
            gap = _gap(scope, recency, usual)
            value = _overdue(recency / gap)
            why.append(f"no purchase for {recency:.0f} days, expected after {gap:.0f}")
            if silence is not None and silence < recency:
                value *= (1 + silence / recency) / 2
            value *= _discount(scope, much, why)
        if silence is not None:
            why.append(f"not seen for {silence:.0f} days")
        label = "high" if value >= _HIGH else "medium" if value >= _MEDIUM else "low"
        return Judgement(value=round(value, 4), label=label, why=why)

    return judge


def _overdue(gaps: float) -> float:
    """Tell how much hope is gone after so many gaps: none within the first, half after the second."""
    return 1 - 2.0 ** (1 - gaps) if gaps > 1 else 0.0


def _silence(scope: Scope) -> float | None:
    """Count the days since the customer was seen on any channel."""
    seen = scope.state.profile.last_seen_ms.values()
    return (scope.now_ms - max(seen)) / DAY_MS if seen else None


def _gap(scope: Scope, recency: float, usual: float) -> float:
    """Reckon the customer's own gap; one purchase says nothing of it, so the usual one counts as much as each gap."""
    gaps = int(scope.bought("frequency") or 0) - 1
    known = (scope.now_ms - scope.state.profile.first_seen_ms) / DAY_MS - recency
    return (usual + max(known, 0.0)) / (1 + gaps) if gaps > 0 else usual


def _discount(scope: Scope, much: float | None, why: list[str]) -> float:
    spent = scope.bought("monetary") or 0.0
    times = int(scope.bought("frequency") or 0)
    why.append(f"{times} purchase{'' if times == 1 else 's'}, {spent:g} in all")
    return _OF_GOOD_CUSTOMERS if much is not None and spent >= much else 1.0
