"""Where state rests: in memory or in SQLite, behind one port that the same contract tests run over.

Owns transactions, migrations and the durable order of what was written.
Must never look inside a profile's record: a record is bytes, and only its first eight say when to wake.
"""

from orchestrator.storage.coupons import Given
from orchestrator.storage.memory import MemoryStore
from orchestrator.storage.pending import Pending, Settled
from orchestrator.storage.sqlite import SqliteStore
from orchestrator.storage.store import Batch, Named, OutboxLines, Release, Store, StoreInUse, VersionTexts

__all__ = [
    "Batch",
    "Given",
    "MemoryStore",
    "Named",
    "OutboxLines",
    "Pending",
    "Release",
    "Settled",
    "SqliteStore",
    "Store",
    "StoreInUse",
    "VersionTexts",
]
