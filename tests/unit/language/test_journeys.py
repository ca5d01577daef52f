"""Journeys: what a definition compiles into, step by step, and what of its events must be kept.

Must never run one; expressions are recognised by their source.
"""

import pytest

from orchestrator.model.journey import (
    Again,
    Ask,
    Call,
    Choose,
    Emit,
    Exit,
    Handoff,
    Journey,
    Kept,
    Repeat,
    Send,
    SetValues,
    Split,
    Wait,
    WaitFor,
    WaitUntil,
)

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HEAD = "journey: j\nversion: 2\npurpose: service\nenter: {event: cart_updated}\n"


@pytest.fixture
def journey(compiled):
    def compile_steps(steps: str, head: str = HEAD, **files: str) -> Journey:
        loaded = compiled(head + "steps:\n" + steps, **files)
        return loaded.catalog.versions["j", 2]

    return compile_steps


def test_the_top_of_a_journey(compiled):
    text = """\
journey: j
version: 2
title: A journey
owner: somebody
purpose: service
status: live
priority: 90
enter:
  any:
    - {event: [a, b], where: total > 1}
    - event: c
  key: cart_id
  again: 7d
exit:
  - {event: [a, x], where: total == 0, reason: emptied}
  - event: x
goal:
  - {event: x, within: 3d, ends: false, value: event.properties.total}
  - event: y
holdout: 10%
on_change: pin
meta: {a: 1}
examples:
  - {name: nothing, given: [], expect: {}}
steps:
  - exit: done
"""
    loaded = compiled(text)
    journey = loaded.catalog.versions["j", 2]
    assert (journey.title, journey.purpose, journey.status, journey.priority) == ("A journey", "service", "live", 90)
    assert (journey.key, journey.again, journey.holdout_percent) == ("cart_id", Again("after", 7 * DAY_MS), 10.0)
    first, second = journey.enter
    assert (first.events, first.where.source if first.where else None) == ({"a", "b"}, "total > 1")
    assert (second.events, second.where) == ({"c"}, None)
    assert journey.enters_by_event == {"a": (first,), "b": (first,), "c": (second,)}
    emptied, bought = journey.exits
    assert (emptied.reason, bought.reason) == ("emptied", None)
    assert journey.exits_by_event == {"a": (emptied,), "x": (emptied, bought)}
    counted, final = journey.goals
    assert (counted.within_ms, counted.ends, counted.value.source if counted.value else None) == (
        3 * DAY_MS,
        False,
        "event.properties.total",
    )
    assert (final.within_ms, final.ends, final.value) == (None, True, None)
    assert journey.goals_by_event == {"x": (counted,), "y": (final,)}
    definition = loaded.definitions["j"]
    assert (definition.file, definition.source, definition.example_lines) == ("hello.journey.yaml", text, (24,))
    assert [example.name for example in definition.examples] == ["nothing"]


@pytest.mark.parametrize(
    ("enter", "exits"),
    [
        ("enter: {event: a}\nexit: {event: x}\ngoal: {event: y}", 1),
        ("enter: [{event: a}]\nexit: [{event: x}]\ngoal: [{event: y}]", 1),
        ("enter: {event: [a]}\nexit: []", 0),
    ],
)
def test_short_forms_mean_their_long_ones(enter, exits, compiled):
    journey = compiled(f"journey: j\nversion: 2\n{enter}\nsteps: [{{exit: x}}]\n").catalog.versions["j", 2]
    assert [trigger.events for trigger in journey.enter] == [{"a"}]
    assert (len(journey.exits), journey.again) == (exits, Again("once"))


