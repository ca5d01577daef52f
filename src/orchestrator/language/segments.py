"""Segments compiled: named conditions, in the order in which they can be worked out.

Owns the way from segments.yaml to model.Segment, and that no segment asks for itself by way of others. Must never work
out who is in one.
"""

from collections.abc import Mapping

from orchestrator.language.definitions.segment import SegmentDefinition
from orchestrator.language.expressions import compile_at
from orchestrator.language.nodes import Place
from orchestrator.language.project import NOTHING, Shop
from orchestrator.language.reads import Reads
from orchestrator.model.audience import Segment


def compile_segments(written: Mapping[str, SegmentDefinition], place: Place, shop: Shop) -> dict[str, Segment]:
    """Compile all segments and report what is wrong with them; those that others ask for come first."""
    around = shop.surroundings.limited_to("profile", "now").watched()
    found, asks = dict[str, Segment](), dict[str, list[str]]()
    for name, segment in written.items():
        compiled = compile_at(place[name]["if"], segment.if_, around)
        reads = Reads()
        reads.add(compiled.reads if compiled else ())
        found[name] = Segment(name, compiled.expression if compiled else NOTHING, reads.asked())
        asks[name] = sorted(reads.asked().segments & written.keys())
    ordered: dict[str, Segment] = {}
    for name in written:
        _put(name, found, asks, ordered, (), place)
    return ordered


def _put(
    name: str,
    found: Mapping[str, Segment],
    asks: Mapping[str, list[str]],
    ordered: dict[str, Segment],
    way: tuple[str, ...],
    place: Place,
) -> None:
    """Put a segment behind those that it asks for."""
    if name in ordered:
        return
    if name in way:
        around = " -> ".join((*way[way.index(name) :], name))
        place[name]["if"].report("E331", f"this segment asks for itself: {around}", "a condition that does not")
        ordered[name] = found[name]
        return
    for other in asks[name]:
        _put(other, found, asks, ordered, (*way, name), place)
    ordered.setdefault(name, found[name])
