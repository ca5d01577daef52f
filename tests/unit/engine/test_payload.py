"""Actions: what a message carries to delivery, and in which language."""

import pytest

from shop import (
    EMAIL_ONLY,
    KEEPS_ALL,
    Customer,
    const,
    entry_field,
    journey,
    message,
    on,
    project,
    repeat,
    send,
    trait,
    wait,
    wait_for,
)


def carried(*paths, nodes=(), events=(), profile=None, **properties):
    """Send a message whose template names these paths; gives the data that the action carries."""
    reads = {"email": tuple(tuple(path.split(".")) for path in paths)}
    shop = project(messages=(message("cart-reminder", "email", reads=reads),))
    ana = Customer(journey(*nodes, send("remind", "cart-reminder", "email")), project=shop, profile=profile)
    ana.does("cart_updated", channel="web", **properties)
    for type, at, fields in events:
        ana.does(type, at, **fields)
    ana.until("30d")
    return ana.actions[-1].data


def test_an_action_says_everything_that_delivery_needs():
    ana = Customer(journey(send("remind", "cart-reminder", "email", expires="12h"), version=3), profile=EMAIL_ONLY)
    ana.does("cart_updated")
    (action,) = ana.actions
    entered, sent, _ = ana.decisions
    assert (action.kind, action.journey, action.version, action.step) == ("message", "cart", 3, "remind")
    assert (action.channel, action.message, action.purpose) == ("email", "cart-reminder", "marketing")
    assert (action.profile_id, action.customer_id, action.entry_id) == (sent.profile_id, "ana", entered.entry_id)
    assert (action.to, action.language) == ("ana@shop.example", "es")
    assert (action.at, action.expires_at, action.stale_after) == (
        "2026-01-05T10:00:00.000Z",
        "2026-01-05T22:00:00.000Z",
        None,
    )
    assert (action.quiet, action.data, sent.action_id) == (None, {}, action.id)


def test_a_message_without_expires_goes_stale_after_a_day():
    ana = Customer(journey(send("remind", "cart-reminder", "email")))
    ana.does("cart_updated")
    assert (ana.actions[0].expires_at, ana.actions[0].stale_after) == (None, "1d")


@pytest.mark.parametrize(
    ("language", "chosen"),
    [
        ("es-MX", "es"),
        ("es", "es"),
        ("en", "en"),
        ("en-GB", "en"),
        ("fr", "es"),
        (None, "es"),
        (7, "es"),
        # As devices write them, and programs that shout.
        ("en_GB", "en"),
        ("en_US_POSIX", "en"),
        ("EN", "en"),
        ("_", "es"),
    ],
)
def test_languages_fall_back_from_region_to_language_to_the_projects_first(language, chosen):
    shop = project(messages=(message("cart-reminder", languages=("es", "en")),))
    ana = Customer(
        journey(send("r", "cart-reminder", "email")), project=shop, profile={**EMAIL_ONLY, "language": language}
    )
    ana.does("cart_updated")
    assert ana.actions[0].language == chosen


@pytest.mark.parametrize("language", ["es-MX", "es_MX", "es-mx"])
def test_a_message_in_the_customers_own_region_wins(language):
    shop = project(messages=(message("cart-reminder", languages=("es", "es-MX")),))
    ana = Customer(
        journey(send("r", "cart-reminder", "email")), project=shop, profile={**EMAIL_ONLY, "language": language}
    )
    ana.does("cart_updated")
    assert ana.actions[0].language == "es-MX"


def test_data_holds_what_the_template_names_nested_as_it_names_it_and_no_more():
    profile = {**EMAIL_ONLY, "name": "Ana", "address": {"city": "Jaca", "zip": "22700"}, "secret": "x"}
    data = carried("profile.name", "profile.address.city", "entry.total", profile=profile, total=40, other=1)
    assert data == {"profile": {"name": "Ana", "address": {"city": "Jaca"}}, "entry": {"total": 40}}


def test_what_is_missing_is_left_out():
    data = carried(
        "profile.nothing", "profile.email.inside", "entry.x.y", "steps.gone.status", "brand", profile=EMAIL_ONLY
    )
    assert data == {}


def test_a_path_inside_another_that_is_named_as_a_whole_changes_nothing():
    profile = {**EMAIL_ONLY, "address": {"city": "Jaca", "zip": "22700"}}
    whole = {"profile": {"address": {"city": "Jaca", "zip": "22700"}}}
    assert carried("profile.address", "profile.address.city", profile=profile) == whole
    assert carried("profile.address.city", "profile.address", profile=profile) == whole
    assert carried("profile.name", "profile.name.first", profile={**EMAIL_ONLY, "name": "Ana"}) == {
        "profile": {"name": "Ana"}
    }


def test_the_last_event_of_the_entry_can_be_named():
    data = carried("event.type", "event.channel", "event.time", "event.properties.total", total=40)
    assert data == {
        "event": {
            "type": "cart_updated",
            "channel": "web",
            "time": "2026-01-05T10:00:00.000Z",
            "properties": {"total": 40},
        }
    }


def test_results_of_steps_can_be_named():
    nodes = (
        send("say", "hello", "email"),
        wait_for("my-answer", ("yes", on("rated"), []), within="1d", kept=KEEPS_ALL),
    )
    paths = (
        "steps.say.status",
        "steps.say.channel",
        "steps.my_answer.name",
        "steps.my_answer.event.properties.score",
        "steps.my_answer.event.type",
    )
    data = carried(*paths, nodes=nodes, events=[("rated", "1h", {"score": 5})])
    assert data == {
        "steps": {
            "say": {"status": "sent", "channel": "email"},
            "my_answer": {"name": "yes", "event": {"properties": {"score": 5}, "type": "rated"}},
        }
    }


def test_all_events_of_a_step_can_be_named_for_digests():
    nodes = (wait("settle", "1h", restart_on=["cart_updated"], kept=KEEPS_ALL),)
    data = carried("steps.settle.events", nodes=nodes, events=[("cart_updated", "5m", {"total": 50})], total=40)
    assert [event["properties"] for event in data["steps"]["settle"]["events"]] == [{"total": 40}, {"total": 50}]


def test_the_event_of_a_step_that_took_none_is_left_out():
    nodes = (wait_for("answer", on("rated"), within="1h", kept=KEEPS_ALL),)
    assert carried("steps.answer.event.type", nodes=nodes) == {}


def test_the_authors_own_data_are_values_of_the_moment():
    flow = journey(
        send("remind", "cart-reminder", "email", code=const("X1"), total=entry_field("total"), none=trait("gone"))
    )
    ana = Customer(flow)
    ana.does("cart_updated", total=40)
    assert ana.actions[0].data == {"data": {"code": "X1", "total": 40, "none": None}}


def test_every_visit_of_a_send_has_an_id_of_its_own_and_a_held_message_keeps_its_own():
    ana = Customer(journey(repeat("daily", send("say", "hello", "email"), every="1d", at_most=3), again="always"))
    ana.does("cart_updated")
    ana.does("cart_updated", "1h")
    ana.until("9d")
    assert len({action.id for action in ana.actions}) == len(ana.actions) == 6
