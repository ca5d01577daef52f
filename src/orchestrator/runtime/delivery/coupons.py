"""Coupons: one code of a pool for each entry, claimed at the moment of sending.

    the lane's turn comes ─► a template asks for a code ─► claimed, durably ─► rendered with it ─► sent
                                                       └─► none is left: not sent, `no_coupon`

A code is somebody's before anybody sees it. Dying between the two leaves it with its entry, which gets the same one
when its message is tried again, by whichever process. What failed for another reason keeps its code too: somebody may
have seen it. Owns the port and the pool. Must never take a code back, nor give one without its claim being durable.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from orchestrator.errors import Refused, TryLater
from orchestrator.model.effects import Action


class NoCoupon(Refused):
    """A coupon of which no code is left; the message is not sent."""


class NotClaimed(TryLater):
    """A code could not be claimed now, for a reason of ours; the provider was not asked."""


class Claims(Protocol):
    """Whoever knows which code is whose."""

    async def claim(self, action: Action, coupons: Sequence[str]) -> Mapping[str, str]:
        """Give the codes that the entry of an action has, of these coupons; on return they are its own for good.

        Raises NoCoupon when a pool is empty, NotClaimed when it cannot be told now; then nothing was claimed that the
        entry would not get when it asks again.
        """
        ...


class Pool:
    """The codes that nobody has yet, by coupon, in the order of their files. `given` are all that somebody has."""

    def __init__(self, given: Collection[str] = ()) -> None:
        self._given = set(given)
        self._left: dict[str, deque[str]] = {}

    def stock(self, coupon: str, codes: Sequence[str]) -> None:
        """Let a coupon's codes be these, without those that were given."""
        self._left[coupon] = deque(code for code in codes if code not in self._given)

    def stock_all(self, coupons: Mapping[str, Sequence[str]]) -> None:
        """Let these be all the coupons that there are."""
        self._left.clear()
        for coupon, codes in coupons.items():
            self.stock(coupon, codes)

    def has(self, coupon: str) -> bool:
        """Tell whether a code of a coupon is left."""
        left = self._left.get(coupon)
        while left and left[0] in self._given:  # a code that moved from one coupon's file to another's
            left.popleft()
        return bool(left)

    def take(self, coupons: Iterable[str]) -> dict[str, str]:
        """Take the next code of each coupon; raises NoCoupon, and takes none, where one has none left."""
        taken: dict[str, str] = {}
        for coupon in coupons:
            if not self.has(coupon):
                for other, code in reversed(taken.items()):
                    self.put_back(other, code)
                raise NoCoupon(f"no code of {coupon} is left")
            taken[coupon] = self._left[coupon].popleft()
            self._given.add(taken[coupon])
        return taken

    def put_back(self, coupon: str, code: str) -> None:
        """Take back that a code was taken: nobody has heard of it."""
        self._given.discard(code)
        if coupon in self._left:
            self._left[coupon].appendleft(code)

    @property
    def left(self) -> dict[str, int]:
        """Count the codes that are left, by coupon."""
        return {coupon: len(codes) for coupon, codes in self._left.items()}
