"""Scrubbing: the file rewritten after erasures, so that nothing of whom they erased is left in its free pages.

Owns when that is tried again. It takes as much room as the file itself, so a disk that has none left for it must not
keep anybody's events from being answered, nor may the rewriting be forgotten, also over a restart.
"""

import structlog

from orchestrator.errors import StorageError
from orchestrator.model import instants
from orchestrator.runtime.timers import NEVER_MS
from orchestrator.storage import Batch, Store

_UNSCRUBBED = "serve.unscrubbed"
AGAIN_MS = 10 * instants.MINUTE_MS
_log = structlog.get_logger(__name__)


class Scrubbing:
    """Whether a store is to be rewritten; `next_ms` is when."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.next_ms = NEVER_MS if store.position(_UNSCRUBBED) is None else 0

    def ask(self, batch: Batch) -> None:
        """Have the file rewritten behind this batch, or whenever it can be."""
        batch.positions[_UNSCRUBBED] = b""
        self.next_ms = 0

    def scrub(self, now_ms: int) -> None:
        """Rewrite the file if that is due; what was committed before stays so whatever becomes of it."""
        if now_ms < self.next_ms:
            return
        try:
            self._store.scrub()
            self._store.commit(Batch(positions={_UNSCRUBBED: None}))
        except StorageError as error:
            self.next_ms = now_ms + AGAIN_MS
            _log.error("what was erased lies in free pages of the file until it can be rewritten", why=str(error))
        else:
            self.next_ms = NEVER_MS
