"""The law of the compiled side: a turn that it takes is the turn by the funnel, byte for byte; all others it leaves.

Seen failing with a wait started again that forgot its channel, with quiet hours that end an hour late, with a goal that
is reached late and kept as if it were not, with a float written as Python writes it, with a consent of the future,
with a yes of whoever reads at an address of before, with a no that took no message back, and with a trait that brought
its customer into a segment.
"""

from collections import Counter
from random import Random

import msgspec
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.compiled.turns import kinds_of, turns_of
from orchestrator.errors import EventError
from orchestrator.model import codec
from orchestrator.model.catalog import Catalog, Plans
from orchestrator.model.event import NOT_GIVEN, Event
from orchestrator.model.ids import profile_id_of
from orchestrator.runtime.turn import Meeting, Turned, on_event, on_meeting, on_timers
from shop.compiled import needs_compiled
from shop.plain import plain_story
from shop.sayings import saying
from shop.stories import LAW, Moment, Story, moments, stories
from shop.tales import DAY_MS, HOUR_MS, START_MS, Tale

NO_PLANS = Plans({}, lambda state, now_ms: None)
NOTHING = Turned("ignored", None, (), (), ())

pytestmark = needs_compiled


def by_compiled(turns, kinds, moment: Moment):
    """Take a turn on the compiled side; None where it leaves it."""
    event = moment.event
    if event is None:
        key = codec.decode(moment.before).profile_id.encode()
        return turns.on_timers(moment.before, key, moment.now_ms)
    if event.identifiers or event.customer_id is None or event.type not in kinds:
        return None
    properties = b"" if event.raw_properties is NOT_GIVEN else bytes(event.raw_properties)
    if event.decoded is not None:
        properties = orjson.dumps(event.decoded)
    key = profile_id_of("customer_id", event.customer_id).encode()
    return turns.on_event(
        event.type, event.id, event.time_ms, event.channel, event.customer_id,
        properties, moment.before, key, moment.now_ms,
    )  # fmt: skip


def by_funnel(catalog: Catalog, moment: Moment):
    catalog.plans = NO_PLANS
    if moment.event is None:
        return on_timers(catalog, moment.before, moment.now_ms)
    return on_event(catalog, moment.event, moment.before, moment.now_ms)


def assert_same(catalog: Catalog, turns, moment: Moment) -> str | None:
    """Compare both, where the compiled side takes the turn; say what it told."""
    came = by_compiled(turns, kinds_of(catalog), moment)
    if came is None:
        return None
    turned = by_funnel(catalog, moment)
    outcome, record, due_ms, decisions, actions, size = came
    assert outcome == turned.outcome
    assert [line for _, line in decisions] == [msgspec.json.encode(one) for one in turned.decisions]
    assert [line for _, line in actions] == [msgspec.json.encode(one) for one in turned.actions]
    assert record == turned.record
    assert due_ms == (0 if record is None else codec.due_of(record))
    assert size == sum(len(line) for _, line in [*decisions, *actions])
    assert not turned.failures
    said = [one.verdict for one in turned.decisions] + [one.kind for one in turned.actions]
    return " ".join(said) or outcome


