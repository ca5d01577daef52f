"""What the document says of events in, lookups and health.

Owns these paths' description.
"""

from typing import Any

from orchestrator.web.ingestion import MAX_EVENTS, SEGMENT_TYPES
from orchestrator.web.openapi.forms import BODY_ERRORS, answer, in_path, json_of, refusals, secured_by, text

_REFUSAL = {
    "type": "object",
    "required": ["index", "reason", "message"],
    "properties": {"index": {"type": "integer"}, "reason": {"type": "string"}, "message": {"type": "string"}},
}
_ACCEPTED = {
    "type": "object",
    "required": ["accepted", "refused"],
    "properties": {"accepted": {"type": "integer"}, "refused": {"type": "array", "items": _REFUSAL}},
}
_NAME = {"type": ["string", "integer"]}
_TIME = {"type": ["string", "number"], "description": "RFC 3339, or epoch milliseconds"}
_EVENT = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "id": {**_NAME, "description": "what a repetition is recognised by"},
        "type": {"type": "string", "minLength": 1, "examples": ["order_placed"]},
        "time": _TIME,
        "customer_id": _NAME,
        "identifiers": {"type": "object", "additionalProperties": {"type": ["string", "integer", "null"]}},
        "channel": {"type": "string"},
        "properties": {"type": "object"},
    },
}
_SEGMENT = {
    "type": "object",
    "properties": {
        "userId": _NAME,
        "anonymousId": _NAME,
        "event": {"type": "string"},
        "traits": {"type": "object"},
        "properties": {"type": "object"},
        "timestamp": _TIME,
        "messageId": {"type": "string"},
    },
}


def paths() -> dict[str, Any]:
    """Describe them, by path."""
    segment = {f"/v1/{kind}": {"post": _taking(f"Segment's {kind}", json_of(_SEGMENT))} for kind in SEGMENT_TYPES}
    batch = {"type": "object", "required": ["batch"], "properties": {"batch": {"type": "array", "items": _SEGMENT}}}
    return {
        "/v1/events": {"post": _taking("Send events", _event_bodies())},
        **segment,
        "/v1/batch": {"post": _taking("Several of Segment's calls", json_of(batch))},
        "/v1/customers/{id}": {"get": _looking_up()},
        "/healthz": {"get": _status("The process lives")},
        "/readyz": {"get": _status("The process takes events", 503)},
        "/metrics": {"get": {"summary": "Metrics", "responses": {"200": text("Prometheus' text format")}}},
    }


def _event_bodies() -> dict[str, Any]:
    many = {"type": "array", "items": _EVENT, "minItems": 1, "maxItems": MAX_EVENTS}
    return {
        **json_of({"oneOf": [_EVENT, many]}),
        "application/x-ndjson": {"schema": {"type": "string"}, "example": '{"type": "seen", "customer_id": "ana"}\n'},
        "application/cloudevents+json": {"schema": {"type": "object"}},
        "application/cloudevents-batch+json": {"schema": {"type": "array", "items": {"type": "object"}}},
    }


def _taking(summary: str, content: dict[str, Any]) -> dict[str, Any]:
    told = {
        "400": "nothing was accepted, and why",
        "401": "no key, or a wrong one",
        "503": "it is not known to be kept; send it again as it was",
    }
    return {
        "summary": summary,
        "security": secured_by("bearer", "basic"),
        "requestBody": {"required": True, "content": content},
        "responses": {
            "202": answer("durable; `refused` are dead letters", _ACCEPTED),
            **refusals(BODY_ERRORS, told),
        },
    }


def _looking_up() -> dict[str, Any]:
    told = {
        "401": "no key, or a wrong one",
        "404": "nobody is known by that identifier",
        "503": "not known yet; ask again",
    }
    return {
        "summary": "Look a customer up by any identifier: a customer id, kind:value, or the value alone",
        "security": secured_by("bearer", "basic"),
        "parameters": [in_path("id")],
        "responses": {
            "200": answer("who it is, what they agreed to, where they stand, and why", {"type": "object"}),
            **refusals(told),
        },
    }


def _status(summary: str, other: int | None = None) -> dict[str, Any]:
    schema = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
    responses = {"200": answer("yes", schema)}
    if other is not None:
        responses[str(other)] = answer("not now", schema)
    return {"summary": summary, "responses": responses}
