"""Strangers: what was said about settings that nobody reads, such as `ORCHESTRATOR_CHANNEL_EMIAL`.

Owns which settings there are: a worker's, those of `serve`, of channels, teams, hooks and webhooks. Must never show a
value, nor end a process: what is said beside a setting may be another program's.
"""

import logging

from orchestrator.channels.inbound.providers import PROVIDERS
from orchestrator.cli.settings import Sources
from orchestrator.language import Loaded
from orchestrator.runtime.delivery.routes import DEFAULT_CHANNEL
from orchestrator.runtime.kafka.settings import KafkaSettings
from orchestrator.runtime.live_settings import NAMES

log = logging.getLogger(__name__)

_OURS = ("log_level", "log_format", "nameservers", "dkim_selectors", "fault")


def tell(loaded: Loaded, sources: Sources) -> None:
    """Say in one line which settings a process that begins was given in vain."""
    found = among(loaded, sources)
    if found:
        log.warning("%s", ". ".join(found))


def among(loaded: Loaded | None, sources: Sources) -> list[str]:
    """List what was said about settings that nobody reads, each with the one that may be meant."""
    known = {*KafkaSettings.model_fields, *NAMES, *_OURS}
    known.update(each.setting(name) for each in PROVIDERS.values() for name in each.settings)
    beginnings = [DEFAULT_CHANNEL]
    if loaded is not None:
        definition = loaded.project_definition
        beginnings += [f"channel_{name}".replace("-", "_") for name in loaded.catalog.project.channels]
        beginnings += [f"team_{name}".replace("-", "_") for name in definition.teams or ()]
        known |= {hook.secret.lower() for hook in (definition.webhooks or {}).values() if hook.secret}
    # What else there is of a channel or a team, its provider's scheme says.
    known |= {name for each in beginnings for name in (each, f"{each}_secret")}
    known |= {name for name in sources.said if name.startswith(tuple(f"{each}_" for each in beginnings))}
    return sources.unknown(known)
