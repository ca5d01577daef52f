"""Rules: points for what is known of a customer, added up, and what the sum is called.

Owns the adding and the naming. The conditions come compiled; must never read one's text.
"""

from typing import Any

from orchestrator.model.expression import Scope
from orchestrator.model.project import Judgement, Scorer
from orchestrator.scorers.port import Setup, Unusable


def open_scorer(setup: Setup) -> Scorer:
    """Make the scorer: `value` the sum, `label` the highest name that it reaches, `why` the rules that hold."""
    if not setup.rules:
        raise Unusable(f"the model {setup.name} has no rules", "rules: [{if: ..., points: 10}]")
    # The highest bound first; of two names with one bound the author's first.
    labels = sorted((setup.settings.get("labels") or {}).items(), key=lambda named: -named[1])

    def judge(_given: Any, scope: Scope) -> Judgement:
        held = [rule for rule in setup.rules if rule.condition.holds(scope)]
        total = sum(rule.points for rule in held)
        label = next((name for name, least in labels if total >= least), None)
        return Judgement(value=total, label=label, why=[f"{rule.why} ({rule.points:+g})" for rule in held])

    return judge