def played(tale: Tale, happenings: int, came_to: Counter[str | None]) -> None:
    """Play a tale by the funnel, and each turn that the compiled side takes beside it."""
    catalogs = tale.catalogs()
    turns = [turns_of(catalog) for catalog in catalogs]
    record: bytes | None = None
    now_ms, published = START_MS, 0

    def come(moment: Moment) -> bytes | None:
        catalog, compiled = catalogs[published], turns[published]
        if compiled is not None:
            came_to[assert_same(catalog, compiled, moment)] += 1
        turned = by_funnel(catalog, moment)
        return None if turned.erased else turned.record or moment.before

    for number in range(happenings):
        until_ms = now_ms + tale.dice.choice([0, HOUR_MS // 2, HOUR_MS, 5 * HOUR_MS, DAY_MS, 2 * DAY_MS])
        while record is not None and 0 < (due_ms := codec.due_of(record)) < until_ms:
            record = come(Moment(None, due_ms, record, NOTHING))
        published = 1 - published if tale.dice.random() < 0.2 else published
        now_ms = until_ms
        record = come(Moment(tale.event(number, now_ms), now_ms, record, NOTHING))


def said(dice: Random, number: int, now_ms: int, messages=()) -> Event:
    """Tell something of the customer: now, late, ahead of time, or once more."""
    kind, properties = saying(dice, messages)
    at_ms = now_ms + dice.choice([0, 0, 0, -HOUR_MS, -20 * DAY_MS, 2 * DAY_MS])
    channel = dice.choice([None, None, None, "sms"])
    raw = b"null" if dice.random() < 0.02 else orjson.dumps(properties)
    raw_properties = NOT_GIVEN if dice.random() < 0.02 else msgspec.Raw(raw)
    name = f"s{number - (dice.random() < 0.05)}"
    return Event(name, kind, at_ms, "ana", channel=channel, raw_properties=raw_properties)


def heard(catalog: Catalog, turns, moment: Moment, came_to: Counter[str | None]) -> bytes | None:
    """Let a saying be heard, by the compiled side and by the funnel; what the funnel refuses is left to it."""
    unread = Moment(msgspec.structs.replace(moment.event), moment.now_ms, moment.before, NOTHING)
    try:
        record = by_funnel(catalog, moment).record or moment.before
    except EventError:
        assert turns is None or by_compiled(turns, kinds_of(catalog), unread) is None
        return moment.before
    if turns is not None:
        came_to[assert_same(catalog, turns, unread)] += 1
    return record


def told_besides(told: Story, dice: Random, came_to: Counter[str | None]) -> None:
    """Play a story, with many a saying before it begins and between its turns, and now and then another life."""
    customer = told.customer()
    catalog, turns = customer.catalog, turns_of(customer.catalog)
    known, customer.record = customer.record, None
    number, often = 0, dice.choice([(0, 0, 0, 1), (0, 1, 1, 2, 4)])

    def say(now_ms: int) -> None:
        nonlocal number
        messages = [one for one in customer.actions if one.kind == "message"]
        for _ in range(dice.choice(often)):
            number += 1
            event = said(dice, number, now_ms, messages[-3:])
            customer.record = heard(catalog, turns, Moment(event, now_ms, customer.record, NOTHING), came_to)

    say(customer.start_ms)
    if dice.random() < 0.8:
        customer.record = known
    for moment in moments(told, customer):
        if turns is not None:
            assert_same(catalog, turns, moment)
        say(moment.now_ms)
        if dice.random() < 0.03:
            life, customer.record = customer.record, None
            say(moment.now_ms)
            event = Event(f"m{number}", "", moment.now_ms, "ana")
            lives = [each for each in (customer.record,) if each is not None]
            customer.record = life
            name = profile_id_of("customer_id", "ana")
            merged = on_meeting(catalog, event, name, life, Meeting(lives, ()), moment.now_ms)
            customer.record = merged.record or life


def told_of_the_past(tale: Tale, happenings: int, came_to: Counter[str | None]) -> None:
    """Play a tale in which more is said than done."""
    catalog = tale.catalogs()[0]
    turns, record, now_ms = turns_of(catalog), None, START_MS
    for number in range(happenings):
        now_ms += tale.dice.choice([0, HOUR_MS // 2, HOUR_MS, 5 * HOUR_MS])
        while record is not None and 0 < (due_ms := codec.due_of(record)) < now_ms:
            turned = by_funnel(catalog, Moment(None, due_ms, record, NOTHING))
            record = None if turned.erased else turned.record or record
        event = tale.event(number, now_ms) if tale.dice.random() < 0.3 else said(tale.dice, number, now_ms)
        record = heard(catalog, turns, Moment(event, now_ms, record, NOTHING), came_to)


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1))
def test_it_is_whatever_is_asked_of_the_past(seed):
    played(Tale(seed), 60, Counter())


@LAW
@given(stories() | st.builds(plain_story, st.integers(0, 2**32 - 1), st.integers(10, 40)), st.integers(0, 2**32 - 1))
def test_it_is_whatever_is_said_of_the_customer(story, seed):
    told_besides(story, Random(seed), Counter())


@LAW
@given(st.integers(0, 2**32 - 1))
def test_it_is_whatever_is_said_where_somebody_asks_for_the_past(seed):
    told_of_the_past(Tale(seed), 60, Counter())


def test_the_compiled_side_takes_most_of_what_is_said_of_a_customer():
    came_to: Counter[str | None] = Counter()
    for seed in range(40):
        told_besides(plain_story(seed, 20), Random(seed), came_to)
    assert came_to["applied"] > came_to[None]
    assert came_to["duplicate"]
    came_to.clear()
    for seed in range(60):
        told_of_the_past(Tale(seed), 60, came_to)
    assert came_to["applied"]


def test_the_compiled_side_takes_turns_that_change_nothing_of_the_past():
    came_to: Counter[str | None] = Counter()
    for seed in range(60):
        played(Tale(seed), 60, came_to)
    assert {"entered waited", "not_entered", "resumed exited", "resumed sent waited message", "exited"} <= set(came_to)


def counted(turns) -> tuple[Counter, Counter]:
    decided, asked, _ = turns.take_counts()
    return Counter(dict(decided)), Counter(asked)


@LAW
@given(stories() | st.builds(plain_story, st.integers(0, 2**32 - 1), st.integers(10, 40), st.sampled_from([0.0, 0.2])))
def test_a_compiled_turn_is_the_turn_by_the_funnel(story):
    customer = story.customer()
    turns = turns_of(customer.catalog)
    if turns is None:  # a random journey asks for somebody's past
        return
    for moment in moments(story, customer):
        assert_same(customer.catalog, turns, moment)


def test_the_compiled_side_takes_most_of_what_happens_in_plain_journeys_and_counts_it():
    came_to: Counter[str | None] = Counter()
    for seed in range(300):
        told = plain_story(seed, 40)
        customer = told.customer()
        turns, decided, asked = turns_of(customer.catalog), Counter(), Counter()
        for moment in moments(told, customer):
            said = assert_same(customer.catalog, turns, moment)
            came_to[said] += moment.event is None or moment.event.type in kinds_of(customer.catalog)
            if said is not None:
                decided.update((one.journey, one.verdict, one.reason) for one in moment.turned.decisions)
                asked.update((one.journey, one.channel or "") for one in moment.turned.actions)
        assert counted(turns) == (decided, asked)
    left = came_to.pop(None)
    assert came_to.total() > 2 * left
    assert set(came_to) >= {
        "ignored",
        "entered waited",
        "not_entered",
        "waited not_entered",
        "converted",
        "converted exited",
        "exited",
        "converted exited cancel",
        "resumed exited",
        "resumed waited",
        "resumed sent waited message",
        "resumed sent exited message",
        "resumed held",
        "resumed suppressed waited",
        "sent waited message",
        "resumed branched sent waited message",
    }
