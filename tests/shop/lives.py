"""Lives: random states of one customer, as records of many turns would hold them, for the laws of merging.

Owns the strategy; every part of a state occurs, and small ranges make lives collide.
"""

from typing import Any

from hypothesis import strategies as st

from orchestrator.model.catalog import Catalog
from orchestrator.model.journey import Again, Journey
from orchestrator.model.profile import Consent, Profile
from orchestrator.model.state import Case, Ended, Entry, Purchase, Purchases, Sent, State
from shop.projects import project

INSTANTS = st.integers(1, 9)
NAMES = st.sampled_from(["a", "b", "c"])
CHANNELS = st.sampled_from(["email", "push"])
PURPOSES = st.sampled_from(["marketing", "news"])
JOURNEYS = st.sampled_from(["cart", "welcome", "always"])


def shop_of() -> Catalog:
    """Give a catalog in which one journey may be entered several times at once."""
    again = Journey("always", 1, None, {}, (), again=Again("always"))
    return Catalog(project(), [Journey("cart", 1, None, {}, ()), Journey("welcome", 1, None, {}, ()), again])


def _maybe(strategy: Any) -> Any:
    return st.none() | strategy


CONSENTS = st.builds(
    Consent,
    channel=_maybe(CHANNELS),
    purpose=_maybe(PURPOSES),
    granted=st.booleans(),
    confirmed=st.booleans(),
    at_ms=INSTANTS,
)


@st.composite
def profiles(draw: Any) -> Profile:
    traits = draw(st.dictionaries(NAMES, st.integers(1, 3), max_size=3))
    groups = draw(st.dictionaries(NAMES, st.fixed_dictionaries({"size": st.integers(1, 2)}), max_size=2))
    said = {name: draw(INSTANTS) for name in draw(st.sets(NAMES)) | traits.keys()}
    if groups:
        traits["groups"] = groups
        said |= {f"groups.{name}": draw(INSTANTS) for name in groups}
    identifiers = draw(st.dictionaries(st.sampled_from(["email", "cookie"]), st.lists(NAMES, unique=True), max_size=2))
    identified = {kind: [draw(INSTANTS) for _ in values] for kind, values in identifiers.items()}
    customer_id = draw(_maybe(NAMES))
    if customer_id is not None and (further := draw(st.sets(NAMES)) - {customer_id}):
        identifiers["customer_id"], identified["customer_id"] = sorted(further), [0] * len(further)
    return Profile(
        id="profile",
        customer_id=customer_id,
        identifiers=identifiers,
        identified_ms=identified,
        traits=traits,
        said_ms=said,
        consents=draw(st.lists(CONSENTS, max_size=3)),
        prefers=draw(st.lists(CHANNELS, unique=True, max_size=2)),
        prefers_ms=draw(INSTANTS),
        unreachable=draw(st.dictionaries(CHANNELS, NAMES, max_size=2)),
        last_seen_ms=draw(st.dictionaries(CHANNELS, INSTANTS, max_size=2)),
        first_seen_ms=draw(st.integers(0, 9)),
        quiet_hours=draw(st.lists(st.fixed_dictionaries({"from": NAMES}), max_size=1)),
        quiet_hours_ms=draw(INSTANTS),
        wrote_ms=draw(st.dictionaries(CHANNELS, INSTANTS, max_size=2)),
    )


@st.composite
def lives(draw: Any) -> State:
    """Draw a life. An id stands for one thing wherever it turns up, as ids that are derived do."""
    numbers = draw(st.lists(st.integers(0, 30), unique=True, max_size=5))
    entries = [_entry(number) for number in numbers]
    entries.sort(key=lambda entry: (entry.entered_ms, entry.id))
    unique = {(entry.journey, entry.key) if entry.journey != "always" else entry.id: entry for entry in entries}
    sent = [_sent(number) for number in draw(st.lists(st.integers(0, 9), unique=True, max_size=5))]
    ended = [_ended(number) for number in draw(st.lists(st.integers(0, 40), unique=True, max_size=25))]
    state = State(
        draw(profiles()),
        list(unique.values()),
        exits=draw(st.dictionaries(JOURNEYS, st.dictionaries(NAMES, INSTANTS, max_size=2), max_size=2)),
        ended=ended,
        sent=sent,
        seen=b"".join(draw(st.lists(st.integers(0, 30).map(lambda n: n.to_bytes(8, "big")), unique=True, max_size=9))),
        cases=[Case(f"case-{n}", n, [f"purpose-{n}"]) for n in draw(st.lists(st.integers(0, 5), unique=True))],
    )
    state.history.draws = draw(st.dictionaries(NAMES, st.tuples(st.floats(0, 99), INSTANTS), max_size=3))
    if draw(st.booleans()):
        state.past.counts = {"order_placed": sorted(draw(st.lists(INSTANTS, max_size=4)))}
        state.past.members = draw(st.dictionaries(NAMES, st.booleans(), max_size=2))
        state.past.due = draw(st.dictionaries(NAMES, INSTANTS, max_size=2))
    if draw(st.booleans()):
        state.past.purchases = _purchases(draw(st.lists(st.integers(0, 12), unique=True, min_size=1, max_size=6)))
    state.history.refused = draw(st.lists(NAMES, unique=True, max_size=3))
    return state


def _entry(number: int) -> Entry:
    journey, key = ("cart", "welcome", "always")[number % 3], (None, "k1")[number % 2]
    return Entry(f"entry-{number}", journey, 1, key, number % 4, "wait", due_ms=number + 1, messages=number % 5)


def _purchases(numbers: list[int]) -> Purchases:
    """Buy these things, each at its own instant; several at one."""
    lately = sorted(
        Purchase(number % 5, b"order-%02d" % number, ("", "EUR")[number % 2], number * 0.25) for number in numbers
    )
    spent: dict[str, float] = {}
    for bought in lately:
        spent[bought.currency] = spent.get(bought.currency, 0.0) + bought.value
    last = max(lately, key=lambda bought: (bought.at_ms, bought.currency))
    return Purchases(len(lately), last.at_ms, last.currency, spent, lately)


def _sent(number: int) -> Sent:
    return Sent(f"action-{number}", number % 4, "cart", f"entry-{number}", "remind", "hello", "email", "marketing")


def _ended(number: int) -> Ended:
    return Ended(f"ended-{number}", "cart", 1, None, number % 7, 100 + number)
