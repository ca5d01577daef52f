"""The registry: from a channel's URL to the channel, by its scheme.

Owns which schemes there are: ours, and those that other packages bring as entry points of the group
`orchestrator.channels` (the name is the scheme, the object takes a Setup and gives a Channel). Must never import a
channel before its URL asks for it.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from urllib.parse import urlsplit

from orchestrator.channels.port import Channel, Setup
from orchestrator.errors import OrchestratorError, Refused

GROUP = "orchestrator.channels"
_OURS = {
    "smtp": "orchestrator.channels.email.smtp:open_smtp",
    "smtps": "orchestrator.channels.email.smtp:open_smtp",
    "http": "orchestrator.channels.webhook:open_webhook",
    "https": "orchestrator.channels.webhook:open_webhook",
    "push": "orchestrator.channels.push.devices:open_devices",
    "fcm": "orchestrator.channels.push.fcm:open_fcm",
    "apns": "orchestrator.channels.push.apns:open_apns",
    "webpush": "orchestrator.channels.push.webpush:open_webpush",
    "sms+https": "orchestrator.channels.sms.gateway:open_gateway",
    "twilio": "orchestrator.channels.twilio:open_twilio",
    "twilio+whatsapp": "orchestrator.channels.twilio:open_twilio_whatsapp",
    "whatsapp": "orchestrator.channels.whatsapp.cloud:open_whatsapp",
    "telegram": "orchestrator.channels.telegram.bot:open_telegram",
    "apprise+": "orchestrator.channels.notifiers:open_notifiers",
    "console": "orchestrator.channels.console:open_console",
    "file": "orchestrator.channels.console:open_file",
}
# What some of them need beside the product itself.
_EXTRAS = {"push": "push", "fcm": "push", "apns": "push", "webpush": "push", "apprise+": "apprise"}


def open_channel(setup: Setup) -> Channel:
    """Make the channel that a URL names; raises OrchestratorError for a scheme that nobody brings."""
    scheme = urlsplit(setup.url).scheme
    opener = _opener(scheme)
    if opener is None:
        known = sorted({*_OURS, *(point.name for point in entry_points(group=GROUP))})
        raise OrchestratorError(
            f"channel {setup.name}: nobody brings the scheme {scheme!r}; there are {', '.join(known)}"
        )
    try:
        return opener(setup)
    except Refused as error:
        raise OrchestratorError(f"channel {setup.name}: {error.why}") from error
    except ValueError as error:  # of whatever reads a part of it: a port or a number that is none
        raise OrchestratorError(f"channel {setup.name}: the URL cannot be used: {error}") from error


def _opener(scheme: str) -> Callable[[Setup], Channel] | None:
    for point in entry_points(group=GROUP, name=scheme):
        brought: Callable[[Setup], Channel] = point.load()
        return brought
    if scheme.startswith("apprise+"):
        scheme = "apprise+"
    if scheme not in _OURS:
        return None
    module, _, name = _OURS[scheme].partition(":")
    try:
        ours: Callable[[Setup], Channel] = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(scheme)
        if extra is None or (error.name or "").startswith("orchestrator"):
            raise
        raise OrchestratorError(f"{scheme}: needs the package {error.name}; install orchestrator[{extra}]") from error
    return ours