def test_waits(journey):
    steps = journey("""\
  - {id: a, wait: 1d12h}
  - {id: b, wait: {for: 30m, restart_on: [x, y]}}
  - {id: c, wait_until: "09:30"}
  - {id: d, wait_until: {time: 10:00, weekday: [tue, sun]}}
  - {id: e, wait_until: {date: entry.due, offset: -3d, time: "08:00", yearly: true}}
  - {id: f, wait_until: {date: profile.born, offset: 2w}}
""").steps
    assert steps["a"] == Wait(id="a", next="b", after_ms=36 * HOUR_MS)
    assert steps["b"] == Wait(id="b", next="c", after_ms=HOUR_MS // 2, restart_on=frozenset({"x", "y"}))
    assert steps["c"] == WaitUntil(id="c", next="d", minute=570)
    assert steps["d"] == WaitUntil(id="d", next="e", minute=600, weekdays=frozenset({1, 6}))
    yearly, dated = steps["e"], steps["f"]
    assert isinstance(yearly, WaitUntil)
    assert isinstance(dated, WaitUntil)
    assert (yearly.minute, yearly.offset_days, yearly.yearly, yearly.next) == (480, -3, True, "f")
    assert yearly.date is not None
    assert yearly.date.source == "entry.due"
    assert (dated.minute, dated.offset_days, dated.yearly, dated.next) == (None, 14, False, None)


def test_the_ways_on_from_a_wait_for_an_event(journey):
    steps = journey("""\
  - id: plain
    wait_for: {event: x, where: total > 3, within: 2h}
  - id: both
    wait_for: {event: [x, y], within: 1d}
    then: [{id: yes, wait: 1h}]
    on_timeout: [{id: no, wait: 2h}, {exit: late}]
  - id: any
    wait_for:
      within: 1d
      any:
        - {name: first, event: x, then: [{exit: x}]}
        - {event: y}
  - {id: last, wait: 1h}
""").steps
    plain, both, several = steps["plain"], steps["both"], steps["any"]
    assert isinstance(plain, WaitFor)
    assert isinstance(both, WaitFor)
    assert isinstance(several, WaitFor)
    (branch,) = plain.branches
    assert (branch.name, branch.trigger.events, branch.first, plain.on_timeout) == (None, {"x"}, "both", "both")
    assert branch.trigger.where is not None
    assert (plain.within_ms, both.within_ms) == (2 * HOUR_MS, DAY_MS)
    assert ([each.first for each in both.branches], both.on_timeout, both.next) == (["yes"], "no", "any")
    assert (steps["yes"].next, steps["no"].next) == ("any", "exit-1")
    assert [(each.name, each.first) for each in several.branches] == [("first", "exit-2"), (None, "last")]
    assert (several.on_timeout, steps["last"].next) == ("last", None)
    assert list(steps) == ["plain", "both", "yes", "no", "exit-1", "any", "exit-2", "last"]


def test_branches_lead_back_to_what_follows_their_container(journey):
    steps = journey("""\
  - id: tier
    choose:
      - {if: profile.tier == 'gold', then: [{id: gold, wait: 1h}]}
      - {if: profile.tier == 'silver'}
      - else: [{id: other, wait: 1h}]
  - id: test
    split:
      - {name: a, share: 33.4, then: [{id: in-a, wait: 1h}]}
      - {name: b, share: 33.3}
      - {name: c, share: 33.3, then: []}
""").steps
    choose, split = steps["tier"], steps["test"]
    assert isinstance(choose, Choose)
    assert isinstance(split, Split)
    assert [(condition and condition.source, first) for condition, first in choose.branches] == [
        ("profile.tier == 'gold'", "gold"),
        ("profile.tier == 'silver'", "test"),
        (None, "other"),
    ]
    assert (choose.next, steps["gold"].next, steps["other"].next) == ("test", "test", "test")
    assert [(branch.name, branch.first) for branch in split.branches] == [("a", "in-a"), ("b", None), ("c", None)]
    assert [round(branch.below, 6) for branch in split.branches] == [33.4, 66.7, 100.0]
    assert (split.next, steps["in-a"].next) == (None, None)


def test_rounds_come_back_to_their_repeat_and_know_what_is_around_them(journey):
    compiled = journey("""\
  - id: outer
    repeat:
      every: 1d
      at_most: 3
      until: profile.done == True
      until_event: [x, y]
      steps:
        - {id: once, wait: 1h}
        - id: inner
          repeat: {every: 1h, at_most: 2, steps: [{id: twice, wait: 1m}]}
  - {id: after, wait: 1h}
""")
    outer, inner = compiled.steps["outer"], compiled.steps["inner"]
    assert isinstance(outer, Repeat)
    assert isinstance(inner, Repeat)
    assert (outer.every_ms, outer.at_most, outer.first, outer.next) == (DAY_MS, 3, "once", "after")
    assert outer.until is not None
    assert outer.until_event is not None
    assert outer.until_event.events == {"x", "y"}
    assert (inner.until, inner.until_event, inner.first, inner.next) == (None, None, "twice", "outer")
    assert (compiled.steps["once"].next, compiled.steps["twice"].next) == ("inner", "inner")
    assert {name: step.inside for name, step in compiled.steps.items()} == {
        "outer": (),
        "once": ("outer",),
        "inner": ("outer",),
        "twice": ("outer", "inner"),
        "after": (),
    }
    assert compiled.untils_by_event == {"x": (outer,), "y": (outer,)}
    assert compiled.asks == {"cart_updated", "x", "y"}


def test_changes_and_ends(journey):
    steps = journey("""\
  - set: {profile.tier: "'gold'", profile.carts: profile.carts + 1, profile.vip: true, profile.level: 5}
  - emit: {event: cart_forgotten, properties: {total: entry.total}}
  - emit: done
  - exit: finished
""").steps
    change, told, done, end = steps.values()
    assert isinstance(change, SetValues)
    assert isinstance(told, Emit)
    assert [(name, value.source) for name, value in change.values] == [
        ("tier", "'gold'"),
        ("carts", "profile.carts + 1"),
        ("vip", "True"),
        ("level", "5"),
    ]
    assert (told.event, [(name, value.source) for name, value in told.properties]) == (
        "cart_forgotten",
        [("total", "entry.total")],
    )
    assert done == Emit(id="emit-2", next="exit-1", event="done")
    assert end == Exit(id="exit-1", reason="finished")


SERVICE = """\
project: shop
languages: [en]
channels:
  push: {address: profile.device_token}
  email: {address: profile.email}
  sms: {address: profile.phone}
purposes:
  service: {consent: none}
  marketing: {consent: opt_in}
"""
TEXTS = "message: welcome\nemail: {subject: S, text: T}\npush: {title: T}\n"


@pytest.mark.parametrize(
    ("send", "message", "expected"),
    [
        ("welcome", TEXTS, (("push", "email"), "service", None)),
        ("{message: welcome}", TEXTS + "purpose: marketing\n", (("push", "email"), "marketing", None)),
        ("{message: welcome, purpose: marketing}", TEXTS, (("push", "email"), "marketing", None)),
        (
            "{message: welcome, channels: [same, preferred, email], expires: 12h}",
            TEXTS,
            (("same", "preferred", "email"), "service", 12 * HOUR_MS),
        ),
    ],
)
def test_a_send_knows_its_channels_and_its_purpose(send, message, expected, journey):
    step = journey(f"  - {{id: a, send: {send}}}\n", project=SERVICE, message=message).steps["a"]
    assert isinstance(step, Send)
    assert (step.channels, step.purpose, step.expires_ms) == expected


def test_data_of_a_send_is_compiled(journey):
    step = journey("  - {id: a, send: {message: welcome, data: {code: \"'X'\", total: entry.total}}}\n").steps["a"]
    assert isinstance(step, Send)
    assert [(name, value.source) for name, value in step.data] == [("code", "'X'"), ("total", "entry.total")]


def test_steps_that_ask_others(journey):
    steps = journey("""\
  - id: stars
    ask: {survey: csat, message: welcome, channels: [email], within: 7d}
    then: [{id: thanks, wait: 1h}]
    on_timeout: [{exit: silent}]
  - id: case
    handoff:
      to: care
      skill: returns
      priority: high
      reason: unhappy
      summary: "{{ profile.first_name }}: {{ steps.stars.score }}"
      pause: [service]
      until: closed
      within: 2d
    then: [{id: after, wait: 1h}]
  - {id: note, handoff: {to: care}}
  - id: crm
    call: {webhook: crm, payload: {tier: profile.tier}, within: 30s}
    on_timeout: [{exit: unreachable}]
  - {id: crm-again, call: {webhook: crm}}
""").steps
    ask, case, note, call, again = (steps[name] for name in ("stars", "case", "note", "crm", "crm-again"))
    assert isinstance(ask, Ask)
    assert isinstance(case, Handoff)
    assert isinstance(note, Handoff)
    assert isinstance(call, Call)
    assert isinstance(again, Call)
    assert (ask.survey, ask.message, ask.channels, ask.purpose) == ("csat", "welcome", ("email",), "service")
    assert (ask.within_ms, ask.first, ask.on_timeout, ask.next) == (7 * DAY_MS, "thanks", "exit-1", "case")
    assert (case.team, case.skill, case.priority, case.reason) == ("care", "returns", "high", "unhappy")
    assert (case.pause, case.until_closed, case.within_ms, case.purpose) == (("service",), True, 2 * DAY_MS, "service")
    assert case.reads == (("profile", "first_name"), ("steps", "stars", "score"))
    assert (case.first, case.on_timeout, steps["after"].next) == ("after", "note", "note")
    assert (note.until_closed, note.within_ms, note.priority, note.first) == (False, None, "normal", "crm")
    assert (call.webhook, call.within_ms, call.first, call.on_timeout) == ("crm", 30_000, "crm-again", "exit-2")
    assert [(name, value.source) for name, value in call.payload] == [("tier", "profile.tier")]
    assert (again.within_ms, again.first, again.on_timeout) == (10_000, None, None)


def test_what_nobody_reads_is_not_kept(journey):
    compiled = journey("  - {id: a, wait: 1h}\n  - {id: b, wait_for: {event: x, where: total > 3, within: 1h}}\n")
    assert (compiled.entry_reads, compiled.keeps_event, compiled.event_reads) == (frozenset(), False, frozenset())
    assert not compiled.reads_receipts
    assert {step.kept for step in compiled.steps.values()} == {Kept()}


@pytest.mark.parametrize(
    ("condition", "entry_reads", "event_reads", "kept"),
    [
        ("entry.total > 3", {"total"}, set(), Kept()),
        ("event.properties.total > 3", set(), {"total"}, Kept()),
        ("event.type == 'x'", set(), set(), Kept()),
        ("length(event.properties) > 3", set(), None, Kept()),
        ("exists(steps.a.event)", set(), set(), Kept(event=True)),
        ("length(steps.a.events) > 3", set(), set(), Kept(events=True)),
        # what is read of a wait's event may be the opening one's
        ("steps.a.event.properties.total > 3", {"total"}, set(), Kept(event=True, names=frozenset({"total"}))),
        ("length(steps.a.event.properties) > 3", None, set(), Kept(event=True, names=None)),
        ("steps.a.event == entry.x", None, set(), Kept(event=True, names=None)),
        ("contains(steps.a.events, entry.x)", None, set(), Kept(events=True, names=None)),
    ],
)
def test_what_a_condition_reads_is_kept(condition, entry_reads, event_reads, kept, journey):
    compiled = journey(f'  - {{id: a, wait: 1h}}\n  - choose: [{{if: "{condition}"}}]\n')
    assert compiled.entry_reads == entry_reads
    assert compiled.event_reads == event_reads
    assert compiled.keeps_event == ("event." in condition.replace("steps.a.event.", ""))
    assert compiled.steps["a"].kept == kept


def test_what_a_message_reads_is_kept(journey):
    message = """\
message: welcome
email:
  subject: "{{ entry.total }} {{ event.channel }}"
  text: "{% for e in steps.pause_here.events %}{{ e.properties.x }}{% endfor %} {{ steps.first.status }}"
"""
    compiled = journey("  - {id: pause-here, wait: 1h}\n  - {id: first, send: welcome}\n", message=message)
    # Which properties a loop over events reads cannot be known, so all are kept.
    assert compiled.entry_reads is None
    assert (compiled.keeps_event, compiled.event_reads) == (True, frozenset())
    assert compiled.steps["pause-here"].kept == Kept(events=True, names=None)
    assert compiled.reads_receipts


@pytest.mark.parametrize(
    ("rule", "place"),
    [("inactive: {for: 30d}", "4:8"), ("any: [{event: x}, {schedule: {every: day, at: '09:00'}}]", "4:27")],
)
def test_a_key_that_a_rule_cannot_have_is_doubted(rule, place, found):
    enter = f"enter: {{{rule}, key: cart_id, again: always}}\n"
    text = f"journey: j\nversion: 1\npurpose: service\n{enter}steps: [{{id: a, send: welcome}}]\n"
    assert [f"{each.line}:{each.column} {each.code}" for each in found(text)] == [f"{place} W312"]


@pytest.mark.parametrize(("version", "doubts"), [(1, ["4:12 W313"]), (2, [])])
def test_a_first_version_that_drains_is_doubted(version, doubts, found):
    text = (
        f"journey: j\nversion: {version}\npurpose: service\non_change: drain\nenter: {{event: x}}\n"
        "steps: [{id: a, send: welcome}]\n"
    )
    assert [f"{each.line}:{each.column} {each.code}" for each in found(text)] == doubts
