"""Streaming: a message as the company's own app, till or tablet gets it, from whatever it reads.

Owns that shape. Must never send.
"""

from orchestrator.channels.port import Delivery
from orchestrator.model import instants


def content_of(delivery: Delivery, until_ms: int) -> dict[str, object]:
    """Tell a message as its readers get it; `id` is the same however often it is sent."""
    return {
        **delivery.outline(),
        "action_id": delivery.action.id,
        "unsubscribe": delivery.unsubscribing.url if delivery.unsubscribing else None,
        "at": instants.to_text(delivery.now_ms),
        "expires_at": instants.to_text(until_ms),
    }
