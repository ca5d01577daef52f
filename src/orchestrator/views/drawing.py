"""A journey's graph as text: an SVG picture, Mermaid, or values for a program.

Owns what a drawing looks like: fonts, colours for light and dark, shapes, and how text is fitted into a box.
Must never work out where things go; that is `layout`'s.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from orchestrator.views.graph import COMPLETED, ENTER, Edge, Graph, Node
from orchestrator.views.layout import Box, Layout, Line, Route, Size, lay_out

_FONT = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
_MARGIN = 28.0
_PADDING = 14.0
_VERB_HEIGHT, _TITLE_HEIGHT, _DETAIL_HEIGHT = 16.0, 20.0, 17.0
_WIDEST_LINE = 40
_SMALL, _LARGE = 11.5, 14.0
_ROUND = {"enter", "exit", "completed"}

# Colour says what a step does to the customer's time: waits, speaks, decides, ends. Light first, dark second.
_INKS = {
    "enter": ("#0f766e", "#2dd4bf"),
    "wait": ("#6b7280", "#9ca3af"),
    "wait until": ("#6b7280", "#9ca3af"),
    "wait for": ("#6b7280", "#9ca3af"),
    "send": ("#1d4ed8", "#60a5fa"),
    "ask": ("#1d4ed8", "#60a5fa"),
    "handoff": ("#1d4ed8", "#60a5fa"),
    "choose": ("#b45309", "#fbbf24"),
    "split": ("#b45309", "#fbbf24"),
    "repeat": ("#b45309", "#fbbf24"),
    "set": ("#7c3aed", "#a78bfa"),
    "emit": ("#7c3aed", "#a78bfa"),
    "score": ("#7c3aed", "#a78bfa"),
    "call": ("#7c3aed", "#a78bfa"),
    "exit": ("#be123c", "#fb7185"),
    "completed": ("#15803d", "#4ade80"),
}

# Helvetica's widths by letter, in thousandths of the font size; what is not here counts as wide.
_NARROW = dict.fromkeys(" .,:;'!|/\\fIjlti()[]-", 278) | dict.fromkeys("rt", 333)
_WIDE = dict.fromkeys("mMW%@", 889) | dict.fromkeys("ABCDEGHKNOPQRSUVXYZ&w+=<>", 722)


def text_width(text: str, size: float) -> float:
    """Estimate how wide a text is drawn, on the safe side, as fonts differ between machines."""
    thousandths = sum(
        _NARROW.get(letter) or _WIDE.get(letter) or (560 if letter.isascii() else 1000) for letter in text
    )
    return thousandths / 1000 * size * 1.14


def fitted(text: str) -> str:
    """Shorten a text that would make its box too wide; the whole of it stands in the box's tooltip."""
    return text if len(text) <= _WIDEST_LINE else text[: _WIDEST_LINE - 1].rstrip() + "…"


