"""Merging two lives, case by case; the laws stand in `properties/test_identity_laws.py`."""

from pathlib import Path

from orchestrator.engine import merging
from orchestrator.model import codec
from orchestrator.model.event import Event
from orchestrator.model.journey import Again, Journey
from orchestrator.model.profile import Consent, Profile
from orchestrator.model.state import Entry, History, Past, Purchases, State, Stored, StoredWithPast
from orchestrator.runtime.turn import Meeting, on_event, on_meeting
from shop import Customer
from shop.lives import shop_of

README = Path(__file__).parents[3] / "README.md"

# What stands for each part in the table of `merging`. Whoever adds a part says here by which rule it is merged.
RULES = {
    Profile: {
        "id": None,
        "customer_id": "identifiers",
        "identifiers": "identifiers",
        "traits": "traits, groups",
        "consents": "consents",
        "prefers": "preferred channels, own quiet hours",
        "unreachable": "unreachable",
        "last_seen_ms": "first and last seen, last written",
        "first_seen_ms": "first and last seen, last written",
        "quiet_hours": "preferred channels, own quiet hours",
        "said_ms": "traits, groups",
        "identified_ms": "identifiers",
        "prefers_ms": "preferred channels, own quiet hours",
        "quiet_hours_ms": "preferred channels, own quiet hours",
        "lives": "consents",
        "wrote_ms": "first and last seen, last written",
    },
    History: {
        "exits": "last exits",
        "ended": "ended entries with an open goal",
        "sent": "caps",
        "cases": "cases",
        "draws": "draws of splits and holdouts",
        "refused": "refusals on record",
    },
    Past: {
        "armed": "segments",
        "members": "segments",
        "counts": "counts",
        "due": "timers",
        "recurring": "timers",
        "purchases": "purchases",
    },
    Purchases: {
        "count": "purchases",
        "last_ms": "purchases",
        "currency": "purchases",
        "spent": "purchases",
        "lately": "purchases",
    },
    StoredWithPast: {
        **{part: None for part in Stored.__struct_fields__ if part not in ("entries", "seen")},
        "entries": "entries",
        "seen": "events seen",
        "watch_ms": "timers",
        "past": None,
    },
}


def _table() -> list[str]:
    return [line for line in (merging.__doc__ or "").splitlines() if line.startswith("| ")]


def test_every_part_of_a_state_has_a_rule_in_the_table():
    parts = {line.split(" | ")[0].removeprefix("| ") for line in _table()}
    for struct, rules in RULES.items():
        assert set(struct.__struct_fields__) == set(rules), struct
        assert {rule for rule in rules.values() if rule} <= parts


def test_the_readme_has_the_same_table():
    text = README.read_text(encoding="utf-8")
    assert [line for line in _table() if line not in text] == []


def life(profile: Profile | None = None, *entries: Entry, **parts) -> State:
    return State(profile or Profile("p"), entries, **parts)


def merged(mine: State, other: State) -> State:
    merging.join(shop_of(), mine, other)
    return codec.decode(codec.encode(mine))


def said(at_ms: int, granted: bool, channel: str | None = None, purpose: str | None = None) -> Consent:
    return Consent(channel, purpose, granted=granted, confirmed=granted, at_ms=at_ms)


def test_an_older_no_beats_a_newer_yes_of_the_other_life_until_the_customer_says_something_new():
    both = merged(life(Profile("p", consents=[said(1, False)])), life(Profile("q", consents=[said(5, True)])))
    assert both.profile.consent_for("email", "marketing") == said(1, False)
    visitor = Customer(consents=())
    visitor.record = codec.encode(both)
    visitor.consents_to("1m", granted=True)
    assert visitor.state.profile.consent_for("email", "marketing").granted
    assert visitor.state.profile.lives == []


def test_a_no_for_one_channel_leaves_the_yes_for_the_others():
    no_sms = life(Profile("p", consents=[said(1, False, "sms")]))
    yes = life(Profile("q", consents=[said(2, True)]))
    profile = merged(no_sms, yes).profile
    assert [profile.consent_for(channel, "marketing").granted for channel in ("sms", "email")] == [False, True]


def test_what_a_life_allowed_again_itself_stays_allowed():
    once_no = life(Profile("p", consents=[said(1, False), said(2, True, "email", "news")]))
    profile = merged(once_no, life(Profile("q", consents=[said(3, True)]))).profile
    assert profile.consent_for("email", "news").granted
    assert not profile.consent_for("email", "marketing").granted


def test_a_trait_taken_back_later_stays_away_and_groups_are_merged_one_by_one():
    one = Profile(
        "p", traits={"tier": "gold", "groups": {"a": 1, "b": 1}}, said_ms={"tier": 1, "groups.a": 1, "groups.b": 9}
    )
    two = Profile("q", traits={"groups": {"a": 2, "b": 2}}, said_ms={"tier": 2, "groups.a": 5, "groups.b": 5})
    assert merged(life(one), life(two)).profile.traits == {"groups": {"a": 2, "b": 1}}


def test_records_from_before_there_were_instants_merge_too():
    one, two = Profile("p", identifiers={"email": ["b"]}, traits={"a": 1}), Profile("q", identifiers={"email": ["a"]})
    profile = merged(life(one), life(two)).profile
    assert (profile.identifiers, profile.traits) == ({"email": ["a", "b"]}, {"a": 1})


def cart(number: int, *, messages: int = 0, entered_ms: int = 0, journey: str = "cart", said: str = "") -> Entry:
    properties = {"said": said} if said else {}
    return Entry(f"entry-{number}", journey, 1, "k", entered_ms, "wait", 9, properties, messages=messages)


