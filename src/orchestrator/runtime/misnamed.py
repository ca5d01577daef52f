"""Events that come by nearly a name that somebody asks for: `Cart Updated`, where a journey says `cart_updated`.

Owns what is nearly, and that each name is told once. Must never change what becomes of an event: names are compared as
they are written, here as everywhere.
"""

from collections.abc import Iterable

# Whoever puts a number into the names of their events is not to fill our memory.
MOST_NAMES = 10_000


class Misnamed:
    """Names of events as they are met; `met` are those that need no second look."""

    def __init__(self, asked: Iterable[str]) -> None:
        self.found: dict[str, str] = {}
        self.met: set[str] = set()
        self.follow(asked)

    def follow(self, asked: Iterable[str]) -> None:
        """Go by these names from now on."""
        self.met.clear()
        self.met.update(asked)
        self._asked = {_plain(name): name for name in sorted(self.met)}

    def meet(self, name: str) -> str | None:
        """Look at a name for the first time; give the one that is asked for, where this is nearly it."""
        if len(self.met) >= MOST_NAMES:
            return None
        self.met.add(name)
        asked = self._asked.get(_plain(name))
        if asked is None or name in self.found:
            return None
        self.found[name] = asked
        return asked


def _plain(name: str) -> str:
    return "".join(each for each in name.casefold() if each.isalnum())
