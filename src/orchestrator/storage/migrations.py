"""The shape of a state file, as numbered steps from nothing to today.

Owns the statements that made every shape a state file ever had. A step that was released is never
changed: a new shape is a new step at the end. Must never touch a connection outside its transaction.

`application_id` says that a file is ours, `user_version` how many steps it has been through.
"""

import sqlite3

from orchestrator.errors import StorageError

APPLICATION_ID = 0x4F524348  # "ORCH"

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # With a rowid although the key is text: a record is several hundred bytes, and a tree of keys alone beside
        # the table was measured a quarter faster than rows of that size inside the tree.
        "CREATE TABLE profiles (profile_id TEXT PRIMARY KEY, due_ms INTEGER NOT NULL, record BLOB NOT NULL)",
        "CREATE TABLE decisions (number INTEGER PRIMARY KEY, profile_key INTEGER NOT NULL,"
        " profile_id TEXT NOT NULL, lines BLOB NOT NULL)",
        "CREATE INDEX decisions_by_profile ON decisions (profile_key)",
        # AUTOINCREMENT: a number is never given out twice, even after the outbox has been emptied.
        "CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, lines BLOB NOT NULL)",
        "CREATE TABLE positions (name TEXT PRIMARY KEY, position BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE outputs (file TEXT PRIMARY KEY, length INTEGER NOT NULL) WITHOUT ROWID",
        "CREATE TABLE definitions (journey TEXT, version INTEGER, sources TEXT NOT NULL,"
        " PRIMARY KEY (journey, version)) WITHOUT ROWID",
    ),
    (
        "CREATE TABLE pending (number INTEGER PRIMARY KEY AUTOINCREMENT, action_id TEXT NOT NULL UNIQUE,"
        " lane TEXT NOT NULL, due_ms INTEGER NOT NULL, profile_id TEXT NOT NULL, action BLOB NOT NULL,"
        " attempts INTEGER NOT NULL DEFAULT 0, cancelled INTEGER NOT NULL DEFAULT 0, reason TEXT, why TEXT)",
        # Only what waits is looked for by its lane; what was given up on may be much, and is read as a whole.
        "CREATE INDEX pending_by_lane ON pending (lane, due_ms, number) WHERE reason IS NULL",
        "CREATE INDEX pending_by_profile ON pending (profile_id)",
        "CREATE TABLE names (name TEXT PRIMARY KEY, profile_id TEXT NOT NULL) WITHOUT ROWID",
        "CREATE INDEX names_by_profile ON names (profile_id)",
        "CREATE TABLE dead_letters (number INTEGER PRIMARY KEY AUTOINCREMENT, line BLOB NOT NULL)",
    ),
    (
        # What kind of identifier a name stands for: a customer may have only so many of one.
        "ALTER TABLE names ADD COLUMN kind TEXT NOT NULL DEFAULT ''",
    ),
    ("CREATE TABLE release (revision INTEGER PRIMARY KEY, sources TEXT NOT NULL)",),
    (
        "CREATE TABLE cases (number INTEGER PRIMARY KEY, case_id TEXT NOT NULL UNIQUE, profile_id TEXT NOT NULL,"
        " team TEXT NOT NULL, skill TEXT, channel TEXT, rank INTEGER NOT NULL, opened_ms INTEGER NOT NULL,"
        " closed_ms INTEGER NOT NULL, file BLOB NOT NULL)",
        "CREATE INDEX cases_open ON cases (rank DESC, opened_ms, number) WHERE closed_ms = 0",
        "CREATE INDEX cases_closed ON cases (closed_ms)",
        "CREATE INDEX cases_by_profile ON cases (profile_id)",
        # AUTOINCREMENT: a reader that comes back names the last place it saw, and no place is given out twice.
        "CREATE TABLE streamed (number INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE,"
        " profile_id TEXT NOT NULL, channel TEXT NOT NULL, at_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,"
        " message BLOB NOT NULL)",
        "CREATE INDEX streamed_by_channel ON streamed (channel, number)",
        "CREATE INDEX streamed_by_profile ON streamed (profile_id, channel, number)",
        "CREATE INDEX streamed_by_end ON streamed (until_ms)",
    ),
    (
        # One row a code for ever, so that the key itself keeps a code from being given twice.
        "CREATE TABLE coupons (code TEXT PRIMARY KEY, coupon TEXT NOT NULL, entry_id TEXT NOT NULL,"
        " profile_id TEXT NOT NULL) WITHOUT ROWID",
        "CREATE UNIQUE INDEX coupons_by_entry ON coupons (entry_id, coupon) WHERE entry_id <> ''",
        "CREATE INDEX coupons_by_profile ON coupons (profile_id)",
    ),
    (
        # Where a message stands in the log that it was copied from.
        "ALTER TABLE streamed ADD COLUMN origin INTEGER NOT NULL DEFAULT 0",
        "CREATE INDEX streamed_by_origin ON streamed (origin) WHERE origin > 0",
    ),
    (
        "CREATE TABLE addresses (name TEXT NOT NULL, profile_id TEXT NOT NULL, PRIMARY KEY (name, profile_id))"
        " WITHOUT ROWID",
        "CREATE INDEX addresses_by_profile ON addresses (profile_id)",
    ),
    (
        # Lines that are decisions are not kept twice: which they are, in the order of their numbers.
        "ALTER TABLE outbox ADD COLUMN first INTEGER",
        "ALTER TABLE outbox ADD COLUMN last INTEGER",
    ),
)


def check(connection: sqlite3.Connection, name: str) -> int:
    """Return how many steps a file has been through; 0 for a new one.

    Raises StorageError for a file of another program, or of a newer release of this one.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application_id == 0 and tables == 0:
        return 0
    if application_id != APPLICATION_ID:
        raise StorageError(f"{name} is the database of another program; name another state file")
    if version > len(MIGRATIONS):
        raise StorageError(
            f"{name} was written by a newer release (schema {version}, this one knows up to {len(MIGRATIONS)});"
            " upgrade this program, or name another state file"
        )
    return int(version)


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Bring a file to the newest shape, each step in one transaction, so that dying in between leaves a whole one."""
    for version in range(check(connection, name), len(MIGRATIONS)):
        connection.execute("BEGIN IMMEDIATE")
        for statement in MIGRATIONS[version]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")