def test_of_twins_the_one_that_sent_more_stays_then_the_older_then_the_smaller_id():
    for pair, stays in [
        ((cart(1, messages=1, entered_ms=5), cart(2, entered_ms=1)), "entry-1"),
        ((cart(1, entered_ms=5), cart(2, entered_ms=1)), "entry-2"),
        ((cart(1), cart(2)), "entry-1"),
    ]:
        state = life(None, pair[0])
        twins = merging.join(shop_of(), state, life(None, pair[1]))
        assert [entry.id for entry in state.entries] == [stays]
        assert len(twins) == 1


def test_where_a_journey_may_be_entered_twice_both_entries_stay():
    both = merged(life(None, cart(1, journey="always")), life(None, cart(2, journey="always")))
    assert [entry.id for entry in both.entries] == ["entry-1", "entry-2"]


def test_a_split_that_was_drawn_stays_drawn_for_the_customer_under_the_new_id():
    one, two = life(), life()
    one.history.draws, two.history.draws = {"cart/offer": (12.5, 3)}, {"cart/offer": (80.0, 2), "": (1.0, 1)}
    assert merged(one, two).history.draws == {"cart/offer": (80.0, 2), "": (1.0, 1)}


def test_counts_are_summed_but_an_event_that_both_counted_counts_once_and_purchases_are_summed():
    one = Past(armed="x", counts={"order_placed": [1, 5]}, due={"vip": 9}, members={"vip": True})
    two = Past(
        counts={"order_placed": [5, 7]}, due={"vip": 4, "new": 0}, purchases=Purchases(1, 7, "EUR", {"EUR": 2.5})
    )
    one.purchases = Purchases(2, 5, "USD", {"EUR": 1.0, "USD": 3.0})
    past = merged(life(past=one), life(past=two)).past
    assert (past.counts, past.due, past.members, past.armed) == (
        {"order_placed": [1, 5, 7]}, {"vip": 4, "new": 0}, {"vip": True}, "",
    )  # fmt: skip
    assert past.purchases == Purchases(3, 7, "EUR", {"EUR": 3.5, "USD": 3.0})


def test_a_merge_says_what_was_merged_and_which_entry_ended_and_twice_says_the_same():
    catalog = shop_of()
    event = Event("e1", "seen", 5, "ana")
    lives = Meeting([codec.encode(life(Profile("q", identifiers={"cookie": ["x"]}), cart(2)))], ())
    record = codec.encode(life(None, cart(1)))
    first, again = (on_meeting(catalog, event, "p", record, lives, 5) for _ in range(2))
    assert [(one.journey, one.verdict, one.reason, one.saw) for one in first.decisions] == [
        ("", "merged", "same_customer", {"profile": "q", "kinds": "cookie"}),
        ("cart", "exited", "merged", {}),
    ]
    assert first == again
    after = on_event(catalog, Event("e1", "profile_updated", 5, "ana", decoded={}), first.record, 5, "p")
    assert not {one.id for one in after.decisions} & {one.id for one in first.decisions}


def test_a_journey_that_is_gone_ends_its_twin_all_the_same():
    catalog = shop_of()
    lives = Meeting([codec.encode(life(None, cart(2, journey="gone")))], ())
    turned = on_meeting(
        catalog, Event("e", "seen", 5), "p", codec.encode(life(None, cart(1, journey="gone"))), lives, 5
    )
    assert [(one.journey, one.version, one.reason) for one in turned.decisions][1:] == [("gone", 1, "merged")]


def test_lives_that_are_too_large_together_are_one_without_what_is_largest_and_hear_what_is_said_next():
    catalog = shop_of()
    mine = life(Profile("p", traits={"name": "Ana", "said": "x" * 300_000}), cart(1, said="y" * 150_000))
    other = life(Profile("q", traits={"wrote": "z" * 200_000}), cart(2, journey="gone", said="w"))
    lives = Meeting([codec.encode(other)], ())
    turned = on_meeting(catalog, Event("e", "seen", 5), "p", codec.encode(mine), lives, 5)
    assert turned.record is not None
    assert [(one.verdict, one.reason, one.saw.get("kind")) for one in turned.decisions][1:] == [
        ("not_merged", "state_too_large", "said")
    ]
    assert set(codec.decode(turned.record).profile.traits) == {"name", "wrote"}
    no = Event("no", "consent_changed", 6, decoded={"granted": False})
    both = on_event(catalog, no, turned.record, 6).record
    assert both is not None
    assert not codec.decode(both).profile.consents[0].granted


def test_an_entry_that_makes_lives_too_large_stands_parked_without_its_memory():
    catalog = shop_of()
    mine = life(None, cart(1, said="y" * 300_000))
    lives = Meeting([codec.encode(life(Profile("q"), cart(2, journey="other", said="w" * 290_000)))], ())
    turned = on_meeting(catalog, Event("e", "seen", 5), "p", codec.encode(mine), lives, 5)
    assert turned.record is not None
    assert [(entry.parked, len(entry.properties)) for entry in codec.decode(turned.record).entries] == [
        ("state_too_large", 0), (None, 1)
    ]  # fmt: skip
    assert [one.reason for one in turned.failures] == ["state_too_large"]
    assert (turned.decisions[-1].verdict, turned.decisions[-1].reason) == ("parked", "state_too_large")


def test_the_lives_that_laws_draw_know_a_journey_that_may_be_entered_twice():
    assert shop_of().journey("always", 1) == Journey("always", 1, None, {}, (), again=Again("always"))
