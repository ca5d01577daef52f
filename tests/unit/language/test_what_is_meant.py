"""What authors write for our words, in other languages and after other tools, and what they are told instead.

Must never need more than one hint for one slip.
"""

import pytest

from orchestrator.language import times

HEAD = "journey: j\nversion: 2\npurpose: service\nenter: {event: cart_updated}\n"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("steps:\n  - {id: x, esperar: 1h}", "E221 wait"),
        ("steps:\n  - {id: x, Senden: welcome}", "E221 send"),
        ("steps:\n  - {id: x, wait: {for: 1h, wenn: x}}", "E202 one of for, restart_on"),
        ("steps:\n  - ende", "E203 exit: ..."),
        (
            "steps:\n  - {id: x, send: Your cart is waiting!}",
            "E206 the id of a file in messages/; the text stands there",
        ),
        ("steps:\n  - {id: x, send: welcome.message.yaml}", "E206 welcome"),
        (
            'steps:\n  - {id: x, send: {message: welcome, at: "10:00"}}',
            'E202 a step of its own, wait_until: "10:00", before this one',
        ),
        (
            "steps:\n  - {id: x, send: {message: welcome, delay: 1h}}",
            "E202 a step of its own, wait: 1h, before this one",
        ),
        ('steps:\n  - {id: x, wait: {for: 1h, at: "10:00"}}', 'E202 a step of its own, wait_until: "10:00"'),
        ('steps:\n  - {id: x, wait_until: {time: "10:00", hour: 10}}', "E202 time"),
        ('steps:\n  - {id: x, wait_until: {date: entry.due, at: "10:00"}}', "E202 time"),
        ("título: Hola\nsteps:\n  - {id: x, send: welcome}", "E202 title"),
        ("status: live // for now\nsteps:\n  - {id: x, send: welcome}", "E204 live"),
    ],
)
def test_words_of_other_languages_and_tools_are_answered_with_ours(written, told, found):
    problems = found(HEAD + written + "\n")
    assert [f"{each.code} {each.fix}" for each in problems] == [told]


def test_a_key_whose_name_holds_a_space_is_to_be_sent_by_another(found):
    problems = found(HEAD.replace("enter: {", "enter: {key: Order Id, ") + "steps: [{id: greet, send: welcome}]\n")
    told = "E206 order_id, and have the event sent with its property called so"
    assert [f"{each.code} {each.fix}" for each in problems] == [told]


def test_steps_under_a_misspelt_key_are_one_mistake(found):
    examples = (
        "examples: [{name: a, given: [], expect: {path: [greet], withheld: [{step: greet, reason: no consent}]}}]\n"
    )
    problems = found(HEAD + "schritte:\n  - {id: greet, send: welcome}\n" + examples)
    assert [f"{each.code} {each.fix}" for each in problems] == ["E201 steps: ...", "E202 steps", "E206 no_consent"]


def test_how_often_one_enters_is_no_truth_value(found):
    problems = found(HEAD.replace("enter: {", "enter: {again: true, ") + "steps: [{id: greet, send: welcome}]\n")
    assert [f"{each.code} {each.fix}" for each in problems] == ["E203 after_exit, or a length such as 7d"]


