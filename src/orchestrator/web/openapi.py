"""The OpenAPI document: what programs may ask, in the form that their tools read.

Owns the description of every path that is meant for programs; a test asks the running process for each of them and
holds it to this. Must never promise what a path does not do.
"""

from typing import Any

from orchestrator import __version__
from orchestrator.web.ingestion import MAX_EVENTS, SEGMENT_TYPES

_ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
}
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


def document(url: str) -> dict[str, Any]:
    """Describe the running process."""
    segment = {f"/v1/{kind}": {"post": _taking(f"Segment's {kind}", _json(_SEGMENT))} for kind in SEGMENT_TYPES}
    batch = {"type": "object", "required": ["batch"], "properties": {"batch": {"type": "array", "items": _SEGMENT}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "orchestrator",
            "version": __version__,
            "description": "Events in. An accepted event is durable before the answer.",
        },
        "servers": [{"url": url}],
        "paths": {
            "/v1/events": {"post": _taking("Send events", _event_bodies())},
            **segment,
            "/v1/batch": {"post": _taking("Several of Segment's calls", _json(batch))},
            "/v1/customers/{id}": {"get": _LOOKING_UP},
            "/healthz": {"get": _status("The process lives")},
            "/readyz": {"get": _status("The process takes events", 503)},
            "/metrics": {"get": {"summary": "Metrics", "responses": {"200": _text("Prometheus' text format")}}},
        },
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "the key as the user, no password"},
            }
        },
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _event_bodies() -> dict[str, Any]:
    many = {"type": "array", "items": _EVENT, "minItems": 1, "maxItems": MAX_EVENTS}
    return {
        **_json({"oneOf": [_EVENT, many]}),
        "application/x-ndjson": {"schema": {"type": "string"}, "example": '{"type": "seen", "customer_id": "ana"}\n'},
        "application/cloudevents+json": {"schema": {"type": "object"}},
        "application/cloudevents-batch+json": {"schema": {"type": "array", "items": {"type": "object"}}},
    }


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": _json(schema)}


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}


def _taking(summary: str, content: dict[str, Any]) -> dict[str, Any]:
    errors = {
        "400": "nothing was accepted, and why",
        "401": "no key, or a wrong one",
        "408": "the body took too long",
        "413": "too much at once",
        "415": "an encoding that is not known",
        "503": "nothing was kept; send it again",
    }
    return {
        "summary": summary,
        "security": [{"bearer": []}, {"basic": []}],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "202": _answer("durable; `refused` are dead letters", _ACCEPTED),
            **{status: _answer(text, _ERROR) for status, text in errors.items()},
        },
    }


_LOOKING_UP = {
    "summary": "Look a customer up by any identifier: a customer id, kind:value, or the value alone",
    "security": [{"bearer": []}, {"basic": []}],
    "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}],
    "responses": {
        "200": _answer("who it is, what they agreed to, where they stand, and why", {"type": "object"}),
        "401": _answer("no key, or a wrong one", _ERROR),
        "404": _answer("nobody is known by that identifier", _ERROR),
        "503": _answer("not known yet; ask again", _ERROR),
    },
}


def _status(summary: str, other: int | None = None) -> dict[str, Any]:
    schema = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
    responses = {"200": _answer("yes", schema)}
    if other is not None:
        responses[str(other)] = _answer("not now", schema)
    return {"summary": summary, "responses": responses}
