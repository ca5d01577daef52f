"""JSON Schemas (draft-07, which editors read) of what authors write and of what programs exchange.

Owns their making, from the same models that check files and encode records. Must never be more than the models say:
what only a whole project can show (a message that is not there) is `validate`'s.
"""

import json
from typing import Any

import msgspec
from pydantic import BaseModel

from orchestrator.language.definitions.fields import NULLABLE
from orchestrator.language.definitions.journey import JourneyDefinition
from orchestrator.language.definitions.message import MessageDefinition
from orchestrator.language.definitions.project import ProjectDefinition
from orchestrator.language.definitions.segment import SegmentsDefinition
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.effects import Action
from orchestrator.model.envelopes import SEGMENT_TYPES
from orchestrator.model.rights import Export, Receipt

DRAFT = "http://json-schema.org/draft-07/schema#"
REFERENCE = "#/definitions/{model}"
_WRITTEN: dict[str, type[BaseModel]] = {
    "journey": JourneyDefinition,
    "message": MessageDefinition,
    "project": ProjectDefinition,
    "segments": SegmentsDefinition,
}
# What stands under these is data, not schema.
_VALUES = frozenset({"const", "default", "enum", "examples", "required"})
_WORDS = {
    "action": {
        "id": "Derived from what was decided, so that twice is once; the idempotency key.",
        "kind": "What is asked for.",
        "profile_id": "The customer, as the engine names them.",
        "customer_id": "The customer, as the shop names them.",
        "journey": "The journey that decided.",
        "version": "Its version.",
        "entry_id": "The customer's passage through the journey.",
        "step": "The step that decided.",
        "at": "The instant of the decision, RFC 3339.",
        "channel": "By which channel.",
        "message": "Which message; for an event, its name.",
        "purpose": "Why we speak.",
        "language": "The language to render it in.",
        "to": "The address, or a list of them.",
        "expires_at": "Not to be sent at or after this instant, RFC 3339.",
        "stale_after": "Not to be sent when it could not leave for so long.",
        "quiet": "The quiet hours to ask again at the moment of sending.",
        "data": "What the template needs, no more; of a cancel, the `action_id` that must not be sent any more, "
        "null where the customer is erased and nothing that is still held of `profile_id` may be kept.",
        "track": "What of a message may come back, clicks or opens: where the channel and the customer allow it.",
        "window_until": "Until when the channel takes a text, and not only a template, RFC 3339 (WhatsApp's 24 hours).",
    },
    "decision": {
        "id": "Derived from what was decided.",
        "at": "The instant, RFC 3339.",
        "profile_id": "The customer, as the engine names them.",
        "journey": "The journey.",
        "version": "Its version.",
        "entry_id": "The customer's passage through the journey; null where there was none.",
        "step": "The step; null where it was about the journey as a whole.",
        "verdict": "What became of it.",
        "reason": "Why, as one stable word; for exits the author's own.",
        "cause": "The id of the event that caused it, or `timer`.",
        "saw": "The values looked at.",
        "action_id": "The action that came of it.",
    },
    "export": {
        "at": "When it was written, RFC 3339.",
        "profile_id": "The customer, as the engine names them.",
        "customer_id": "The customer, as the shop names them.",
        "profile": "Who they are and what they said: identifiers, traits, consents, preferences.",
        "journeys": "Where they stand, by journey.",
        "history": "What was before, as far as it still counts: messages, exits, cases, counts.",
        "decisions": "Every decision that is kept, oldest first.",
        "pending": "What is on its way to them.",
        "actions": "What was asked of delivery, as far as its topic still holds it (Kafka).",
        "names": "The hashes that lead to them, with the kind of identifier that each stands for.",
        "cases": "The cases that people work or worked on, with all that was written in them.",
        "streamed": "The messages that the company's own apps can still read.",
        "dead_letters": "What came to nothing and quotes them.",
        "coupons": "The codes that they were given, each with its coupon.",
        "addresses": "The hashes of the addresses that they are found by when they write.",
        "objections": "The noes that are remembered of their addresses from before an erasure, as keyed hashes.",
    },
    "receipt": {
        "id": "The receipt's own id; it names nobody.",
        "at": "When it was done, RFC 3339.",
        "erased": "How much is gone, by what it was.",
        "objections": "How many addresses with an explicit no are remembered, as keyed hashes.",
        "remains": "Copies that an erasure does not reach, and when the last of them is gone.",
        "in_force_at": "From when on whoever comes back under an address with a no is refused; null while unseen.",
    },
}


