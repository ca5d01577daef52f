"""The registry: from the kind of a model to its scorer.

Owns which kinds there are: ours, and those that other packages bring as entry points of the group
`orchestrator.scorers` (the name is the kind, the object takes a Setup and gives a Scorer). Must never import a kind
before a model asks for it.
"""

from importlib import import_module
from importlib.metadata import entry_points

from orchestrator.scorers.port import Open

GROUP = "orchestrator.scorers"
_OURS = {
    "churn": "orchestrator.scorers.churn",
    "rules": "orchestrator.scorers.rules",
    "onnx": "orchestrator.scorers.onnx",
    "recommend": "orchestrator.scorers.recommend",
    "sentiment": "orchestrator.scorers.sentiment",
    "topic": "orchestrator.scorers.topics",
}
# Kinds that need no settings, so that a step may name them as they are.
READY = frozenset({"churn", "sentiment", "topic"})
# Kinds that judge the text of the last event, where a step gives them nothing else.
OF_TEXTS = frozenset({"sentiment", "topic"})
# What a kind calls its values, where no project says so.
LABELS = {"sentiment": ("positive", "neutral", "negative"), "churn": ("low", "medium", "high")}
# What a kind reads of the customer's past, which is kept only for who asks.
READS = {"churn": frozenset({("profile", "recency"), ("profile", "last_seen")})}


def kinds() -> list[str]:
    """List every kind that there is."""
    return sorted({*_OURS, *(point.name for point in entry_points(group=GROUP))})


def find(kind: str) -> Open | None:
    """Find what makes scorers of a kind; None where nobody brings it. Another package's comes before ours."""
    for point in entry_points(group=GROUP, name=kind):
        brought: Open = point.load()
        return brought
    if kind not in _OURS:
        return None
    ours: Open = import_module(_OURS[kind]).open_scorer
    return ours
