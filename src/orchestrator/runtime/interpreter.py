"""The interpreter of a live process: how often it looks for garbage, and how long one thread keeps the other waiting.

Owns those settings, for processes that do nothing else. Must never be called where somebody else's code runs too.
"""

import gc
import sys

# A batch in the store's thread may take milliseconds; whoever answers requests meanwhile waits no longer than this for
# its turn (by default 5 ms, which several hand-overs a request add up to).
SWITCH_SECONDS = 0.001


def settle_down() -> None:
    """Set the interpreter up for a process that has begun and will run for long."""
    # What is loaded by now stays: looking through it again and again stopped everything for tens of milliseconds.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    sys.setswitchinterval(SWITCH_SECONDS)
