"""Streaming: a message as the company's own app, till or tablet gets it, from whatever it reads.

Owns that shape. Must never send.
"""

from orchestrator.channels.port import Delivery
from orchestrator.model import instants


def content_of(delivery: Delivery, until_ms: int) -> dict[str, object]:
    """Tell a message as its readers get it; `id` is the same however often it is sent."""
    action = delivery.action
    return {
        "id": delivery.key,
        "action_id": action.id,
        "channel": delivery.rendered.channel,
        "to": delivery.to,
        "customer_id": action.customer_id,
        "profile_id": action.profile_id,
        "journey": action.journey,
        "step": action.step,
        "message": action.message,
        "purpose": action.purpose,
        "language": delivery.rendered.language,
        "content": delivery.rendered.fields,
        "unsubscribe": delivery.unsubscribing.url if delivery.unsubscribing else None,
        "at": instants.to_text(delivery.now_ms),
        "expires_at": instants.to_text(until_ms),
    }
