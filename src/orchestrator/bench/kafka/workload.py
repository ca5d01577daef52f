"""What is loaded: a shop's day, its customers, and the small streams of the other figures.

Owns the events, always the same for the same numbers, and which partition each belongs to (murmur2, as Java clients
choose it). Must never use a clock or unseeded dice: instants are handed in.
"""

import random
from collections.abc import Iterator
from functools import lru_cache

import orjson

from orchestrator.bench.workload import EVENTS_PER_CUSTOMER, SEED
from orchestrator.model import instants
from orchestrator.runtime.kafka.keys import partition_of

# Partition, timestamp, key and value of a record.
Record = tuple[int, int, bytes, bytes]
# How long after its day the shop's last word comes: every timer of the abandoned cart is due before.
AFTERWARDS_MS = 3 * instants.DAY_MS


def customers_of(events: int) -> int:
    """Tell how many customers a day of so many events has."""
    return max(1, events // EVENTS_PER_CUSTOMER)


def people(customers: int, partitions: int, at_ms: int) -> Iterator[Record]:
    """Make each customer known, reachable and willing: an address, and the consent to write to it."""
    for number in range(customers):
        name = f"c{number}"
        about = {"email": f"{name}@shop.example", "device_token": f"push-{number}", "language": "es"}
        yield _record(f"{name}-profile", "profile_updated", at_ms, name, partitions, about)
        consent = {"channel": "email", "purpose": "marketing", "granted": True, "source": "account"}
        yield _record(f"{name}-consent", "consent_changed", at_ms, name, partitions, consent)


def day(events: int, partitions: int, begin_ms: int, seed: int = SEED) -> Iterator[Record]:
    """Make a day: 70 % of all events look at a page, 20 % change a cart, 10 % order; then, long after, the last word.

    The last word moves every partition's clock, so that what waits for an hour or a day fires by the log's time and
    the outcome does not depend on when it is read.
    """
    dice = random.Random(seed)  # noqa: S311 - a workload, not a secret
    customers = customers_of(events)
    for number in range(events):
        drawn, customer = dice.random(), dice.randrange(customers)
        kind = "page_viewed" if drawn < 0.7 else "cart_updated" if drawn < 0.9 else "order_placed"
        total, items, page = round(dice.uniform(5, 150), 2), dice.randint(1, 9), dice.randrange(10_000)
        if kind == "page_viewed":
            properties: dict[str, object] = {"url": f"https://shop.example/products/{page}?ref=mail", "product": page}
        else:
            item = {"sku": f"S-{page}", "name": "Lamp", "quantity": items, "price": total}
            properties = {"cart_id": f"cart-{customer}", "total": total, "items": [item]}
        at_ms = begin_ms + number * instants.DAY_MS // events
        yield _record(f"evt-{number:012d}", kind, at_ms, f"c{customer}", partitions, properties)
    yield from last_words(partitions, begin_ms + instants.DAY_MS + AFTERWARDS_MS)


def last_words(partitions: int, at_ms: int) -> Iterator[Record]:
    """Make one event a partition that no journey asks for, to move its clock."""
    for number in range(partitions):
        name = next(name for name in (f"end-{tried}" for tried in range(10_000)) if _home(name, partitions) == number)
        yield _record(f"last-word-{number}", "day_ended", at_ms, name, partitions, {})


def carts(customers: int, partitions: int, from_ms: int, until_ms: int) -> Iterator[Record]:
    """Make one cart for each customer, evenly between two instants."""
    for number in range(customers):
        at_ms = from_ms + (until_ms - from_ms) * number // customers
        properties = {"cart_id": f"cart-{number}", "total": 50.0, "items": 2}
        yield _record(f"cart-{number}", "cart_updated", at_ms, f"c{number}", partitions, properties)


def for_kafka_streams(events: int, partitions: int, begin_ms: int) -> Iterator[Record]:
    """Make the same day in the form that the peers' programs read, with their names for the same fields."""
    for partition, at_ms, key, value in day(events, partitions, begin_ms):
        event = orjson.loads(value)
        given = event["properties"]
        properties = {
            "cart_value": given.get("total", 0.0),
            "items": given["items"][0]["quantity"] if "items" in given else 0,
            "url": given.get("url", ""),
        }
        kind = "sentinel" if event["type"] == "day_ended" else event["type"]
        yield (
            partition,
            at_ms,
            key,
            orjson.dumps({**event, "type": kind, "properties": properties}).replace(
                b'"time":%d' % at_ms, b'"ts":%.3f' % (at_ms / 1000)
            ),
        )


def order(number: int, at_ms: int, partitions: int) -> Record:
    """Make one event of a steady stream, of which one in ten is an order that is answered at once."""
    kind = "order_placed" if number % 10 == 0 else "cart_updated" if number % 10 < 3 else "page_viewed"
    properties = {"cart_id": f"cart-{number % 20_000}", "total": 50.0, "items": 2, "offered_ms": at_ms}
    return _record(f"{at_ms}-{number}", kind, at_ms, f"c{number % 20_000}", partitions, properties)


def with_cookies(records: Iterator[Record]) -> Iterator[Record]:
    """Let each customer be known by their device as well, in every event."""
    for partition, at_ms, key, value in records:
        event = orjson.loads(value)
        event["identifiers"] = {"cookie": f"device-{event['customer_id']}"}
        yield partition, at_ms, key, orjson.dumps(event)


class Becoming:
    """Visitors who become known some ticks after they came, so many a second, and one customer with many devices.

    `merges` counts what was offered so far, `last_ms` is when the last of it was.
    """

    def __init__(self, per_second: int, identifiers: int, after_ticks: int) -> None:
        self._per_second = per_second
        self._identifiers = identifiers
        self._after = after_ticks
        self.merges = 0
        self.last_ms = 0

    def tick(self, tick: int, at_ms: int, partitions: int, tick_ms: int) -> list[Record]:
        """Make what happens in one tick."""
        made = [self._one(at_ms, partitions, "cart_updated", f"k{number}") for number in self._of(tick, tick_ms)]
        known = self._of(tick - self._after, tick_ms) if tick >= self._after else range(0)
        made += [self._one(at_ms, partitions, "logged_in", f"k{number}", f"v{number}") for number in known]
        device = f"many{tick % self._identifiers}"
        made.append(self._one(at_ms, partitions, "cart_updated", device, "many" if tick < self._identifiers else None))
        self.merges += len(known)
        self.last_ms = at_ms if known else self.last_ms
        return made

    def _of(self, tick: int, tick_ms: int) -> range:
        return range(tick * self._per_second * tick_ms // 1000, (tick + 1) * self._per_second * tick_ms // 1000)

    def _one(self, at_ms: int, partitions: int, kind: str, cookie: str, customer: str | None = None) -> Record:
        named = {} if customer is None else {"customer_id": customer}
        about = {"id": f"{kind}-{cookie}-{at_ms}", "type": kind, "time": at_ms, **named}
        event = {
            **about,
            "identifiers": {"cookie": cookie},
            "properties": {"cart_id": cookie, "total": 50.0, "items": 2},
        }
        # A visitor's events are keyed by what the visitor is known by, and lie anywhere.
        return _home(cookie, partitions), at_ms, cookie.encode(), orjson.dumps(event)


def _record(event_id: str, kind: str, at_ms: int, customer: str, partitions: int, properties: object) -> Record:
    event = {"id": event_id, "type": kind, "time": at_ms, "customer_id": customer, "properties": properties}
    return _home(customer, partitions), at_ms, customer.encode(), orjson.dumps(event)


@lru_cache(1 << 20)
def _home(customer: str, partitions: int) -> int:
    return partition_of(customer.encode(), partitions)
