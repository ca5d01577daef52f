"""The setting of an example: which journeys are live, and who the customer is before anything happens.

Owns the defaults that LANGUAGE.md promises: reachable on every configured channel, every consent given, in no holdout;
the journey under test is live whatever its status. The engine knows nothing of it: the setting is an adapted catalog
and a profile's record, nothing else. Must never change the definitions it was handed.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.language.definitions.example import Example, ScoreResponse
from orchestrator.model import codec, ids
from orchestrator.model.catalog import Catalog
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.model.journey import Journey, Score, Split, Step
from orchestrator.model.profile import Consent, Profile
from orchestrator.model.project import Judgement, Project, Scorer
from orchestrator.model.state import State

CUSTOMER = "customer"

# Before the id of a step, names the scorer that answers as the example says; no project can call one so.
_SCORER = "example:"

_TRAIT = re.compile(r"\bprofile\.([A-Za-z_][A-Za-z0-9_]*)")
# Nobody's: example.com is reserved for examples, and so are numbers with 555-01.
_ADDRESSES = {"email": "customer@example.com", "phone": "+12025550142"}


def catalog_of(catalog: Catalog, journey_id: str, example: Example) -> Catalog:
    """Adapt a catalog: the journey under test and the example's others are live, alone, with splits fixed."""
    scorers = {**catalog.project.scorers, **{_SCORER + step: _scorer(said) for step, said in example.scores.items()}}
    project = replace(catalog.project, holdout_percent=0.0, scorers=scorers)
    journeys = [
        replace(journey, status="live", holdout_percent=0.0, steps=_fixed_steps(journey, example))
        if journey.id == journey_id
        else replace(journey, status="live", holdout_percent=0.0)
        for journey in catalog.current
        if journey.id == journey_id or journey.id in example.others
    ]
    return Catalog(*_held_out(catalog, project, journeys)) if example.holdout else Catalog(project, journeys)


def _held_out(catalog: Catalog, project: Project, journeys: Iterable[Journey]) -> tuple[Project, list[Journey]]:
    """Put the customer into every holdout that there is; where there is none, into the universal one."""
    has_own = {journey.id for journey in catalog.current if journey.holdout_percent}
    held = [replace(journey, holdout_percent=100.0) if journey.id in has_own else journey for journey in journeys]
    if catalog.project.holdout_percent or not any(journey.holdout_percent for journey in held):
        project = replace(project, holdout_percent=100.0)
    return project, held


def _fixed_steps(journey: Journey, example: Example) -> dict[str, Step]:
    return {step.id: _fixed(step, example) for step in journey.steps.values()}


def _fixed(step: Step, example: Example) -> Step:
    """Give the whole of a split to one of its branches, and a score step the example's own scorer."""
    if isinstance(step, Split) and step.id in example.split:
        name = example.split[step.id]
        branches = tuple(replace(branch, below=100.0) for branch in step.branches if branch.name == name)
        return replace(step, branches=branches or step.branches)
    if isinstance(step, Score) and step.id in example.scores:
        return replace(step, model=_SCORER + step.id)
    return step


def _scorer(said: ScoreResponse) -> Scorer:
    judgement = Judgement(value=said.value, label=said.label)
    return lambda _input, _scope: judgement


def answer_of(action: Action, now_ms: int, example: Example) -> Event | None:
    """Make up what the world says to an action: the example's answer to a call, for the others nothing."""
    response = example.responses.get(action.step) if action.kind == "call" else None
    if response is None:
        return None
    properties = {"action_id": action.id, "status": response.status, "response": response.body}
    return Event(f"answer-{action.id}", "call_answered", now_ms, action.customer_id, decoded=properties)


def message_of(state: State, properties: Mapping[str, Any], channel: str | None) -> str | None:
    """Find the message that a receipt without `action_id` is about: an author does not know the ids of actions.

    It is the newest that fits what the receipt names. One that names neither step nor message may be about several
    entries, as everywhere, and is about none of their messages.
    """
    named = {name: properties[name] for name in ("journey", "step", "message") if name in properties}
    entries = {entry.id for entry in state.entries} | {sent.entry_id for sent in state.sent}
    if not named and len(entries) != 1:
        return None
    by = properties.get("channel", channel)
    told = named | {name: properties[name] for name in ("purpose",) if name in properties}
    fits = [sent for sent in state.sent if all(getattr(sent, name) == value for name, value in told.items())]
    return next((sent.action_id for sent in reversed(fits) if by in (None, sent.channel)), None)


def unknown_splits(journey: Journey, fixed: Mapping[str, str]) -> list[str]:
    """Find what the example fixes and the journey does not have, as `step: branch`."""
    known = {
        (step.id, branch.name) for step in journey.steps.values() if isinstance(step, Split) for branch in step.branches
    }
    return [f"{step}: {branch}" for step, branch in fixed.items() if (step, branch) not in known]


def profile_of(project: Project, example: Example, start_ms: int) -> Profile:
    """Make up the customer: what the example says of them, and the defaults where it says nothing."""
    traits = {**addresses_of(project), **example.profile}
    customer_id = traits.pop("customer_id", CUSTOMER)
    customer_id = CUSTOMER if customer_id is None else str(customer_id)
    return Profile(
        id=ids.profile_id_of("customer_id", customer_id),
        customer_id=customer_id,
        traits={name: value for name, value in traits.items() if value is not None},
        consents=_consents(project, example, start_ms),
        prefers=list(example.prefers or []),
        first_seen_ms=start_ms,
    )


def record_of(profile: Profile) -> bytes:
    """Write the profile as the record that a runtime would have kept."""
    return codec.encode(State(profile))


def addresses_of(project: Project) -> dict[str, Any]:
    """Make up an address wherever a channel looks for one: `profile.email` is found in its expression."""
    found: dict[str, Any] = {}
    for channel in project.channels.values():
        for name in _TRAIT.findall(channel.address.source):
            found[name] = _ADDRESSES.get(name, f"example-{name.replace('_', '-')}")
    return found


def _consents(project: Project, example: Example, start_ms: int) -> list[Consent]:
    """Give every consent, confirmed, but for what the example says."""
    said = {
        (channel, purpose): granted
        for channel, purposes in example.consents.items()
        for purpose, granted in purposes.items()
    }
    pairs = dict.fromkeys(
        [*((channel, purpose) for channel in project.channels for purpose in project.purposes), *said]
    )
    return [
        Consent(channel, purpose, granted=said.get((channel, purpose), True), confirmed=True, at_ms=start_ms)
        for channel, purpose in pairs
    ]
