"""The order of the pieces in each layer, so that few lines cross.

Owns the sweeps: each layer is sorted by where its neighbours stand, downwards and upwards in turn, then neighbours
change places where that helps; the best order seen wins. It begins with the author's order, which a reader expects.
Must never look at positions; order is all there is at this point.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from orchestrator.views.pieces import Piece

_SWEEPS = 24


def order(pieces: Sequence[Piece]) -> list[list[int]]:
    """Order the pieces: a list of piece numbers a layer, from left to right."""
    layers = _as_written(pieces)
    best, fewest = layers, crossings(pieces, layers)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        layers = _swept(pieces, layers, downwards=sweep % 2 == 0)
        _swap_neighbours(pieces, layers)
        count = crossings(pieces, layers)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    return best


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
