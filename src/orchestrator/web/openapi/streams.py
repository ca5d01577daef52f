"""What the document says of streams: messages that a company's own app, till or tablet reads.

Owns these paths' description.
"""

from typing import Any

from orchestrator.web.openapi.forms import ACCEPTED, BODY_ERRORS, answer, in_path, json_of, refusals, secured_by, text

_CHANNEL = in_path("channel")
_NO_KEY = {"401": "no key or token, a wrong one, or one that has expired"}
_OTHER = {"403": "the token is for another channel"}
_WANTED = {"type": "object", "required": ["customer_id"], "properties": {"customer_id": {"type": "string"}}}
_TOKEN = {
    "type": "object",
    "required": ["token", "expires_at"],
    "properties": {"token": {"type": "string"}, "expires_at": {"type": "string"}},
}
_REPORTED = {
    "type": "object",
    "required": ["id", "type"],
    "properties": {
        "id": {"type": "string", "description": "the message's"},
        "type": {"enum": ["delivered", "opened", "clicked"]},
        "link": {"type": ["string", "null"]},
    },
}


def paths() -> dict[str, Any]:
    """Describe them, by path."""
    return {
        "/v1/stream/{channel}": {"get": _reading()},
        "/v1/stream/{channel}/tokens": {"post": _letting_in()},
        "/v1/stream/{channel}/receipts": {"post": _reporting()},
    }


def _reading() -> dict[str, Any]:
    place = {"schema": {"type": "string", "description": "the id of the last event that was seen"}}
    return {
        "summary": "Read a channel's messages as they come, as Server-Sent Events; it goes on until somebody ends it",
        "security": secured_by("reader", "token"),
        "parameters": [
            _CHANNEL,
            {"name": "Last-Event-ID", "in": "header", "description": "where to resume", **place},
            {"name": "after", "in": "query", "description": "the same", **place},
            {"name": "from", "in": "query", "description": "leaves out what was before", "schema": {"enum": ["now"]}},
        ],
        "responses": {
            "200": text("events `message`, whose data is JSON, and `cut` where we end it", "text/event-stream"),
            **refusals(
                {"400": "the place to resume from is none", "404": "there is no such channel"},
                {"503": "too many readers; come back in a moment"},
                _NO_KEY,
                _OTHER,
            ),
        },
    }


def _letting_in() -> dict[str, Any]:
    return {
        "summary": "Make a token by which one customer's app reads their messages",
        "security": secured_by("bearer", "basic"),
        "parameters": [_CHANNEL],
        "requestBody": {"required": True, "content": json_of(_WANTED)},
        "responses": {
            "201": answer("the token, and until when it lets in", _TOKEN),
            **refusals(
                BODY_ERRORS,
                _NO_KEY,
                {"404": "there is no such channel", "422": "customer_id names nobody"},
                {"503": "not known yet; ask again"},
            ),
        },
    }


def _reporting() -> dict[str, Any]:
    told = {"404": "there is no such message, or not for this customer", "422": "type is none of the three"}
    return {
        "summary": "Report that a message was shown, opened, or its link followed",
        "security": secured_by("reader", "token"),
        "parameters": [_CHANNEL],
        "requestBody": {"required": True, "content": json_of(_REPORTED)},
        "responses": {
            "202": answer("durable", ACCEPTED),
            **refusals(BODY_ERRORS, _NO_KEY, _OTHER, told, {"503": "nothing was kept; send it again"}),
        },
    }
