"""The examples of a journey, checked against the project they live in.

Owns the references: steps, branches, messages, channels, reasons. Must never run an example.
"""

from orchestrator.language import times
from orchestrator.language.definitions.example import Example
from orchestrator.language.definitions.fields import suggest
from orchestrator.language.definitions.journey import JourneyDefinition
from orchestrator.language.definitions.steps import SplitStep
from orchestrator.language.expressions.surroundings import LOST
from orchestrator.language.naming import walk
from orchestrator.language.nodes import Place
from orchestrator.language.project import Shop
from orchestrator.language.sending import Messages
from orchestrator.model.decision import Reason

_REASONS = frozenset(reason.value for reason in Reason)


def check(definition: JourneyDefinition, root: Place, shop: Shop, messages: Messages, steps: dict[str, str]) -> None:
    """Report what examples name and the project does not have."""
    names: dict[str, int] = {}
    splits = {step.id: step for _, step in walk(list(definition.steps)) if isinstance(step, SplitStep)}
    for number, example in enumerate(definition.examples):
        place = root["examples"][number]
        if example.name in names:
            place["name"].report(
                "E228", f"two examples have this name, the first on line {names[example.name]}", "another name"
            )
        names.setdefault(example.name, place["name"].line)
        _check_times(example, place)
        _check_setting(example, place, shop, steps, splits)
        _check_expected(example, place["expect"], shop, messages, steps)
        if not example.expect.model_fields_set and not place["expect"].node.mended:
            place["expect"].report("W318", "this example expects nothing, so that it cannot fail", "messages: [...]")


def _check_times(example: Example, place: Place) -> None:
    """Report what happens before an example begins: nothing is known then, and nobody inside."""
    start = times.local_time(example.start)
    spots = [(place["given"][number]["at"], given.at) for number, given in enumerate(example.given)]
    if example.until is not None:
        spots.append((place["until"], example.until))
    for spot, written in spots:
        moment = times.local_time(written)
        if start is not None and moment is not None and moment < start:
            why = f"`{written}` lies before the example's start, {example.start}"
            spot.report("E232", why, f'start: "{written}", or a later time here')


def _check_setting(
    example: Example, place: Place, shop: Shop, steps: dict[str, str], splits: dict[str | None, SplitStep]
) -> None:
    zone = example.profile.get("timezone")
    if isinstance(zone, str) and not times.is_zone(zone):
        place["profile"]["timezone"].report("E215", f"`{zone}` is no time zone", times.suggest_zone(zone))
    for channel, purposes in example.consents.items():
        shop.check_channel(place["consents"][channel], channel, at_key=True)
        for purpose in purposes:
            shop.check_purpose(place["consents"][channel][purpose], purpose)
    for number, channel in enumerate(example.prefers or ()):
        shop.check_channel(place["prefers"][number], channel)
    for answers, verb in (("responses", "call"), ("scores", "score"), ("split", "split")):
        for step_id in getattr(example, answers):
            spot = place[answers][step_id]
            _check_step(spot, step_id, steps, at_key=True)
            if steps.get(step_id, verb) not in (verb, LOST):
                others = {name for name, other in steps.items() if other == verb}
                why = f"{step_id} is no {verb}: its verb is {steps[step_id]}"
                spot.report("E312", why, suggest(step_id, others) if others else f"no {answers}", at_key=True)
    for step_id, branch in example.split.items():
        split = splits.get(step_id)
        if split is not None and all(branch != share.name for share in split.split):
            names = {share.name for share in split.split}
            fix = suggest(branch, names)
            place["split"][step_id].report("E313", f"the split {step_id} has no branch {branch}", fix)


def _check_expected(example: Example, place: Place, shop: Shop, messages: Messages, steps: dict[str, str]) -> None:
    expect = example.expect
    for number, message in enumerate(expect.messages or ()):
        spot = place["messages"][number]
        known = {*messages.drafts, *messages.lost}
        if message.message is not None and message.message not in known:
            fix = messages.ids.get(message.message) or suggest(message.message, known)
            spot["message"].report("E304", f"there is no message {message.message}", fix)
        shop.check_channel(spot["channel"], message.channel)
        shop.check_purpose(spot["purpose"], message.purpose)
    for number, withheld in enumerate(expect.withheld or ()):
        spot = place["withheld"][number]
        shop.check_channel(spot["channel"], withheld.channel)
        if withheld.step is not None:
            _check_step(spot["step"], withheld.step, steps)
        _check_reason(spot["reason"], withheld.reason)
    for kind in ("cases", "calls"):
        for number, asked in enumerate(getattr(expect, kind) or ()):
            if asked.step is not None:
                _check_step(place[kind][number]["step"], asked.step, steps)
    for number, step_id in enumerate(expect.path or ()):
        _check_step(place["path"][number], step_id, steps)
    if expect.waiting is not None:
        _check_step(place["waiting"], expect.waiting, steps)
    for number, reason in enumerate(expect.not_entered or ()):
        _check_reason(place["not_entered"][number], reason)


def _check_step(place: Place, step_id: str, steps: dict[str, str], *, at_key: bool = False) -> None:
    if step_id not in steps and LOST not in steps.values():
        place.report("E312", f"this journey has no step {step_id}", suggest(step_id, set(steps)), at_key=at_key)


def _check_reason(place: Place, reason: str | None) -> None:
    if reason is not None and reason not in _REASONS:
        place.report("E204", f"{reason} is no reason", suggest(reason, _REASONS))
