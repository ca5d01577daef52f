"""Conditions and values: from an author's text to a compiled Expression.

Owns the one way in. Must never evaluate: the engine does.
"""

from dataclasses import dataclass

from orchestrator.language.expressions.doubts import doubts
from orchestrator.language.expressions.generation import Generator, function
from orchestrator.language.expressions.parsing import Mistake, Source
from orchestrator.language.expressions.paths import Read
from orchestrator.language.expressions.surroundings import Surroundings
from orchestrator.language.nodes import Place, Scalar
from orchestrator.model.expression import Expression

__all__ = ["Compiled", "Mistake", "Read", "Surroundings", "compile_at", "compile_text"]


@dataclass(frozen=True)
class Compiled:
    """An expression with what only compiling needs to know: what of the entry it reads, and what to warn about."""

    expression: Expression
    reads: frozenset[Read] = frozenset()
    doubts: tuple[Mistake, ...] = ()


def compile_text(text: str, around: Surroundings) -> Compiled:
    """Compile an expression; raises Mistake with the character that is wrong."""
    source = Source(text)
    tree = source.parse()
    generator = Generator(source, around)
    code = generator.generate(tree)
    found = generator.found
    expression = Expression(
        source=text.strip(),
        evaluate=function(code),
        saw=tuple((name, function(lookup.code)) for name, lookup in found.shown.items()),
        names_machine=found.names_machine,
        moments=tuple(function(moments) for moments in found.moments),
        steps=frozenset(read[1] for read in found.reads if read[0] == "steps"),
        is_own=not found.asks_project,
    )
    return Compiled(expression, frozenset(found.reads), tuple(doubts(tree, source, found, around)))


def compile_at(place: Place, text: str, around: Surroundings) -> Compiled | None:
    """Compile the expression that stands at a place; report what is wrong with it, and give None then."""
    try:
        compiled = compile_text(text, around)
    except Mistake as mistake:
        fix = mistake.fix
        if mistake.message.endswith("was never closed") and isinstance(place.node, Scalar) and place.node.style is None:
            # Inside {...} a plain text ends at its first comma.
            fix = "quotes around the whole condition if it holds a comma, else as many ) as ("
        place.report(mistake.code, mistake.message, fix, offset=mistake.offset)
        return None
    for doubt in compiled.doubts:
        place.report(doubt.code, doubt.message, doubt.fix, offset=doubt.offset)
    return compiled
