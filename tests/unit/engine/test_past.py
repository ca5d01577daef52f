"""The past: purchases, last seen by channel, and that nothing of it is kept unless somebody reads it."""

import pytest

from orchestrator.language import compile_sources
from orchestrator.model import codec, instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.event import Event
from orchestrator.runtime.turn import on_event, on_timers

START_MS = instants.parse("2026-01-05T10:00:00Z") or 0
DAY_MS = instants.DAY_MS
PURCHASE = "purchase: {event: order_placed, value: total, currency: currency, items: lines}\n"
PROJECT = (
    "project: shop\nlanguages: [en]\nchannels: {email: {address: \"'x'\"}}\npurposes: {service: {consent: none}}\n"
)
JOURNEY = """\
journey: hello
version: 1
purpose: service
status: live
enter: {event: came, again: always}
steps:
  - {id: note, choose: [{if: "%s", then: [{id: yes-it-is, exit: held}]}]}
  - {id: greet, send: hi}
"""
MESSAGE = 'message: hi\nemail: {subject: Hi, text: "%s"}\n'


def catalog_of(
    condition: str, *, project: str = PROJECT + PURCHASE, text: str = "Hello", segments: str = ""
) -> Catalog:
    files = {"orchestrator.yaml": project, "a.journey.yaml": JOURNEY % condition, "hi.message.yaml": MESSAGE % text}
    if segments:
        files["segments.yaml"] = segments
    return compile_sources(files).catalog


class Ana:
    def __init__(self, catalog: Catalog) -> None:
        self.catalog, self.record, self._count = catalog, None, 0

    def does(self, name: str, days: float, channel: str | None = None, **properties: object):
        self._count += 1
        at_ms = START_MS + int(days * DAY_MS)
        event = Event(f"e{self._count}", name, at_ms, "ana", channel=channel, decoded=properties)
        turned = on_event(self.catalog, event, self.record, at_ms)
        self.record = turned.record or self.record
        return turned

    def holds(self, days: float) -> bool:
        return any(each.reason == "held" for each in self.does("came", days).decisions)


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        ("profile.frequency == 2", True),
        ("profile.monetary == 70.5", True),
        ("profile.recency == 5", True),
        ("profile.recency > 5", False),
    ],
)
def test_purchases_are_reckoned_as_fields_of_the_profile(condition, held):
    ana = Ana(catalog_of(condition))
    ana.does("order_placed", 0, total=30, currency="EUR", lines=["a"])
    ana.does("order_placed", 1, total=40.5, currency="EUR")
    ana.does("viewed", 3, total=1000)
    assert ana.holds(6) is held


@pytest.mark.parametrize(
    ("condition", "held"),
    [("profile.frequency == 0", True), ("profile.monetary == 0", True), ("exists(profile.recency)", False)],
)
def test_who_bought_nothing_has_no_recency(condition, held):
    assert Ana(catalog_of(condition)).holds(1) is held


def test_what_was_spent_is_added_up_in_the_currency_of_the_last_purchase():
    ana = Ana(catalog_of("profile.monetary == 7 and profile.frequency == 4"))
    ana.does("order_placed", 0, total=30, currency="EUR")
    ana.does("order_placed", 1, total=5, currency="USD")
    ana.does("order_placed", 2, total="much", currency="USD")
    ana.does("order_placed", 3, total=2, currency="USD")
    assert ana.holds(4)


def test_a_segment_by_recency_is_entered_at_the_very_instant():
    segments = "lapsed: {if: profile.recency >= 60}\n"
    ana = Ana(catalog_of("in_segment('lapsed')", segments=segments))
    ana.does("order_placed", 0, total=30)
    assert codec.due_of(ana.record) == START_MS + 60 * DAY_MS
    assert not ana.holds(59)
    woken = on_timers(ana.catalog, ana.record, START_MS + 60 * DAY_MS)
    ana.record = woken.record
    assert ana.holds(60)


def test_a_template_may_name_them():
    ana = Ana(
        catalog_of("False", text="{{ profile.frequency }} for {{ profile.monetary }}, {{ profile.last_seen.web }}")
    )
    ana.does("order_placed", 0, channel="web", total=30)
    [action] = ana.does("came", 1).actions
    assert action.data == {
        "profile": {"frequency": 1, "monetary": 30.0, "last_seen": {"web": "2026-01-05T10:00:00.000Z"}}
    }


def test_a_customer_is_last_seen_by_channel_and_late_news_do_not_turn_that_back():
    ana = Ana(catalog_of("days_since(profile.last_seen.web) >= 2"))
    ana.does("viewed", 0, channel="web")
    ana.does("viewed", 1, channel="app")
    late = Event("late", "viewed", START_MS - DAY_MS, "ana", channel="web", decoded={})
    turned = on_event(ana.catalog, late, ana.record, START_MS + DAY_MS)
    assert turned.record is None
    assert not ana.holds(1.9)
    assert ana.holds(2)


@pytest.mark.parametrize(
    "ours",
    ["message_sent", "message_delivered", "message_bounced", "message_answerable", "address_unreachable",
     "case_answered", "call_answered"],
)  # fmt: skip
def test_what_we_send_a_customer_is_not_seeing_them(ours):
    ana = Ana(catalog_of("exists(profile.last_seen.sms)"))
    ana.does("profile_updated", 0, channel="web", first_name="Ana")
    ana.does(ours, 1, channel="sms", action_id="a1")
    assert not ana.holds(2)
    ana.does("message_clicked", 3, channel="sms", action_id="a1")
    assert ana.holds(4)


def test_without_a_purchase_in_the_project_these_are_fields_like_any_other():
    ana = Ana(catalog_of("profile.frequency == 'often'", project=PROJECT))
    ana.does("profile_updated", 0, frequency="often")
    assert ana.holds(1)


def test_what_nobody_reads_is_not_kept():
    ana = Ana(catalog_of("profile.tier == 'gold'"))
    assert ana.does("order_placed", 0, channel="web", total=30).outcome == "ignored"
    ana.does("profile_updated", 1, tier="tin")
    assert not codec.decode(ana.record).has_past


def problems_of(project: str, steps: str = "[]") -> list[str]:
    from orchestrator.errors import InvalidProject

    journey = f"journey: j\nversion: 1\npurpose: service\nenter: {{event: x}}\nsteps: {steps}\n"
    try:
        compile_sources({"orchestrator.yaml": project, "j.journey.yaml": journey})
    except InvalidProject as error:
        return [f"{each.file}:{each.line}:{each.column} {each.code}" for each in error.errors]
    return []


def test_a_purchase_is_checked_where_it_is_written():
    assert problems_of(PROJECT + "purchase: {event: sold, value: entry.total, currency: 'EUR'}\n") == [
        "orchestrator.yaml:5:32 E406"
    ]


def test_nobody_sets_what_is_reckoned():
    steps = "[{id: a, set: {profile.recency: 3}}]"
    assert problems_of(PROJECT + PURCHASE, steps) == ["j.journey.yaml:5:23 E229"]
    assert problems_of(PROJECT, steps) == []
