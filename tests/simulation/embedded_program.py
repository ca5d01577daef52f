"""The run pipeline as a process of its own, to be killed: `python embedded_program.py OPTIONS-AS-JSON`.

Owns the journey that it runs. Must never catch anything: how it ends is what the test looks at.
"""

import json
import os
import sys
from pathlib import Path

from orchestrator.language import compile_sources
from orchestrator.runtime import faults
from orchestrator.runtime.embedded import RunOptions, processing, run_events

# A reminder ten minutes after the last cart, and a wait for a click; an order ends it.
SOURCES = {
    "orchestrator.yaml": """
project: shop
channels:
  email: {address: profile.customer_id, preferred_order: 1}
purposes:
  service: {consent: none}
""",
    "messages/reminder.message.yaml": """
message: reminder
email: {subject: Your cart, text: It is still here.}
""",
    "cart.journey.yaml": """
journey: cart
version: 1
status: live
purpose: service
enter: {event: cart_updated, again: after_exit}
exit:
  - {event: order_placed, reason: bought}
steps:
  - id: settle
    wait: {for: 10m, restart_on: cart_updated}
  - id: remind
    send: {message: reminder, channels: [email]}
  - id: answer
    wait_for: {event: message_clicked, within: 1h}
""",
}

# Small, so that a short run holds many commits to die in.
processing.BATCH_RECORDS = 300
processing.BATCH_TURNS = 100


def main() -> None:
    """Run what the first argument asks for."""
    faults.arm_from(os.environ)
    options = json.loads(sys.argv[1])
    for name in ("actions", "decisions", "dead_letters", "state"):
        options[name] = Path(options[name])
    run_events(compile_sources(SOURCES), RunOptions(**options))


if __name__ == "__main__":
    main()
