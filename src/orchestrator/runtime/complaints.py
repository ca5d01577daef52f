"""Complaints: what an operator must see of a state that lasts, said again now and then for as long as it does.

Owns how often. Must never hold up whoever complains, nor decide what is worth a complaint.
"""

import logging
import math
import time
from collections.abc import Callable

EVERY_S = 30.0


class Complaint:
    """One thing to complain of, in the log of the module that finds it."""

    def __init__(self, log: logging.Logger, now: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._now = now
        self._said_at = -math.inf

    def say(self, text: str, *values: object) -> None:
        """Say it as an error, unless it was said less than `EVERY_S` ago; `values` are filled in as by `logging`."""
        now = self._now()
        if now - self._said_at > EVERY_S:
            self._said_at = now
            self._log.error(text, *values)
