"""Profiles: what events tell about a customer."""

import pytest

from orchestrator.engine import merging
from orchestrator.errors import EventError
from orchestrator.model.profile import Profile
from orchestrator.model.state import State
from orchestrator.runtime import turn
from orchestrator.runtime.turn import profile_of
from shop import Customer, journey, project, remind, wait


def nobody(**fields):
    return Customer(journey(wait("settle", "1h")), profile={}, consents=(), **fields)


def test_traits_are_added_and_replaced_one_by_one_and_null_takes_one_away():
    ana = nobody()
    ana.does("profile_updated", name="Ana", tier="tin", city=None)
    ana.does("profile_updated", "1m", tier="gold", name=None)
    assert ana.state.profile.traits == {"tier": "gold"}


def test_groups_are_added_to_the_ones_that_are_known():
    ana = nobody()
    ana.does("profile_updated", groups={"g1": {"plan": "free"}})
    ana.does("profile_updated", "1m", groups={"g2": {}})
    assert ana.state.profile.traits == {"groups": {"g1": {"plan": "free"}, "g2": {}}}


@pytest.mark.parametrize(("before", "after", "left"), [("none", {"g": 1}, {"g": 1}), ({"g": 1}, "none", "none")])
def test_groups_that_are_no_map_are_simply_replaced(before, after, left):
    ana = nobody()
    ana.does("profile_updated", groups=before)
    ana.does("profile_updated", "1m", groups=after)
    assert ana.state.profile.traits == {"groups": left}


def test_what_was_said_before_and_comes_late_changes_nothing():
    ana = nobody()
    hours = [{"from": "20:00", "to": "08:00"}]
    ana.does("profile_updated", "2h", email="new@b.example", tier=None, groups={"g1": {"plan": "paid"}})
    ana.does("preference_changed", "2h", channels=["push"], language="en", quiet_hours=hours)
    ana.take(late(ana, "profile_updated", email="old@b.example", tier="tin", city="Rome", groups={"g1": {}, "g2": {}}))
    ana.take(late(ana, "preference_changed", channels=["sms"], language="es", timezone="UTC", quiet_hours=[]))
    profile = ana.state.profile
    assert profile.traits == {
        "email": "new@b.example",
        "city": "Rome",
        "groups": {"g1": {"plan": "paid"}, "g2": {}},
        "language": "en",
        "timezone": "UTC",
    }
    assert (profile.prefers, profile.quiet_hours) == (["push"], hours)


def test_of_what_is_said_at_one_instant_what_is_received_last_holds():
    ana = nobody()
    ana.does("profile_updated", "1h", tier="tin")
    ana.does("profile_updated", "1h", tier="gold")
    assert ana.state.profile.traits == {"tier": "gold"}


def late(ana, type, **said):
    """Read what was said after an hour, and comes later."""
    return ana.event(type, "1h", properties=said)


def test_identifiers_are_kept_by_kind_the_newest_last():
    ana = nobody()
    ana.does("profile_updated", identifiers={"email": "a@b.example", "cookie": "x"})
    ana.does("profile_updated", "1m", identifiers={"email": "c@d.example"})
    ana.does("profile_updated", "2m", identifiers={"email": "c@d.example"})
    profile = ana.state.profile
    assert profile.identifiers == {"email": ["a@b.example", "c@d.example"], "cookie": ["x"]}
    assert (profile.value("email"), profile.value("cookie"), profile.value("phone")) == ("c@d.example", "x", None)


def test_an_identifier_of_before_that_comes_late_is_not_the_newest_whether_lives_are_merged_or_not():
    ana = nobody()
    ana.does("profile_updated", "2h", identifiers={"email": "new@b.example"})
    ana.take(ana.event("profile_updated", "1h", identifiers={"email": "old@b.example"}))
    assert ana.state.profile.value("email") == "new@b.example"
    both = ana.state
    merging.join(ana.catalog, both, State(Profile("q", identifiers={"cookie": ["k"]})))
    assert both.profile.identifiers["email"] == ana.state.profile.identifiers["email"]