def as_values(graph: Graph, counts: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Turn a graph into values for a program: nodes and edges, and how many customers stand on each step."""
    nodes = []
    for node in graph.nodes:
        values: dict[str, Any] = {
            "id": node.id,
            "verb": node.verb.replace(" ", "_"),
            "title": node.title,
            "details": list(node.details),
        }
        if counts is not None:
            values["waiting"] = counts.get(node.id, 0)
        nodes.append(values)
    edges = [
        {"from": edge.source, "to": edge.target, "label": edge.label, "loop": edge.is_loop} for edge in graph.edges
    ]
    return {
        "journey": graph.journey,
        "version": graph.version,
        "title": graph.title,
        "status": graph.status,
        "nodes": nodes,
        "edges": edges,
        "leaving": list(graph.leaving),
    }


def as_mermaid(graph: Graph, counts: Mapping[str, int] | None = None) -> str:
    """Write a graph as a Mermaid flow chart, for a README or a wiki."""
    names = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["---", f"title: {_quoted(f'{graph.title} (version {graph.version})')}", "---", "flowchart TD"]
    for node in graph.nodes:
        opening, closing = ("([", "])") if node.verb in _ROUND else ("[", "]")
        title = [node.title] if node.title != node.verb else []
        words = [f"<b>{_entities(_verb_of(node))}</b>", *map(_entities, (*title, *node.details))]
        if counts and counts.get(node.id):
            words.append(f"<i>{counts[node.id]} waiting</i>")
        lines.append(f'  {names[node.id]}{opening}"{"<br/>".join(words)}"{closing}')
    for edge in graph.edges:
        arrow = "-.->" if edge.is_loop else "-->"
        label = "" if edge.label is None else f'|"{_entities(edge.label)}"|'
        lines.append(f"  {names[edge.source]} {arrow}{label} {names[edge.target]}")
    if graph.leaving:
        lines.append(f'  leaving["{"<br/>".join(map(_entities, ["at any time", *graph.leaving]))}"]')
        lines.append("  style leaving stroke-dasharray: 4 4")
    return "\n".join(lines) + "\n"


def _entities(text: str) -> str:
    """Write a text so that neither Mermaid nor the HTML it makes of a label reads any of it as syntax."""
    return "".join(letter if letter.isalnum() or letter in " .,:-_/()%+" else f"#{ord(letter)};" for letter in text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _verb_of(node: Node) -> str:
    if node.id in (ENTER, COMPLETED):
        return node.verb
    return f"{node.verb} · {node.id}"


def as_svg(graph: Graph, counts: Mapping[str, int] | None = None) -> str:
    """Draw a graph as an SVG picture of its own: readable on light and dark, with no font or style from outside."""
    layout = lay_out(
        {node.id: _size_of(node) for node in graph.nodes},
        [Line(edge.source, edge.target, _label_size(edge)) for edge in graph.edges],
    )
    heading = [f"{graph.title}", f"{graph.journey} · version {graph.version} · {graph.status}"]
    top = _MARGIN + 46 + (len(graph.leaving) * 18 + 14 if graph.leaving else 0)
    wide = max(
        layout.width,
        text_width(heading[0], 18),
        *(text_width(line, _SMALL + 1) + 20 for line in [heading[1], *_leaving(graph)]),
    )
    width, height = wide + 2 * _MARGIN, top + layout.height + _MARGIN
    shift = (_MARGIN + (wide - layout.width) / 2, top)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label={quoteattr(graph.title)}>',
        f"<title>{escape(graph.title)}</title>",
        _style(),
        _ARROW,
        f'<rect class="paper" width="{width:.0f}" height="{height:.0f}"/>',
        f'<text class="heading" x="{_MARGIN}" y="{_MARGIN + 14}">{escape(heading[0])}</text>',
        f'<text class="quiet" x="{_MARGIN}" y="{_MARGIN + 34}">{escape(heading[1])}</text>',
        *_leaving_lines(graph),
        f'<g transform="translate({shift[0]:.1f} {shift[1]:.1f})">',
        *_edge_parts(graph, layout),
        *(_node_part(node, layout.boxes[node.id], (counts or {}).get(node.id, 0)) for node in graph.nodes),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _leaving_lines(graph: Graph) -> list[str]:
    if not graph.leaving:
        return []
    top = _MARGIN + 58
    left, bottom = _MARGIN + 2, top + 18 * len(graph.leaving) - 10
    bar = f'<line class="aside" x1="{left}" x2="{left}" y1="{top - 12}" y2="{bottom}"/>'
    return [bar] + [
        f'<text class="quiet" x="{_MARGIN + 14}" y="{top + 18 * at}">{escape(line)}</text>'
        for at, line in enumerate(_leaving(graph))
    ]


def _leaving(graph: Graph) -> list[str]:
    return [f"at any time: {line}" for line in graph.leaving]


def _size_of(node: Node) -> Size:
    widths = [
        text_width(_verb_of(node), _SMALL) + (34 if node.id not in (ENTER, COMPLETED) else 0),
        text_width(fitted(node.title), _LARGE) * 1.08,
        *(text_width(fitted(line), _SMALL + 1) for line in node.details),
    ]
    height = _VERB_HEIGHT + _TITLE_HEIGHT + _DETAIL_HEIGHT * len(node.details) + 1.3 * _PADDING
    if node.id == COMPLETED:
        height = _TITLE_HEIGHT + _PADDING
    return Size(max(112.0, max(widths) + 2 * _PADDING), height)


def _label_size(edge: Edge) -> Size | None:
    if edge.label is None:
        return None
    return Size(text_width(fitted(edge.label), _SMALL) + 14, 20.0)


def _edge_parts(graph: Graph, layout: Layout) -> list[str]:
    lines = [
        f'<path class="edge{" loop" if edge.is_loop else ""}" marker-end="url(#arrow)" d="{_path(route)}"/>'
        for edge, route in zip(graph.edges, layout.routes, strict=True)
    ]
    # Labels after all lines, so that no line is drawn over one.
    labels = [
        _label_part(edge.label, route.label)
        for edge, route in zip(graph.edges, layout.routes, strict=True)
        if edge.label is not None and route.label is not None
    ]
    return lines + labels


def _path(route: Route) -> str:
    points = list(route.points)
    (x, y), (last_x, last_y) = points[0], points[-1]
    # The tip of the arrow stands on the box: its line ends a little before, and comes in straight.
    back = -1 if last_y > y else 1
    points[-1] = (last_x, last_y + back * 5)
    points[-2] = (last_x, points[-2][1] + back * max(0.0, 11 - abs(points[-2][1] - last_y)))
    words = [f"M{x:.1f} {y:.1f}"]
    for at in range(1, len(points)):
        to_x, to_y = points[at]
        if at % 2:
            if (to_x, to_y) != (x, y):
                words.append(f"L{to_x:.1f} {to_y:.1f}")
        else:
            half = (y + to_y) / 2
            words.append(f"C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return " ".join(words)


def _label_part(label: str, box: Box) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    return (
        f'<g class="label"><title>{escape(label)}</title>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="6"/>'
        f'<text x="{box.x:.1f}" y="{box.y + 4:.1f}">{escape(fitted(label))}</text></g>'
    )


def _node_part(node: Node, box: Box, waiting: int) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    radius = min(box.height / 2, 18) if node.verb in _ROUND else 8
    kind = node.verb.replace(" ", "-")
    parts = [
        f'<g class="node {kind}" id={quoteattr("step-" + node.id.strip("()"))}>',
        f"<title>{escape(' / '.join([_verb_of(node), node.title, *node.details]))}</title>",
        f'<rect class="box" x="{left:.1f}" y="{top:.1f}" '
        f'width="{box.width:.1f}" height="{box.height:.1f}" rx="{radius:.0f}"/>',
    ]
    if node.id == COMPLETED:
        parts.append(f'<text class="title middle" x="{box.x:.1f}" y="{box.y + 5:.1f}">{escape(node.title)}</text>')
    else:
        x, y = left + _PADDING, top + _PADDING / 2 + _VERB_HEIGHT - 2
        step = "" if node.id == ENTER else f'<tspan class="id" dx="6">{escape(node.id)}</tspan>'
        parts.append(f'<text class="verb" x="{x:.1f}" y="{y:.1f}">{escape(node.verb)}{step}</text>')
        y += _TITLE_HEIGHT
        parts.append(f'<text class="title" x="{x:.1f}" y="{y:.1f}">{escape(fitted(node.title))}</text>')
        for line in node.details:
            y += _DETAIL_HEIGHT
            parts.append(f'<text class="detail" x="{x:.1f}" y="{y:.1f}">{escape(fitted(line))}</text>')
    if waiting:
        parts.append(_badge(waiting, left + box.width, top))
    parts.append("</g>")
    return "\n".join(parts)


def _badge(waiting: int, right: float, top: float) -> str:
    text = f"{waiting:,}"
    width = text_width(text, _SMALL) + 14
    return (
        f'<g class="badge"><title>{text} waiting here</title>'
        f'<rect x="{right - width + 8:.1f}" y="{top - 9:.1f}" width="{width:.1f}" height="18" rx="9"/>'
        f'<text x="{right - width / 2 + 8:.1f}" y="{top + 4:.1f}">{text}</text></g>'
    )


_ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="2" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="tip" d="M0 0 L8 4 L0 8 z"/></marker></defs>'
)

_SHAPES = f"""
text {{ font-family: {_FONT}; }}
.heading {{ font-size: 18px; font-weight: 650; }}
.quiet, .detail {{ font-size: {_SMALL + 1}px; }}
.title {{ font-size: {_LARGE}px; font-weight: 600; }}
.middle, .label text, .badge text {{ text-anchor: middle; }}
.verb {{ font-size: {_SMALL}px; font-weight: 600; }}
.id {{ font-weight: 400; }}
.label text {{ font-size: {_SMALL}px; }}
.badge text {{ font-size: {_SMALL}px; font-weight: 600; }}
.edge {{ fill: none; stroke-width: 1.5; }}
.loop {{ stroke-dasharray: 5 4; }}
.aside {{ stroke-width: 3; }}
.box {{ stroke-width: 1.5; }}
"""


def _style() -> str:
    return f"<style>{_SHAPES}{_theme(0)}@media (prefers-color-scheme: dark) {{{_theme(1)}}}\n</style>"


def _theme(which: int) -> str:
    paper, box, ink, quiet, line, badge_ink = (
        ("#ffffff", "#fbfcfd", "#111827", "#4b5563", "#8a94a3", "#ffffff"),
        ("#0d1117", "#161b22", "#e6edf3", "#9da7b3", "#6e7681", "#0d1117"),
    )[which]
    rules = [
        f".paper, .label rect {{ fill: {paper}; }}",
        f".heading, .title {{ fill: {ink}; }}",
        f".quiet, .detail, .id, .label text {{ fill: {quiet}; }}",
        f".edge, .aside {{ stroke: {line}; }}",
        f".tip {{ fill: {line}; }}",
        f".box {{ fill: {box}; }}",
        f".badge rect {{ fill: {ink}; }}",
        f".badge text {{ fill: {badge_ink}; }}",
    ]
    by_ink: dict[str, list[str]] = {}
    for verb, inks in _INKS.items():
        by_ink.setdefault(inks[which], []).append("." + verb.replace(" ", "-"))
    for colour, kinds in by_ink.items():
        rules.append(f"{_each(kinds, ' .box')} {{ stroke: {colour}; }}")
        rules.append(f"{_each(kinds, ' .verb')} {{ fill: {colour}; }}")
    return "\n" + "\n".join(rules) + "\n"


def _each(kinds: Sequence[str], inside: str) -> str:
    return ", ".join(kind + inside for kind in kinds)
