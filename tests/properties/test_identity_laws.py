"""The laws of identity: links come to the clusters of a plain union-find, limits hold, lives merge in any order.

Each was seen failing once with the code broken on purpose.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.engine.linking import Linked, broken_limit, link
from orchestrator.engine.merging import join
from orchestrator.model import codec
from orchestrator.model.identity import Identifier, Identity
from orchestrator.model.state import DIGEST_BYTES, Purchase, State
from shop.crowds import Name, Refusing, plain_union_find
from shop.lives import lives, shop_of

KINDS = ("customer_id", "email", "device_id", "cookie")
FREE = Identity(kinds=KINDS, limit=10_000, limits={})
STRICT = Identity(kinds=KINDS, limit=6, limits={"customer_id": 1, "email": 2})


@st.composite
def walks(draw, most_values=12):
    """Draw what hundreds of people, devices and shared identifiers send: an event is some kinds with a value each."""
    value = st.integers(1, most_values).map("v{}@shop.example".format)
    one = st.dictionaries(st.sampled_from(KINDS), value, min_size=1, max_size=4)
    return draw(st.lists(one, max_size=60))


class Clusters:
    """A graph that is nothing but what it was told, as `link` sees it."""

    def __init__(self) -> None:
        self._roots: dict[str, str] = {}
        self._members: dict[str, dict[str, str]] = {}

    def root_of(self, name: str) -> str | None:
        return self._roots.get(name)

    def members_of(self, root: str) -> Mapping[str, str]:
        return self._members.get(root, {})

    def learn(self, linked: Linked) -> None:
        if linked.names:
            for root in linked.merged:
                self._members.pop(root, None)
            self._members.setdefault(linked.root, {}).update(linked.names)
            self._roots.update(dict.fromkeys(linked.names, linked.root))

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        return iter(self._members.items())


def identifiers_of(event: dict[str, str], rules: Identity) -> list[Identifier]:
    found = rules.read_all(event.get("customer_id"), {k: v for k, v in event.items() if k != "customer_id"})
    return [each for each in found if isinstance(each, Identifier)]


def linked(events: Iterable[dict[str, str]], rules: Identity):
    graph, outcomes = Clusters(), []
    for event in events:
        outcome = link(graph, rules, identifiers_of(event, rules))
        graph.learn(outcome)
        outcomes.append(outcome)
    return graph, outcomes


def clusters_of(graph: Clusters) -> set[frozenset[str]]:
    return {frozenset(members) for _, members in graph}


def names_in(events: Iterable[dict[str, str]], rules: Identity) -> list[list[Name]]:
    return [[(each.kind, each.name) for each in identifiers_of(event, rules)] for event in events]


def as_names(clusters: Iterable[frozenset[Name]]) -> set[frozenset[str]]:
    return {frozenset(name for _, name in cluster) for cluster in clusters}


@settings(max_examples=60)
@given(walks(), st.randoms(use_true_random=False))
def test_without_limits_any_order_and_any_duplication_gives_the_clusters_of_a_plain_union_find(events, dice):
    shuffled = [*events, *dice.choices(events, k=len(events) // 2)] if events else []
    dice.shuffle(shuffled)
    expected = as_names(plain_union_find(names_in(events, FREE)))
    assert clusters_of(linked(events, FREE)[0]) == expected
    assert clusters_of(linked(shuffled, FREE)[0]) == expected


@settings(max_examples=60)
@given(walks(6))
def test_with_limits_the_clusters_are_those_of_a_reference_and_every_refusal_is_told(events):
    graph, outcomes = linked(events, STRICT)
    reference = Refusing(STRICT.limit, STRICT.limits)
    refused = [reference.take(names) for names in names_in(events, STRICT)]
    assert clusters_of(graph) == as_names(reference.all())
    assert [[((no.kind, no.name), no.reason) for no in one.refused] for one in outcomes] == refused


@settings(max_examples=40)
@given(walks(5))
def test_no_limit_is_ever_broken_and_every_name_leads_to_a_root_that_leads_nowhere_else(events):
    graph = Clusters()
    for event in events:
        outcome = link(graph, STRICT, identifiers_of(event, STRICT))
        graph.learn(outcome)
        for root, members in graph:
            assert broken_limit(STRICT, members) is None
            assert {graph.root_of(name) for name in members} == {root}
            assert root in members


@settings(max_examples=40)
@given(walks())
def test_a_customer_goes_by_a_name_of_the_strongest_kind_they_have(events):
    for root, members in linked(events, FREE)[0]:
        assert FREE.rank(members[root]) == min(FREE.rank(kind) for kind in members.values())


# Lives


def copy(state: State) -> State:
    return codec.decode(codec.encode(state))


def merged(*states: State) -> State:
    first, *others = (copy(state) for state in states)
    for other in others:
        join(shop_of(), first, other)
    return first


def shape(state: State) -> object:
    """Tell everything about a life but its id, and the order in which events were seen."""
    profile = msgspec.structs.replace(state.profile, id="")
    seen = {state.seen[at : at + DIGEST_BYTES] for at in range(0, len(state.seen), DIGEST_BYTES)}
    parts = (profile, state.entries, state.history, msgspec.structs.replace(state.past, armed=""))
    return [msgspec.to_builtins(part) for part in parts], seen


LAW = settings(max_examples=30)


@LAW
@given(lives(), lives())
def test_it_makes_no_difference_which_of_two_lives_is_merged_into_which(one, other):
    either_way = merged(one, other), merged(other, one)
    assert shape(either_way[0]) == shape(either_way[1])
    assert either_way[0].seen == either_way[1].seen


@LAW
@given(lives(), lives(), lives())
def test_it_makes_no_difference_in_which_order_three_lives_are_merged(one, two, three):
    assert shape(merged(merged(one, two), three)) == shape(merged(one, merged(two, three)))


@LAW
@given(lives(), lives())
def test_a_life_merged_again_changes_nothing(one, other):
    once = merged(one, other)
    assert shape(merged(once, other)) == shape(once)


@LAW
@given(lives(), lives())
def test_a_no_of_either_life_is_a_no_of_the_customer_and_a_yes_needs_one(one, other):
    both = merged(one, other)
    for channel in ("email", "push", "sms"):
        for purpose in ("marketing", "news", "tips"):
            said = [state.profile.consent_for(channel, purpose) for state in (one, other)]
            of_both = both.profile.consent_for(channel, purpose)
            if any(each is not None and not each.granted for each in said):
                assert of_both is not None
                assert not of_both.granted
            else:
                assert (of_both is not None) == any(each is not None for each in said)


@LAW
@given(lives(), lives())
def test_caps_count_the_messages_of_both_lives_each_once(one, other):
    sent = {message.action_id for state in (one, other) for message in state.sent}
    assert sorted(message.action_id for message in merged(one, other).sent) == sorted(sent)


@LAW
@given(lives(), lives())
def test_a_purchase_that_both_lives_were_told_of_counts_once(one, other):
    told = {bought.digest: bought for state in (one, other) for bought in _bought(state)}
    both = merged(one, other).past.purchases
    assert (both is None) == (not told)
    if both is not None:
        assert both.count == len(told)
        assert both.last_ms == max(bought.at_ms for bought in told.values())
        assert sum(both.spent.values()) == sum(bought.value for bought in told.values())


def _bought(state: State) -> list[Purchase]:
    purchases = state.past.purchases
    return [] if purchases is None else purchases.lately


@LAW
@given(lives(), lives())
def test_an_event_that_either_life_has_seen_is_known_to_both(one, other):
    both = merged(one, other)
    for state in (one, other):
        for at in range(0, len(state.seen), DIGEST_BYTES):
            assert both.has_seen(state.seen[at : at + DIGEST_BYTES])


@LAW
@given(lives(), lives())
def test_of_one_journey_and_key_one_entry_stays_and_whoever_sent_most_is_it(one, other):
    entries = {entry.id: entry for state in (one, other) for entry in state.entries}
    left = merged(one, other).entries
    by_passage: dict[tuple[str, str | None], list] = {}
    for entry in entries.values():
        by_passage.setdefault((entry.journey, entry.key), []).append(entry)
    best = [min(group, key=lambda e: (-e.messages, e.entered_ms, e.id)).id for group in by_passage.values()]
    always = [entry.id for entry in entries.values() if entry.journey == "always"]
    assert {entry.id for entry in left} == {*best, *always}
