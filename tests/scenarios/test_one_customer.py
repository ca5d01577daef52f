"""One customer under many names: in the shop, on a phone and on a laptop, told by `run` and `explain`."""

import json

import pytest

from orchestrator.language import load
from orchestrator.model import codec
from orchestrator.model.ids import profile_id_of
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.runtime.serving.turns import Records, Turns
from orchestrator.storage import SqliteStore

START = 1_767_610_800_000  # 2026-01-05T11:00:00Z, a Monday

PROJECT = """\
project: shop
channels:
  email: {address: profile.email, preferred_order: 1}
purposes:
  service: {consent: none}
identity:
  identifiers: [customer_id, email, phone, loyalty_card, device_id, cookie]
  never: {email: ["", "null", "test@example.com"]}
  region: ES
"""
CART = """\
journey: cart
version: 1
purpose: service
status: live
enter: {event: cart_updated, key: cart_id, again: after_exit}
exit: [{event: order_placed, reason: bought}]
steps:
  - id: settle
    wait: {for: 1h, restart_on: cart_updated}
  - id: remind
    send: {message: reminder}
examples:
  - name: reminded
    given: [{at: 0m, event: cart_updated, properties: {cart_id: c1}}]
    expect: {exit: completed}
"""
REMINDER = """\
message: reminder
purpose: service
email: {subject: Your cart, text: It waits.}
"""


@pytest.fixture
def shop(tmp_path, orchestrator):
    return made_shop(tmp_path, orchestrator)


def made_shop(tmp_path, orchestrator):
    folder = tmp_path / "shop"
    (folder / "messages").mkdir(parents=True)
    (folder / "orchestrator.yaml").write_text(PROJECT)
    (folder / "cart.journey.yaml").write_text(CART)
    (folder / "messages" / "reminder.message.yaml").write_text(REMINDER)
    return Shop(tmp_path, folder, orchestrator)


