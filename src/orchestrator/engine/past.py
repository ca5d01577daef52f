"""The past: what an event adds to it, as far as anybody asks.

Owns counts, purchases and when a customer was last seen, which is when they did something, and not when we sent them
anything. An event counts as of the time it happened, never later than now: orders that a shop hands in afterwards
count for the days they were made on. Never keeps what no condition, template or segment in force reads.
"""

from bisect import insort

from orchestrator.engine import matching
from orchestrator.engine.turn import Turn
from orchestrator.model import ids
from orchestrator.model.audience import Audiences
from orchestrator.model.event import Event
from orchestrator.model.state import REMEMBERED_EVENTS, Purchase, Purchases

# A count is exact up to here (LANGUAGE.md, "Order of work"); of more events the newest are kept.
MAX_COUNTED = 1_000
# So many purchases are told apart, as many as events are known again.
MAX_LATELY = REMEMBERED_EVENTS


def take(turn: Turn, audiences: Audiences, event: Event) -> bool:
    """Add an event to what is kept of the customer's past; tell whether it may have changed that."""
    if matching.is_machine_made(event):
        return False
    is_kept = False
    asked, at_ms = audiences.asked, min(event.time_ms, turn.now_ms)
    within_ms = asked.counts.get(event.type)
    if within_ms is not None and at_ms > turn.now_ms - within_ms:
        _count(turn, event.type, at_ms, turn.now_ms - within_ms)
        is_kept = True
    if asked.last_seen and event.channel is not None and matching.is_sign_of_life(turn, event):
        _see(turn, event.channel, at_ms)
        is_kept = True
    purchase = turn.project.purchase
    if asked.purchases and purchase is not None and event.type == purchase.event:
        _buy(turn, event, at_ms)
        is_kept = True
    return is_kept


def _count(turn: Turn, event_type: str, at_ms: int, since_ms: int) -> None:
    counts = turn.state.past.counts
    kept = [at for at in counts.get(event_type, ()) if at > since_ms]
    insort(kept, at_ms)
    counts[event_type] = kept[-MAX_COUNTED:]
    turn.changed = True


def _see(turn: Turn, channel: str, at_ms: int) -> None:
    seen = turn.state.profile.last_seen_ms
    if at_ms > seen.get(channel, 0):
        seen[channel] = at_ms
        turn.changed = True


def _buy(turn: Turn, event: Event, at_ms: int) -> None:
    purchase = turn.project.purchase
    assert purchase is not None  # noqa: S101 - asked by the caller
    scope = turn.scope_at(None)
    past = turn.state.past
    bought = past.purchases or Purchases()
    value = purchase.value.evaluate(scope)
    named = purchase.currency.evaluate(scope) if purchase.currency is not None else None
    currency = named if isinstance(named, str) else ""
    bought.count += 1
    if at_ms >= bought.last_ms:
        bought.last_ms = at_ms
        bought.currency = currency
    paid = 0.0
    if isinstance(value, int | float) and not isinstance(value, bool):
        paid = float(value)
        bought.spent[currency] = bought.spent.get(currency, 0.0) + paid
    insort(bought.lately, Purchase(at_ms, ids.digest_of(event.id), currency, paid))
    del bought.lately[:-MAX_LATELY]
    past.purchases = bought
    turn.changed = True
