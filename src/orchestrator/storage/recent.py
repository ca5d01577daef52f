"""Recent records: what was read or written lately, so that a file need not be asked again.

Owns how many, and whether they are all that there are. Must never read a file.
"""

from collections.abc import Mapping

# At most twice so many are kept: measured over 100,000 customers, two fifths of the time spent reading, for 60 MB.
RECENT_RECORDS = 50_000


class Recent:
    """Records by profile, those left out that nobody has asked for lately.

    `holds_all` tells that these are all that the file holds, so that what is not among them is nowhere.
    """

    def __init__(self, limit: int) -> None:
        self.holds_all = False
        self._limit = limit
        # Two generations: what is not asked for while the younger one fills is forgotten with the older one.
        self._young: dict[str, bytes] = {}
        self._old: dict[str, bytes] = {}

    def get(self, profile_id: str) -> bytes | None:
        """Return a record; None when it is not among these."""
        return self._young.get(profile_id) or self._old.get(profile_id)

    def remember(self, records: Mapping[str, bytes]) -> None:
        """Keep these, and let those go that were kept longest where they are too many."""
        self._young.update(records)
        if len(self._young) > self._limit:
            self.holds_all = self.holds_all and not self._old
            self._old = self._young
            self._young = {}

    def forget(self, profile_id: str) -> None:
        """Drop a record that is gone from the file."""
        self._young.pop(profile_id, None)
        self._old.pop(profile_id, None)
