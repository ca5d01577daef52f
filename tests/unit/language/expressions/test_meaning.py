"""What each operator and function means, over values of every kind.

Must never look at the generated code: only at what comes of it.
"""

import pytest

from orchestrator.language.expressions import Mistake, Surroundings, compile_text
from orchestrator.model.event import KeptEvent
from orchestrator.model.expression import Scope
from orchestrator.model.profile import Consent, Profile
from orchestrator.model.project import Channel, Project, Purpose
from orchestrator.model.state import Entry, Result, State

NOW_MS = 1_767_600_000_000  # 2026-01-05T08:00:00Z
PROPERTIES = {
    "total": 40,
    "price": 9.5,
    "zero": 0,
    "vip": True,
    "currency": "EUR",
    "empty": "",
    "tags": ["new", 7, True, None],
    "address": {"city": "Sevilla", "zip": None},
    "nothing": None,
    "paid_at": "2026-01-04T08:00:00Z",
    "day": "2026-01-05",
    "huge": 2**62,
    "long": "x" * 6000,
}
AROUND = Surroundings(
    steps={"settle": "wait", "remind": "send", "offer": "split"},
    channels=frozenset({"email", "sms"}),
    purposes=frozenset({"marketing", "news", "service", "legal"}),
    hidden=frozenset({"email", "phone"}),
).where()


def scope() -> Scope:
    profile = Profile(
        "p1",
        customer_id="c1",
        traits={"tier": "gold", "age": 30, "timezone": "Europe/Madrid", "email": "ana@example.com"},
        consents=[Consent("email", "marketing", True, False, 0), Consent("email", "news", False, False, 0)],
        last_seen_ms={"email": NOW_MS - 1000},
    )
    event = KeptEvent("e1", "cart_updated", NOW_MS - 3_600_000, "web", dict(PROPERTIES))
    taken = KeptEvent("e0", "cart_updated", NOW_MS - 7_200_000, "app", {"total": 5})
    entry = Entry("n1", "cart", 1, None, NOW_MS, "settle", properties={"cart_id": "c1", "total": 12})
    entry.results = {
        "settle": Result(event=taken, events=[taken, taken]),
        "remind": Result(status="sent", channel="email"),
        "offer": Result(name="coupon"),
    }
    project = Project(
        "shop",
        channels={name: Channel(name, compile_text("profile.email", AROUND).expression) for name in ("email", "sms")},
        purposes={
            "marketing": Purpose("marketing", "opt_in"),
            "news": Purpose("news", "opt_out"),
            "legal": Purpose("legal", "double_opt_in"),
            "service": Purpose("service", "none"),
        },
    )
    return Scope(project, State(profile), NOW_MS, event, entry)