def test_of_what_links_nobody_the_newest_are_kept():
    ana = nobody()
    for number in range(60):
        ana.does("profile_updated", f"{number}m", identifiers={"session": f"s{number}", "email": "a@b.example"})
    profile = ana.state.profile
    assert profile.identifiers == {"session": [f"s{number}" for number in range(10, 60)], "email": ["a@b.example"]}
    assert len(profile.identified_ms["session"]) == 50


def test_an_identifier_from_a_clock_that_is_ahead_is_known_since_it_came():
    ana = nobody()
    ahead = ana.event("profile_updated", "900d", identifiers={"email": "a@b.example"})
    ana.record = turn.on_event(ana.catalog, ahead, ana.record, ana.start_ms).record
    ana.does("profile_updated", "1m", identifiers={"email": "c@d.example"})
    both = ana.state
    merging.join(ana.catalog, both, State(Profile("q", identifiers={"email": ["e@f.example"]})))
    assert both.profile.identifiers["email"] == ["e@f.example", "a@b.example", "c@d.example"]


def test_a_further_customer_id_where_a_project_allows_several_is_kept_beside_the_first():
    ana = nobody()
    for minute, name in enumerate(("ana", "zoe", "bea", "ana", "bea")):
        event = ana.event("profile_updated", ana.start_ms + minute, identifiers={"cookie": "k"})
        event.customer_id = name
        ana.take(event)
    profile = ana.state.profile
    assert (profile.customer_id, profile.identifiers["customer_id"]) == ("ana", ["bea", "zoe"])


def test_a_trait_comes_before_an_identifier_of_the_same_name():
    ana = nobody()
    ana.does("profile_updated", identifiers={"email": "a@b.example"}, email="trait@b.example")
    assert ana.state.profile.value("email") == "trait@b.example"


def test_a_customer_is_known_by_their_id():
    ana = nobody()
    ana.does("profile_updated")
    profile = ana.state.profile
    assert (profile.customer_id, profile.value("customer_id"), profile.value("id")) == ("ana", "ana", profile.id)


def test_preferences_are_taken_over_and_what_makes_no_sense_is_left():
    ana = nobody()
    channels = ["sms", "sms", 7, ["push"], "email"]
    ana.does("preference_changed", channels=channels, language="en", timezone="Asia/Kolkata", other="x")
    ana.does("preference_changed", "1m", channels="email", language=7)
    profile = ana.state.profile
    assert profile.prefers == ["sms", "email"]
    assert profile.traits == {"language": "en", "timezone": "Asia/Kolkata"}


def test_preferred_channels_can_be_taken_back():
    ana = nobody()
    ana.does("preference_changed", channels=["sms"])
    ana.does("preference_changed", "1m", channels=[])
    assert ana.state.profile.prefers == []


def test_properties_that_are_no_object_are_refused_and_leave_the_profile_alone():
    ana = nobody()
    before = ana.record
    with pytest.raises(EventError) as refused:
        ana.take(ana.event("profile_updated", properties=["no", "object"]))
    assert (refused.value.reason, ana.record) == ("bad_properties", before)


def test_an_event_belongs_to_its_customer_else_to_its_strongest_identifier():
    ana = nobody()
    shop = project(identifiers=("customer_id", "email", "phone"))
    by_customer = ana.event("seen", identifiers={"email": "a@b.example"})
    strongest = ana.event("seen", customer_id=None, identifiers={"cookie": "x", "phone": "1", "email": "a@b.example"})
    only_email = ana.event("seen", customer_id=None, identifiers={"email": "a@b.example"})
    unnamed = ana.event("seen", customer_id=None, identifiers={"z": "1", "cookie": "x"})
    only_cookie = ana.event("seen", customer_id=None, identifiers={"cookie": "x"})
    assert profile_of(shop, strongest) == profile_of(shop, only_email) != profile_of(shop, by_customer)
    assert profile_of(shop, unnamed) == profile_of(shop, only_cookie)


def test_a_customer_id_among_the_identifiers_is_the_same_customer():
    ana = nobody()
    named = ana.event("seen", customer_id=None, identifiers={"customer_id": "ana"})
    assert profile_of(project(), named) == profile_of(project(), ana.event("seen"))


def test_an_action_names_the_customer_or_nobody_where_only_an_identifier_is_known():
    known = Customer(remind("email"))
    known.does("cart_updated")
    assert known.actions[0].customer_id == "ana"
