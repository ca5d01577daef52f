"""Routes: which lanes a project has, and what the operator hung behind each.

    messages of channel email   ORCHESTRATOR_CHANNEL_EMAIL=smtp://…      _SECRET beside it signs or logs in
    calls of webhook crm        the URL in orchestrator.yaml             its `secret` names the operator's setting
    cases of team care          `to` in orchestrator.yaml, or ORCHESTRATOR_TEAM_CARE: https:// (_SECRET signs,
                                _HEADER="Name: value" logs in), an address by the mail server of channel email

ORCHESTRATOR_CHANNEL_DEFAULT serves every channel that has none of its own. Owns that table. A lane that nobody set up
exists all the same: what goes by it waits, says what is missing, and ends as stale. Must never guess a provider.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import unquote

from orchestrator.channels.links import Links
from orchestrator.channels.port import Channel, Setup
from orchestrator.channels.preparing import Preparer
from orchestrator.channels.registry import open_channel
from orchestrator.channels.rendering import Renderer
from orchestrator.channels.webhook import Webhook
from orchestrator.errors import OrchestratorError, Refused
from orchestrator.language import Loaded
from orchestrator.model.catalog import Catalog
from orchestrator.model.commas import listed
from orchestrator.runtime.delivery.coupons import Claims
from orchestrator.runtime.delivery.lanes import Route
from orchestrator.runtime.delivery.pace import Manners
from orchestrator.runtime.delivery.roads import (
    CallRoad,
    CaseMailRoad,
    CaseRoad,
    InboxRoad,
    MessageRoad,
    UnsetRoad,
    message_failed,
    nothing_failed,
)

DEFAULT_CHANNEL = "channel_default"
# Channels that end in ourselves.
SERVED_HERE = frozenset({"inbox", "stream"})

# Finds an operator's setting by its name in lower case; None when nobody set it.
Find = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Operator:
    """What the operator owns of delivery: settings, and hosts that may be private addresses.

    `inbox` is the address of this process's inbox, where it has one; `own` opens channels that only it can serve, by
    scheme.
    """

    find: Find
    allowed_hosts: frozenset[str] = frozenset()
    inbox: str | None = None
    own: Mapping[str, Callable[[Setup], Channel]] = field(default_factory=dict)


def routes_of(
    loaded: Loaded,
    preparer: Callable[[], Preparer],
    operator: Operator,
    claims: Claims,
    known: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Route]:
    """Make a route for every lane of a project; `claims` gives messages their codes.

    Left out are those that are `known` to lead where the project says, by the origin that was told of each.

    Raises OrchestratorError for a URL that cannot be used.
    """
    routes: dict[str, Route] = {}
    for name in loaded.catalog.project.channels:
        if name not in known:  # where it leads is the operator's to say, at the start
            routes[name] = _channel(name, preparer, operator, claims)
    for name, hook in (loaded.project_definition.webhooks or {}).items():
        lane, origin = f"call:{name}", f"{hook.url} {hook.secret or ''}"
        if known.get(lane) != origin:
            routes[lane] = replace(_call(name, hook.url, hook.secret, operator), origin=origin)
    for name, team in loaded.catalog.project.teams.items():
        lane, origin = f"handoff:{name}", team.to or ""
        if known.get(lane) != origin:
            routes[lane] = replace(_handoff(name, team.to, preparer, operator), origin=origin)
    return routes


def preparer_of(loaded: Loaded, catalog: Catalog, links: Links) -> Preparer:
    """Make what renders the messages and cases of a project, by this catalog."""
    return Preparer(catalog, Renderer.of(catalog.project, loaded.messages), links)


def allowed_hosts(find: Find) -> frozenset[str]:
    """List the hosts that webhooks may reach though their addresses are private."""
    return frozenset(map(str.lower, listed(find("allowed_hosts"))))


def hook_secret(find: Find, teams: Collection[str], name: str) -> str | None:
    """Give the secret that a team's own system signs with; None where the operator set none."""
    return find(f"team_{name}_hook_secret".replace("-", "_")) if name in teams else None


