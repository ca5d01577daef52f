"""Where an entry goes after a step.

Owns the one word that is not a step's id.
"""

from typing import Final

# A step's id, None when the steps are over, or STAY.
Going = str | None

# "The entry waits here, or has ended": an id that no step can have.
STAY: Final = ""
