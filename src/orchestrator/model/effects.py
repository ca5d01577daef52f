"""Effects: what a decision asks of the outside world.

Owns the shape of an action as it leaves (CONTRACTS.md, "Actions out"). An action carries all that
delivery needs and no more; its id is the idempotency key at every provider.
"""

from typing import Any, Literal

import msgspec


class Action(msgspec.Struct, gc=False):
    """One action. `at` and `expires_at` are RFC 3339 text, `stale_after` a duration, `data` what the template reads.

    `track` is what of a message may come back: its channel's, where the customer lets themselves be measured.
    `window_until` is when a channel stops to take texts of our own wording: 24 hours after the customer wrote last.
    `redeliver` is an operator's: the engine decides none.
    """

    id: str
    kind: Literal["message", "handoff", "call", "event", "cancel", "redeliver"]
    profile_id: str
    customer_id: str | None
    journey: str
    version: int
    entry_id: str
    step: str
    at: str
    channel: str | None = None
    message: str | None = None
    purpose: str | None = None
    language: str | None = None
    to: str | list[str] | None = None
    expires_at: str | None = None
    stale_after: str | None = None
    quiet: dict[str, Any] | None = None
    data: dict[str, Any] = {}
    track: list[str] = []
    window_until: str | None = None
