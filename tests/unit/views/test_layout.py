"""The layered layout: its laws over random graphs, and a few drawings by hand."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.views import layout, ordering, placing
from orchestrator.views.layout import Line, Size, lay_out
from orchestrator.views.pieces import Piece


@st.composite
def graphs(draw):
    names = [f"n{number}" for number in range(draw(st.integers(1, 14)))]
    sides = st.floats(20, 300)
    sizes = {name: Size(draw(sides), draw(sides)) for name in names}
    ends = st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=24)
    labels = st.none() | st.builds(Size, st.floats(10, 200), st.floats(10, 30))
    return sizes, [Line(source, target, draw(labels)) for source, target in draw(ends) if source != target]


def inside(box, point):
    x, y = point
    return abs(x - box.x) * 2 < box.width - 1e-6 and abs(y - box.y) * 2 < box.height - 1e-6


def drawn_points(route):
    """Walk along a route as it is drawn: straight inside a two of points, an S between two twos."""
    points = route.points
    for at in range(len(points) - 1):
        (x0, y0), (x1, y1) = points[at], points[at + 1]
        for step in range(9):
            t = step / 8
            if at % 2 == 0:
                yield x0 + (x1 - x0) * t, y0 + (y1 - y0) * t
            else:
                half = (y0 + y1) / 2
                weights = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3
                yield (
                    sum(w * v for w, v in zip(weights, (x0, x0, x1, x1), strict=True)),
                    sum(w * v for w, v in zip(weights, (y0, half, half, y1), strict=True)),
                )


def overlap(one, other):
    across = abs(one.x - other.x) * 2 < one.width + other.width
    return across and abs(one.y - other.y) * 2 < one.height + other.height


@settings(max_examples=40)
@given(graphs())
def test_no_two_boxes_or_labels_overlap(graph):
    sizes, lines = graph
    drawn = lay_out(sizes, lines)
    boxes = [*drawn.boxes.values(), *(route.label for route in drawn.routes if route.label is not None)]
    assert [pair for pair in combinations(boxes, 2) if overlap(*pair)] == []


@settings(max_examples=40)
@given(graphs())
def test_no_line_runs_through_a_box_that_it_does_not_join(graph):
    sizes, lines = graph
    drawn = lay_out(sizes, lines)
    for line, route in zip(lines, drawn.routes, strict=True):
        others = [box for name, box in drawn.boxes.items() if name not in (line.source, line.target)]
        assert [point for point in drawn_points(route) if any(inside(box, point) for box in others)] == []


@settings(max_examples=40)
@given(graphs())
def test_every_line_begins_and_ends_on_its_boxes(graph):
    sizes, lines = graph
    drawn = lay_out(sizes, lines)
    for line, route in zip(lines, drawn.routes, strict=True):
        for name, (x, y) in ((line.source, route.points[0]), (line.target, route.points[-1])):
            box = drawn.boxes[name]
            assert abs(x - box.x) * 2 <= box.width
            assert abs(y - box.y) * 2 == pytest.approx(box.height)


@settings(max_examples=40)
@given(graphs())
def test_everything_is_on_the_paper_and_keeps_its_size(graph):
    sizes, lines = graph
    drawn = lay_out(sizes, lines)
    for name, box in drawn.boxes.items():
        assert Size(box.width, box.height) == sizes[name]
        assert box.x - box.width / 2 >= -1e-6
        assert box.x + box.width / 2 <= drawn.width + 1e-6
        assert box.y - box.height / 2 >= -1e-6
        assert box.y + box.height / 2 <= drawn.height + 1e-6


@settings(max_examples=40)
@given(graphs())
def test_every_label_stands_on_its_own_line(graph):
    sizes, lines = graph
    for line, route in zip(lines, lay_out(sizes, lines).routes, strict=True):
        assert (route.label is None) == (line.label is None)
        if route.label is not None:
            assert any(
                x0 == x1 == route.label.x and min(y0, y1) <= route.label.y <= max(y0, y1)
                for (x0, y0), (x1, y1) in pairwise(route.points)
            )


@settings(max_examples=40)
@given(graphs())
def test_the_same_graph_is_drawn_the_same_way(graph):
    assert lay_out(*graph) == lay_out(*graph)


SIZE = Size(100, 40)


def boxes_of(lines):
    names = dict.fromkeys(name for line in lines for name in line)
    return lay_out(dict.fromkeys(names, SIZE), [Line(*line) for line in lines])


def test_steps_in_a_row_stand_straight_under_each_other():
    drawn = boxes_of([("a", "b"), ("b", "c"), ("c", "d")])
    assert {box.x for box in drawn.boxes.values()} == {50}
    assert [box.y for box in drawn.boxes.values()] == sorted(box.y for box in drawn.boxes.values())
    for route in drawn.routes:
        assert {x for x, _y in route.points} == {50}


def test_branches_stand_side_by_side_as_written_and_even_around_their_step():
    boxes = boxes_of([("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]).boxes
    assert boxes["b"].x < boxes["c"].x
    assert boxes["b"].y == boxes["c"].y
    assert boxes["a"].x == boxes["d"].x == pytest.approx((boxes["b"].x + boxes["c"].x) / 2)


def test_a_way_back_is_drawn_upwards():
    drawn = boxes_of([("start", "repeat"), ("repeat", "body"), ("body", "repeat"), ("repeat", "end")])
    back = drawn.routes[2]
    assert back.points[0][1] > back.points[-1][1]
    assert drawn.boxes["repeat"].y < drawn.boxes["body"].y


def test_lines_are_untangled():
    # Two bundles that cross when drawn as written.
    pieces = [Piece(10, 10, 0), Piece(10, 10, 0), Piece(10, 10, 1), Piece(10, 10, 1)]
    for above, below in ((0, 3), (1, 2)):
        pieces[above].below.append(below)
        pieces[below].above.append(above)
    assert ordering.crossings(pieces, [[0, 1], [2, 3]]) == 1
    assert ordering.crossings(pieces, ordering.order(pieces)) == 0


def test_a_knot_that_sweeping_from_the_written_order_leaves_is_undone_too():
    # Two loops back to one step, and a way on from it: drawn as written, a loop lies across the way on.
    ways = [("repeat", "news"), ("repeat", "arrived"), ("news", "today"), ("today", "repeat"), ("news", "delayed")]
    ways += [("delayed", "repeat"), ("news", "repeat"), ("arrived", "told"), ("arrived", "lost"), ("lost", "alarm")]
    names = dict.fromkeys(name for way in ways for name in way)
    lines = [Line(*way) for way in ways]
    turned = layout._turn_loops(list(names), lines)
    layers = layout._layers_of(list(names), lines, turned)
    pieces, _chains = layout._cut(dict.fromkeys(names, SIZE), lines, turned, layers)
    assert ordering.crossings(pieces, ordering._untangled(pieces, ordering._as_written(pieces))[0]) > 0
    assert ordering.crossings(pieces, ordering.order(pieces)) == 0


@given(
    st.lists(st.tuples(st.floats(1, 200), st.booleans()), min_size=1, max_size=12), st.randoms(use_true_random=False)
)
def test_pieces_of_one_layer_keep_their_order_and_their_distance(shapes, dice):
    pieces = [Piece(width, 10, 0) for width, _ in shapes] + [Piece(10, 10, 1) for _ in shapes]
    for number in range(len(shapes)):
        below = len(shapes) + dice.randrange(len(shapes))
        pieces[number].below.append(below)
        pieces[below].above.append(number)
    layers = [list(range(len(shapes))), list(range(len(shapes), 2 * len(shapes)))]
    placing.place_across(pieces, layers)
    for layer in layers:
        for left, right in pairwise(layer):
            room = pieces[right].x - pieces[left].x - (pieces[left].width + pieces[right].width) / 2
            assert room >= placing.GAP_ACROSS - 1e-6
