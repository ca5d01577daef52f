"""Whose event is it? The resolver of the embedded runtimes: from an event's identifiers to a profile, through a graph.

Owns the events' way from identifiers as they came to identifiers as they are kept, and what a batch has learned about
who is whose and not yet committed. The rules are the engine's (`linking`, `merging`), the graph is the store's names.
Must never merge anything itself, nor write to the store: what was learned goes with the batch's commit.

The order within one event: read its identifiers, link them, then merge the lives that the link found to be one
(`runtime.turn.on_meeting`), then the event (`on_event`), all in one commit. So an order that makes an anonymous cart
known finds that cart's reminder, and stops it.

Events of a customer id alone, which are most, are not looked up: a customer id leads to its own profile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.engine.linking import Linked, RefusedLink, link
from orchestrator.errors import EventError
from orchestrator.model import ids
from orchestrator.model.event import Event
from orchestrator.model.identity import CUSTOMER_ID, Identifier, Identity, Unnamed
from orchestrator.model.project import Project
from orchestrator.storage import Named

# So many names are remembered between two looks at the store.
REMEMBERED_NAMES = 100_000


class Names(Protocol):
    """The graph at rest."""

    def known(self, name: str) -> Named | None:
        """Return the profile that is known by a name, and the kind of identifier that the name stands for."""
        ...

    def names_of(self, profile_id: str) -> dict[str, str]:
        """Return all names of a profile, with their kinds."""
        ...

    def read(self, profile_id: str) -> bytes | None:
        """Return the record of a profile, None where there is none."""
        ...


class Nowhere:
    """A graph that nothing is known of."""

    def known(self, name: str) -> Named | None:
        """Return None: nobody is known."""
        return None

    def names_of(self, profile_id: str) -> dict[str, str]:
        """Return no names."""
        return {}

    def read(self, profile_id: str) -> bytes | None:
        """Return no record."""
        return None


@dataclass(frozen=True, slots=True)
class Resolved:
    """Whose event it is. `merged` are profiles that are this one from now on, `refused` what was not linked.

    `is_known` says that all its identifiers were this profile's before: to a profile with a record they are no news.
    """

    profile_id: str
    merged: tuple[str, ...] = ()
    refused: tuple[RefusedLink | Unnamed, ...] = ()
    is_known: bool = False

    @property
    def needs_meeting(self) -> bool:
        """Whether something has to be merged or said before the event is taken."""
        return bool(self.merged or self.refused)


@dataclass(slots=True)
class _Seen:
    """Identifiers that came together: their names, the root that all lead to, and what is left on the event.

    `root` is None for one identifier that was never linked.
    """

    names: tuple[str, ...]
    root: str | None
    customer_id: str | None
    identifiers: dict[str, str]
    resolved: Resolved


class Resolver:
    """The graph as it stands, what is not committed yet included."""

    def __init__(self, project: Project, names: Names | None = None) -> None:
        self._names = names or Nowhere()
        self._rules = project.identity
        self._looked_up: dict[str, str | None] = {}
        self._members: dict[str, dict[str, str]] = {}
        self._together: dict[tuple[object, ...], _Seen] = {}
        self._newest: tuple[object, ...] | None = None
        self._told: set[str] = set()
        self.learned: dict[str, Named] = {}
        self.merged: list[tuple[str, str]] = []
        self.is_direct = self._rules.is_direct

    def follow(self, project: Project) -> None:
        """Go on by the rules of a project that was read anew."""
        self._rules = project.identity
        self._together.clear()
        self._looked_up.clear()
        self._members.clear()
        self.is_direct = self._rules.is_direct

    def resolve(self, event: Event) -> Resolved:
        """Find whose event it is, and leave on it only the identifiers that are its customer's, as they are kept.

        Raises EventError (`nobody`) where no value names anybody.
        """
        if not event.identifiers and self.is_direct and event.customer_id is not None:
            return Resolved(ids.profile_id_of(CUSTOMER_ID, event.customer_id))
        self._newest = None
        together = (event.customer_id, *event.identifiers.items())
        seen = self._together.get(together)
        if seen is not None and self._still_leads(seen):
            event.customer_id, event.identifiers = seen.customer_id, seen.identifiers
            return seen.resolved
        read = self._rules.read_all(event.customer_id, event.identifiers)
        unnamed = tuple(each for each in read if isinstance(each, Unnamed))
        named = named_in(read)
        # Kinds that the project does not list never link; where an event has nothing else, the first names it.
        linking = [each for each in named if each.kind in self._rules.kinds] or named[:1]
        linked = link(self, self._rules, linking)
        self._learn(linked)
        refused = {no.name for no in linked.refused}
        _leave_on(event, [each for each in named if each.name not in refused])
        for each in named:
            if each.kind not in self._rules.kinds and each.name != linked.root and not self._is_told(each.name):
                self.learned[each.name] = Named(linked.root, each.kind)  # for whoever looks a customer up, and no event
        if not unnamed and not linked.refused and (len(linking) == len(named) and linking[0].kind in self._rules.kinds):
            self._remember(together, event, tuple(each.name for each in named), linked.root)
        return Resolved(linked.root, linked.merged, unnamed + linked.refused)

    def _remember(self, together: tuple[object, ...], event: Event, names: tuple[str, ...], root: str) -> None:
        """Remember identifiers that came together and are one customer's: most do so again and again."""
        if len(self._together) >= REMEMBERED_NAMES:
            self._together.clear()
        is_linked = self._looked_up.get(names[0]) is not None
        self._newest = together
        self._together[together] = _Seen(
            names, root if is_linked else None, event.customer_id, event.identifiers, Resolved(root, is_known=True)
        )

    def untold(self) -> None:
        """Take note that the event that was resolved last came to nothing: its customer was not told of who they are.

        What it named, if that was news, is news again with the next event.
        """
        if self._newest is not None:
            self._together.pop(self._newest, None)
            self._newest = None

    def _still_leads(self, seen: "_Seen") -> bool:
        """Whether all of these names lead where they led."""
        looked_up, root = self._looked_up, seen.root
        for name in seen.names:  # noqa: SIM110 - every identified event comes here: a generator costs as much again
            if looked_up.get(name, seen) != root:
                return False
        return True

    def profile_of(self, profile_id: str) -> str:
        """Give the profile that one is now: itself, unless it was merged."""
        return self.root_of(profile_id) or profile_id

    def changes(self) -> dict[str, Named]:
        """Give the names that the next commit has to write."""
        return {name: Named(self.profile_of(known.profile_id), known.kind) for name, known in self.learned.items()}

    def committed(self) -> None:
        """Take note that the store knows all that was learned."""
        self.learned.clear()
        self.merged.clear()
        if len(self._looked_up) + len(self._told) > REMEMBERED_NAMES:
            self._looked_up.clear()
            self._told.clear()
        self._members.clear()

    def undo(self) -> None:
        """Forget what was learned since the last commit: it did not happen."""
        self._looked_up.clear()
        self._told.clear()
        self.committed()

    def forget(self, profile_id: str) -> None:
        """Take note that a profile, and all that it was known by, is erased in the store."""
        self._looked_up = {name: root for name, root in self._looked_up.items() if profile_id not in (name, root)}
        self._members.pop(profile_id, None)
        self._told.clear()

    # The graph that `link` sees

    def root_of(self, name: str) -> str | None:
        """Give the root of the cluster that a name is in."""
        try:
            return self._looked_up[name]
        except KeyError:
            known = self._names.known(name)
            links = known is not None and self._links(name, known.kind, known.profile_id)
            found = self._looked_up[name] = known.profile_id if known is not None and links else None
            return found

    def _links(self, name: str, kind: str, root: str) -> bool:
        """Whether a name was linked to a root, and does not only lead there for whoever looks a customer up.

        Its kind may not have been listed when it was seen there first: then it may have a life of its own, which
        nothing has that was linked.
        """
        return kind in self._rules.kinds and (name == root or self._names.read(name) is None)

    def _is_told(self, name: str) -> bool:
        """Whether somebody was seen with a name that does not link; whoever was first is found by it."""
        if name not in self._told:
            self._told.add(name)
            return self._names.known(name) is not None
        return True

    def members_of(self, root: str) -> Mapping[str, str]:
        """Give a cluster's names with their kinds, those that link."""
        members = self._members.get(root)
        if members is None:
            names = self._names.names_of(root)
            members = self._members[root] = {
                name: kind for name, kind in names.items() if self._links(name, kind, root)
            }
        return members

    def _learn(self, linked: Linked) -> None:
        if not linked.merged:
            return
        members = dict(self.members_of(linked.root))
        for root in linked.merged:
            self._members.pop(root, None)
            self.merged.append((root, linked.root))
        for name, kind in linked.names.items():
            self.learned[name] = Named(linked.root, kind)
            self._looked_up[name] = linked.root
            members[name] = kind
        self._members[linked.root] = members


def by_itself(rules: Identity, event: Event) -> Resolved:
    """Find whose event it is where nothing links: the customer id's, else the strongest identifier's.

    Leaves on the event only what names somebody, as it is kept. Raises EventError (`nobody`) where nothing does.
    """
    read = rules.read_all(event.customer_id, event.identifiers)
    named = named_in(read)
    _leave_on(event, named)
    whose = next((each for each in named if each.kind == CUSTOMER_ID), named[0])
    return Resolved(whose.name, refused=tuple(each for each in read if isinstance(each, Unnamed)))


def named_in(read: Sequence[Identifier | Unnamed]) -> list[Identifier]:
    """Take what names somebody; raises EventError (`nobody`) where nothing does."""
    named = [each for each in read if isinstance(each, Identifier)]
    if not named:
        raise EventError("nobody", "no identifier of the event names anybody; give a customer_id, or another one")
    return named


def _leave_on(event: Event, identifiers: Sequence[Identifier]) -> None:
    event.customer_id = next((each.value for each in identifiers if each.kind == CUSTOMER_ID), None)
    event.identifiers = {each.kind: each.value for each in identifiers if each.kind != CUSTOMER_ID}
