"""Notices: what a push message shows, and how long it is worth delivering.

Owns the reading of a delivery for the three push services. Must never know one of them.
"""

from dataclasses import dataclass

from orchestrator.channels.port import Delivery
from orchestrator.errors import Refused
from orchestrator.model import instants

# Without `expires` a notice waits as long for a phone that is off as delivery would have waited to send it.
LONGEST_MS = instants.DAY_MS


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification; `lasts_s` is for how many seconds it may still reach a device."""

    title: str
    body: str
    url: str
    image: str
    lasts_s: int


def notice_of(delivery: Delivery) -> Notice:
    """Read a delivery; Refused when nobody would see anything."""
    title, body, url, image = (
        str(delivery.rendered.fields.get(name, "")) for name in ("title", "body", "url", "image")
    )
    if not title.strip() and not body.strip():
        raise Refused("the notification has neither a title nor a body")
    expires_ms = instants.parse(delivery.action.expires_at)
    ends_ms = delivery.now_ms + LONGEST_MS if expires_ms is None else expires_ms
    return Notice(title, body, delivery.tracking.follow(url), image, max((ends_ms - delivery.now_ms) // 1000, 1))
