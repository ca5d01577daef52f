"""Receipts: what a channel's road reports about a message, as an event of ours.

Owns the form of those events (CONTRACTS.md, "Events in"): their types, properties and ids. An id is derived from what
is reported, so that a report that comes twice is one event. Must never guess whom it is about: a receipt names the
action and the profile, or there is none.
"""

from typing import Any

import msgspec

from orchestrator.model import ids
from orchestrator.model.event import Event


class Report(msgspec.Struct, frozen=True):
    """One report: `what` is sent, delivered, opened, clicked, bounced, complained, failed or unsubscribed."""

    what: str
    action_id: str
    profile_id: str
    channel: str
    properties: dict[str, Any] = {}

    def event(self, time_ms: int, *, each: str = "") -> Event:
        """Make the event. `each` tells reports apart that may be made more than once, such as clicks."""
        event_type = f"message_{self.what}"
        properties = {"action_id": self.action_id, "channel": self.channel, **self.properties}
        return Event(
            id=ids.derive(self.action_id, event_type, str(self.properties.get("kind", "")), each),
            type=event_type,
            time_ms=time_ms,
            channel=self.channel,
            decoded=properties,
        )