def value_of(text: str) -> object:
    return compile_text(text, AROUND).expression.evaluate(scope())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # one kind
        ("total == 40", True),
        ("total == 40.0", True),
        ("total != 40", False),
        ("total != 41", True),
        ("price < 10", True),
        ("currency == 'EUR'", True),
        ("currency != 'USD'", True),
        ("currency > 'EU'", True),
        ("currency <= 'EUR'", True),
        ("vip == True", True),
        ("vip != False", True),
        ("vip == False", False),
        ("tags == tags", True),
        ("address == address", True),
        ("[1, 2] == [1, 2]", True),
        ("[1, 2] != [1, 3]", True),
        ("[1] == [1, 2]", False),
        ("10 < total < 50", True),
        ("10 < total < 30", False),
        # literals on the left, and two names
        ("40 == total", True),
        ("30 <= total", True),
        ("total > price", True),
        ("total >= total", True),
        ("total <= price", False),
        ("total < total", False),
        ("'A' < currency", True),
        # kinds that differ: always false, even !=
        ("total == '40'", False),
        ("total != '40'", False),
        ("total < '41'", False),
        ("currency > 3", False),
        ("vip == 1", False),
        ("vip != 0", False),
        ("vip > 0", False),
        ("True == 1", False),
        ("total == vip", False),
        ("tags != 'new'", False),
        ("[1] == [True]", False),
        ("vip < True", False),
        ("total < [1]", False),
        # missing: always false, even !=
        ("absent == 40", False),
        ("absent != 40", False),
        ("absent == absent", False),
        ("absent < 1", False),
        ("nothing != 'x'", False),
        ("absent != True", False),
        ("absent.deeper == 1", False),
        ("currency.deeper == 1", False),
        ("1 < absent < 3", False),
        ("absent in ['new']", False),
        ("absent not in ['new']", False),
        ("absent not in tags", False),
        # in
        ("currency in ['EUR', 'USD']", True),
        ("currency in ('EUR', 'USD')", True),
        ("currency not in ['USD']", True),
        ("currency not in ['EUR']", False),
        ("total in [40, 50]", True),
        ("vip in [1]", False),
        ("vip in [True]", True),
        ("'new' in tags", True),
        ("7 in tags", True),
        ("1 in tags", False),
        ("'old' not in tags", True),
        ("'UR' in currency", True),
        ("'X' not in currency", True),
        ("7 in currency", False),
        ("7 not in currency", False),
        ("'city' in address", False),
        ("total in 40", False),
        ("total in []", False),
        # and, or, not
        ("vip and total", 40),
        ("absent or 'none'", "none"),
        ("not absent", True),
        ("not (absent < 3)", True),
        ("zero or empty or False", False),
        # reckoning
        ("total + 2", 42),
        ("total - price", 30.5),
        ("total * 2", 80),
        ("total / 16", 2.5),
        ("-total", -40),
        ("+total", 40),
        ("-absent", None),
        ("+currency", None),
        ("--3", 3),
        ("+3", 3),
        ("total / zero", None),
        ("total + absent", None),
        ("total + vip", None),
        ("total * currency", None),
        ("currency * 3", None),
        ("currency + '!'", "EUR!"),
        ("currency + 1", None),
        ("long + long", None),
        ("huge * 4", None),
        ("huge * 4.0", 2.0**64),
        ("1e308 * 10", None),
        ("huge / 0.0", None),
        # functions
        ("exists(total)", True),
        ("exists(zero)", True),
        ("exists(nothing)", False),
        ("exists(absent)", False),
        ("exists(address.city)", True),
        ("exists(address.zip)", False),
        ("exists(total + 1)", True),
        ("exists(total / 0)", False),
        ("contains(tags, 'new')", True),
        ("contains(currency, 'U')", True),
        ("contains(absent, 'U')", False),
        ("lower(currency)", "eur"),
        ("lower(total)", None),
        ("starts_with(currency, 'EU')", True),
        ("starts_with(total, 'EU')", False),
        ("length(tags)", 4),
        ("length(currency)", 3),
        ("length(address)", 2),
        ("length(total)", None),
        ("length(lower(currency))", 3),
        ("length(absent) > 0", False),
        ("days_since(paid_at)", 1.0),
        ("hours_since(event.time)", 1.0),
        # without a zone it is the customer's own: midnight in Madrid is 23:00 in UTC
        ("hours_since(day)", 9.0),
        ("days_since(absent)", None),
        ("days_since('soon')", None),
        ("days_since(total)", NOW_MS / 86_400_000 - 40 / 86_400_000),
        ("days_since('0001-01-01') > 700000", True),
        # an instant of ours is compared as one with whatever names a zone, however it is written
        ("now == '2026-01-05T08:00:00Z'", True),
        ("now >= '2026-01-05T08:00:00Z'", True),
        ("now < '2026-01-05T09:30:00+01:00'", True),
        ("now > '2026-01-05T09:30:00+02:00'", True),
        ("'2026-01-05T09:00:00+01:00' <= now", True),
        ("event.time != '2026-01-05T08:00+01:00'", False),
        ("steps.settle.event.time > paid_at and paid_at < profile.last_seen.email", True),
        ("event.time < now", True),
        ("now > '2026-01-05' and now > day and now < '2026-01-05T09:00'", True),
        ("now > total or now > absent or now > 'soon'", False),
        ("consents('email', 'marketing')", True),
        ("consents('sms', 'marketing')", False),
        ("consents('email', 'news')", False),
        ("consents('sms', 'news')", True),
        ("consents('email', 'legal')", False),
        ("consents('email', 'service')", True),
        ("consents(absent, currency)", False),
        ("consents(currency, 'marketing')", False),
        # names
        ("event.type", "cart_updated"),
        ("event.channel", "web"),
        ("event.id", "e1"),
        ("event.time", "2026-01-05T07:00:00.000Z"),
        ("event.properties.total", 40),
        ("length(event.properties)", len(PROPERTIES)),
        ("entry.total", 12),
        ("profile.tier", "gold"),
        ("profile.last_seen.email", "2026-01-05T07:59:59.000Z"),
        ("profile.last_seen.sms", None),
        ("now", "2026-01-05T08:00:00.000Z"),
        ("steps.remind.status", "sent"),
        ("steps.offer.name == 'coupon'", True),
        ("steps.settle.event.properties.total", 5),
        ("steps.settle.event.channel", "app"),
        ("steps.settle.event.time", "2026-01-05T06:00:00.000Z"),
        ("length(steps.settle.events)", 2),
        ("exists(steps.settle.event)", True),
        ("address.city", "Sevilla"),
    ],
)
def test_an_expression_means(text, value):
    found = value_of(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("class", "business"),
        ("from == 'MAD' and not event.properties.return", True),
        ("profile.class == class or class == 'business'", True),
        ("CLASS == 1 and Class == 2 and class == 'business'", None),  # both of its other forms are taken
        ("CLASS == 1 and class == 'business'", True),
        ("contains(class, 'class') or 'class' == class", False),
        ("global.import.with == 1", True),
    ],
)
def test_a_property_may_be_called_by_a_word_of_pythons(text, value):
    here = scope()
    here.properties |= {"class": "business", "from": "MAD", "CLASS": 1, "global": {"import": {"with": 1}}}
    if value is None:
        with pytest.raises(Mistake):
            compile_text(text, AROUND)
    else:
        assert compile_text(text, AROUND).expression.evaluate(here) == value


