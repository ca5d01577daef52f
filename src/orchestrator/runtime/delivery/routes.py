"""Routes: which lanes a project has, and what the operator hung behind each.

    messages of channel email   ORCHESTRATOR_CHANNEL_EMAIL=smtp://…      _SECRET beside it signs or logs in
    calls of webhook crm        the URL in orchestrator.yaml             its `secret` names the operator's setting
    cases of team care          `to` in orchestrator.yaml, or ORCHESTRATOR_TEAM_CARE=https://…

ORCHESTRATOR_CHANNEL_DEFAULT serves every channel that has none of its own. Owns that table. A lane that nobody set up
exists all the same: what goes by it waits, says what is missing, and ends as stale. Must never guess a provider.
"""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.channels.port import Setup
from orchestrator.channels.preparing import Preparer
from orchestrator.channels.registry import open_channel
from orchestrator.channels.webhook import Webhook
from orchestrator.errors import OrchestratorError, Refused
from orchestrator.language import Loaded
from orchestrator.runtime.delivery.delivery import Route
from orchestrator.runtime.delivery.pace import Manners
from orchestrator.runtime.delivery.roads import (
    CallRoad,
    CaseRoad,
    MessageRoad,
    UnsetRoad,
    message_failed,
    nothing_failed,
)

DEFAULT_CHANNEL = "channel_default"

# Finds an operator's setting by its name in lower case; None when nobody set it.
Find = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Operator:
    """What the operator owns of delivery: settings, and hosts that may be private addresses."""

    find: Find
    allowed_hosts: frozenset[str] = frozenset()


def routes_of(loaded: Loaded, preparer: Callable[[], Preparer], operator: Operator) -> dict[str, Route]:
    """Make a route for every lane of a project; raises OrchestratorError for a URL that cannot be used."""
    routes = {name: _channel(name, preparer, operator) for name in loaded.catalog.project.channels}
    for name, hook in (loaded.project_definition.webhooks or {}).items():
        secret = None if hook.secret is None else operator.find(hook.secret.lower())
        if hook.secret is not None and secret is None:
            missing = f"webhook {name} has no secret; set ORCHESTRATOR_{hook.secret.upper()}"
            routes[f"call:{name}"] = Route(UnsetRoad(missing, nothing_failed))
        else:
            routes[f"call:{name}"] = Route(
                CallRoad(_webhook(name, hook.url, secret, operator)), Manners.from_url(hook.url)
            )
    for name, team in (loaded.project_definition.teams or {}).items():
        setting = f"team_{name}".replace("-", "_")
        url = operator.find(setting) or team.to
        if url is None or not url.startswith(("https://", "http://")):
            missing = f"team {name} has no way to get its cases; set ORCHESTRATOR_{setting.upper()} to an https:// URL"
            routes[f"handoff:{name}"] = Route(UnsetRoad(missing, nothing_failed))
        else:
            desk = _webhook(name, url, operator.find(f"{setting}_secret"), operator)
            routes[f"handoff:{name}"] = Route(CaseRoad(desk), Manners.from_url(url))
    return routes


def _channel(name: str, preparer: Callable[[], Preparer], operator: Operator) -> Route:
    setting = f"channel_{name}".replace("-", "_")
    url = operator.find(setting) or operator.find(DEFAULT_CHANNEL)
    if url is None:
        missing = f"channel {name} has no provider; set ORCHESTRATOR_{setting.upper()} to its URL"
        return Route(UnsetRoad(missing, message_failed))
    setup = Setup(name, url, operator.find(f"{setting}_secret"), operator.allowed_hosts)
    return Route(MessageRoad(open_channel(setup), preparer), Manners.from_url(url))


def _webhook(name: str, url: str, secret: str | None, operator: Operator) -> Webhook:
    try:
        return Webhook(url.partition("#")[0], secret, operator.allowed_hosts)
    except (Refused, ValueError) as error:
        raise OrchestratorError(f"webhook {name}: {error}") from error
