"""Looking a customer up: for agents' desktops, tills and apps.

Owns the shape of the answer to GET /v1/customers/{id}: who it is, what they agreed to, where they stand, and what was
decided and why, newest first. Must never change anything.
"""

from typing import Any

import msgspec

from orchestrator.model import instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.decision import Decision
from orchestrator.model.state import State
from orchestrator.model.zones import zone_of
from orchestrator.runtime.live import Known
from orchestrator.views import sentences, standing

NEWEST_DECISIONS = 200
_decode = msgspec.json.Decoder(Decision).decode


def told(known: Known, catalog: Catalog, language: str = "en") -> dict[str, Any]:
    """Tell everything about a customer that somebody who serves them may see, in words of their language."""
    state = known.state
    profile = state.profile
    zone = zone_of(profile, catalog.project).key
    decisions = [_decode(line) for line in known.decisions]
    story = sentences.story_of(decisions)
    return {
        "profile_id": profile.id,
        "customer_id": profile.customer_id,
        "identifiers": profile.identifiers,
        "traits": profile.traits,
        "prefers": profile.prefers,
        "timezone": zone,
        "unreachable": sorted(profile.unreachable),
        "first_seen_at": instants.to_text(profile.first_seen_ms) if profile.first_seen_ms else None,
        "last_seen_at": {name: instants.to_text(at_ms) for name, at_ms in profile.last_seen_ms.items()},
        "consents": _consents(state),
        "journeys": _journeys(state, catalog, zone, language),
        "messages": [_message(sent) for sent in reversed(state.sent)],
        "timeline": [_decision(one, zone, language, story) for one in reversed(decisions)],
    }


def _consents(state: State) -> list[dict[str, Any]]:
    return [
        {
            "channel": consent.channel,
            "purpose": consent.purpose,
            "granted": consent.granted,
            "confirmed": consent.confirmed,
            "at": instants.to_text(consent.at_ms),
            "source": consent.source,
        }
        for life in (state.profile.consents, *state.profile.lives)
        for consent in life
    ]


def _journeys(state: State, catalog: Catalog, zone: str, language: str) -> list[dict[str, Any]]:
    return [
        {
            "journey": entry.journey,
            "version": entry.version,
            "entry_id": entry.id,
            "key": entry.key,
            "entered_at": instants.to_text(entry.entered_ms),
            "step": entry.step,
            "until": instants.to_text(entry.due_ms) if entry.due_ms else None,
            "parked": entry.parked,
            "sentence": standing.standing(catalog.journey(entry.journey, entry.version), entry, zone, language),
        }
        for entry in state.entries
    ]


def _message(sent: Any) -> dict[str, Any]:
    return {
        "action_id": sent.action_id,
        "at": instants.to_text(sent.at_ms),
        "journey": sent.journey,
        "step": sent.step,
        "message": sent.message,
        "channel": sent.channel,
        "purpose": sent.purpose,
    }


def _decision(decision: Decision, zone: str, language: str, story: sentences.Story) -> dict[str, Any]:
    return {**msgspec.to_builtins(decision), "sentence": sentences.sentence(decision, zone, language, story)}