class Shop:
    """A project in a folder, and what `run` makes of events in it."""

    def __init__(self, base, folder, orchestrator):
        self.base, self.folder = base, folder
        self.orchestrator = orchestrator
        self.state = base / "shop.db"
        self.count = 0

    def call(self, *arguments):
        ended = self.orchestrator(*arguments)
        assert ended.code == 0, ended.err
        return ended.out

    def runs(self, *events, until=None):
        """Run events, each (minute, type, identifiers, properties); give the actions and decisions."""
        lines = []
        for minute, kind, who, properties in events:
            self.count += 1
            customer = {"customer_id": who["customer_id"]} if "customer_id" in who else {}
            others = {name: value for name, value in who.items() if name != "customer_id"}
            lines.append(
                json.dumps(
                    {
                        "id": f"e{self.count}",
                        "type": kind,
                        "time": START + minute * 60_000,
                        **customer,
                        "identifiers": others,
                        "properties": properties,
                    }
                )
            )
        source = self.base / f"events-{self.count}.jsonl"
        source.write_text("\n".join(lines) + "\n")
        actions, decisions = self.base / "actions.jsonl", self.base / "decisions.jsonl"
        options = ["--until", until] if until else []
        self.call(
            "run", self.folder, "--events", source, "--state", self.state, "--actions", actions,
            "--decisions", decisions, *options,
        )  # fmt: skip
        return [
            [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
            for path in (actions, decisions)
        ]

    def explained(self, customer):
        return json.loads(self.call("explain", customer, "--state", self.state, "--json"))


def told(decisions):
    return [(one["journey"], one["verdict"], one["reason"]) for one in decisions]


def test_a_visitor_who_identifies_in_the_shop_and_buys_is_one_customer_and_gets_no_reminder(shop):
    phone = {"cookie": "phone"}
    actions, decisions = shop.runs(
        (0, "cart_updated", phone, {"cart_id": "c1", "total": 40}),
        (5, "newsletter_joined", {**phone, "email": "Ana@Example.com"}, {}),
        (20, "message_opened", {"cookie": "laptop", "email": "ana@example.com"}, {}),
        (30, "card_shown", {"loyalty_card": "L-7", "email": "ANA@example.com"}, {}),
        (40, "order_placed", {"loyalty_card": "L-7"}, {"cart_id": "c1"}),
        until="2026-01-06T00:00:00Z",
    )
    assert actions == []
    assert told(decisions) == [
        ("cart", "entered", "event"),
        ("cart", "waited", "time"),
        ("", "merged", "same_customer"),
        ("cart", "exited", "bought"),
    ]
    explained = [shop.explained(name) for name in ("email:ana@example.com", "cookie:phone", "cookie:laptop")]
    assert {one["profile_id"] for one in explained} == {explained[0]["profile_id"]}
    sentences = [decision["sentence"] for decision in explained[1]["decisions"]]
    assert sentences[0] == 'Entered cart (key = "c1").'
    assert sentences[2].startswith("Recognised: what was known under cookie")
    assert sentences[-1] == "Left cart: bought."


def test_an_anonymous_cart_that_becomes_known_keeps_its_reminder_and_is_reached_by_email(shop):
    actions, _ = shop.runs(
        (0, "cart_updated", {"cookie": "phone"}, {"cart_id": "c1"}),
        (50, "logged_in", {"customer_id": "ana", "cookie": "phone", "email": "ana@example.com"}, {}),
        until="2026-01-05T13:00:00Z",
    )
    assert [(one["to"], one["customer_id"], one["at"]) for one in actions] == [
        ("ana@example.com", "ana", "2026-01-05T12:00:00.000Z")
    ]


def test_late_events_of_a_merged_visitor_follow_it_also_in_a_later_run(tmp_path, orchestrator_process):
    shop = made_shop(tmp_path, orchestrator_process)  # a run that remembers nothing but what it reads
    shop.runs(
        (0, "cart_updated", {"cookie": "phone"}, {"cart_id": "c1"}),
        (1, "logged_in", {"customer_id": "ana", "cookie": "phone", "email": "ana@example.com"}, {}),
    )
    _, decisions = shop.runs((30, "order_placed", {"cookie": "phone"}, {"cart_id": "c1"}))
    assert told(decisions)[-1] == ("cart", "exited", "bought")
    assert decisions[-1]["profile_id"] == shop.explained("ana")["profile_id"]


def test_a_shared_tablet_makes_nobody_one_customer_and_the_refusal_is_told_once(shop):
    tablet = {"cookie": "tablet"}
    _, decisions = shop.runs(
        (0, "logged_in", {"customer_id": "ana", **tablet}, {}),
        (1, "logged_in", {"customer_id": "ben", **tablet}, {}),
        (2, "cart_updated", {"customer_id": "ben", **tablet}, {"cart_id": "b1"}),
    )
    assert told(decisions) == [
        ("", "not_merged", "kind_limit"),
        ("cart", "entered", "event"),
        ("cart", "waited", "time"),
    ]
    assert shop.explained("ana")["waiting"] == []
    assert len(shop.explained("ben")["waiting"]) == 1


def test_a_value_that_names_nobody_links_nobody(shop):
    _, decisions = shop.runs(
        (0, "cart_updated", {"customer_id": "ana", "email": "NULL"}, {"cart_id": "a1"}),
        (1, "cart_updated", {"customer_id": "ben", "email": "null"}, {"cart_id": "b1"}),
        (2, "cart_updated", {"email": "null"}, {"cart_id": "b1"}),
    )
    assert [one["reason"] for one in decisions if not one["journey"]] == ["never", "never"]
    assert shop.explained("ana")["profile_id"] != shop.explained("ben")["profile_id"]


def test_two_carts_of_one_customer_both_stay_and_of_one_cart_one_entry_goes_on(shop):
    _, decisions = shop.runs(
        (0, "cart_updated", {"cookie": "phone"}, {"cart_id": "same"}),
        (1, "cart_updated", {"customer_id": "ana"}, {"cart_id": "same"}),
        (2, "cart_updated", {"cookie": "phone"}, {"cart_id": "own"}),
        (3, "logged_in", {"customer_id": "ana", "cookie": "phone"}, {}),
    )
    assert told(decisions)[-2:] == [("", "merged", "same_customer"), ("cart", "exited", "merged")]
    assert sorted(entry["key"] for entry in shop.explained("ana")["waiting"]) == ["own", "same"]


def test_a_visitor_of_before_their_kind_was_listed_is_one_with_whom_they_are_seen_with_since(shop):
    project = shop.folder / "orchestrator.yaml"
    project.write_text(PROJECT.replace(", device_id, cookie]", "]"))
    shop.runs(
        (0, "profile_updated", {"customer_id": "ana", "cookie": "phone"}, {"email": "ana@example.com"}),
        (1, "cart_updated", {"cookie": "phone"}, {"cart_id": "c1"}),
    )
    project.write_text(PROJECT)
    _, alone = shop.runs((5, "cart_updated", {"cookie": "phone"}, {"cart_id": "c2"}))
    assert alone[-1]["profile_id"] == alone[0]["profile_id"]  # nothing has linked them yet
    actions, decisions = shop.runs(
        (10, "order_placed", {"customer_id": "ana", "cookie": "phone"}, {}), until="2026-01-06T00:00:00Z"
    )
    assert told(decisions)[-3:] == [("", "merged", "same_customer"), *[("cart", "exited", "bought")] * 2]
    assert actions == []


@pytest.mark.parametrize("runtime", ["run", "serve"])
@pytest.mark.parametrize(
    ("number", "type", "properties"), [(2, "consent_changed", {"granted": "true"}), (1, "profile_updated", {})]
)
def test_what_comes_first_with_an_event_that_comes_to_nothing_is_news_again(shop, runtime, number, type, properties):
    both = {"customer_id": "ana", "identifiers": {"email": "ana@example.com"}}
    events = [
        {"id": "e1", "type": "profile_updated", "customer_id": "ana", "properties": {"tier": "gold"}},
        {"id": f"e{number}", "type": type, **both, "properties": properties},  # refused, or a repeat
        *({"id": f"e{3 + minute}", "type": "seen", **both} for minute in range(2)),
        {"id": "e5", "type": "cart_updated", **both, "properties": {"cart_id": "c1"}},
    ]
    lines = [json.dumps({**each, "time": START + at * 60_000}).encode() for at, each in enumerate(events)]
    if runtime == "run":
        (shop.base / "events.jsonl").write_bytes(b"\n".join(lines))
        shop.call("run", shop.folder, "--events", shop.base / "events.jsonl", "--state", shop.state)
    with SqliteStore(shop.state) as store:
        if runtime == "serve":
            Turns(load(shop.folder).catalog, store, Metrics(), 0).work([Records(lines[:-1], "http")], START)
        record = store.read(profile_id_of("customer_id", "ana"))
    assert codec.decode(record).profile.identifiers == {"email": ["ana@example.com"]}


def test_explain_follows_merged_customers_through_a_file_of_decisions_too(shop):
    shop.runs(
        (0, "cart_updated", {"cookie": "phone"}, {"cart_id": "c1"}),
        (1, "logged_in", {"customer_id": "ana", "cookie": "phone"}, {}),
        (2, "order_placed", {"customer_id": "ana"}, {}),
    )
    text = shop.call("explain", "ana", "--decisions", shop.base / "decisions.jsonl")
    assert "Entered cart" in text
    assert "who they are" in text
    assert "Left cart: bought" in text
