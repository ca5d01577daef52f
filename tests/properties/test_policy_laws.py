"""The laws of policies, recounted from what left and from what the customer had said, over random stories.

Each was seen failing once with the code broken on purpose.
"""

from hypothesis import given, settings

from orchestrator.model import instants
from orchestrator.model.effects import Action
from shop import Customer
from shop.lengths import ms
from shop.stories import LAW, Moment, Story, moments, stories


def played(story: Story) -> tuple[Customer, list[Moment]]:
    customer = story.customer()
    return customer, list(moments(story, customer))


def messages_of(customer: Customer) -> list[Action]:
    return [action for action in customer.actions if action.kind == "message"]


@LAW
@given(stories())
def test_nothing_is_sent_without_an_allowing_decision_at_that_instant(story):
    _, turns = played(story)
    for turn in turns:
        allowed = [
            (one.action_id, one.entry_id, one.step, one.at, one.saw["channel"], one.saw["purpose"])
            for one in turn.turned.decisions
            if (one.verdict, one.reason) == ("sent", "allowed")
        ]
        left = [
            (action.id, action.entry_id, action.step, action.at, action.channel, action.purpose)
            for action in turn.turned.actions
            if action.kind == "message"
        ]
        assert left == allowed
        assert {at for _, _, _, at, _, _ in left} <= {instants.to_text(turn.now_ms)}


# Of these many are messages that a cap has to stop: a thousand such stories, each with journeys of its own.
TALKATIVE = ("send", "send", "send", "send", "wait", "repeat", "choose")


@settings(LAW, max_examples=1_000)
@given(stories(TALKATIVE).filter(lambda story: any(purpose.caps for purpose in story.project.purposes.values())))
def test_caps_are_never_breached(story):
    customer, _ = played(story)
    messages = messages_of(customer)
    purposes = story.project.purposes
    for last, message in enumerate(messages):
        now_ms = instants.parse(message.at)
        for cap in purposes[message.purpose].caps:
            if cap.channel not in (None, message.channel):
                continue
            counted = [
                other
                for other in messages[: last + 1]
                if now_ms - cap.per_ms < instants.parse(other.at) <= now_ms
                and cap.channel in (None, other.channel)
                and (other.purpose == message.purpose or (cap.is_shared and purposes[other.purpose].has_policies))
            ]
            assert len(counted) <= cap.at_most, (cap, [other.at for other in counted])


def statements(turns: list[Moment], customer: Customer) -> list[tuple[int, str | None, str | None, bool, bool]]:
    """List what the customer said: (turn, channel, purpose, granted, confirmed); they agreed before the story."""
    said: list[tuple[int, str | None, str | None, bool, bool]] = [(-1, None, None, True, True)]
    sent = {action.id: action for action in messages_of(customer)}
    for number, turn in enumerate(turns):
        if turn.event is None:
            continue
        properties = turn.event.properties
        if turn.event.type == "consent_changed":
            about = (properties["channel"], properties["purpose"])
            said.append((number, *about, properties["granted"], properties["confirmed"]))
        elif turn.event.type == "message_unsubscribed" and properties.get("action_id") in sent:
            action = sent[properties["action_id"]]
            said.append((number, action.channel, action.purpose, False, False))
    return said


@LAW
@given(stories())
def test_nothing_is_sent_without_the_consent_that_its_purpose_asks_for(story):
    customer, turns = played(story)
    said = statements(turns, customer)
    for number, turn in enumerate(turns):
        for action in turn.turned.actions:
            if action.kind != "message":
                continue
            latest = [
                (granted, confirmed)
                for at, channel, purpose, granted, confirmed in said
                if at <= number and channel in (None, action.channel) and purpose in (None, action.purpose)
            ][-1]
            allowed = {
                "none": True,
                "opt_out": latest[0],
                "opt_in": latest[0],
                "double_opt_in": latest == (True, True),
            }
            assert allowed[story.project.purposes[action.purpose].consent]


@LAW
@given(stories())
def test_nothing_is_sent_to_an_address_that_is_gone_or_has_bounced(story):
    customer, turns = played(story)
    address: str | None = "ana@shop.example"
    bounced = None
    sent = {action.id: action for action in messages_of(customer)}
    for turn in turns:
        event = turn.event
        if event is not None and event.type == "profile_updated":
            address = event.properties["email"]
        if event is not None and event.type == "message_bounced":
            action = sent.get(event.properties.get("action_id"))
            bounced = action.to if action is not None and action.channel == "email" else bounced
        for action in turn.turned.actions:
            if action.channel == "email":
                assert action.to == address != bounced


@LAW
@given(stories())
def test_nothing_is_sent_in_quiet_hours(story):
    customer, _ = played(story)
    for action in messages_of(customer):
        minute = instants.parse(action.at) // ms("1m") % (24 * 60)
        for window in story.project.purposes[action.purpose].quiet_hours:
            if window.channel not in (None, action.channel):
                continue
            over_midnight = window.to_minute <= window.from_minute
            inside = minute >= window.from_minute, minute < window.to_minute
            assert not (any(inside) if over_midnight else all(inside))


@LAW
@given(stories())
def test_nothing_is_sent_that_has_expired(story):
    customer, _ = played(story)
    assert [action for action in customer.actions if action.expires_at and action.expires_at <= action.at] == []


@LAW
@given(stories())
def test_who_is_held_out_of_a_journey_never_hears_of_it(story):
    customer, _ = played(story)
    held_out = {(one.journey, one.saw["purpose"] == "service") for one in customer.decisions if one.reason == "holdout"}
    heard = {(action.journey, action.purpose == "service") for action in messages_of(customer)}
    assert held_out & heard == set()


@LAW
@given(stories())
def test_the_universal_holdout_holds_out_of_every_journey(story):
    customer, _ = played(story)
    own = {journey.id for journey in story.journeys if journey.holdout_percent}
    universal = any(one.reason == "holdout" and one.journey not in own for one in customer.decisions)
    assert not universal or {action.purpose for action in messages_of(customer)} <= {"service"}


@LAW
@given(stories())
def test_an_entry_that_has_ended_does_nothing_more_but_convert(story):
    customer, _ = played(story)
    ended: set[str | None] = set()
    for one in customer.decisions:
        if one.entry_id in ended:
            assert one.verdict == "converted"
        if one.verdict == "exited":
            ended.add(one.entry_id)


@LAW
@given(stories())
def test_an_entry_converts_at_most_once(story):
    customer, _ = played(story)
    converted = [one.entry_id for one in customer.decisions if one.verdict == "converted"]
    assert len(set(converted)) == len(converted)
