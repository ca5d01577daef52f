"""What is known of values beforehand: which texts a step's result may be, and which properties a receipt has.

Owns the tables, so that a comparison with what can never be is doubted. Names that may hold anything are not in them.
Must never refuse anything.
"""

from collections.abc import Iterable, Iterator, Mapping

from orchestrator.language.definitions import steps as written
from orchestrator.language.expressions.surroundings import NUMBER, TRUTH, Values, one_of
from orchestrator.language.project import Shop
from orchestrator.model.catalog import RECEIPTS

_OF_MESSAGES = ("sent", "held", "suppressed", "expired", "delivered", "opened", "clicked", "bounced", "failed")
_GROUPS = {
    "nps": ("promoter", "passive", "detractor"),
    "csat": ("positive", "neutral", "negative"),
    "ces": ("positive", "neutral", "negative"),
    "custom": (),
}
_HOLDOUT = "holdout"
_CONSENT = "consent_changed"


def of_results(steps: Mapping[str, written.StepBase], shop: Shop) -> dict[str, Values]:
    """List what is known of the results of steps, as expressions name them."""
    channels = tuple(shop.definition.channels)
    return {
        f"steps.{step_id.replace('-', '_')}.{result}": values
        for step_id, step in steps.items()
        for result, values in _results(step, channels, shop)
    }


def _results(step: written.StepBase, channels: tuple[str, ...], shop: Shop) -> Iterator[tuple[str, Values]]:
    match step:
        case written.SendStep() | written.AskStep():
            yield "status", one_of(*_OF_MESSAGES)
            yield "channel", one_of(*channels)
            if isinstance(step, written.AskStep):
                yield "group", one_of(*_GROUPS[step.ask.survey])
                if step.ask.survey != "custom":
                    yield "score", NUMBER
        case written.HandoffStep():
            yield "status", one_of("open", "closed", _HOLDOUT)
        case written.CallStep():
            yield "status", Values(NUMBER.kind, (_HOLDOUT,))
        case written.SplitStep():
            yield "name", one_of(*(branch.name for branch in step.split))
        case written.WaitForStep():
            yield "name", one_of(*(branch.name for branch in step.wait_for.any or () if branch.name))
        case written.ScoreStep():
            labels = shop.models.labels(step.score.model)
            yield "value", NUMBER
            if labels is not None:
                yield "label", one_of(*labels)


def of_events(events: Iterable[str], shop: Shop, messages: Iterable[str]) -> dict[str, Values]:
    """List what is known in a `where` about any of these events."""
    names = frozenset(events)
    known = {"event.type": one_of(*sorted(names))}
    if names and names <= RECEIPTS | {_CONSENT}:
        # Other systems may speak of messages, channels and purposes of theirs.
        ours: dict[str, Iterable[str]] = {
            "channel": shop.definition.channels,
            "purpose": shop.definition.purposes,
            "message": messages,
        }
        known |= {name: one_of(*texts, is_open=True) for name, texts in ours.items()}
    if names and names <= RECEIPTS:
        known["machine"] = TRUTH
    if names == {"message_bounced"}:
        known["kind"] = one_of("hard", "soft")
    if names == {_CONSENT}:
        known |= {"granted": TRUTH, "confirmed": TRUTH}
    return known
