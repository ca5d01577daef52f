"""Filters of Liquid templates: whether each is given as many values as it takes.

Liquid itself finds out when it renders, and then nobody gets the message. Owns the walk through a template's tree. Must
never render.
"""

from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, signature
from typing import Any

from liquid import BoundTemplate, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions import Filter, FilteredExpression, KeywordArgument
from liquid.expression import Expression

from orchestrator.language.expressions import Mistake

_SHOWN = {"date": "date: '%d/%m/%Y'", "replace": "replace: 'old', 'new'"}
_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def misused(template: BoundTemplate, known: Mapping[str, Callable[..., Any]]) -> Iterator[Mistake]:
    """Find the filters that are given more or less than they take; whether a filter is known is not asked here."""
    for each in _filters(template):
        mistake = _mistake(each, known[each.name]) if each.name in known else None
        if mistake is not None:
            yield mistake


def _mistake(used: Filter, apply: Callable[..., Any]) -> Mistake | None:
    parameters = list(signature(apply).parameters.values())[1:]  # without what is filtered
    if any(each.kind is Parameter.VAR_POSITIONAL for each in parameters):
        return None
    takes = [each for each in parameters if each.kind in _BY_POSITION]
    needs = sum(each.default is Parameter.empty for each in takes)
    named = {each.name for each in used.args if isinstance(each, KeywordArgument)}
    given = len(used.args) - len(named)
    unknown = sorted(named - {each.name for each in parameters})
    if unknown:
        why, fix = f"the filter `{used.name}` knows no `{unknown[0]}`", f"{used.name} without it"
    elif given > len(takes):
        count = f"at most {len(takes)}" if takes else "none"
        why, fix = f"the filter `{used.name}` takes {count}, and is given {given}", f"{used.name} with {count}"
    elif given + len(named & {each.name for each in takes}) < needs:
        why = f"the filter `{used.name}` lacks what it is to use"
        fix = _SHOWN.get(used.name, f"{used.name}: {', '.join(['...'] * needs)}")
    else:
        return None
    return Mistake("E501", why, used.token.start_index, fix)


def _filters(template: BoundTemplate) -> Iterator[Filter]:
    context = RenderContext(template)
    nodes: list[Node] = list(template.nodes)
    while nodes:
        node = nodes.pop()
        nodes.extend(node.children(context, include_partials=False))
        expressions: list[Expression] = list(node.expressions())
        while expressions:
            expression = expressions.pop()
            expressions.extend(expression.children())
            if isinstance(expression, FilteredExpression):
                yield from expression.filters or ()
