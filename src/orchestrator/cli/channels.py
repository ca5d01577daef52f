"""Channels as an operator set them up: by which provider each goes, and whether its URL and secret can be used.

Owns what doctor says of them. Must never show a URL or a secret, nor ask a provider anything.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.channels.port import Setup
from orchestrator.channels.registry import open_channel
from orchestrator.cli.settings import Sources
from orchestrator.errors import OrchestratorError
from orchestrator.language import Loaded
from orchestrator.runtime.delivery.pace import Manners
from orchestrator.runtime.delivery.routes import Operator, allowed_hosts, setting_of, setup_of
from orchestrator.runtime.inbox import team_of
from orchestrator.runtime.streams import keep_of

# Opening these leaves something behind.
_NOT_TRIED = frozenset({"file"})
# These end in `serve` and `deliver`; what their URLs say is read all the same.
_OURS: Mapping[str, Callable[[Setup], object]] = {"inbox": team_of, "stream": keep_of}


@dataclass(frozen=True, slots=True)
class Found:
    """How a channel goes: by which scheme, None where nobody set it up; what is wrong with that, None for nothing.

    `public_key` is what a shop's page needs to ask browsers for a subscription.
    """

    name: str
    provider: str | None
    problem: str | None = None
    public_key: str | None = None


def examine(loaded: Loaded | None, sources: Sources) -> list[Found]:
    """Look at every channel of a project."""

    def find(name: str) -> str | None:
        value = sources.find(name).value
        return None if value is None else str(value)

    operator = Operator(find, allowed_hosts(find))
    names = [] if loaded is None else list(loaded.catalog.project.channels)
    return [asyncio.run(_look(name, operator)) for name in names]


async def _look(name: str, operator: Operator) -> Found:
    setting = f"ORCHESTRATOR_{setting_of(name).upper()}"
    scheme = "?"
    try:
        setup = setup_of(name, operator)
        if setup is None:
            return Found(name, None, f"channel {name} has no provider; set {setting} to its URL")
        scheme = setup.url.partition(":")[0]
        Manners.from_url(setup.url)
        if scheme in _NOT_TRIED:
            return Found(name, scheme)
        if scheme in _OURS:
            _OURS[scheme](setup)
            return Found(name, scheme)
        await open_channel(setup).close()
        return Found(name, scheme, public_key=_public_key(setup))
    except OrchestratorError as error:
        return Found(name, scheme, str(error))


def _public_key(setup: Setup) -> str | None:
    """Give the public half of a VAPID key, of a channel that has one."""
    is_several = setup.url.startswith("push:")
    secret = setup.find("webpush_secret") if is_several else setup.secret
    if secret is None or not (setup.url.startswith("webpush:") or (is_several and setup.find("webpush"))):
        return None
    from orchestrator.channels.push.tokens import read_p256
    from orchestrator.channels.push.webpush import public_key_of

    return public_key_of(read_p256(secret, "the VAPID key"))
