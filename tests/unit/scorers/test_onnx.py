"""ONNX: a model made here, small enough to reckon by hand."""

import base64
import sys

import onnx
import pytest
from onnx import TensorProto, helper

from orchestrator.model.expression import Expression
from orchestrator.scorers.onnx import open_scorer
from orchestrator.scorers.port import Setup, Unusable

FEATURES = tuple(
    (name, Expression(f"profile.{name}", lambda scope, name=name: scope.state.profile.value(name)))
    for name in ("recency", "frequency")
)


def _model(weights: list[list[float]]) -> str:
    """Make the model: its numbers are the features times these weights."""
    inputs, outputs = len(weights), len(weights[0])
    flat = [number for row in weights for number in row]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "weights"], ["numbers"])],
        "tiny",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, inputs])],
        [helper.make_tensor_value_info("numbers", TensorProto.FLOAT, [None, outputs])],
        [helper.make_tensor("weights", TensorProto.FLOAT, [inputs, outputs], flat)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return base64.encodebytes(model.SerializeToString()).decode()


def _setup(text: str | None, **settings) -> Setup:
    return Setup("risk", {"file": "risk.txt", **settings}, features=FEATURES, read={"risk.txt": text}.get)


def test_a_models_number_is_the_value_and_each_feature_says_how_much_it_counts(seen):
    judgement = open_scorer(_setup(_model([[0.5], [-0.25]])))(None, seen(recency=4, frequency=2))
    assert (judgement.value, judgement.label) == (1.5, None)
    assert judgement.why == ["recency 4 (+2.00)", "frequency 2 (-0.50)"]


def test_of_several_numbers_the_highest_names_its_class(seen):
    scorer = open_scorer(_setup(_model([[1.0, 0.0], [0.0, 1.0]]), classes=["leaves", "stays"]))
    assert (scorer(None, seen(recency=1, frequency=3)).label) == "stays"
    assert (scorer(None, seen(recency=3, frequency=1)).label) == "leaves"


def test_a_feature_that_is_missing_leaves_no_answer(seen):
    scorer = open_scorer(_setup(_model([[0.5], [-0.25]])))
    assert scorer(None, seen(recency=4)) is None
    assert scorer(None, seen(recency=4, frequency="often")) is None


@pytest.mark.parametrize("text", [None, "", "no model", base64.b64encode(b"no model").decode()])
def test_a_file_that_holds_no_model_is_the_authors_to_mend(text):
    with pytest.raises(Unusable) as error:
        open_scorer(_setup(text))
    assert "base64" in error.value.fix


def test_a_model_that_takes_other_features_is_the_authors_to_mend():
    with pytest.raises(Unusable) as error:
        open_scorer(_setup(_model([[1.0], [2.0], [3.0]])))
    assert "takes 2 features" in error.value.message


def test_as_many_classes_as_the_model_has_numbers():
    with pytest.raises(Unusable) as error:
        open_scorer(_setup(_model([[1.0, 0.0], [0.0, 1.0]])))
    assert error.value.fix == "classes: [class-1, class-2]"


def test_without_features_there_is_nothing_to_ask():
    with pytest.raises(Unusable):
        open_scorer(Setup("risk", {"file": "risk.txt"}, read=lambda _name: ""))


def test_without_the_package_the_author_is_told_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Unusable) as error:
        open_scorer(_setup("x"))
    assert error.value.fix == "pip install orchestrator[onnx]"
