"""What stands around the engine: clocks, stores, streams, and the one sequence (a turn) they all share.

Owns the order of a commit, time's advance, duplicates, dead letters and what survives a crash.
Must never decide anything about a customer: the engine does, and the same everywhere.
"""
