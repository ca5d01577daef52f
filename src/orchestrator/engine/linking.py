"""Linking: which identifiers are one customer's, and which links are refused.

Owns the graph's rules, as pure functions over whatever keeps it. Must never look at a profile, nor change the graph.

Theory. Identifiers fall into clusters; a cluster is one customer, and goes by its **root**: the name of its strongest
identifier. Identifiers that come together in one event are linked, the strongest first, each cluster into the one
before it. A link that would give a customer more identifiers than may be, in all or of one kind, is refused: the
weaker side stays as it was, and the event belongs to the stronger. So the outcome depends only on the graph and the
event, and the order in which links are committed decides what a limit stops.

A root leads nowhere else, and a name always leads to a root that led nowhere when it was written. So whoever follows
names comes to an end, and there is no loop to fall into.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from orchestrator.model.identity import Identifier, Identity

PROFILE_LIMIT = "profile_limit"
KIND_LIMIT = "kind_limit"


class Graph(Protocol):
    """Who is whose. Names that were never linked are not in it."""

    def root_of(self, name: str) -> str | None:
        """Give the root of the cluster that a name is in; None for one that was never linked."""
        ...

    def members_of(self, root: str) -> Mapping[str, str]:
        """Give a cluster's names with their kinds."""
        ...


class RefusedLink(NamedTuple):
    """A link that was not made: the weaker identifier, and which limit stopped it."""

    kind: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Linked:
    """What the identifiers of one event come to.

    `root` is the profile that the event belongs to. `merged` are the roots that are this one from now on, `names`
    what the graph has to learn: names of the cluster, each with its kind, that lead to `root` now and did not before.
    """

    root: str
    merged: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[RefusedLink, ...] = ()


def link(graph: Graph, rules: Identity, identifiers: Sequence[Identifier]) -> Linked:
    """Link the identifiers of one event, strongest first; there is at least one."""
    first, *others = identifiers
    cluster = _Cluster(graph, first)
    if not others:
        return Linked(cluster.root)
    refused: list[RefusedLink] = []
    before = {cluster.root}
    for identifier in others:
        if identifier.name in cluster.members:
            continue
        other = _Cluster(graph, identifier)
        together = {**cluster.members, **other.members}
        reason = broken_limit(rules, together)
        if reason is not None:
            refused.append(RefusedLink(identifier.kind, identifier.name, reason))
            continue
        before.add(other.root)
        cluster.root = min((cluster, other), key=lambda each: each.order(rules)).root
        cluster.members = together
    merged = tuple(sorted(before - {cluster.root}))
    if not merged:
        return Linked(cluster.root, refused=tuple(refused))
    # Those that led to the root already need not learn it again.
    led = graph.members_of(cluster.root)
    names = {name: kind for name, kind in cluster.members.items() if name not in led}
    return Linked(cluster.root, merged, names, tuple(refused))


def broken_limit(rules: Identity, members: Mapping[str, str]) -> str | None:
    """Say which limit a customer with these identifiers would break; None for none."""
    if len(members) > rules.limit:
        return PROFILE_LIMIT
    kinds = list(members.values())
    if any(kinds.count(kind) > most for kind, most in rules.limits.items()):
        return KIND_LIMIT
    return None


class _Cluster:
    """A cluster as it stands in the graph, or the one of an identifier that was never linked."""

    def __init__(self, graph: Graph, identifier: Identifier) -> None:
        root = graph.root_of(identifier.name)
        self.root = identifier.name if root is None else root
        own = {identifier.name: identifier.kind}
        self.members: Mapping[str, str] = own if root is None else {**own, **graph.members_of(root)}

    def order(self, rules: Identity) -> tuple[int, int, str]:
        """Of two, the one whose root is the stronger kind stays, then the larger, then the smaller id."""
        return rules.rank(self.members.get(self.root, "")), -len(self.members), self.root
