"""One push channel for customers whose devices are of several kinds.

    push:                                             ORCHESTRATOR_CHANNEL_PUSH=push:
      ORCHESTRATOR_CHANNEL_PUSH_FCM=fcm:              …_FCM_SECRET, or …_FCM_SECRET_FILE
      ORCHESTRATOR_CHANNEL_PUSH_APNS=apns:?team=…     …_APNS_SECRET, or …_APNS_SECRET_FILE
      ORCHESTRATOR_CHANNEL_PUSH_WEBPUSH=webpush:?…    …_WEBPUSH_SECRET, or …_WEBPUSH_SECRET_FILE
    push:?default=apns                                of which kind a bare token is (fcm, where it is set up)

An address says what it is: `fcm:TOKEN`, `apns:TOKEN`, or a browser's subscription as the browser gives it (an object,
or its JSON; `webpush:` may stand before it). Owns that choice. What one service does is not held against the others:
its trouble is that of one message. Must never try a second service for one device.
"""

from collections.abc import Callable, Mapping
from importlib import import_module

from msgspec.structs import replace

from orchestrator.channels.api import read_url
from orchestrator.channels.port import Channel, Delivery, Receipt, Setup
from orchestrator.errors import OrchestratorError, TryLater, Unavailable

_OPENERS = {"fcm": "open_fcm", "apns": "open_apns", "webpush": "open_webpush"}


class DevicesChannel:
    """Sends to each device by its own service."""

    # The second takes the first one's place on the screen.
    knows_repeats = True

    def __init__(self, name: str, roads: Mapping[str, Channel], default: str) -> None:
        self._name = name
        self._roads = roads
        self._default = default

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand one message to the service of one device."""
        kind, address = kind_of(delivery.to, self._default)
        road = self._roads.get(kind)
        if road is None:
            setting = f"ORCHESTRATOR_CHANNEL_{self._name}_{kind}".replace("-", "_").upper()
            raise TryLater(None, f"nobody sends to devices of the kind {kind}; set {setting}")
        try:
            return await road.send(replace(delivery, to=address))
        except Unavailable as error:
            raise TryLater(error.after, error.why) from error

    async def close(self) -> None:
        """Close all services."""
        for road in self._roads.values():
            await road.close()


def kind_of(address: str, default: str) -> tuple[str, str]:
    """Tell what kind of device an address is, and its address there."""
    if address.startswith("{"):
        return "webpush", address
    kind, colon, rest = address.partition(":")
    # A token of Firebase has a colon inside; no token begins with the name of a service.
    return (kind, rest) if colon and kind in _OPENERS else (default, address)


def open_devices(setup: Setup) -> DevicesChannel:
    """Make the channel that `push:` names."""
    endpoint = read_url(setup, "push.invalid", ("default",))
    roads: dict[str, Channel] = {}
    for kind, opener in _OPENERS.items():
        url = setup.find(kind)
        if url is None:
            continue
        if url.partition(":")[0] != kind:
            raise OrchestratorError(f"channel {setup.name}: its {kind} begins with {kind}:, not with {url[:8]}")
        below = Setup(f"{setup.name} {kind}", url, setup.find(f"{kind}_secret"), setup.allowed_hosts)
        open_one: Callable[[Setup], Channel] = getattr(import_module(f"orchestrator.channels.push.{kind}"), opener)
        roads[kind] = open_one(below)
    default = endpoint.options.get("default") or next(iter(roads), "")
    if default not in roads:
        raise OrchestratorError(
            f"channel {setup.name}: push: needs one of its services, default among them;"
            f" set ORCHESTRATOR_CHANNEL_{setup.name.upper()}_FCM=fcm:, _APNS or _WEBPUSH"
        )
    return DevicesChannel(setup.name, roads, default)
