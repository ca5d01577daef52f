"""ONNX: a model that somebody trained elsewhere, asked about a customer's features.

Owns the way from a model's file to numbers and back. The file is the model in base64 text, so that it is published with
the journeys and every worker asks the same. The runtime is the extra `orchestrator[onnx]`. Must never train.
"""

import base64
from collections.abc import Callable
from typing import Any

from orchestrator.model.expression import Scope
from orchestrator.model.project import Judgement, Scorer
from orchestrator.scorers.port import Setup, Unusable

_MOST_REASONS = 5
# From one number a feature to the numbers of the last output.
Ask = Callable[[list[float]], list[float]]
_HOW = "file: NAME, of a text made by: base64 model.onnx > NAME"


def open_scorer(setup: Setup) -> Scorer:
    """Make the scorer.

    `value` is the model's number; of several, one for each of `classes`, it is the highest, and `label` its class. A
    feature counts by how far the value moves when the feature is 0. A feature that is missing leaves no answer.
    """
    if not setup.features:
        raise Unusable(f"the model {setup.name} has no features", "features: {recency: profile.recency}")
    classes: list[str] = setup.settings.get("classes") or []
    ask = _session(setup, classes)

    def judge(_given: Any, scope: Scope) -> Judgement | None:
        values = [_number(feature.evaluate(scope)) for _, feature in setup.features]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        answer = ask(known)
        best = answer.index(max(answer))
        moved = []
        for place, (name, _) in enumerate(setup.features):
            without = ask([*known[:place], 0.0, *known[place + 1 :]])[best]
            moved.append((answer[best] - without, f"{name} {known[place]:g}"))
        moved.sort(key=lambda pair: (-abs(pair[0]), pair[1]))
        why = [f"{what} ({by:+.2f})" for by, what in moved[:_MOST_REASONS]]
        return Judgement(value=round(answer[best], 6), label=classes[best] if classes else None, why=why)

    return judge


def _check(setup: Setup, answer: list[float], classes: list[str]) -> None:
    if len(answer) != (len(classes) or 1):
        wants = f"classes: [{', '.join(f'class-{number}' for number in range(1, len(answer) + 1))}]"
        raise Unusable(f"the model {setup.name} gives {len(answer)} numbers, for {len(classes) or 1}", wants)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _session(setup: Setup, classes: list[str]) -> Ask:
    """Give what asks the model, after asking it once."""
    try:
        import numpy
        import onnxruntime
    except ImportError:
        raise Unusable("models of the kind onnx need another package", "pip install orchestrator[onnx]") from None
    name = setup.settings.get("file")
    text = setup.read(name) if name else None
    if text is None:
        raise Unusable(f"there is no file {name}" if name else f"the model {setup.name} names no file", _HOW)
    options = onnxruntime.SessionOptions()
    # One thread adds in one order: the same features give the same bits.
    options.intra_op_num_threads = options.inter_op_num_threads = 1

    def ask(values: list[float]) -> list[float]:
        (*_, last) = session.run(None, {entrance.name: numpy.array([values], dtype=numpy.float32)})
        return [float(number) for number in numpy.asarray(last, dtype=numpy.float64).ravel()]

    try:
        model = base64.b64decode(text, validate=False)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        (entrance,) = session.get_inputs()
        answer = ask([0.0] * len(setup.features))
    except Exception as error:  # noqa: BLE001 - the runtime's own errors share no base
        raise Unusable(f"{name} holds no model that takes {len(setup.features)} features: {error}", _HOW) from None
    _check(setup, answer, classes)
    return ask
