"""The pieces that a drawing is laid out from.

Owns their shape, nothing else. Must never outlive one layout: the steps of a layout write into them.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Piece:
    """A box, a label, or the place where a long line passes a layer; `above` and `below` are its neighbours."""

    width: float
    height: float
    layer: int
    is_label: bool = False
    is_pass: bool = False
    x: float = 0.0
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chain:
    """One line as the pieces it runs through, from top to bottom; `is_turned` when it is really drawn upwards."""

    pieces: list[int]
    label: int | None
    is_turned: bool
