"""Codes as a template sees them, `coupon.NAME`: noted when they are asked for, or shown without being anybody's.

Owns both. Only what a template asks for is claimed, so a code behind a condition that does not hold is nobody's. Must
never hand out a real code: that is delivery's, and is claimed first.
"""

from collections.abc import Iterator, Mapping


class AskedCodes(Mapping[str, str]):
    """Notes which codes a template asks for; it is rendered again with real ones. `names` are in order."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __getitem__(self, name: str) -> str:
        """Note a name, and give something that counts as there."""
        if name not in self.names:
            self.names.append(name)
        return name

    def __iter__(self) -> Iterator[str]:
        """Name those that were asked for."""
        return iter(self.names)

    def __len__(self) -> int:
        """Count those that were asked for."""
        return len(self.names)


def samples(coupons: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Make a sample of each coupon's codes: of their form, and good for nothing."""
    return {name: _sample(codes) for name, codes in coupons.items()}


def _sample(codes: tuple[str, ...]) -> str:
    """Keep what all codes begin with, and write X for what tells them apart: SALE-7KQ2 becomes SALE-XXXX."""
    if not codes:
        return ""
    first, last = min(codes), max(codes)
    differ = (number for number, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    shared = next(differ, len(first)) if first != last else 0
    sample = codes[0][:shared] + "".join("X" if sign.isalnum() else sign for sign in codes[0][shared:])
    while sample in codes:
        sample += "X"
    return sample
