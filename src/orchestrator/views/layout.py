"""A layered layout: which layer a box is in, in what order, and where exactly, so that nothing overlaps.

Owns the steps of Sugiyama's method, one after the other: turn loops around, put every box into a layer, cut long
lines into one piece a layer, order each layer so that few lines cross (`ordering`), and place it (`placing`). Boxes
take the even layers and labels the odd ones between them, so a label has a place of its own like everything else.
Deterministic: the same graph, the same drawing. Must never know what is drawn: sizes in, positions out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.views import ordering, placing
from orchestrator.views.pieces import Chain, Piece

Point = tuple[float, float]

# Between two layers: this much, more where lines run far across, so that they never lie nearly flat.
GAP_DOWN = 32.0
_SLOPE = 0.08
_PORT_STEP = 26.0


@dataclass(frozen=True, slots=True)
class Size:
    """The width and height of a box."""

    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line to lay out between two different boxes, with the size of its label where it has one."""

    source: str
    target: str
    label: Size | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A placed box: its centre and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """A placed line, from source to target: its points by twos, straight within a two, curved to the next one."""

    points: tuple[Point, ...]
    label: Box | None


@dataclass(frozen=True, slots=True)
class Layout:
    """A placed graph. `routes` are in the order of the lines handed in."""

    boxes: Mapping[str, Box]
    routes: tuple[Route, ...]
    width: float
    height: float


def lay_out(sizes: Mapping[str, Size], lines: Sequence[Line]) -> Layout:
    """Place the boxes and lines of a graph: boxes never overlap, and no line runs through a box that it does not join.

    The first box is where reading starts: lines that lead back towards it are drawn upwards.
    """
    turned = _turn_loops(list(sizes), lines)
    pieces, chains = _cut(sizes, lines, turned, _layers_of(list(sizes), lines, turned))
    layers = ordering.order(pieces)
    placing.place_across(pieces, layers)
    return _placed(list(sizes), pieces, layers, chains)


def _turn_loops(names: Sequence[str], lines: Sequence[Line]) -> list[bool]:
    """Find the lines to turn around so that no loop is left: those that lead back to where we came from."""
    ways: dict[str, list[int]] = {name: [] for name in names}
    for number, line in enumerate(lines):
        ways[line.source].append(number)
    turned = [False] * len(lines)
    entered: set[str] = set()
    left: set[str] = set()
    for start in names:
        if start in entered:
            continue
        entered.add(start)
        stack = [(start, iter(ways[start]))]
        while stack:
            name, rest = stack[-1]
            for number in rest:
                target = lines[number].target
                if target not in entered:
                    entered.add(target)
                    stack.append((target, iter(ways[target])))
                    break
                turned[number] = target not in left
            else:
                left.add(name)
                stack.pop()
    return turned


def _layers_of(names: Sequence[str], lines: Sequence[Line], turned: Sequence[bool]) -> dict[str, int]:
    """Put every box as high as the lines into it allow: two layers below the lowest of where they come from."""
    ends = [
        (line.target, line.source) if turn else (line.source, line.target)
        for line, turn in zip(lines, turned, strict=True)
    ]
    ways: dict[str, list[str]] = {name: [] for name in names}
    open_lines = dict.fromkeys(names, 0)
    for upper, lower in ends:
        ways[upper].append(lower)
        open_lines[lower] += 1
    layer = dict.fromkeys(names, 0)
    ready = [name for name in names if not open_lines[name]]
    for name in ready:  # grows while it is walked
        for lower in ways[name]:
            layer[lower] = max(layer[lower], layer[name] + 2)
            open_lines[lower] -= 1
            if not open_lines[lower]:
                ready.append(lower)
    return layer