@pytest.mark.parametrize(
    ("every", "told"),
    [
        ("monday", "every: week, weekday: mon"),
        ("Thursdays", "every: week, weekday: thu"),
        ("miércoles", "every: week, weekday: wed"),
        ("Montag", "every: week, weekday: mon"),
        ("sat", "every: week, weekday: sat"),
        ("monthly", "month"),
        ("Monat", "month"),
        ("daily", "day"),
        ("fortnight", "day"),
    ],
)
def test_a_schedule_that_comes_on_a_weekday_is_one_of_every_week(every, told, found):
    enter = f'enter: {{again: after_exit, schedule: {{every: {every}, at: "09:00"}}}}'
    problems = found(HEAD.replace("enter: {event: cart_updated}", enter) + "steps: [{id: greet, send: welcome}]\n")
    assert [f"{each.code} {each.fix}" for each in problems] == [f"E204 {told}"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{consent: none}", "{consent: none, caps: 1 per day}", ["E203 [{at_most: 1, per: 1d}]"]),
        (
            "{consent: none}",
            "{consent: none, caps: {at_most: 1, per: 1d}}",
            ["E203 a list's item, with one dash before it: - {at_most: 1, per: 1d}"],
        ),
        ("{consent: none}", "{consent: none, quiet_hours: 22:00-08:00}", ['E203 {from: "22:00", to: "08:00"}']),
        (
            "{consent: none}",
            '{consent: none, quiet_hours: {start: "22:00", to: "08:00"}}',
            ["E201 from: ...", "E202 from"],
        ),
        (
            "{consent: none}",
            '{consent: none, quiet_hours: {from: "22:00", to: "08:00", days: [Domingo, Freitag, x]}}',
            ["E212 sun", "E212 fri", "E212 one of mon, tue, wed, thu, fri, sat, sun"],
        ),
        ("languages: [en]", "languages: [English, ES, es_MX]", ["E216 en", "E216 es", "E216 es-MX"]),
        (
            "  email: {address: profile.email}\n  sms: {address: profile.phone}\n",
            "  - email\n  - sms\n",
            ["E203 a map, without dashes: email: ..."],  # and no message is blamed for a channel that it names
        ),
    ],
)
def test_a_projects_settings_are_met_with_the_form_that_was_meant(old, new, told, found, sound):
    project = sound["orchestrator.yaml"]
    assert old in project
    problems = found(project=project.replace(old, new, 1))
    assert [f"{each.code} {each.fix}" for each in problems] == told
    assert {each.file for each in problems} == {"orchestrator.yaml"}


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("split: {a: 50, b: 50}", "E203 [{name: a, share: 50}, {name: b, share: 50}]"),
        ("exit:", "E203 a value after the colon"),
    ],
)
def test_a_step_in_another_form_is_told_ours(written, told, found):
    problems = found(HEAD + "steps:\n  - {id: greet, send: welcome}\n  - " + written + "\n")
    assert [f"{each.code} {each.fix}" for each in problems if not each.is_warning] == [told]


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("now", "0m"),
        ("1 hour", "1h"),
        ("2026-01-05 10:00", '"2026-01-05T10:00"'),
        ("-20m", 'one such as 20m or "2026-03-02T20:45"'),
        ("later", 'one such as 20m or "2026-03-02T20:45"'),
    ],
)
def test_the_moment_of_an_example_is_guessed(at, told):
    assert times.suggest_moment(at) == told


def test_a_segment_where_there_are_none_is_told_where_to_write_it(found):
    problems = found(HEAD.replace("event: cart_updated", "segment: vip") + "steps: [{id: greet, send: welcome}]\n")
    assert [f"{each.code} {each.fix}" for each in problems] == ["E330 segments.yaml beside it, with vip: {if: ...}"]
    problems = found(HEAD + "steps: [{choose: [{if: in_segment('vip'), then: [{id: greet, send: welcome}]}]}]\n")
    assert [f"{each.code} {each.fix}" for each in problems] == ["E330 vip: {if: ...} in segments.yaml"]


def test_a_purpose_or_a_channel_where_there_are_none_is_told_where_to_write_it(found):
    problems = found(
        project="project: shop\nlanguages: [en]\n",
        text=HEAD + "steps: [{id: greet, send: {message: welcome, channels: [email]}}]\n",
    )
    assert [f"{each.code} {each.fix}" for each in problems if not each.is_warning] == [
        "E306 purposes: {service: {consent: ...}} there",
        "E305 channels: {email: {address: ...}} there",
    ]


@pytest.mark.parametrize("written", ["unsubscribe_url", "unsubscribe", "mc.unsubscribe_link"])
def test_another_tools_link_to_leave_is_ours(written, found):
    text = f"message: welcome\nemail: {{subject: Hi, text: '{{{{ {written} }}}}'}}\n"
    problems = found(message=text)
    assert [f"{each.code} {each.fix}" for each in problems] == ["E502 links.unsubscribe"]