def test_a_decision_sees_a_word_of_pythons_as_its_author_wrote_it():
    here = scope()
    here.properties["class"] = "business"
    compiled = compile_text("class == 'x' and entry.return == 3", AROUND)
    assert compiled.expression.values_seen(here) == {"class": "business", "entry.return": None}
    assert compiled.reads == {("entry", "return")}


def test_before_there_is_an_entry_its_names_are_missing():
    before = Scope(scope().project, scope().state, NOW_MS)
    for text in ("entry.total", "steps.settle.event.type", "steps.remind.status", "event.type", "event.time", "total"):
        assert compile_text(text, AROUND).expression.evaluate(before) is None
    assert compile_text("exists(steps.settle.events)", AROUND).expression.evaluate(before) is False


def test_a_customer_with_an_unknown_zone_is_read_in_the_projects():
    here = scope()
    here.state.profile.traits["timezone"] = "Atlantis/Centre"
    assert compile_text("hours_since(day)", AROUND).expression.evaluate(here) == 8.0
    here.state.profile.traits["timezone"] = "Europe"  # a folder of zones, not a zone
    assert compile_text("hours_since(day)", AROUND).expression.evaluate(here) == 8.0


def test_deep_values_count_as_different_instead_of_failing():
    here = scope()
    deep: list[object] = []
    for _ in range(200):
        deep = [deep]
    here.properties["deep"] = deep
    assert compile_text("deep == deep", AROUND).expression.evaluate(here) is False


def test_a_decision_sees_the_values_by_their_names_in_order():
    expression = compile_text("total >= 30 and currency == 'EUR' and steps.remind.status == 'sent'", AROUND).expression
    assert list(expression.values_seen(scope()).items()) == [
        ("total", 40),
        ("currency", "EUR"),
        ("steps.remind.status", "sent"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "profile.email == 'x'",
        "email == 'x'",
        "event.properties.email == 'x'",
        "exists(steps.settle.event)",
        "now > 'x'",
    ],
)
def test_a_decision_sees_no_identifier_no_address_and_no_whole_event(text):
    assert compile_text(text, AROUND).expression.values_seen(scope()) == {}


@pytest.mark.parametrize(("text", "names"), [("machine", True), ("event.properties.machine", True), ("total", False)])
def test_it_is_known_whether_machine_is_asked_for(text, names):
    assert compile_text(text, AROUND).expression.names_machine is names


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("entry.total > 3", {("entry", "total")}),
        ("entry.address.city == 'x'", {("entry", "address", "city")}),
        ("event.properties.total", set()),  # the event at hand is whole
        ("exists(steps.settle.event)", {("steps", "settle", "event", "id")}),
        ("length(steps.settle.events)", {("steps", "settle", "events", "id")}),
        ("steps.settle.event.properties.total", {("steps", "settle", "event", "properties", "total")}),
    ],
)
def test_it_is_known_what_must_be_kept(text, reads):
    compiled = compile_text(text, AROUND)
    assert compiled.reads == reads
    assert compiled.expression.steps == {read[1] for read in reads if read[0] == "steps"}


def test_the_entrys_last_event_must_be_kept_where_none_is_at_hand():
    around = Surroundings(steps=AROUND.steps)
    assert compile_text("event.properties.total", around).reads == {("event", "properties", "total")}
    assert compile_text("event.type", around).reads == {("event", "type")}


@pytest.mark.parametrize(
    ("text", "doubts"),
    [
        ("not (profile.age < 16)", 1),
        ("not total == 3", 1),
        ("not (total in [1] or price > 3)", 2),
        ("exists(profile.age) and not (profile.age < 16)", 0),
        ("not exists(total)", 0),
        ("not vip", 0),
        ("not (1 < 2)", 0),
        ("total >= 3", 0),
        ("not (days_since(paid_at) > 3)", 1),
    ],
)
def test_not_of_a_comparison_is_doubted(text, doubts):
    assert [each.code for each in compile_text(text, AROUND).doubts if each.code != "W411"] == ["W401"] * doubts


def test_the_generated_code_knows_the_operators_and_nothing_else():
    expression = compile_text("total >= 30", AROUND).expression
    assert expression.evaluate.__globals__["__builtins__"] == {}
    assert {name for name in expression.evaluate.__globals__ if name.startswith("__")} == {"__builtins__"}
