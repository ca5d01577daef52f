"""The resolver: whose event it is, what it leaves on the event, and what it remembers."""

import pytest

from orchestrator.errors import EventError
from orchestrator.model import codec
from orchestrator.model.event import Event
from orchestrator.model.identity import Identity
from orchestrator.model.ids import profile_id_of
from orchestrator.model.profile import Profile
from orchestrator.model.state import State
from orchestrator.runtime import finding
from orchestrator.runtime.identity import Resolver
from orchestrator.storage import Batch, MemoryStore, Named
from shop.projects import project

RULES = Identity(
    kinds=("customer_id", "email", "cookie"), never={"email": frozenset({"null"})}, limits={"customer_id": 1}
)


def resolver(store: MemoryStore | None = None) -> Resolver:
    return Resolver(project(identifiers=RULES.kinds, identity=RULES), store)


def event(customer_id: str | None = None, **identifiers: str) -> Event:
    return Event("e", "seen", 0, customer_id, identifiers)


def test_what_came_together_before_is_known_until_one_of_it_is_anothers():
    known = resolver()
    assert known.resolve(event("ana", cookie="k")).merged == (profile_id_of("cookie", "k"),)
    again = known.resolve(event("ana", cookie="k"))
    assert (again.is_known, again.merged, again.profile_id) == (True, (), profile_id_of("customer_id", "ana"))
    alone = event(cookie="k")
    assert known.resolve(alone).profile_id == again.profile_id
    visitor = [known.resolve(event(cookie="v")).profile_id for _ in range(2)]
    assert visitor == [profile_id_of("cookie", "v")] * 2
    known.resolve(event("ana", cookie="v"))
    assert known.resolve(event(cookie="v")).profile_id == again.profile_id


def test_the_event_keeps_only_what_is_its_customers_as_it_is_written():
    known = resolver()
    known.resolve(event("ana", cookie="tablet"))
    for _ in range(2):
        ben = event("ben", email="Ben@Shop.example", cookie="tablet")
        resolved = known.resolve(ben)
        assert (ben.customer_id, ben.identifiers) == ("ben", {"email": "ben@shop.example"})
        assert [(no.kind, no.reason) for no in resolved.refused] == [("cookie", "kind_limit")]
        assert not resolved.is_known


def test_a_value_that_names_nobody_leaves_nobody():
    with pytest.raises(EventError) as refused:
        resolver().resolve(event(email="null"))
    assert refused.value.reason == "nobody"


def test_what_a_store_knows_is_known_to_the_next_resolver_and_erased_it_is_not():
    store = MemoryStore()
    first = resolver(store)
    first.resolve(event("ana", cookie="k"))
    store.commit(Batch(names=first.changes(), merged=list(first.merged)))
    first.committed()
    second = resolver(store)
    ana = profile_id_of("customer_id", "ana")
    assert second.resolve(event(cookie="k")).profile_id == ana
    store.erase(ana, [])
    second.forget(ana)
    assert second.resolve(event(cookie="k")).profile_id == profile_id_of("cookie", "k")


def test_what_was_learned_and_not_committed_is_undone():
    known = resolver(MemoryStore())
    known.resolve(event("ana", cookie="k"))
    known.undo()
    assert (known.changes(), known.merged) == ({}, [])
    assert known.resolve(event(cookie="k")).profile_id == profile_id_of("cookie", "k")


def test_what_does_not_link_leads_nobody_to_a_customer_but_whoever_looks_one_up():
    store = MemoryStore()
    known = resolver(store)
    tablet, ana = profile_id_of("tablet", "t1"), profile_id_of("customer_id", "ana")
    assert known.resolve(event("ana", tablet="t1")).profile_id == ana
    assert known.resolve(event("ben", tablet="t1")).profile_id == profile_id_of("customer_id", "ben")
    for again in (known, resolver(store)):
        assert again.resolve(event(tablet="t1")).profile_id == tablet
        assert again.profile_of(tablet) == tablet
        store.commit(Batch(names=known.changes()))
    assert store.known(tablet) == Named(ana, "tablet")
    store.commit(Batch(records={ana: codec.encode(State(Profile(ana)))}))
    assert finding.whose(store, tablet) == ana
    store.commit(Batch(records={tablet: codec.encode(State(Profile(tablet)))}))
    assert finding.whose(store, tablet) == tablet
