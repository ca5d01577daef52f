"""The ids of steps: the author's own, and those derived from the verb where there is none.

Owns the walk over nested steps in the author's order. Must never derive an id that an author might have given.
"""

from collections import Counter
from collections.abc import Iterator

from orchestrator.language.definitions.steps import (
    VERBS,
    ChooseStep,
    RepeatStep,
    SplitStep,
    StepBase,
    WaitForStep,
)
from orchestrator.language.expressions.surroundings import LOST
from orchestrator.language.nodes import Mapping, Node, Path, Place, Scalar, Sequence

# Steps that state or receipts refer to: inserting one before them would move a derived id.
_NEED_IDS = frozenset({"wait", "wait_until", "wait_for", "send", "ask", "split", "call", "repeat", "handoff"})
_VERB_OF = {model: verb for verb, model in VERBS.items()}


def verb_of(step: StepBase) -> str:
    """Name the step's verb."""
    return _VERB_OF[type(step)]


def branches(step: StepBase) -> Iterator[tuple[Path, list[StepBase]]]:
    """List the steps nested in one, with the way from it to them, in the author's order."""
    if isinstance(step, WaitForStep):
        for number, branch in enumerate(step.wait_for.any or ()):
            yield ("wait_for", "any", number, "then"), list(branch.then)
    if isinstance(step, ChooseStep):
        for number, choice in enumerate(step.choose):
            key = "then" if choice.else_ is None else "else"
            yield ("choose", number, key), list(choice.then if choice.else_ is None else choice.else_)
    elif isinstance(step, SplitStep):
        for number, share in enumerate(step.split):
            yield ("split", number, "then"), list(share.then)
    elif isinstance(step, RepeatStep):
        yield ("repeat", "steps"), list(step.repeat.steps)
    else:
        yield ("then",), list(getattr(step, "then", None) or ())
        yield ("on_timeout",), list(getattr(step, "on_timeout", ()))


def walk(steps: list[StepBase], path: Path = ("steps",)) -> Iterator[tuple[Path, StepBase]]:
    """List all steps with the way to each from the journey's root, containers before what they hold."""
    for number, step in enumerate(steps):
        here = (*path, number)
        yield here, step
        for way, inner in branches(step):
            yield from walk(inner, (*here, *way))


def name_steps(steps: list[StepBase], root: Place) -> dict[Path, str]:
    """Give every step its id, by the way to it; report ids that stand twice, and warn where one is missing."""
    ids: dict[Path, str] = {}
    lines: dict[str, int] = {}
    found = list(walk(steps))
    for path, step in found:
        if step.id is None:
            continue
        place = root.at(path)["id"]
        if step.id in lines:
            place.report("E301", f"the id {step.id} stands twice, first on line {lines[step.id]}", "another id")
        lines.setdefault(step.id, place.line)
        ids[path] = step.id
    counts: Counter[str] = Counter()
    for path, step in found:
        if step.id is not None:
            continue
        verb = verb_of(step)
        derived = _derive(verb, counts, lines)
        ids[path] = derived
        # Where a part was cut out, it was the id, and what is wrong with that is reported already.
        if verb in _NEED_IDS and not root.at(path).node.mended:
            root.at(path).report(
                "W301", f"this {verb} has no id; it gets {derived}, which moves when another comes before it", "id: ..."
            )
    return ids


def _derive(verb: str, counts: Counter[str], taken: dict[str, int]) -> str:
    while True:
        counts[verb] += 1
        derived = f"{verb.replace('_', '-')}-{counts[verb]}"
        if derived not in taken:
            return derived


def ids_written(root: Node) -> dict[str, str]:
    """List every id in the steps of an unchecked journey, so that what refers to a broken step is not blamed."""
    found: dict[str, str] = {}
    if isinstance(root, Mapping) and "steps" not in root.values:
        found[LOST] = LOST  # they stand under a key that is misspelt, or are still to be written
    nodes = [root.values["steps"]] if isinstance(root, Mapping) and "steps" in root.values else []
    while nodes:
        node = nodes.pop()
        if isinstance(node, Sequence):
            nodes += node.items
        elif isinstance(node, Mapping):
            nodes += node.values.values()
            own = node.values.get("id")
            if isinstance(own, Scalar) and isinstance(own.value, str):
                found[own.value] = LOST
    return found


def order_of(steps: list[StepBase], ids: dict[Path, str]) -> dict[str, tuple[int, Path | None]]:
    """Give each step its number in the author's order, and the outermost repeat that it stands in, or is."""
    found: dict[str, tuple[int, Path | None]] = {}
    for number, (path, step) in enumerate(walk(steps)):
        around = path[: path.index("repeat")] if "repeat" in path else path if isinstance(step, RepeatStep) else None
        found[ids[path]] = number, around
    return found
