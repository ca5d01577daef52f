"""Text messages: the alphabet that a text needs, and into how many parts a network cuts it.

A text whose every sign is in GSM 03.38's alphabet goes as 7-bit septets, 160 in one part or 153 in each of several;
signs of its extension table take two, which stay in one part. Any other sign makes the whole text UCS-2: 70 units of
16 bits in one part or 67 in each of several, and a sign of two units stays in one part too. Each part is billed.
Owns the alphabet and the counting. Must never change a text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

# 3GPP TS 23.038, 6.2.1 and 6.2.1.1, without the escape itself.
_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
_GSM7, _UCS2 = "GSM-7", "UCS-2"
# By alphabet: what fits into a single part, and into each of several, whose order takes the rest.
_ROOM = {_GSM7: (160, 153), _UCS2: (70, 67)}
# What carriers and phones put together again without fail.
MOST_PARTS = 10


@dataclass(frozen=True, slots=True)
class Cut:
    """How a text goes out: its alphabet, the parts it is cut into, and the units that it takes in all."""

    alphabet: Literal["GSM-7", "UCS-2"]
    parts: int
    units: int


def cut(text: str) -> Cut:
    """Tell how a network cuts a text."""
    if strangers_in(text):
        sizes = [2 if ord(sign) > 0xFFFF else 1 for sign in text]
        return Cut("UCS-2", _parts(sizes, *_ROOM[_UCS2]), sum(sizes))
    sizes = [2 if sign in _EXTENDED else 1 for sign in text]
    return Cut("GSM-7", _parts(sizes, *_ROOM[_GSM7]), sum(sizes))


def strangers_in(text: str) -> list[str]:
    """List the signs of a text that are not in GSM's alphabet, each once, in the order of the text."""
    return [sign for sign in dict.fromkeys(text) if sign not in _BASIC and sign not in _EXTENDED]


def _parts(sizes: Iterable[int], single: int, each: int) -> int:
    sizes = list(sizes)
    if sum(sizes) <= single:
        return 1
    parts, room = 1, each
    for size in sizes:
        if size > room:
            parts, room = parts + 1, each
        room -= size
    return parts
