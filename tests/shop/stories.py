"""Stories: random journeys, a random stream of what one customer does, and the turns that follow.

Owns the strategy that laws of the engine are tested with. Journeys are valid as the language's compiler would make
them: every wait has a way out, ids are unique, a key is a property that some events carry and some do not.

A story is written from a seed and two sizes: drawn step by step, most stories were about nothing. Hypothesis does not
shrink it, as another seed is another story; it says `story(seed, journeys, happenings)`, and smaller sizes are shorter
beginnings of the same story.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st

from orchestrator.model import codec
from orchestrator.model.event import Event
from orchestrator.model.expression import Expression
from orchestrator.model.journey import Journey, Trigger
from orchestrator.model.project import Cap, Project
from orchestrator.runtime.turn import Turned
from shop import journeys as steps
from shop.customers import Customer
from shop.expressions import FAILS, const, prop, says, trait
from shop.journeys import KEEPS_ALL, KEEPS_NOTHING, Node, exits, goal, on
from shop.lengths import ms
from shop.projects import project, purpose, quiet
from shop.reminders import NIGHT

LENGTHS = ("1m", "20m", "30m", "1h", "5h", "1d", "3d")
EVENTS = ("come", "come", "ping", "pong", "pong", "ordered")
PURPOSES = ("marketing", "news", "tips", "service")
CHANNELS = ("email", "push", "sms")
RECEIPTS = (
    "message_delivered", "message_opened", "message_clicked", "message_clicked", "message_bounced", "message_bounced",
    "message_unsubscribed",
)  # fmt: skip
VERBS = (
    "wait", "wait", "send", "send", "send", "send", "wait_for", "wait_for", "wait_until", "repeat", "repeat", "choose",
    "split", "set", "emit", "leave",
)  # fmt: skip
# What moves only the entry itself: nobody else can tell that it was there.
QUIET_VERBS = ("wait", "wait_for", "choose", "split", "repeat")
# For every law: without shrinking, which would tell a thousand other stories.
LAW = settings(max_examples=50, phases=[Phase.explicit, Phase.reuse, Phase.generate])
MOST_JOURNEYS, FEWEST_HAPPENINGS, MOST_HAPPENINGS = 3, 10, 40


@dataclass(frozen=True)
class Happening:
    """Something the customer does, `after` the one before; a receipt is about one of the actions so far."""

    after: str
    type: str
    properties: dict[str, Any]
    channel: str | None = None
    about: int | None = None


@dataclass(frozen=True)
class Story:
    seed: int
    journeys: tuple[Journey, ...]
    project: Project
    happenings: tuple[Happening, ...]

    def __repr__(self) -> str:
        return f"story({self.seed}, {len(self.journeys)}, {len(self.happenings)})"

    def customer(self, name: str = "ana", made: type[Customer] = Customer) -> Customer:
        profile = {"email": "ana@shop.example", "device_token": ["t1", "t2"], "birthday": "1996-02-29"}
        agreed = {"granted": True, "confirmed": True}
        return made(*self.journeys, project=self.project, profile=profile, name=name, consents=(agreed,))


@dataclass(frozen=True)
class Moment:
    """One turn of a story: what it was about (None for a timer), the record before it, and what came of it."""

    event: Event | None
    now_ms: int
    before: bytes | None
    turned: Turned


def stories(verbs: tuple[str, ...] = VERBS) -> st.SearchStrategy[Story]:
    seeds, journeys = st.integers(0, 2**32 - 1), st.integers(1, MOST_JOURNEYS)
    return st.builds(story, seeds, journeys, st.integers(FEWEST_HAPPENINGS, MOST_HAPPENINGS), st.just(verbs))


def story(seed: int, journeys: int, happenings: int, verbs: tuple[str, ...] = VERBS) -> Story:
    """Write the story of a seed; the shorter one is the beginning of the longer one."""
    flows = tuple(random_journey(seed, id, verbs) for id in ("cart", "birthday", "welcome")[:journeys])
    dice = Random(f"{seed} happenings")
    return Story(seed, flows, _project(Random(f"{seed} project")), tuple(_happening(dice) for _ in range(happenings)))


def random_journey(seed: int, id: str, verbs: tuple[str, ...] = VERBS, *, backwards: bool = False) -> Journey:
    writer = _Writer(Random(f"{seed} {id}"), verbs)
    dice = writer.dice
    nodes = writer.nodes(0)
    rules = dice.sample(["ordered", "pong", "message_clicked"], dice.randrange(3))
    goals = dice.choice([(), (("ordered", None, True),), (("ordered", "3d", True),), (("pong", "1d", False),)])
    echoes = dice.choice([(), (on("echo"),)])
    return steps.journey(
        *(reversed(nodes) if backwards else nodes),
        id=id,
        enter=[on("come", where=dice.choice([None, None, at_least(2)])), *echoes],
        exits=[exits(event, where=dice.choice([None, at_least(3)])) for event in rules],
        goals=[goal(event, within=within, ends=ends) for event, within, ends in goals],
        key=dice.choice([None, None, "k"]),
        # Journeys that emit what they enter by would go on for ever, a hundred entries at a time.
        again=dice.choice(["once", "3d"] if echoes else ["once", "after_exit", "always", "1d"]),
        priority=dice.choice([10, 50, 90]),
        holdout_percent=dice.choice([0.0, 0.0, 0.0, 50.0]),
        reads_receipts=dice.random() < 0.5,
    )


def at_least(number: int) -> Expression:
    text = f"(n := properties.get('n')).__class__ in NUMBERS and n >= {number}"
    return prop("n", lambda n: n.__class__ in (int, float) and n >= number, text)


class _Writer:
    """Writes the steps of one journey; no two have the same id."""

    def __init__(self, dice: Random, verbs: tuple[str, ...]) -> None:
        self.dice = dice
        self.verbs = verbs
        self.count = 0

    def nodes(self, depth: int) -> list[Node]:
        count = self.dice.randrange(3) if depth else self.dice.randrange(2, 6)
        return [self.node(depth) for _ in range(count)]

    def node(self, depth: int) -> Node:
        verb = self.dice.choice(self.verbs)
        if depth >= 3 and verb in ("choose", "split", "repeat", "wait_for"):
            verb = "wait"
        self.count += 1
        written: Node = getattr(self, f"_{verb}")(f"{verb.replace('_', '-')}-{self.count}", depth)
        return written

    def length(self) -> str:
        return self.dice.choice(LENGTHS)

    def condition(self) -> Expression | None:
        return self.dice.choice(
            [None, at_least(self.dice.randrange(6)), says("tier", self.dice.choice(["gold", "tin"]))]
        )

    def value(self) -> Expression:
        return self.dice.choice([const("gold"), const("tin"), const(4), trait("nothing"), prop("n")])

    def trigger(self) -> Trigger:
        return on(
            self.dice.choice(["ping", "ping", "pong", "pong", "come", "echo"]),
            where=self.dice.choice([None, at_least(3)]),
        )

    def _wait(self, id: str, depth: int) -> Node:
        restart_on = self.dice.choice([(), ("come",), ("ping", "message_clicked")])
        return steps.wait(id, self.length(), restart_on=restart_on, kept=self.dice.choice([KEEPS_NOTHING, KEEPS_ALL]))

    def _wait_until(self, id: str, depth: int) -> Node:
        ways: list[dict[str, Any]] = [
            {"time": "09:00"},
            {"time": "00:00", "weekdays": (1, 3)},
            {"date": trait("birthday"), "yearly": True},
            {"date": const("2026-01-08"), "time": "09:00"},
        ]
        return steps.wait_until(id, **self.dice.choice(ways))

    def _wait_for(self, id: str, depth: int) -> Node:
        names = self.dice.choice([("only",), ("one", "two")])
        ways = [(name, self.trigger(), self.nodes(depth + 1)) for name in names]
        return steps.wait_for(id, *ways, within=self.length(), on_timeout=self.nodes(depth + 1), kept=KEEPS_ALL)

    def _send(self, id: str, depth: int) -> Node:
        channels = self.dice.choice([CHANNELS, ("email",), ("same", "preferred"), ("preferred", "sms")])
        expires = self.dice.choice([None, "1h", "1d"])
        return steps.send(id, "hello", *channels, purpose=self.dice.choice(PURPOSES), expires=expires)

    def _choose(self, id: str, depth: int) -> Node:
        count = self.dice.randrange(1, 3)
        return steps.choose(id, *((self.condition(), self.nodes(depth + 1)) for _ in range(count)))

    def _split(self, id: str, depth: int) -> Node:
        return steps.split(id, ("a", 50, self.nodes(depth + 1)), ("b", 50, self.nodes(depth + 1)))

    def _repeat(self, id: str, depth: int) -> Node:
        until_event = self.dice.choice([None, self.trigger()])
        fields = {
            "every": self.length(),
            "at_most": self.dice.randrange(1, 4),
            "until": self.dice.choice([None, at_least(4)]),
        }
        return steps.repeat(id, *self.nodes(depth + 1), until_event=until_event, **fields)

    def _set(self, id: str, depth: int) -> Node:
        return steps.set_to(id, tier=self.value())

    def _emit(self, id: str, depth: int) -> Node:
        return steps.emit(id, self.dice.choice(["echo", "ping"]), n=self.value())

    def _leave(self, id: str, depth: int) -> Node:
        return steps.leave(id, "left")

    def _fail(self, id: str, depth: int) -> Node:
        return steps.choose(id, (FAILS, []))


def _project(dice: Random) -> Project:
    windows = dice.choice([(), (NIGHT,), (quiet("20:00", "12:00"),), (quiet("12:00", "17:00", channel="email"),)])
    caps = [
        Cap(dice.randrange(1, 3), ms(dice.choice(LENGTHS)), dice.choice([None, *CHANNELS]))
        for _ in range(dice.randrange(3))
    ]
    shared = dice.choice([(), (Cap(2, ms("1d"), None, True),)])
    rules = {"caps": (*caps, *shared), "quiet_hours": windows}
    return project(
        purpose("marketing", "opt_in", **rules),
        purpose("news", "double_opt_in", **rules),
        purpose("tips", "opt_out", caps=shared),
        purpose("service", "none", has_policies=False),
        holdout_percent=dice.choice([0.0, 0.0, 0.0, 30.0]),
    )


def _happening(dice: Random) -> Happening:
    after = dice.choice(LENGTHS[:-1])
    kind = dice.choice(["event"] * 9 + ["receipt", "receipt", "receipt", "consent", "traits", "preference"])
    properties = {"k": dice.choice([1, "1", "2", None]), "n": dice.randrange(6)}
    if kind == "event":
        return Happening(after, dice.choice(EVENTS), properties, dice.choice([None, "sms", "till"]))
    if kind == "receipt":
        if dice.random() < 0.3:
            properties["machine"] = True
        return Happening(after, dice.choice(RECEIPTS), properties, about=dice.randrange(10))
    if kind == "consent":
        about = {"channel": dice.choice([None, *CHANNELS]), "purpose": dice.choice([None, *PURPOSES])}
        return Happening(
            after, "consent_changed", {"granted": dice.random() < 0.6, "confirmed": dice.random() < 0.5, **about}
        )
    if kind == "traits":
        traits = {
            "tier": dice.choice(["gold", "tin", None]),
            "email": dice.choice(["a@b.example", "c@d.example", None]),
        }
        return Happening(after, "profile_updated", traits)
    return Happening(after, "preference_changed", {"channels": dice.sample([*CHANNELS, "fax"], dice.randrange(4))})


def moments(story: Story, customer: Customer | None = None) -> Iterator[Moment]:
    """Play a story, turn by turn, and then a month in which nothing happens."""
    customer = customer or story.customer()
    now_ms = customer.start_ms
    for happening in story.happenings:
        now_ms += ms(happening.after)
        yield from wakes(customer, now_ms - 1)
        event = event_of(customer, happening, now_ms)
        before = customer.record
        yield Moment(event, now_ms, before, customer.take(event))
    yield from wakes(customer, now_ms + ms("30d"))


def wakes(customer: Customer, until_ms: int) -> Iterator[Moment]:
    """Fire what is due up to then, each at the instant at which it is due."""
    while customer.record is not None and 0 < (due_ms := codec.due_of(customer.record)) <= until_ms:
        before = customer.record
        yield Moment(None, due_ms, before, customer.wake_at(due_ms))


def event_of(customer: Customer, happening: Happening, now_ms: int) -> Event:
    properties = dict(happening.properties)
    if happening.about is not None and customer.actions:
        properties["action_id"] = customer.actions[happening.about % len(customer.actions)].id
    return customer.event(happening.type, now_ms, channel=happening.channel, properties=properties)
