"""Facts: what the engine is told, in the past tense.

Owns the two kinds there are: an event happened, or the instant came at which something was due.
"""

import msgspec

from orchestrator.model.event import Event


class Wake(msgspec.Struct):
    """The instant came: whatever is due at or before the turn's `now` wakes."""


Fact = Event | Wake
