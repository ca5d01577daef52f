"""The JSON Schemas: in step with the files in schemas/, valid draft-07, and of one mind with `validate`.

Must never write them; `make schema` does.
"""

import json
from functools import cache
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft7Validator

from orchestrator.language import yaml
from orchestrator.language.nodes import plain
from orchestrator.language.schemas import schemas
from orchestrator.model.decision import Decision
from orchestrator.model.effects import Action

ROOT = Path(__file__).resolve().parents[3]
BROKEN = Path(__file__).parent / "broken"
# What only an expression, a template or the whole project shows; to a schema such a file is fine. Codes of values
# whose form a schema knows are not here.
BEYOND_SCHEMAS = ("E1", "E22", "E23", "E3", "E4", "E5", "E9")
NAMES = ("journey", "message", "project", "segments", "event", "action", "decision", "export", "receipt")


@cache
def validator(name: str) -> Draft7Validator:
    return Draft7Validator(json.loads(schemas()[f"{name}.schema.json"]))


def test_the_files_are_in_step():
    files = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "schemas").glob("*.schema.json")}
    assert files == schemas(), "run: make schema"
    assert sorted(files) == sorted(f"{name}.schema.json" for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_valid_draft_07(name):
    schema = json.loads(schemas()[f"{name}.schema.json"])
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(schema)


def undescribed(name: str, schema: object) -> list[str]:
    if isinstance(schema, list):
        return [found for number, value in enumerate(schema) for found in undescribed(f"{name}/{number}", value)]
    if not isinstance(schema, dict):
        return []
    found = []
    for key, value in schema.items():
        if key in ("properties", "definitions"):
            silent = [f"{name}.{each}" for each in value if key == "properties" and not value[each].get("description")]
            found += silent + [more for each in value for more in undescribed(f"{name}.{each}", value[each])]
        else:
            found += undescribed(f"{name}/{key}", value)
    return found


@pytest.mark.parametrize("name", ["journey", "message", "project", "segments", "action", "decision"])
def test_every_key_is_described(name):
    assert undescribed(name, json.loads(schemas()[f"{name}.schema.json"])) == []


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("journey", "journeys/**/*.journey.yaml"),
        ("message", "journeys/**/*.message.yaml"),
        ("project", "journeys/orchestrator.yaml"),
        ("segments", "journeys/segments.yaml"),
    ],
)
def test_what_is_shipped_fits(kind, pattern):
    check = validator(kind)
    files = sorted(ROOT.glob(pattern))
    assert files
    for path in files:
        errors = check.iter_errors(plain(yaml.read(path.name, path.read_text(encoding="utf-8"))))
        assert [f"{path.name} {error.json_path}: {error.message[:200]}" for error in errors] == []


def shape_is_broken() -> list[str]:
    rows = (BROKEN / "expected.txt").read_text(encoding="utf-8").splitlines()
    return sorted({row.partition(":")[0] for row in rows if not row.rpartition(" ")[2].startswith(BEYOND_SCHEMAS)})


@pytest.mark.parametrize("name", shape_is_broken())
def test_what_is_broken_in_shape_does_not_fit(name):
    content = plain(yaml.read(name, (BROKEN / name).read_text(encoding="utf-8")))
    # Names of reasons are words to a schema; which words there are, it does not know.
    assert validator("journey").is_valid(content) == (name == "example-unknown-reason.journey.yaml")


def test_every_field_of_what_programs_exchange_is_in_its_schema():
    for name, model in (("action", Action), ("decision", Decision)):
        schema = json.loads(schemas()[f"{name}.schema.json"])
        assert list(schema["properties"]) == [field.encode_name for field in msgspec.structs.fields(model)]


def test_an_action_and_a_decision_fit():
    action = Action("i", "message", "p", "c", "j", 1, "e", "s", "2026-01-01T10:00:00.000Z", to=["a", "b"])
    decision = Decision("i", "2026-01-01T10:00:00.000Z", "p", "j", 1, None, None, "sent", "allowed", "timer", {"a": 1})
    assert validator("action").is_valid(msgspec.to_builtins(action))
    assert validator("decision").is_valid(msgspec.to_builtins(decision))
    assert not validator("decision").is_valid({**msgspec.to_builtins(decision), "verdict": "guessed"})
    assert not validator("action").is_valid({"id": "i"})


@pytest.mark.parametrize(
    ("event", "fits"),
    [
        ({"type": "order_placed", "customer_id": "c1", "properties": {"total": 3}}, True),
        ({"type": "order_placed", "customer_id": 7, "time": 1_767_600_000_000}, True),
        ({"type": "order_placed", "identifiers": {"email": "ana@example.com"}}, True),
        ({"specversion": "1.0", "type": "x", "subject": "c1", "id": "1", "source": "/s", "data": {}}, True),
        ({"type": "track", "event": "Order Completed", "userId": "c1"}, True),
        ({"type": "identify", "anonymousId": "a", "traits": {"age": 3}}, True),
        ({"customer_id": "c1"}, False),
        ({"type": "order_placed"}, False),
        ({"type": "order_placed", "customer_id": "c1", "properties": [1]}, False),
        ("order_placed", False),
    ],
)
def test_events_of_every_envelope_fit(event, fits):
    assert validator("event").is_valid(event) == fits
