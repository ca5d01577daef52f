"""orchestrator.yaml: what it compiles into, and what is wrong with a broken one.

Must never look at journeys or messages, but for the one that the sound project has.
"""

import pytest

from orchestrator.model.identity import Unnamed
from orchestrator.model.project import Cap, QuietHours

SMALL = """\
project: shop
languages: [en]
channels:
  email: {address: profile.email}
  sms: {address: profile.phone}
purposes:
  service: {consent: none}
"""
FULL = """\
project: shop
timezone: Europe/Madrid
languages: [es, en]
brand: {name: Tienda, nested: {a: [1, 2]}}
channels:
  email: {address: profile.email, preferred_order: 2, track: [clicks, opens]}
  sms: {address: profile.phone, preferred_order: 1}
  in-app: {address: profile.id}
purposes:
  marketing:
    consent: double_opt_in
    caps: [{at_most: 1, per: 1d, channel: email}]
    quiet_hours: {from: "21:30", to: "08:30"}
    only_if: profile.age >= 18
    during_case: pause
  news:
    consent: opt_out
    quiet_hours:
      - {from: "00:00", to: "12:00", days: [sat, sun], channel: sms}
  service: {consent: none, policies: none}
identity:
  identifiers: [loyalty_card, email]
  never: {email: ["", "null"]}
  limit: 20
holdout: 2.5%
caps: [{at_most: 5, per: 1w}]
quiet_hours: {from: 22:00, to: 07:00}
meta: {anything: goes}
"""


def test_a_value_that_names_nobody_does_so_however_it_is_written(compiled, sound):
    written = SMALL + "identity: {identifiers: [phone], region: ES, never: {phone: ['600 00 00 00']}}\n"
    identity = compiled(sound["hello.journey.yaml"], project=written).catalog.project.identity
    assert [identity.read("phone", value) for value in ("600 00 00 00", "+34600000000", "600-000-000")] == [
        Unnamed("phone", "never")
    ] * 3
    written = SMALL + "identity: {identifiers: [email], dots: ignore, never: {email: [shop.test@x.example]}}\n"
    identity = compiled(sound["hello.journey.yaml"], project=written).catalog.project.identity
    assert identity.read("email", "shoptest@x.example") == Unnamed("email", "never")


def test_everything_a_project_says_is_compiled(compiled, sound):
    project = compiled(sound["hello.journey.yaml"], project=FULL).catalog.project
    night = QuietHours(22 * 60, 7 * 60)
    week = Cap(5, 7 * 86_400_000, is_shared=True)
    marketing, news, service = (project.purposes[name] for name in ("marketing", "news", "service"))
    assert (project.name, project.timezone, project.languages) == ("shop", "Europe/Madrid", ("es", "en"))
    assert project.brand == {"name": "Tienda", "nested": {"a": [1, 2]}}
    assert project.holdout_percent == 2.5
    # A customer's own id is always an identifier, and the strongest where the project does not name it.
    assert project.identifiers == ("customer_id", "loyalty_card", "email")
    assert list(project.channels) == ["email", "sms", "in-app"]
    assert project.preferred_channels == ("sms", "email")
    assert project.channels["email"].track == ("clicks", "opens")
    assert project.channels["sms"].track == ("clicks",)
    assert project.channels["sms"].address.source == "profile.phone"
    assert marketing.consent == "double_opt_in"
    assert marketing.caps == (Cap(1, 86_400_000, "email"), week)
    assert marketing.quiet_hours == (QuietHours(21 * 60 + 30, 8 * 60 + 30), night)
    assert marketing.only_if is not None
    assert marketing.only_if.source == "profile.age >= 18"
    assert marketing.pauses_during_case
    assert news.quiet_hours == (QuietHours(0, 720, frozenset({5, 6}), "sms"), night)
    assert (service.caps, service.quiet_hours, service.has_policies) == ((), (), False)


@pytest.mark.parametrize("address", ["profile.work or profile.home", "lower(profile.home) or profile.shop.work"])
def test_no_field_that_an_address_is_made_of_is_shown_in_a_decision(compiled, sound, address):
    asked = "profile.work != 'x' and profile.home != 'x' and profile.city != 'x'"
    written = SMALL.replace("profile.email", address).replace("none}", f"none, only_if: {asked}}}")
    only_if = compiled(sound["hello.journey.yaml"], project=written).catalog.project.purposes["service"].only_if
    assert [name for name, _ in only_if.saw] == ["profile.city"]


