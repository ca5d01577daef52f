"""What the document says of hooks: providers' requests, reports of our own shape, and what teams' systems say.

Owns these paths' description. Providers sign in their own ways, which OpenAPI has no words for: their operations name
no key.
"""

from typing import Any

from orchestrator.channels.inbound.providers import PROVIDERS
from orchestrator.web.openapi.forms import ACCEPTED, BODY_ERRORS, answer, in_path, json_of, refusals, secured_by, text

_CHANNEL = in_path("channel", pattern="^[a-z][a-z0-9_-]{0,63}$")
_PROVIDER = in_path("provider", enum=list(PROVIDERS))
_ANYTHING = {"type": "object"}
_REPORT = {
    "type": "object",
    "required": ["type", "action_id"],
    "properties": {
        "type": {"type": "string", "examples": ["delivered"]},
        "action_id": {"type": "string"},
        "profile_id": {"type": "string"},
        "customer_id": {"type": "string"},
        "id": {"type": "string"},
        "properties": {"type": "object"},
    },
}
_NOT_KEPT = {"503": "nothing was kept, or nobody has set it up; send it again"}
_SIGNED = {"403": "the signature, password or age does not let it in", "404": "no such provider, or no channel"}
_FORMS = {
    **json_of({"anyOf": [_ANYTHING, {"type": "array", "items": _ANYTHING}]}),
    "application/x-www-form-urlencoded": {"schema": {"type": "object", "additionalProperties": {"type": "string"}}},
    "multipart/form-data": {"schema": {"type": "object", "additionalProperties": {"type": "string"}}},
}


def paths() -> dict[str, Any]:
    """Describe them, by path."""
    return {
        "/hooks/{channel}": {"post": _reports()},
        "/hooks/{channel}/{provider}": {"post": _requests(), "get": _challenge()},
        "/hooks/cases/{team}": {"post": _cases()},
    }


def _reports() -> dict[str, Any]:
    mail = {"schema": {"type": "string", "contentMediaType": "message/rfc822"}}
    found = answer("a mail or a provider's request was read; so many things in it were ours", ACCEPTED)
    return {
        "summary": "Report on messages in our own shape, or hand over a mail as it came",
        "security": secured_by("bearer", "basic", "parameter"),
        "parameters": [_CHANNEL],
        "requestBody": {
            "required": True,
            "content": {
                **json_of({"anyOf": [_REPORT, {"type": "array", "items": _REPORT}]}),
                "message/rfc822": mail,
                "multipart/report": mail,
            },
        },
        "responses": {
            "200": found,
            "202": answer("durable", ACCEPTED),
            "204": {"description": "a request of Twilio's was read"},
            **refusals(
                BODY_ERRORS, _SIGNED, {"401": "no key, or a wrong one", "422": "a mail that reports nothing"}, _NOT_KEPT
            ),
        },
    }


def _requests() -> dict[str, Any]:
    return {
        "summary": "Take what a provider sends, as it signs it: reports, and what customers write",
        "security": [],
        "parameters": [_CHANNEL, _PROVIDER],
        "requestBody": {"content": _FORMS},
        "responses": {
            "200": answer("durable; so many things in it were ours", ACCEPTED),
            "204": {"description": "the same, for Twilio, which would write a body to the customer"},
            **refusals(BODY_ERRORS, _SIGNED, _NOT_KEPT),
        },
    }


def _challenge() -> dict[str, Any]:
    asked = ("hub.mode", "hub.verify_token", "hub.challenge")
    return {
        "summary": "Answer the challenge by which Meta proves an address",
        "security": [],
        "parameters": [_CHANNEL, _PROVIDER, *({"name": n, "in": "query", "schema": {"type": "string"}} for n in asked)],
        "responses": {
            "200": text("the challenge, as it was given"),
            **refusals(BODY_ERRORS, _SIGNED, {"405": "this provider has no challenge"}, _NOT_KEPT),
        },
    }


def _cases() -> dict[str, Any]:
    return {
        "summary": "Take what a team's own system, Zendesk or Chatwoot, says of a case, as it signs it",
        "security": [],
        "parameters": [in_path("team")],
        "requestBody": {"content": json_of(_ANYTHING)},
        "responses": {
            "202": answer("durable; 1 where a case was closed by it", ACCEPTED),
            **refusals(
                BODY_ERRORS,
                {"401": "the signature is not this team's, or old", "404": "no such case, or the team has no hook"},
                _NOT_KEPT,
            ),
        },
    }
