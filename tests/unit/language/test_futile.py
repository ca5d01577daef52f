"""What hardly ever comes: a second entry by time, events that end the entry first, openings that nobody measures."""

import pytest

SEND = "steps: [{id: greet, send: welcome}]\n"


def doubts_of(found, text, code):
    problems = found("journey: hello\nversion: 1\npurpose: service\n" + text)
    assert [str(each) for each in problems if not each.is_warning] == []
    return [f"{each.line}:{each.column} {each.fix}" for each in problems if each.code == code]


@pytest.mark.parametrize(
    ("enter", "columns"),
    [
        ('{schedule: {every: week, at: "09:00", weekday: mon}}', [19]),
        ("{date: {date: profile.birthday, yearly: true}}", [15]),
        ('[{event: e}, {schedule: {every: day, at: "09:00"}}]', [32]),
        ("{any: [{date: {date: profile.birthday, yearly: true}}], again: 30d}", []),
        ("{date: {date: profile.birthday, yearly: true}, again: once}", []),
        ("{date: {date: profile.due}}", []),
        ('{schedule: {once: "2026-11-27T09:00"}}', []),
        ("{inactive: {for: 30d}}", []),
    ],
)
def test_what_time_brings_again_and_lets_in_once_is_doubted(enter, columns, found):
    told = [f"4:{column} again: after_exit, or again: once where that is meant" for column in columns]
    assert doubts_of(found, f"enter: {enter}\n{SEND}", "W320") == told


@pytest.mark.parametrize(
    ("ends", "step", "column"),
    [
        ("exit: [{event: bought}]", "wait_for: {event: [seen, bought], within: 1d}", 31),
        ("exit: [{event: [left, bought]}]", "wait_for: {any: [{event: seen}, {event: bought}], within: 1d}", 53),
        ("goal: {event: bought}", "wait: {for: 1h, restart_on: bought}", 41),
        ("goal: {event: bought}", "repeat: {every: 1d, at_most: 2, until_event: bought, steps: [{wait: 1h}]}", 58),
        ("exit: [{event: survey_answered}]", "ask: {survey: nps, message: welcome, within: 1d}", 18),
        ("exit: [{event: case_closed}]", "handoff: {to: care, until: closed, within: 1d}", 40),
        ("exit: [{event: case_closed}]", "handoff: {to: care}", None),
        ("exit: [{event: bought, where: total > 3}]", "wait_for: {event: bought, within: 1d}", None),
        ("goal: {event: bought, within: 3d}", "wait_for: {event: bought, within: 1d}", None),
        ("goal: {event: bought, ends: false}", "wait_for: {event: bought, within: 1d}", None),
        ("exit: [{event: message_clicked}]",
         'wait_for: {event: message_clicked, where: "machine == True", within: 1d}', None),
    ],
)  # fmt: skip
def test_a_wait_for_what_ends_the_entry_first_is_doubted(ends, step, column, found):
    text = f"enter: {{event: e}}\n{ends}\nsteps:\n  - {{id: s, {step}}}\n"
    rule = "the goal" if ends.startswith("goal") else "an exit rule"
    told = [] if column is None else [f"7:{column} where: ... in {rule}, or another event"]
    assert doubts_of(found, text, "W321") == told


@pytest.mark.parametrize(
    ("steps", "track", "told"),
    [
        ("{id: w, wait_for: {event: message_opened, within: 1d}}", None, ["7:31 track: [clicks, opens]"]),
        ("{id: w, wait_for: {event: message_clicked, within: 1d}}", None, []),
        ("{id: w, wait_for: {event: message_opened, within: 1d}}", "[opens]", []),
        ("{id: w, wait_for: {event: message_clicked, within: 1d}}", "[opens]", ["7:31 track: [opens, clicks]"]),
        ("{choose: [{if: steps.m.status != 'opened', then: [{exit: a}]}]}", None, ["7:20 track: [clicks, opens]"]),
        ("{choose: [{if: steps.m.status == 'clicked', then: [{exit: a}]}]}", None, []),
    ],
)
def test_what_mails_do_not_measure_is_not_waited_for(steps, track, told, found, sound):
    project = sound["orchestrator.yaml"]
    if track is not None:
        project = project.replace("profile.email}", f"profile.email, track: {track}}}")
    head = "journey: hello\nversion: 1\npurpose: service\nenter: {event: e}\nsteps:\n"
    problems = found(f"{head}  - {{id: m, send: welcome}}\n  - {steps}\n", project=project)
    where = " at email in orchestrator.yaml"
    doubts = [each for each in problems if each.code == "W323"]
    assert [f"{each.line}:{each.column} {each.fix}" for each in doubts] == [each + where for each in told]


def test_what_other_channels_tell_of_may_be_waited_for(found):
    head = "journey: hello\nversion: 1\npurpose: service\nenter: {event: e}\nsteps:\n  - {id: m, send: welcome}\n"
    wait = "  - {id: w, wait_for: {event: message_opened, within: 1d}}\n"
    message = "message: welcome\nsms: {text: Hello}\n"
    assert [each.code for each in found(head + wait, message=message)] == []
