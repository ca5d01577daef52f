"""What the document says of the inbox: the cases that people work on, for programs.

Owns these paths' description; its pages are for browsers, and not here.
"""

from typing import Any, get_args

from orchestrator.runtime.desk import Verb
from orchestrator.web.openapi.forms import BODY_ERRORS, answer, in_path, json_of, refusals, secured_by

_MAYBE = {"type": ["string", "null"]}
_WORDS = (
    *("team", "skill", "channel", "customer_id", "reason", "summary", "journey", "step", "agent"),
    *("claimed_until", "closed_at", "outcome"),
)
_BRIEF = {
    "type": "object",
    "required": ["id", "kind", "priority", "opened_at"],
    "properties": {
        "id": {"type": "string"},
        "kind": {"enum": ["case", "theirs", "call"]},
        "priority": {"enum": ["urgent", "high", "normal", "low"]},
        "opened_at": {"type": "string"},
        **dict.fromkeys(_WORDS, _MAYBE),
    },
}
_NO_KEY = {"401": "no agent's key, or a wrong one"}
_NOT_NOW = {"503": "not known yet; ask again"}
_ASKED = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "what is noted or answered, or said at the close"},
        "channel": {**_MAYBE, "description": "by which an answer goes; the case's own by default"},
        "subject": {**_MAYBE, "description": "of an answer by e-mail"},
        "outcome": {**_MAYBE, "description": "how a case that is closed ended"},
    },
}


def paths() -> dict[str, Any]:
    """Describe them, by path."""
    return {
        "/v1/inbox/cases": {"get": _listing()},
        "/v1/inbox/cases/{id}": {"get": _telling()},
        "/v1/inbox/cases/{id}/{verb}": {"post": _acting()},
    }


def _listing() -> dict[str, Any]:
    cases = {"type": "object", "required": ["cases"], "properties": {"cases": {"type": "array", "items": _BRIEF}}}
    state = {"name": "state", "in": "query", "schema": {"enum": ["open", "closed"], "default": "open"}}
    return {
        "summary": "List the cases that an agent sees: the most urgent first; of closed ones the newest",
        "security": secured_by("agent"),
        "parameters": [state],
        "responses": {"200": answer("the cases", cases), **refusals(_NO_KEY, _NOT_NOW)},
    }


def _telling() -> dict[str, Any]:
    whole = {**_BRIEF, "description": "the case with all that is known: the customer, their messages, the timeline"}
    return {
        "summary": "Tell everything about a case",
        "security": secured_by("agent"),
        "parameters": [in_path("id")],
        "responses": {
            "200": answer("the case, whole", whole),
            **refusals(_NO_KEY, {"404": "there is no such case, or not for this agent"}, _NOT_NOW),
        },
    }


def _acting() -> dict[str, Any]:
    once = {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "makes a repetition harmless",
        "schema": {"type": "string", "minLength": 1},
    }
    told = {
        "404": "there is no such case, or nothing of that name to be done about it",
        "409": "somebody else works on it, nobody has claimed it, or it is closed",
        "422": "something is missing, or an answer did not leave, which is on record",
        "503": "nothing was kept; ask again",
    }
    return {
        "summary": "Claim a case, release it, note something, answer its customer, or close it",
        "security": secured_by("agent"),
        "parameters": [in_path("id"), in_path("verb", enum=sorted(get_args(Verb))), once],
        "requestBody": {"content": json_of(_ASKED)},
        "responses": {"200": answer("the case, as it is now", _BRIEF), **refusals(BODY_ERRORS, _NO_KEY, told)},
    }
