"""Where in its layer each piece stands: near its neighbours above and below, never over the piece beside it.

Owns the horizontal positions. In one layer this is a least-squares problem with a fixed order and least distances,
which pooling neighbours that want to pass each other solves exactly. Must never change the order.
"""

from collections.abc import Sequence
from itertools import pairwise

from orchestrator.views.pieces import Piece

GAP_ACROSS = 30.0
_GAP_AT_PASS = 18.0
_ROUNDS = 60
_STRAIGHTENINGS = 4
# Long lines are straightened before anything else: a reader's eye follows them.
_WEIGHT_BETWEEN_PASSES, _WEIGHT_AT_PASS, _WEIGHT = 8.0, 2.0, 1.0


def place_across(pieces: Sequence[Piece], layers: Sequence[Sequence[int]]) -> None:
    """Write each piece's x: downwards, upwards, and at last between what is above and below."""
    for layer in layers:
        _settle(pieces, layer, [0.0] * len(layer), [1.0] * len(layer))
    for round_ in range(_ROUNDS):
        look_up, look_down = round_ % 2 == 0 or round_ > _ROUNDS // 2, round_ % 2 == 1 or round_ > _ROUNDS // 2
        for layer in layers if round_ % 2 == 0 else list(reversed(layers)):
            wanted, weights = [], []
            for number in layer:
                at, weight = _wish(pieces, pieces[number], look_up=look_up, look_down=look_down)
                wanted.append(at)
                weights.append(weight)
            _settle(pieces, layer, wanted, weights)
    for _ in range(_STRAIGHTENINGS):
        _straighten(pieces, layers)


def _straighten(pieces: Sequence[Piece], layers: Sequence[Sequence[int]]) -> None:
    """Put pieces that follow each other in a single line under each other, wherever there is room in every layer."""
    beside = {number: (layer, at) for layer in layers for at, number in enumerate(layer)}
    for run in _runs(pieces):
        leftmost, rightmost = float("-inf"), float("inf")
        for number in run:
            layer, at = beside[number]
            if at > 0:
                left = pieces[layer[at - 1]]
                leftmost = max(leftmost, left.x + _distance(left, pieces[number]))
            if at + 1 < len(layer):
                right = pieces[layer[at + 1]]
                rightmost = min(rightmost, right.x - _distance(pieces[number], right))
        if leftmost <= rightmost:
            middle = sum(pieces[number].x for number in run) / len(run)
            for number in run:
                pieces[number].x = min(max(middle, leftmost), rightmost)


def _runs(pieces: Sequence[Piece]) -> list[list[int]]:
    """Find the runs: each piece the only one below the one before it, and that one the only one above it."""
    runs = []
    for number, piece in enumerate(pieces):
        if len(piece.above) == 1 and len(pieces[piece.above[0]].below) == 1:
            continue  # in the middle of a run
        run = [number]
        while len(pieces[run[-1]].below) == 1 and len(pieces[pieces[run[-1]].below[0]].above) == 1:
            run.append(pieces[run[-1]].below[0])
        if len(run) > 1:
            runs.append(run)
    return runs


def _wish(pieces: Sequence[Piece], piece: Piece, *, look_up: bool, look_down: bool) -> tuple[float, float]:
    """Say where a piece wants to stand, and how much: the weighted middle of its neighbours."""
    neighbours = (piece.above if look_up else []) + (piece.below if look_down else [])
    total = weights = 0.0
    for number in neighbours:
        passes = _is_thin(piece) + _is_thin(pieces[number])
        weight = (_WEIGHT, _WEIGHT_AT_PASS, _WEIGHT_BETWEEN_PASSES)[passes]
        total += weight * pieces[number].x
        weights += weight
    # One that has nobody to follow stays, and gives way to those who have.
    return (total / weights, weights) if weights else (piece.x, 0.01)


def _is_thin(piece: Piece) -> bool:
    return piece.is_pass or piece.is_label


def _settle(pieces: Sequence[Piece], layer: Sequence[int], wanted: Sequence[float], weights: Sequence[float]) -> None:
    """Place one layer: the least sum of weighted squared distances to what is wanted, with everyone's room kept."""
    offsets = [0.0]
    for left, right in pairwise(layer):
        offsets.append(offsets[-1] + _distance(pieces[left], pieces[right]))
    # Pools: [sum of weighted wishes, sum of weights, how many]. Without the room between them, pieces may not
    # pass each other; those that would share a place.
    pools: list[tuple[float, float, int]] = []
    for wish, weight, offset in zip(wanted, weights, offsets, strict=True):
        pool = ((wish - offset) * weight, weight, 1)
        while pools and pools[-1][0] / pools[-1][1] > pool[0] / pool[1]:
            last = pools.pop()
            pool = (last[0] + pool[0], last[1] + pool[1], last[2] + pool[2])
        pools.append(pool)
    places = [total / weight for total, weight, count in pools for _ in range(count)]
    for number, place, offset in zip(layer, places, offsets, strict=True):
        pieces[number].x = place + offset


def _distance(left: Piece, right: Piece) -> float:
    gap = _GAP_AT_PASS if left.is_pass or right.is_pass else GAP_ACROSS
    return (left.width + right.width) / 2 + gap