def schemas() -> dict[str, str]:
    """Give every schema as the text of its file, by the file's name."""
    made = {name: _of_authors(model) for name, model in _WRITTEN.items()}
    made["event"] = _event()
    made["action"] = _of_programs("action", Action)
    made["decision"] = _of_programs("decision", Decision)
    made["export"] = _of_programs("export", Export)
    made["receipt"] = _of_programs("receipt", Receipt)
    made["decision"]["properties"]["verdict"]["enum"] = [verdict.value for verdict in Verdict]
    return {
        f"{name}.schema.json": json.dumps({"$schema": DRAFT, **schema}, indent=2, ensure_ascii=False) + "\n"
        for name, schema in made.items()
    }


def _of_authors(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=REFERENCE)
    definitions = schema.pop("$defs", {})
    schema["definitions"] = definitions
    made: dict[str, Any] = _simple(schema)
    return made


def _simple(schema: Any) -> Any:
    """Say it in draft-07, without what only pydantic reads: null as "left out", titles that repeat the name."""
    if isinstance(schema, list):
        return [_simple(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for name, value in schema.items():
        if name == "title":
            # A key's title only repeats its name.
            made |= {name: value} if "properties" in schema else {}
        elif name == "properties":
            made[name] = {key: _property(inner) for key, inner in value.items()}
        elif name == "definitions":
            made[name] = {key: _simple(inner) for key, inner in value.items()}
        elif name not in NULLABLE:
            made[name] = value if name in _VALUES else _simple(value)
    if "$ref" in made and len(made) > 1:  # draft-07 reads nothing beside $ref
        made = {"allOf": [{"$ref": made.pop("$ref")}], **made}
    return made


def _property(schema: dict[str, Any]) -> Any:
    made = _simple(schema)
    if made.get("default", ...) is None:
        del made["default"]
        choices = [choice for choice in made.get("anyOf", ()) if choice != {"type": "null"}]
        if choices and not schema.get("nullable"):
            del made["anyOf"]
            made = {**(choices[0] if len(choices) == 1 else {"anyOf": choices}), **made}
            if "$ref" in made:
                made = {"allOf": [{"$ref": made.pop("$ref")}], **made}
    return made


def _of_programs(name: str, model: type[msgspec.Struct]) -> dict[str, Any]:
    (_, components) = msgspec.json.schema_components([model], ref_template="#/definitions/{name}")
    schema: dict[str, Any] = components[model.__name__]
    words = _WORDS[name]
    schema["properties"] = {key: {"description": words[key], **value} for key, value in schema["properties"].items()}
    schema["additionalProperties"] = True
    others = {key: value for key, value in components.items() if key != model.__name__}
    return {**schema, "definitions": others} if others else schema


def _event() -> dict[str, Any]:
    """Describe the three envelopes; which one a record has is seen from the record itself."""
    name = {"type": ["string", "integer"]}
    instant = {"type": ["string", "number"], "description": "RFC 3339, or epoch milliseconds."}
    properties = {"type": ["object", "null"], "description": "What is known about it."}
    native = {
        "title": "Native",
        "type": "object",
        "properties": {
            "id": {**name, "description": "What duplicates are recognised by; without it, a hash of the record."},
            "type": {"type": "string", "minLength": 1, "description": "What happened, such as order_placed."},
            "time": {**instant, "description": "When: RFC 3339 or epoch milliseconds; without it, on arrival."},
            "customer_id": {**name, "description": "Who did it."},
            "identifiers": {
                "type": "object",
                "description": "Who did it, by kind: {email: ..., cookie: ...}.",
                "additionalProperties": {"type": ["string", "integer", "null"]},
            },
            "channel": {"type": ["string", "null"], "description": "By which channel."},
            "properties": properties,
        },
        "required": ["type"],
        "anyOf": [{"required": ["customer_id"]}, {"required": ["identifiers"]}],
    }
    cloud = {
        "title": "CloudEvents 1.0",
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": name,
            "type": {"type": "string", "minLength": 1},
            "source": {"type": "string"},
            "subject": {**name, "description": "The customer."},
            "time": instant,
            "data": properties,
        },
        "required": ["specversion", "type"],
        "anyOf": [{"required": ["subject"]}, {"required": ["identifiers"]}],
    }
    segment = {
        "title": "Segment",
        "type": "object",
        "properties": {
            "type": {"enum": sorted(SEGMENT_TYPES)},
            "event": {"type": "string"},
            "userId": name,
            "anonymousId": name,
            "messageId": {"type": "string"},
            "timestamp": instant,
            "properties": properties,
            "traits": properties,
        },
        "required": ["type"],
        "anyOf": [{"required": ["userId"]}, {"required": ["anonymousId"]}],
    }
    return {
        "title": "Event",
        "description": "What a customer did, in one of three envelopes.",
        "anyOf": [native, cloud, segment],
    }
