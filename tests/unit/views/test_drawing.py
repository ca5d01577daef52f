"""The drawings of a graph: SVG by its structure, Mermaid and JSON to the letter."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest

from orchestrator.views.drawing import as_mermaid, as_svg, as_values, fitted, text_width
from orchestrator.views.graph import Edge, Graph, Node, graph_of

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def small():
    """Two steps, with texts that mean something to XML, Mermaid and HTML."""
    return Graph(
        journey="odd",
        version=1,
        title='A "b" <c> & d',
        status="draft",
        nodes=(
            Node("(enter)", "enter", "on x", ("where a < 1 & b > '2'",)),
            Node("pick", "choose", "end | [x]"),
            Node("(completed)", "completed", "completed"),
        ),
        edges=(
            Edge("(enter)", "pick"),
            Edge("pick", "(completed)", 'name == "]]>"'),
            Edge("pick", "(enter)", is_loop=True),
        ),
        leaving=("exit on y where z < 3",),
    )


def rectangles(svg, kind):
    """Find the boxes of a class, as left, top, right, bottom."""
    found = []
    for group in svg.iter(f"{SVG}g"):
        if kind in group.get("class", "").split():
            rect = group.find(f"{SVG}rect")
            left, top = float(rect.get("x")), float(rect.get("y"))
            found.append((left, top, left + float(rect.get("width")), top + float(rect.get("height"))))
    return found


def test_the_picture_shows_every_node_and_every_edge(every_verb):
    graph = graph_of(every_verb)
    svg = ET.fromstring(as_svg(graph))  # noqa: S314 - our own drawing
    assert len(rectangles(svg, "node")) == len(graph.nodes)
    assert len(rectangles(svg, "label")) == len([edge for edge in graph.edges if edge.label])
    paths = [path for path in svg.iter(f"{SVG}path") if "edge" in path.get("class", "").split()]
    assert len(paths) == len(graph.edges)
    assert len([path for path in paths if "loop" in path.get("class").split()]) == 1
    shown = " ".join("".join(text.itertext()) for text in svg.iter(f"{SVG}text"))
    for node in graph.nodes:
        assert node.title in shown
    for line in graph.leaving:
        assert line in shown


def test_every_verb_has_its_colour(every_verb):
    text = as_svg(graph_of(every_verb))
    style = text.partition("</style>")[0]
    for node in graph_of(every_verb).nodes:
        assert style.count(f".{node.verb.replace(' ', '-')} .box") == 2  # on light and on dark


def test_nothing_in_the_picture_overlaps(every_verb):
    svg = ET.fromstring(as_svg(graph_of(every_verb)))  # noqa: S314 - our own drawing
    boxes = rectangles(svg, "node") + rectangles(svg, "label")
    overlapping = [
        (a, b) for a, b in combinations(boxes, 2) if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    assert overlapping == []


def test_the_picture_needs_nothing_from_outside_and_knows_the_dark(every_verb):
    text = as_svg(graph_of(every_verb))
    assert re.findall(r"(?:href|src|url)\s*[=(]\s*[\"']?(?!#)", text) == []
    assert "@import" not in text
    assert "<script" not in text
    assert "@media (prefers-color-scheme: dark)" in text


def test_live_counts_stand_at_their_step(every_verb):
    svg = ET.fromstring(as_svg(graph_of(every_verb), {"settle": 1234, "gone": 5}))  # noqa: S314 - our own drawing
    badges = {
        group.get("id"): badge.find(f"{SVG}text").text
        for group in svg.iter(f"{SVG}g")
        for badge in group.findall(f"{SVG}g")
        if badge.get("class") == "badge"
    }
    assert badges == {"step-settle": "1,234"}


def test_a_narrow_picture_is_as_wide_as_what_stands_above_it(small):
    narrow = Graph("j", 1, "J", "live", small.nodes[:1], (), leaving=("exit on order_placed (reason: bought_at_last)",))
    svg = ET.fromstring(as_svg(narrow))  # noqa: S314 - our own drawing
    [line] = [text for text in svg.iter(f"{SVG}text") if (text.text or "").startswith("at any time: exit on")]
    assert float(line.get("x")) + text_width(line.text, 12.5) <= float(svg.get("width"))


def test_what_authors_write_is_text_in_the_picture(small):
    svg = ET.fromstring(as_svg(small))  # noqa: S314 - our own drawing
    assert svg.find(f"{SVG}title").text == small.title
    assert "where a < 1 & b > '2'" in ["".join(text.itertext()) for text in svg.iter(f"{SVG}text")]


def test_what_authors_write_is_text_in_mermaid(small):
    assert as_mermaid(small, {"pick": 2}) == (
        "---\n"
        'title: "A \\"b\\" <c> & d (version 1)"\n'
        "---\n"
        "flowchart TD\n"
        '  n0(["<b>enter</b><br/>on x<br/>where a #60; 1 #38; b #62; #39;2#39;"])\n'
        '  n1["<b>choose #183; pick</b><br/>end #124; #91;x#93;<br/><i>2 waiting</i>"]\n'
        '  n2(["<b>completed</b>"])\n'
        "  n0 --> n1\n"
        '  n1 -->|"name #61;#61; #34;#93;#93;#62;#34;"| n2\n'
        "  n1 -.-> n0\n"
        '  leaving["at any time<br/>exit on y where z #60; 3"]\n'
        "  style leaving stroke-dasharray: 4 4\n"
    )


def test_a_program_gets_the_same_graph_as_values(small):
    assert as_values(small, {"pick": 2}) == {
        "journey": "odd",
        "version": 1,
        "title": 'A "b" <c> & d',
        "status": "draft",
        "nodes": [
            {"id": "(enter)", "verb": "enter", "title": "on x", "details": ["where a < 1 & b > '2'"], "waiting": 0},
            {"id": "pick", "verb": "choose", "title": "end | [x]", "details": [], "waiting": 2},
            {"id": "(completed)", "verb": "completed", "title": "completed", "details": [], "waiting": 0},
        ],
        "edges": [
            {"from": "(enter)", "to": "pick", "label": None, "loop": False},
            {"from": "pick", "to": "(completed)", "label": 'name == "]]>"', "loop": False},
            {"from": "pick", "to": "(enter)", "label": None, "loop": True},
        ],
        "leaving": ["exit on y where z < 3"],
    }
    assert "waiting" not in as_values(small)["nodes"][0]


def test_a_long_text_is_cut_on_the_box_and_whole_in_its_tooltip(small):
    long = "x" * 400
    graph = Graph("a", 1, "a", "live", (Node("(enter)", "enter", long),), (), ())
    svg = ET.fromstring(as_svg(graph))  # noqa: S314 - our own drawing
    (left, _top, right, _bottom) = rectangles(svg, "node")[0]
    assert right - left < 700
    assert any(long in (title.text or "") for title in svg.iter(f"{SVG}title"))
    assert fitted("short") == "short"


def test_wide_letters_are_counted_as_wide():
    assert text_width("iii", 10) < text_width("aaa", 10) < text_width("MMM", 10) < text_width("漢漢漢", 10)
