"""The dossier: a case with its whole context, for the person who takes it.

Who it is, what they said and how they feel about it, what was said since, what was sent and why, and where they stand
in which journey, over all channels. Owns that shape, the same for programs and for the page. Must never change
anything.
"""

from collections.abc import Sequence
from typing import Any

from orchestrator.model import instants
from orchestrator.model.casework import CaseFile, CaseLine
from orchestrator.model.catalog import Catalog
from orchestrator.runtime.desk import REACHED
from orchestrator.runtime.live import Known
from orchestrator.web import lookup

# How a call task ends; cases end as their team says.
CALL_OUTCOMES = (REACHED, "no_answer", "wrong_number", "refused")
OUTCOMES = ("solved", "not_solved", "duplicate")


def brief(file: CaseFile, summary: str | None, now_ms: int) -> dict[str, Any]:
    """Tell of a case what a queue shows."""
    return {
        "id": file.id,
        "kind": file.kind,
        "priority": file.priority,
        "team": file.team or None,
        "skill": file.skill,
        "channel": file.channel,
        "customer_id": file.customer_id,
        "reason": file.reason,
        "summary": summary,
        "journey": file.journey or None,
        "step": file.step or None,
        "opened_at": instants.to_text(file.opened_ms),
        "agent": file.agent if file.closed_ms else file.holder(now_ms),
        "claimed_until": instants.to_text(file.until_ms) if file.holder(now_ms) else None,
        "closed_at": instants.to_text(file.closed_ms) if file.closed_ms else None,
        "outcome": file.outcome,
    }


def whole(
    file: CaseFile,
    summary: str | None,
    others: Sequence[CaseFile],
    known: Known | None,
    catalog: Catalog,
    now_ms: int,
    language: str = "en",
) -> dict[str, Any]:
    """Tell everything about a case; `known` is the customer, where anything is known of them.

    What was decided, and where they stand, is told in `language`.
    """
    customer = None if known is None else lookup.told(known, catalog, language)
    told = customer or {}
    return {
        **brief(file, summary, now_ms),
        "outcomes": outcomes_of(file, catalog),
        "channels": channels_of(file, catalog),
        "said": _said(file),
        "sentiment": sentiment_of(file),
        "lines": [_line(line) for line in file.lines],
        "customer": {name: told.get(name) for name in _ABOUT} if customer else None,
        "journeys": told.get("journeys", []),
        "messages": told.get("messages", []),
        "timeline": _timeline(told.get("timeline", []), others),
        "other_cases": [brief(each, each.reason, now_ms) for each in others if each.id != file.id],
    }


_ABOUT = (
    "profile_id",
    "customer_id",
    "identifiers",
    "traits",
    "prefers",
    "timezone",
    "unreachable",
    "first_seen_at",
    "last_seen_at",
    "consents",
)


def outcomes_of(file: CaseFile, catalog: Catalog) -> list[str]:
    """List how a case may end."""
    team = catalog.project.teams.get(file.team)
    return list(CALL_OUTCOMES if file.kind == "call" else OUTCOMES if team is None else team.outcomes)


def channels_of(file: CaseFile, catalog: Catalog) -> list[str]:
    """List the channels that an answer may go by: those that reached the customer when the case was opened first."""
    usable = (file.context.get("channels") or {}).get("usable") or ([file.channel] if file.channel else [])
    known = [name for name in usable if name in catalog.project.channels]
    return [*known, *(name for name in catalog.project.channels if name not in known)]


def sentiment_of(file: CaseFile) -> list[dict[str, Any]]:
    """Tell what the journey's models said, and the words that count."""
    steps = file.context.get("steps")
    steps = steps if isinstance(steps, dict) else {}
    return [
        {"step": name, **{key: result.get(key) for key in ("label", "value", "why")}}
        for name, result in steps.items()
        # A summary may have read a step under the name that templates write, with underscores.
        if isinstance(result, dict) and "label" in result and ("_" not in name or name.replace("_", "-") not in steps)
    ]


def _said(file: CaseFile) -> dict[str, Any] | None:
    """Give the event that it is about: what the customer did or said last."""
    event = file.context.get("event")
    return event if isinstance(event, dict) else None


def _line(line: CaseLine) -> dict[str, Any]:
    told = {"at": instants.to_text(line.at_ms), "what": line.what, "who": line.who, "text": line.text}
    return {**told, "channel": line.channel, "action_id": line.action_id, "status": line.status}


def _timeline(decisions: Sequence[dict[str, Any]], cases: Sequence[CaseFile]) -> list[dict[str, Any]]:
    """Tell what happened over all channels, the newest first: what was decided and why, and what people wrote."""
    told = [{"at": each["at"], "what": each["verdict"], "text": each["sentence"]} for each in decisions]
    for file in cases:
        told += [
            {
                "at": instants.to_text(line.at_ms),
                "what": line.what,
                "text": in_words(line),
                "case": file.id,
                "line": _line(line),
            }
            for line in file.lines
        ]
    return sorted(told, key=lambda each: str(each["at"]), reverse=True)


def in_words(line: CaseLine) -> str:
    """Say a line of a case as a sentence."""
    by = f" by {line.channel}" if line.channel else ""
    words = {
        "claimed": f"{line.who} took the case",
        "released": f"{line.who} gave the case back",
        "note": f"{line.who} noted: {line.text}",
        "answer": f"{line.who} answered{by}: {line.text}",
        "customer": f"The customer wrote{by}: {line.text}",
        "closed": f"{line.who} closed the case{f': {line.text}' if line.text else ''}",
    }[line.what]
    return f"{words} ({line.status.replace('_', ' ')})" if line.status else words
