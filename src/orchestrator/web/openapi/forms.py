"""Forms that recur in the document: an answer, a refusal, a page of text, a key.

Owns their shapes. Must never know a path.
"""

from collections.abc import Mapping
from typing import Any

ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
}
ACCEPTED = {"type": "object", "required": ["accepted"], "properties": {"accepted": {"type": "integer"}}}
# What may be wrong with any body, before anybody reads it.
BODY_ERRORS = {
    "400": "the body cannot be read",
    "408": "the body took too long",
    "413": "too much at once",
    "415": "an encoding that is not known",
}
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic", "description": "the key as the user, no password"},
    "parameter": {"type": "apiKey", "in": "query", "name": "key", "description": "for who can send no header"},
    "agent": {"type": "http", "scheme": "bearer", "description": "the key of an agent, who works on cases"},
    "reader": {"type": "http", "scheme": "bearer", "description": "a read key, or a token for one customer"},
    "token": {"type": "apiKey", "in": "query", "name": "token", "description": "the same, for a browser's EventSource"},
}


def json_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Give a content of JSON."""
    return {"application/json": {"schema": schema}}


def answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Give an answer in JSON."""
    return {"description": description, "content": json_of(schema)}


def text(description: str, media_type: str = "text/plain") -> dict[str, Any]:
    """Give an answer as text."""
    return {"description": description, "content": {media_type: {"schema": {"type": "string"}}}}


def refusals(*told: Mapping[str, str]) -> dict[str, Any]:
    """Give the answers that refuse, by status; of one that is told twice the later words."""
    merged = {status: why for each in told for status, why in each.items()}
    return {status: answer(merged[status], ERROR) for status in sorted(merged)}


def in_path(name: str, **schema: Any) -> dict[str, Any]:
    """Give a part of a path."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, **schema}}


def secured_by(*schemes: str) -> list[dict[str, list[str]]]:
    """Say by which of the keys one gets in, any of them."""
    return [{scheme: []} for scheme in schemes]
