"""The workload: a shop's day, and the reminder that goes after a forgotten cart.

Owns what events are made, always the same for the same numbers: of all of them 70 % look at a page, which
no journey asks about, 20 % change a cart and 10 % order. A tenth as many customers as events.
Must never use a clock or unseeded dice.
"""

import json
import random
from pathlib import Path

from orchestrator.model import instants

BEGIN_MS = 1_767_225_600_000  # 2026-01-01
EVENTS_PER_CUSTOMER = 10
# The same events each time, so that figures can be compared.
SEED = 42

SOURCES = {
    "orchestrator.yaml": """
project: shop
channels:
  email: {address: profile.customer_id}
purposes:
  service: {consent: none}
""",
    "messages/cart-reminder.message.yaml": """
message: cart-reminder
email: {subject: Your cart is waiting, text: "{{ steps.settle.event.properties.items }} items, {{ entry.total }}."}
""",
    "abandoned-cart.journey.yaml": """
journey: abandoned-cart
version: 1
status: live
purpose: service
enter: {event: cart_updated, where: total >= 30, key: cart_id, again: after_exit}
exit:
  - {event: order_placed, reason: bought}
goal: {event: order_placed, within: 3d}
steps:
  - id: settle
    wait: {for: 1h, restart_on: cart_updated}
  - id: remind
    send: {message: cart-reminder, channels: [email], expires: 12h}
  - id: answer
    wait_for: {event: message_clicked, within: 1d}
    then:
      - exit: engaged
""",
}

# The same journey where everything is asked that may be asked: consent, an open case, the universal holdout and the
# journey's own, caps of the purpose and of the project, quiet hours.
SOURCES_WITH_POLICIES = {
    **SOURCES,
    "orchestrator.yaml": """
project: shop
channels:
  email: {address: profile.customer_id}
purposes:
  service:
    consent: opt_out
    caps: [{at_most: 1, per: 1d, channel: email}, {at_most: 3, per: 7d}]
    quiet_hours: {from: "21:30", to: "08:30"}
    during_case: pause
caps: [{at_most: 5, per: 30d}]
holdout: 5%
""",
    "abandoned-cart.journey.yaml": SOURCES["abandoned-cart.journey.yaml"].replace(
        "purpose: service\n", "purpose: service\npriority: 40\nholdout: 10%\n"
    ),
}


def write_events(path: Path, events: int, customers: int | None = None) -> None:
    """Write so many events of one day as JSON lines, in order of time; by default of a tenth as many customers."""
    dice = random.Random(SEED)  # noqa: S311 - a workload, not a secret
    customers = max(1, events // EVENTS_PER_CUSTOMER) if customers is None else customers
    with path.open("w", encoding="utf-8") as file:
        for number in range(events):
            drawn, customer = dice.random(), dice.randrange(customers)
            event = {
                "id": f"evt-{number:012d}",
                "type": "page_viewed" if drawn < 0.7 else "cart_updated" if drawn < 0.9 else "order_placed",
                "time": instants.to_text(BEGIN_MS + number * instants.DAY_MS // events),
                "customer_id": f"c{customer}",
                "properties": {
                    "cart_id": f"cart-{customer}",
                    "total": round(dice.uniform(5, 150), 2),
                    "items": dice.randint(1, 9),
                    "url": f"https://shop.example/products/{dice.randrange(10_000)}?ref=mail",
                },
            }
            file.write(json.dumps(event, separators=(",", ":")) + "\n")