def _call(name: str, url: str, secret_name: str | None, operator: Operator) -> Route:
    secret = None if secret_name is None else operator.find(secret_name.lower())
    if secret_name is not None and secret is None:
        missing = f"webhook {name} has no secret; set ORCHESTRATOR_{secret_name.upper()}"
        return Route(UnsetRoad(missing, nothing_failed))
    return Route(CallRoad(_webhook(name, url, secret, operator)), Manners.from_url(url))


def _handoff(name: str, to: str | None, preparer: Callable[[], Preparer], operator: Operator) -> Route:
    setting = f"team_{name}".replace("-", "_")
    url = operator.find(setting) or to or "inbox"
    if url.startswith(("https://", "http://")):
        headers = _header(name, operator.find(f"{setting}_header"))
        webhook = _webhook(name, url, operator.find(f"{setting}_secret"), operator, headers)
        return Route(CaseRoad(webhook, preparer), Manners.from_url(url))
    if "@" in url:
        return _mailbox(name, url, preparer, operator)
    if operator.inbox is not None:
        return Route(InboxRoad())
    missing = f"team {name} has no way to get its cases; set ORCHESTRATOR_{setting.upper()} to an https:// URL"
    return Route(UnsetRoad(missing, nothing_failed))


def _mailbox(name: str, url: str, preparer: Callable[[], Preparer], operator: Operator) -> Route:
    """Make the way to a team's mailbox, by the mail server that customers' mail goes by."""
    setup = setup_of("email", operator)
    if setup is None:
        missing = f"team {name} is told by e-mail; set ORCHESTRATOR_CHANNEL_EMAIL to a mail server's URL"
        return Route(UnsetRoad(missing, nothing_failed))
    to = unquote(url.removeprefix("mailto:").partition("?")[0])
    return Route(CaseMailRoad(open_channel(setup), to, preparer, operator.inbox), Manners.from_url(setup.url))


def _header(name: str, text: str | None) -> dict[str, str]:
    """Read the header that logs us in at a team's system."""
    if text is None:
        return {}
    header, colon, value = text.partition(":")
    if not colon or not header.strip() or "\n" in text or "\r" in text:
        raise OrchestratorError(f"the header of team {name} is none; write it as Authorization: Basic …")
    return {header.strip(): value.strip()}


def _channel(name: str, preparer: Callable[[], Preparer], operator: Operator, claims: Claims) -> Route:
    setup = setup_of(name, operator)
    if setup is None:
        missing = f"channel {name} has no provider; set ORCHESTRATOR_{setting_of(name).upper()} to its URL"
        return Route(UnsetRoad(missing, message_failed))
    scheme = setup.url.partition(":")[0]
    if scheme in SERVED_HERE and scheme not in operator.own:
        raise OrchestratorError(f"channel {name}: {scheme}: is for `orchestrator serve` and `orchestrator deliver`")
    return Route(
        MessageRoad(operator.own.get(scheme, open_channel)(setup), preparer, claims), Manners.from_url(setup.url)
    )


def setting_of(channel: str) -> str:
    """Name the operator's setting that holds a channel's URL."""
    return f"channel_{channel}".replace("-", "_")


def setup_of(channel: str, operator: Operator) -> Setup | None:
    """Collect what a channel is made from; None when the operator set up none."""
    setting = setting_of(channel)
    url = operator.find(setting) or operator.find(DEFAULT_CHANNEL)
    if url is None:
        return None
    public = operator.find("public_url")
    return Setup(
        channel,
        url,
        operator.find(f"{setting}_secret"),
        operator.allowed_hosts,
        find=lambda part: operator.find(f"{setting}_{part}"),
        hooks=f"{public.rstrip('/')}/hooks/{channel}" if public else "",
    )


def _webhook(
    name: str, url: str, secret: str | None, operator: Operator, headers: Mapping[str, str] | None = None
) -> Webhook:
    try:
        return Webhook(url.partition("#")[0], secret, operator.allowed_hosts, headers=headers)
    except (Refused, ValueError) as error:
        raise OrchestratorError(f"webhook {name}: {error}") from error
