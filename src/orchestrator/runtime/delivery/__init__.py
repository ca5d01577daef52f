"""Delivery: decided actions, handed to providers, however long that takes.

    outbox ─ due ─► lane (one a channel): timing ─ pace ─ breaker ─► road ─► provider
       ▲                                                               │
       └───────────── settled, with the receipts, in one commit ◄──────┘

Deciding is exactly once. Sending is at least once with the action's id as the provider's idempotency key, so it is
effectively once: a provider that knows the key sends once, and one that does not may send twice after a crash.

Owns patience, pace and order, the same for every channel and on every runtime. Must never decide whether a message
may go: that is on record already, and only the clock is asked again.
"""