def test_what_a_project_leaves_out_has_its_default(compiled, sound):
    project = compiled(sound["hello.journey.yaml"]).catalog.project
    assert (project.timezone, project.holdout_percent, project.identifiers) == ("UTC", 0.0, ("customer_id",))
    assert project.preferred_channels == ()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("timezone: Madrid", "8:11 E215"),
        ("timezone: Mars/Base", "8:11 E215"),
        ("holdout: 5", "8:10 E214"),
        ("brand: Tienda", "8:8 E203"),
        ("caps: [{at_most: 0, per: 1d}]", "8:18 E205"),
        ("caps: [{at_most: 1, per: daily}]", "8:26 E210"),
        ("caps: [{at_most: 1, per: 1d, channel: fax}]", "8:39 E305"),
        ("caps: {at_most: 1, per: 1d}", "8:7 E203"),
        ("quiet_hours: {from: 22h, to: 07:00}", "8:21 E211"),
        ("quiet_hours: {from: 22:00, to: 22:00}", "8:28 E225"),
        ("quiet_hours: {from: 22:00, to: 07:00, days: [monday]}", "8:46 E212"),
        ("quiet_hours: {from: 22:00, to: 07:00, channel: fax}", "8:48 E305"),
        ("identity: {identifiers: []}", "8:25 E207"),
        ("identity: {identifiers: [email, email]}", "8:33 E228"),
        ("identity: {identifiers: [email], never: {phone: ['']}}", "8:42 E313"),
        ("identity: {identifiers: [email], limit: 1}", "8:41 E205"),
        ("webhooks: {crm: {secret: CRM}}", "8:17 E201"),
        ("teams: {care: {skill: [returns]}}", "8:16 E202"),
        ("models: {mood: {}}", "8:10 E321"),
        ("models: {mood: {kind: sentimental}}", "8:23 E321"),
        ("models: {sentiment: {topics: {a: {en: [b]}}}}", "8:22 E321"),
        ("models: {lead: {kind: rules}}", "8:16 E321"),
        ("models: {lead: {kind: rules, rules: [{if: steps.a.status == 'sent', points: 1}]}}", "8:43 E406"),
        ("models: {lead: {kind: rules, rules: [{if: profile.age > 3}]}}", "8:38 E201"),
        ("models: {lead: {kind: rules, weights: {}}}", "8:30 E202"),
        ("purchase: {event: order_placed, value: steps.a.status}", "8:40 E406"),
        ("catalogs: {products: {file: p.csv, key: sku}}", "8:29 E310"),
        ("models: {recommend: {catalog: products, baskets: b.csv}}", "8:31 E317"),
        ("models: {recommend: {baskets: b.csv}}", "8:21 E321"),
        ("models: {recommend: {}}", "8:21 E321"),
        ("coupons: {cart10: {codes: c.txt}}", "8:27 E310"),
        ("retention: {inactive: soon}", "8:23 E210"),
        ("release_over: soon", "8:15 E210"),
        ("webhook: {}", "8:1 E202"),
        ("project: again", "8:1 E108"),
    ],
)
def test_a_broken_project_gets_its_error_at_its_place(line, expected, found):
    problems = found(project=SMALL + line + "\n")
    assert [f"{each.line}:{each.column} {each.code}" for each in problems if not each.is_warning] == [expected]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("consent: none", "consent: optin", ["7:22 E204"]),
        ("consent: none", "caps: []", ["7:12 E201"]),
        ("consent: none", "consent: none, only_if: vip", ["7:37 E405"]),
        ("consent: none", "consent: none, only_if: entry.x", ["7:37 E406"]),
        ("consent: none", "consent: none, only_if: steps.a.status", ["7:37 E406"]),
        ("consent: none", "consent: none, caps: [{at_most: 1, per: 1d, channel: fax}]", ["7:66 E305"]),
        ("consent: none", "consent: none, policies: all", ["7:38 E204"]),
        ("address: profile.email", "address: email", ["4:20 E405"]),
        ("address: profile.email", "address: event.email", ["4:20 E406"]),
        ("address: profile.email", "preferred_order: 1", ["4:10 E201"]),
        ("address: profile.email", "address: profile.email, track: [sales]", ["4:43 E204"]),
        ("  sms:", "  same:", ["5:3 E206"]),
        ("  sms:", "  SMS:", ["5:3 E206"]),
        ("project: shop\n", "", ["1:1 E201"]),
        ("languages: [en]", "languages: []", ["2:12 E207"]),
        ("languages: [en]", "languages: [spanish]", ["2:13 E216"]),
    ],
)
def test_a_broken_part_of_a_project_gets_its_error_and_nobody_else_does(old, new, expected, found):
    problems = found(project=SMALL.replace(old, new))
    assert [f"{each.line}:{each.column} {each.code}" for each in problems if not each.is_warning] == expected
    assert {each.file for each in problems} == {"orchestrator.yaml"}