def _cut(
    sizes: Mapping[str, Size], lines: Sequence[Line], turned: Sequence[bool], layer: Mapping[str, int]
) -> tuple[list[Piece], list[Chain]]:
    """Cut every line into one piece a layer; boxes are the first pieces, in the order of `sizes`."""
    pieces = [Piece(size.width, size.height, layer[name]) for name, size in sizes.items()]
    number = {name: at for at, name in enumerate(sizes)}
    chains = []
    for line, turn in zip(lines, turned, strict=True):
        upper, lower = (line.target, line.source) if turn else (line.source, line.target)
        # A label stands beside the box that its line comes from: that is where the reader asks "and if not?".
        labelled_layer = layer[lower] - 1 if turn else layer[upper] + 1
        chain = [number[upper]]
        label = None
        for between in range(layer[upper] + 1, layer[lower]):
            chain.append(len(pieces))
            if line.label is not None and between == labelled_layer:
                label = len(pieces)
                pieces.append(Piece(line.label.width, line.label.height, between, is_label=True))
            else:
                pieces.append(Piece(0.0, 0.0, between, is_pass=True))
        chain.append(number[lower])
        for above, below in pairwise(chain):
            pieces[above].below.append(below)
            pieces[below].above.append(above)
        chains.append(Chain(chain, label, turn))
    return pieces, chains


def _placed(
    names: Sequence[str], pieces: Sequence[Piece], layers: Sequence[Sequence[int]], chains: Sequence[Chain]
) -> Layout:
    tops, bottoms = _bands(pieces, layers)
    left = min((piece.x - piece.width / 2 for piece in pieces), default=0.0)
    for piece in pieces:
        piece.x -= left
    centre = [(top + bottom) / 2 for top, bottom in zip(tops, bottoms, strict=True)]

    def box(number: int) -> Box:
        piece = pieces[number]
        return Box(piece.x, centre[piece.layer], piece.width, piece.height)

    starts, ends = _ports(pieces, chains)
    routes = []
    for at, chain in enumerate(chains):
        points: list[Point] = []
        last = len(chain.pieces) - 1
        for place, number in enumerate(chain.pieces):
            piece, middle = pieces[number], box(number)
            x = starts[at] if place == 0 else ends[at] if place == last else piece.x
            top = (x, middle.y + piece.height / 2) if place == 0 else (x, tops[piece.layer])
            bottom = (x, middle.y - piece.height / 2) if place == last else (x, bottoms[piece.layer])
            points += [top, bottom]
        label = None if chain.label is None else box(chain.label)
        routes.append(Route(tuple(reversed(points) if chain.is_turned else points), label))
    width = max((piece.x + piece.width / 2 for piece in pieces), default=0.0)
    return Layout({name: box(at) for at, name in enumerate(names)}, tuple(routes), width, bottoms[-1] if bottoms else 0)


def _bands(pieces: Sequence[Piece], layers: Sequence[Sequence[int]]) -> tuple[list[float], list[float]]:
    """Give every layer its top and bottom: as high as its highest piece, with room for the lines in between."""
    tops, bottoms = [], []
    y = 0.0
    for at, layer in enumerate(layers):
        tops.append(y)
        y += max((pieces[number].height for number in layer), default=0.0)
        bottoms.append(y)
        spans = [abs(pieces[number].x - pieces[below].x) for number in layer for below in pieces[number].below]
        beside_label = any(pieces[number].is_label for number in (*layer, *_layer_after(layers, at)))
        y += (GAP_DOWN if beside_label else GAP_DOWN / 2) + _SLOPE * max(spans, default=0.0)
    return tops, bottoms


def _layer_after(layers: Sequence[Sequence[int]], at: int) -> list[int]:
    return list(layers[at + 1]) if at + 1 < len(layers) else []


def _ports(pieces: Sequence[Piece], chains: Sequence[Chain]) -> tuple[list[float], list[float]]:
    """Spread the lines of a box along its edge, in the order of where they go, so that they do not cross at once."""
    starts, ends = [0.0] * len(chains), [0.0] * len(chains)
    for ports, own, next_to_it in ((starts, 0, 1), (ends, -1, -2)):
        at_box: dict[int, list[int]] = {}
        for number, chain in enumerate(chains):
            at_box.setdefault(chain.pieces[own], []).append(number)
        for box, numbers in at_box.items():
            numbers.sort(key=lambda number: pieces[chains[number].pieces[next_to_it]].x)
            step = min(_PORT_STEP, pieces[box].width / (len(numbers) + 1))
            for at, number in enumerate(numbers):
                ports[number] = pieces[box].x + (at - (len(numbers) - 1) / 2) * step
    return starts, ends
