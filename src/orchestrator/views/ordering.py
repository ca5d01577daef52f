"""The order of the pieces in each layer, so that few lines cross.

Owns the sweeps: each layer is sorted by where its neighbours stand, downwards and upwards in turn, then neighbours
change places where that helps; the best order seen wins. It begins with the author's order, which a reader expects, and
leaves it only for fewer crossings.
Must never look at positions; order is all there is at this point.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from random import Random

from orchestrator.views.pieces import Piece

_SWEEPS, _GIVING_UP = 16, 3
_FRESH_STARTS = 16


def order(pieces: Sequence[Piece]) -> list[list[int]]:
    """Order the pieces: a list of piece numbers a layer, from left to right."""
    written = _as_written(pieces)
    best, fewest = _untangled(pieces, written)
    dice = Random(0)  # noqa: S311 - no secret: the same seed, so that the same graph is always drawn the same way
    for _ in range(_FRESH_STARTS):
        if not fewest:
            break
        # Sweeping only ever finds the nearest good order; from another beginning it may find a better one.
        shuffled = [dice.sample(layer, len(layer)) for layer in written]
        layers, count = _untangled(pieces, shuffled)
        if count < fewest:
            best, fewest = layers, count
    mirrored = [layer[::-1] for layer in best]
    return min(best, mirrored, key=lambda layers: _strayed(layers, written))


def _strayed(layers: Sequence[Sequence[int]], written: Sequence[Sequence[int]]) -> int:
    """Count the pairs of pieces that do not stand in the author's order."""
    place = _places(written)
    count = 0
    for layer in layers:
        passed: list[int] = []
        for number in layer:
            count += len(passed) - bisect_right(passed, place[number])
            insort(passed, place[number])
    return count


def _untangled(pieces: Sequence[Piece], layers: list[list[int]]) -> tuple[list[list[int]], int]:
    """Sweep from an order to the best one near it; return that, and its crossings."""
    best, fewest = layers, crossings(pieces, layers)
    in_vain = 0
    for sweep in range(_SWEEPS):
        if not fewest or in_vain == _GIVING_UP:
            break
        layers = _swept(pieces, layers, downwards=sweep % 2 == 0)
        _swap_neighbours(pieces, layers)
        count = crossings(pieces, layers)
        in_vain += 1
        if count < fewest:
            best, fewest, in_vain = [list(layer) for layer in layers], count, 0
    return best, fewest


def crossings(pieces: Sequence[Piece], layers: Sequence[Sequence[int]]) -> int:
    """Count the pairs of lines that cross."""
    place = _places(layers)
    return sum(_crossings_below(pieces, layer, place) for layer in layers)


def _crossings_below(pieces: Sequence[Piece], layer: Sequence[int], place: dict[int, int]) -> int:
    count = 0
    passed: list[int] = []
    for number in layer:
        ends = sorted(place[below] for below in pieces[number].below)
        for end in ends:
            count += len(passed) - bisect_right(passed, end)
        for end in ends:
            insort(passed, end)
    return count


def _as_written(pieces: Sequence[Piece]) -> list[list[int]]:
    """Order by a walk from the top that takes the ways on in the author's order."""
    layers: list[list[int]] = [[] for _ in range(1 + max((piece.layer for piece in pieces), default=-1))]
    seen: set[int] = set()
    for start in range(len(pieces)):
        stack = [start]
        while stack:
            number = stack.pop()
            if number not in seen:
                seen.add(number)
                layers[pieces[number].layer].append(number)
                stack.extend(reversed(pieces[number].below))
    return layers


def _places(layers: Sequence[Sequence[int]]) -> dict[int, int]:
    return {number: at for layer in layers for at, number in enumerate(layer)}


def _swept(pieces: Sequence[Piece], layers: Sequence[Sequence[int]], *, downwards: bool) -> list[list[int]]:
    swept = [list(layer) for layer in layers]
    place = _places(swept)

    def wanted(number: int) -> float:
        neighbours = pieces[number].above if downwards else pieces[number].below
        if not neighbours:
            return place[number]
        return sum(place[neighbour] for neighbour in neighbours) / len(neighbours)

    for layer in swept if downwards else reversed(swept):
        layer.sort(key=wanted)  # stable: equals keep the order they had
        place.update((number, at) for at, number in enumerate(layer))
    return swept


def _swap_neighbours(pieces: Sequence[Piece], layers: list[list[int]]) -> None:
    place = _places(layers)
    for layer in layers:
        improved = True
        while improved:  # each swap removes at least one crossing, so it ends
            improved = False
            for at in range(len(layer) - 1):
                left, right = layer[at], layer[at + 1]
                if _pair(pieces, left, right, place) > _pair(pieces, right, left, place):
                    layer[at], layer[at + 1] = right, left
                    place[left], place[right] = at + 1, at
                    improved = True


def _pair(pieces: Sequence[Piece], left: int, right: int, place: dict[int, int]) -> int:
    """Count the crossings between the lines of two neighbours that stand in this order."""
    count = 0
    for lines_left, lines_right in (
        (pieces[left].above, pieces[right].above),
        (pieces[left].below, pieces[right].below),
    ):
        rights = sorted(place[number] for number in lines_right)
        count += sum(bisect_left(rights, place[number]) for number in lines_left)
    return count