def test_a_project_that_cannot_be_read_is_not_blamed_on_its_journeys(found):
    problems = found(project="project: [")
    assert [f"{each.file}:{each.line} {each.code}" for each in problems] == ["orchestrator.yaml:1 E101"]


def test_a_project_that_is_no_map_is_not_blamed_on_its_journeys(found):
    assert [each.code for each in found(project="- project")] == ["E203"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("retention: 730d", "E203 {inactive: 730d}"),
        ("purchase: order_placed", "E203 {event: order_placed, value: event.properties.total}"),
        ("purchase: {event: “bought”, value: 1}", "E206 bought"),
        ("catalogs: {products: p.csv}", "E203 {file: p.csv, key: sku}"),
        ("webhooks: {erp: https://erp.example/hook}", 'E203 {url: "https://erp.example/hook", secret: SETTING}'),
        ("caps: [1d]", "E203 {at_most: 1, per: 1d}"),
        ("quiet_hours: [night]", 'E203 {from: "21:30", to: "08:30"}'),
        ("brand:\n  color: #0a7", 'E207 quotes, as # begins a comment: "#0a7"'),
        (
            "brand: {color: #0a7}\nrelease_over: 1d",
            "E101 quotes around a text that begins with #, as # begins a comment",
        ),
    ],
)
def test_what_was_meant_is_told_where_the_short_way_does_not_do(line, told, found, sound):
    project = sound["orchestrator.yaml"].partition("webhooks:")[0]
    problems = found(project=project + line + "\n")
    assert [f"{each.code} {each.fix}" for each in problems if not each.is_warning] == [told]


def test_a_brand_may_lack_a_value(found, sound):
    assert found(project=sound["orchestrator.yaml"] + "brand: {logo: null}\n") == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # Together with the project's own, and told where the purpose writes some.
        ("service: {consent: none}", 'service: {consent: none, quiet_hours: {from: "06:00", to: "22:00"}}', ["7:28"]),
        ("service: {consent: none}", 'service: {consent: none, quiet_hours: {from: "06:00", to: "21:59"}}', []),
        # On one channel only.
        (
            "service: {consent: none}",
            'service: {consent: none, quiet_hours: {from: "06:00", to: "22:00", channel: sms}}',
            ["7:28"],
        ),
        # Every day but one, and a day's windows that reach into the next.
        (
            "service: {consent: none}",
            'service: {consent: none, quiet_hours: {from: "06:00", to: "22:00", days: [mon, tue, wed, thu, fri, sat]}}',
            [],
        ),
        ('from: "22:00", to: "06:00"', 'from: "00:00", to: "12:00"}, {from: "12:00", to: "00:00"', ["8:1"]),
        ("service: {consent: none}", "service: {consent: none, policies: none}", []),
    ],
)
def test_quiet_hours_that_never_end_are_doubted_once(old, new, expected, found):
    written = SMALL + 'quiet_hours: [{from: "22:00", to: "06:00"}]\n'
    problems = found(project=written.replace(old, new))
    assert [f"{each.line}:{each.column}" for each in problems if each.code == "W319"] == expected
    assert [each.code for each in problems if not each.is_warning] == []
