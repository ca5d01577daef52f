"""A crowd: what hundreds of people and their devices send, and who of them is one customer, by the simplest means.

Owns the walk, and the other side of every comparison with linking: a plain union-find, and one that refuses. Must never
import what it is compared with.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = ("customer_id", "email", "loyalty_card", "cookie")  # strongest first
NOBODY = "null@shop.example"

# An identifier as it is kept.
Name = tuple[str, str]


@dataclass(frozen=True)
class Sighting:
    """One event: by whom it says it is, as it comes, and what of that names anybody, strongest first."""

    id: str
    who: dict[str, str]

    @property
    def names(self) -> list[Name]:
        read = {kind: value.lower() if kind == "email" else value for kind, value in self.who.items()}
        return [(kind, read[kind]) for kind in KINDS if kind in read and read[kind] != NOBODY]

    @property
    def nameless(self) -> list[str]:
        """List the kinds whose values name nobody."""
        return [kind for kind in KINDS if self.who.get(kind) == NOBODY]

    def event(self, event_type: str, at_ms: int, **properties: Any) -> dict[str, Any]:
        others = {kind: value for kind, value in self.who.items() if kind != "customer_id"}
        customer = {"customer_id": self.who["customer_id"]} if "customer_id" in self.who else {}
        about = {"id": self.id, "type": event_type, "time": at_ms, **customer}
        return {**about, "identifiers": others, "properties": properties}


def crowd(count: int, seed: int, people: int = 300) -> list[Sighting]:
    """Let people come by a phone, a laptop, a tablet that ten share, or somebody's by chance; known by this or that."""
    return list(_sightings(count, random.Random(seed), people))


def _sightings(count: int, dice: random.Random, people: int) -> Iterator[Sighting]:
    for number in range(count):
        person = dice.randrange(people)
        devices = [f"phone{person}", f"phone{person}", f"laptop{person}", f"tablet{person // 10}"]
        who = {
            "customer_id": f"c{person}",
            "email": dice.choice([f"M{person}@Shop.example", f"m{person}@shop.example", f"w{person}@work.example"]),
            "loyalty_card": f"L-{person // 2 if dice.random() < 0.05 else person + people}",
            "cookie": f"phone{dice.randrange(people)}" if dice.random() < 0.02 else dice.choice(devices),
        }
        known = {kind: who[kind] for kind in dice.sample(KINDS, dice.choice([1, 1, 2, 2, 3]))}
        if dice.random() < 0.02:
            known = {"customer_id": who["customer_id"], "email": NOBODY}
        yield Sighting(f"e{number}", known)


def plain_union_find(sightings: Iterable[Iterable[Any]]) -> set[frozenset[Any]]:
    """Unite whatever came together; what never came with anything else is left out."""
    leads: dict[Any, Any] = {}

    def root_of(name: Any) -> Any:
        while leads.setdefault(name, name) != name:
            name = leads[name]
        return name

    for first, *others in sightings:
        for other in others:
            leads[root_of(other)] = root_of(first)
    clusters: dict[Any, set[Any]] = {}
    for name in leads:
        clusters.setdefault(root_of(name), set()).add(name)
    return {frozenset(cluster) for cluster in clusters.values()}


@dataclass
class Refusing:
    """A union-find that refuses, as `linking` promises: sets of names, and nothing that makes it fast."""

    limit: int
    limits: Mapping[str, int]
    clusters: dict[Name, set[Name]] = field(default_factory=dict)
    said: dict[Name, set[Any]] = field(default_factory=dict)

    def take(self, names: Iterable[Name]) -> list[tuple[Name, str]]:
        """Link what came together, strongest first; give what is refused, and why."""
        refused = []
        first, *others = names
        own = self.clusters.get(first, {first})
        for other in others:
            if other in own:
                continue
            together = own | self.clusters.get(other, {other})
            reason = self.broken_by(together)
            if reason is not None:
                refused.append((other, reason))
                continue
            own = together
            self.clusters |= dict.fromkeys(own, own)
        return refused

    def broken_by(self, names: set[Name]) -> str | None:
        """Say which limit these names of one customer would break."""
        kinds = [kind for kind, _ in names]
        if len(names) > self.limit:
            return "profile_limit"
        return "kind_limit" if any(kinds.count(kind) > most for kind, most in self.limits.items()) else None

    def told(self, sightings: Iterable[Sighting]) -> Counter[tuple[str, str, str]]:
        """Link one after the other; give what is refused as (event, kind, reason), of each customer each once."""
        told: Counter[tuple[str, str, str]] = Counter()
        for sighting in sightings:
            refused = [(reason, other[0], other) for other, reason in self.take(sighting.names)]
            nameless = [("never", kind, None) for kind in sighting.nameless]
            first = sighting.names[0]
            own = self.clusters.get(first, {first})
            for no in [*nameless, *refused]:
                if not any(no in self.said.get(name, ()) for name in own):
                    self.said.setdefault(first, set()).add(no)
                    told[sighting.id, no[1], no[0]] += 1
        return told

    def all(self) -> set[frozenset[Name]]:
        """Give the clusters of more than one name."""
        return {frozenset(cluster) for cluster in self.clusters.values()}
