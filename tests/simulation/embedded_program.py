"""The run pipeline as a process of its own, to be killed: `python embedded_program.py OPTIONS-AS-JSON`.

Owns the journey that it runs. Must never catch anything: how it ends is what the test looks at.
"""

import json
import os
import sys
from pathlib import Path

from orchestrator.model.catalog import Catalog
from orchestrator.runtime import faults
from orchestrator.runtime.embedded import RunOptions, processing, run_events
from shop import exits, journey, on, project, send, trait, wait, wait_for
from shop.projects import channel

# Small, so that a short run holds many commits to die in.
processing.BATCH_RECORDS = 300
processing.BATCH_TURNS = 100


def catalog() -> Catalog:
    """Compile a reminder ten minutes after the last cart, and a wait for a click; an order ends it."""
    reminder = journey(
        wait("settle", "10m", restart_on=["cart_updated"]),
        send("remind", "cart-reminder", "email", purpose="service"),
        wait_for("answer", on("message_clicked"), within="1h"),
        exits=(exits("order_placed", reason="bought"),),
        again="after_exit",
    )
    return Catalog(project(channels=(channel("email", address=trait("customer_id")),)), [reminder])


def main() -> None:
    """Run what the first argument asks for."""
    faults.arm_from(os.environ)
    options = json.loads(sys.argv[1])
    for name in ("actions", "decisions", "dead_letters", "state"):
        options[name] = Path(options[name])
    run_events(catalog(), RunOptions(**options))


if __name__ == "__main__":
    main()
