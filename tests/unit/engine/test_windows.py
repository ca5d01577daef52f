"""WhatsApp's customer-service window: a text within 24 hours of what the customer wrote, a template after."""

import pytest

from orchestrator.model.project import Channel
from shop import Customer, journey, message, project, purpose, quiet, send, wait
from shop.expressions import trait

WHATSAPP = Channel("whatsapp", trait("phone"))
REPLY = message("reply", "whatsapp", "email", only_text={"whatsapp": ("es", "en")})
# With a template in English only.
HALF = message("half", "whatsapp", "email", languages=("es", "en"), only_text={"whatsapp": ("es",)})
NIGHT = quiet("22:00", "08:00")


def shop(*purposes):
    return project(*purposes, channels=(WHATSAPP,), messages=(REPLY, HALF))


def writing(id="reply", *channels, purposes=(), **fields):
    flow = journey(send("say", id, *(channels or ("whatsapp", "email"))), wait("calm", "9d"), again="always")
    return Customer(flow, project=shop(*purposes), **fields)


def test_a_text_goes_while_the_window_is_open_and_says_until_when():
    ana = writing()
    ana.does("message_received", "0m", channel="whatsapp", text="¿Y mi pedido?")
    ana.does("cart_updated", "1h")
    assert ana.messages == [("reply", "whatsapp", "1h")]
    assert ana.actions[0].window_until == "2026-01-06T10:00:00.000Z"


@pytest.mark.parametrize(("at", "channel"), [("23h59m59s", "whatsapp"), ("24h", "email")])
def test_the_window_is_24_hours_to_the_second(at, channel):
    ana = writing()
    ana.does("message_received", "0m", channel="whatsapp")
    ana.does("cart_updated", at)
    assert [(one.message, one.channel) for one in ana.actions] == [("reply", channel)]


def test_outside_of_it_the_next_channel_is_tried_and_the_reason_is_on_record():
    ana = writing()
    ana.does("cart_updated")
    assert ana.withheld == [("say", "whatsapp", "window_closed")]
    assert ana.messages == [("reply", "email", "0m")]
    assert ana.actions[0].window_until is None


def test_a_template_goes_at_any_time():
    spanish, english = (
        writing("half"),
        writing("half", profile={"phone": "+1", "email": "a@b.example", "language": "en"}),
    )
    for ana in (spanish, english):
        ana.does("cart_updated")
    assert [ana.actions[0].channel for ana in (spanish, english)] == ["email", "whatsapp"]


@pytest.mark.parametrize(
    "properties",
    [{"channel": "sms"}, {"channel": "instagram"}, {}],
)
def test_what_comes_by_another_channel_opens_no_window(properties):
    ana = writing()
    ana.does("message_received", "0m", **properties)
    ana.does("page_viewed", "1m", channel="whatsapp")
    ana.does("cart_updated", "2m")
    assert ana.withheld == [("say", "whatsapp", "window_closed")]


def test_the_channel_may_stand_among_the_properties():
    ana = writing()
    ana.take(ana.event("message_received", "0m", properties={"channel": "whatsapp", "text": "¿Y mi pedido?"}))
    ana.does("cart_updated", "1h")
    assert ana.messages == [("reply", "whatsapp", "1h")]


def test_an_older_message_that_arrives_late_closes_nothing():
    ana = writing()
    ana.does("message_received", "2h", channel="whatsapp")
    ana.take(ana.event("message_received", "1h", channel="whatsapp"))
    ana.does("cart_updated", "25h")
    assert ana.actions[0].channel == "whatsapp"


def test_consent_comes_before_the_window_and_the_window_before_caps():
    nobody = writing(consents=())
    nobody.does("cart_updated")
    assert nobody.withheld[0] == ("say", "whatsapp", "no_consent")
    capped = writing(purposes=(purpose("marketing", caps=((0, "1d"),)),))
    capped.does("cart_updated")
    assert [reason for _, _, reason in capped.withheld] == ["window_closed", "cap_reached"]


def test_a_message_that_is_held_over_night_is_asked_again_in_the_morning():
    ana = writing("reply", "whatsapp", purposes=(purpose("marketing", quiet_hours=(NIGHT,)),), start="2026-01-05T07:00")
    ana.does("message_received", "0m", channel="whatsapp")
    ana.does("cart_updated", "16h")
    ana.until("2d")
    assert ana.withheld == [("say", "whatsapp", "quiet_hours"), ("say", "whatsapp", "window_closed")]
    assert ana.messages == []


def test_a_window_that_closes_on_the_way_moves_on_to_the_next_channel_and_counts_for_no_cap():
    ana = writing(purposes=(purpose("marketing", caps=((1, "1d"),)),))
    ana.does("message_received", "0m", channel="whatsapp")
    ana.does("cart_updated", "1h")
    failed = {"action_id": ana.actions[0].id, "reason": "window_closed"}
    ana.does("message_failed", "25h", **failed)
    ana.does("message_failed", "26h", **failed)
    assert ana.messages == [("reply", "whatsapp", "1h"), ("reply", "email", "1d1h")]
    assert ana.withheld == [("say", "whatsapp", "window_closed")]
    (entry,) = ana.state.entries
    assert entry.results["say"].channel == "email"


def test_where_there_is_no_such_channel_what_customers_write_is_nobodys_business():
    ana = Customer(journey(send("say", "hello", "email")))
    ana.does("message_received", "0m", channel="whatsapp")
    assert ana.state.profile.wrote_ms == {}
