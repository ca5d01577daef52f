"""Recommendations: what others bought together with what somebody has.

Owns the counting of baskets, once, when the project is loaded. Two things are close when they are bought together more
often than each alone lets expect (the cosine of their baskets), so that what everybody buys is no answer to everything.
Must never recommend what is there already, or what the catalog does not have.
"""

import csv
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from orchestrator.model.expression import Scope
from orchestrator.model.project import Judgement, Scorer
from orchestrator.scorers.port import Setup, Unusable

COLUMNS = ("order", "item")
_AT_MOST = 3
# A wholesaler's order of a thousand lines says nothing about what goes together, and costs its square.
_LARGEST_BASKET = 50


class Baskets:
    """How often each thing was bought, and each two together."""

    def __init__(self, baskets: Iterable[list[str]]) -> None:
        self.bought: Counter[str] = Counter()
        self.together: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for basket in baskets:
            items = list(dict.fromkeys(basket))[:_LARGEST_BASKET]
            self.bought.update(items)
            for one, other in combinations(items, 2):
                self.together[one][other] += 1
                self.together[other][one] += 1

    def closeness(self, one: str, other: str) -> float:
        """Tell how close two things are, from 0 to 1."""
        return self.together[one][other] / math.sqrt(self.bought[one] * self.bought[other])


def open_scorer(setup: Setup) -> Scorer:
    """Make the scorer: `items` the best first, `label` the best, `value` how close it is, `why` a line for each."""
    known = Baskets(_baskets(setup))
    at_most = int(setup.settings.get("at_most") or _AT_MOST)
    table = setup.tables.get(setup.settings.get("catalog") or "")
    offered = known.bought.keys() if table is None else table.rows.keys()
    key = "id" if table is None else table.key
    # What is bought most, for whom nothing is known to go with what they have; ties by name, not by chance.
    most = sorted((item for item in known.bought if item in offered), key=lambda item: (-known.bought[item], item))

    def judge(given: Any, _scope: Scope) -> Judgement | None:
        have = _items(given, key)
        if have is None:
            return None
        found = _close(known, have, offered)
        ranked = sorted(found, key=lambda item: (-found[item][0], item))[:at_most]
        why = [f"{item}: {found[item][1]}" for item in ranked]
        more = [item for item in most if item not in found and item not in have][: at_most - len(ranked)]
        why += [f"{item}: bought most, in {known.bought[item]} orders" for item in more]
        chosen = [*ranked, *more]
        if not chosen:
            return None
        items = [dict(table.rows[item]) if table is not None else {key: item} for item in chosen]
        value = round(found[ranked[0]][0], 4) if ranked else 0.0
        return Judgement(value=value, label=chosen[0], items=items, why=why)

    return judge


def _close(known: Baskets, have: list[str], offered: Iterable[str]) -> dict[str, tuple[float, str]]:
    """Find what goes with what somebody has: how close it is to all of it, and to which most."""
    allowed = set(offered) - set(have)
    sums: defaultdict[str, float] = defaultdict(float)
    best: dict[str, tuple[float, str]] = {}
    for one in have:
        for other in known.together.get(one, ()):
            if other in allowed:
                near = known.closeness(one, other)
                sums[other] += near
                if near > best.get(other, (0.0, ""))[0]:
                    best[other] = (near, f"bought with {one} in {known.together[one][other]} orders")
    return {item: (sums[item], best[item][1]) for item in sums}


def _items(given: Any, key: str) -> list[str] | None:
    """Read what somebody has: a name, a list of names, or a list of maps with the catalog's key."""
    if isinstance(given, str | int) and not isinstance(given, bool):
        given = [given]
    if not isinstance(given, list):
        return None
    names = [item.get(key) if isinstance(item, Mapping) else item for item in given]
    return list(dict.fromkeys(str(name) for name in names if isinstance(name, str | int)))


def _baskets(setup: Setup) -> Iterator[list[str]]:
    name = setup.settings.get("baskets")
    text = setup.read(name) if name else None
    if text is None:
        missing = f"there is no file {name}" if name else f"the model {setup.name} names no orders to learn from"
        raise Unusable(missing, "baskets: FILE, a table with the columns order and item")
    rows = csv.DictReader(text.splitlines())
    if not set(COLUMNS) <= set(rows.fieldnames or ()):
        raise Unusable(f"{name} has no columns {' and '.join(COLUMNS)}", "a first line with: order,item")
    orders: dict[str, list[str]] = {}
    for row in rows:
        if row["order"] and row["item"]:
            orders.setdefault(row["order"], []).append(row["item"])
    return iter(orders.values())
