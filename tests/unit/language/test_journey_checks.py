"""Journeys: what is broken or doubtful about one, and what is not blamed on it.

The files of `broken/` show one mistake each where it stands; these show which mistakes there are. Must never run one.
"""

import pytest

HEAD = "journey: j\nversion: 2\npurpose: service\nenter: {event: cart_updated}\n"


def test_a_step_without_an_id_gets_one_from_its_verb_and_a_warning_where_it_matters(found):
    text = (
        HEAD
        + """\
steps:
  - wait: 1h
  - {id: wait-2, wait: 1h}
  - wait: 2h
  - choose: [{if: entry.a, then: [{send: welcome}]}]
  - wait_until: "09:00"
"""
    )
    derived = [(each.line, each.code, each.message.partition("gets ")[2].partition(",")[0]) for each in found(text)]
    assert derived == [
        (6, "W301", "wait-1"),
        (8, "W301", "wait-3"),
        (9, "W301", "send-1"),
        (10, "W301", "wait-until-1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "is_reached"),
    [
        (["exit: a"], False),
        (["choose: [{if: entry.a, then: [{exit: a}]}, {else: [{exit: b}]}]"], False),
        (["choose: [{if: entry.a, then: [{exit: a}]}]"], True),
        (["split: [{name: x, share: 50, then: [{exit: a}]}, {name: y, share: 50}]"], True),
        (["wait_for: {event: x, within: 1h}", "then: [{exit: a}]", "on_timeout: [{exit: b}]"], False),
        (["wait_for: {event: x, within: 1h}", "then: [{exit: a}]"], True),
        (["wait_for: {any: [{event: x, then: [{exit: a}]}], within: 1h}", "on_timeout: [{exit: b}]"], False),
        (["wait_for: {any: [{event: x}], within: 1h}", "on_timeout: [{exit: b}]"], True),
    ],
)
def test_a_step_that_nobody_comes_to_is_doubted(steps, is_reached, found):
    text = "\n    ".join(["  - id: first", *steps]) + "\n  - exit: last\n"
    codes = [problem.code for problem in found(HEAD + "steps:\n" + text)]
    assert ("W302" not in codes) == is_reached


def test_doubts_about_a_whole_journey(found):
    problems = found("journey: j\nversion: 1\nstatus: live\nenter: {event: x, where: not (total < 3)}\nsteps: []\n")
    here = [problem for problem in problems if problem.file == "hello.journey.yaml"]
    assert [f"{problem.line}:{problem.column} {problem.code}" for problem in here] == [
        "3:9 W306",
        "4:31 W401",
        "5:8 W307",
    ]


def test_a_live_journey_whose_example_is_broken_is_not_told_to_write_one(found):
    problems = found(HEAD + "status: live\nsteps: [{id: a, wait: 1h}]\nexamples: [{name: , given: [], expect: {}}]\n")
    assert "W306" not in {each.code for each in problems}
    assert "E203" in {each.code for each in problems}


@pytest.mark.parametrize(
    ("waits", "told"),
    [
        ("until: closed", ["7:25 W314"]),
        ("within: 3d", ["7:25 W315"]),
        ("until: closed, within: 3d", []),
        ("until: closed, within: soon", ["7:48 E210"]),
        ("priority: low", []),
    ],
)
def test_a_case_is_waited_for_with_an_end_or_not_at_all(waits, told, found):
    problems = found(HEAD + "steps:\n  - id: care\n    handoff: {to: care, " + waits + "}\n")
    assert [f"{each.line}:{each.column} {each.code}" for each in problems if each.code != "W303"] == told


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ('given: [{at: 0m, event: x}, {at: "2026-01-05T10:00", event: x}]', []),
        ('given: [{at: 0m, event: x}, {at: "2026-01-05T09:59", event: x}]', ['E232 start: "2026-01-05T09:59"']),
        ('start: "2026-03-02T08:00", given: [{at: "2026-03-01T23:00", event: x}]', ['E232 start: "2026-03-01T23:00"']),
        ('start: "2026-03-02T08:00", until: "2026-03-01T23:00"', ['E232 start: "2026-03-01T23:00"']),
        ('start: "2026-03-32T08:00", given: [{at: 0m, event: x}]', ['E213 one such as "2026-03-02T20:45"']),
    ],
)
def test_nothing_happens_before_an_example_begins(times, told, found):
    problems = found(HEAD + f"steps: []\nexamples: [{{name: a, {times}, expect: {{entries: 0}}}}]\n")
    errors = [each for each in problems if not each.is_warning]
    assert [f"{each.code} {each.fix.partition(', or')[0]}" for each in errors] == told


STEPS = """\
steps:
  - {id: greet, send: welcome}
  - {id: rate, ask: {survey: nps, message: welcome, within: 1d}}
  - {id: own-rate, ask: {survey: custom, message: welcome, within: 1d}}
  - {id: care, handoff: {to: care}}
  - {id: ask-crm, call: {webhook: crm}}
  - {id: offer, split: [{name: coupon, share: 50}, {name: nothing, share: 50}]}
  - {id: first, wait_for: {any: [{name: bought, event: order_placed}, {event: returned}], within: 1d}}
  - {id: one, wait_for: {event: order_placed, within: 1d}}
  - {id: mood, score: {model: sentiment, input: profile.text}}
  - {id: points, score: {model: points}}
  - {id: mine, score: {model: brought}}
"""
MODELS = "models: {points: {kind: rules, rules: [{if: profile.a, points: 1}], labels: {cold: 0, hot: 3}},\n\
  brought: {kind: onnx, file: x, features: {a: profile.a}}}\n"


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("steps.greet.status == 'send'", "`steps.greet.status` is never 'send'; it is one of sent, held, suppressed,"
            " expired, delivered, opened, clicked, bounced, failed; write: 'sent'"),
        ("steps.greet.status in ['sent', 'open']", "`steps.greet.status` is never 'open'"),
        ("'send' != steps.greet.status", "`steps.greet.status` is never 'send'"),
        ("steps.greet.channel == 'e-mail'", "it is one of email, sms; write: 'email'"),
        ("steps.greet.status == 1", "`steps.greet.status` is never 1"),
        ("steps.rate.group == 'detractors'", "write: 'detractor'"),
        ("steps.rate.score >= '9'", "`steps.rate.score` is never '9'; it is a number; write: 9"),
        ("steps.own_rate.group == 'promoter'", "`steps.own_rate.group` is never 'promoter'; it is always missing"),
        ("steps.care.status == 'close'", "it is one of open, closed, holdout; write: 'closed'"),
        ("steps.ask_crm.status == '200'", "it is a number, or holdout; write: 200"),
        ("steps.ask_crm.status == 'ok'", "write: a number"),
        ("steps.offer.name == 'cupon'", "write: 'coupon'"),
        ("steps.first.name == 'buys'", "it is one of bought"),
        ("steps.one.name == 'bought'", "it is always missing"),
        ("steps.mood.label == 'angry'", "it is one of positive, neutral, negative"),
        ("steps.points.label == 'warm'", "it is one of cold, hot"),
        ("count('order_placed', within='30d') >= '5'", "is never '5'; it is a number; write: 5"),
        ("length(entry.items) == -1 or days_since(profile.at) > 'a'", "`days_since(profile.at)` is never 'a'"),
        ("exists(profile.a) == 'yes'", "it is true or false; write: exists(profile.a), or not exists(profile.a)"),
        ("lower(profile.tier) == 'Gold'", "it is a text in lower case; write: 'gold'"),
        ("entry.total * 2 > '80'", "`entry.total * 2` is never '80'"),
        ("steps.greet.status in ['sent', 'opened'] and steps.rate.score >= 9.5", None),
        ("steps.own_rate.score == 'A' or steps.ask_crm.status in [200, 'holdout']", None),
        ("steps.first.name == 'bought' or steps.offer.name != 'coupon'", None),
        ("steps.mine.label == 'x' or entry.total == '40' or profile.recency == 'x'", None),
        ("lower(profile.tier) == 'gold' or exists(profile.a) == true", None),
        ("'sent' in entry.statuses or steps.care.outcome == 'x'", None),
    ],
)  # fmt: skip
def test_a_literal_that_a_value_can_never_be_is_doubted(condition, told, found, sound):
    project = sound["orchestrator.yaml"] + MODELS
    text = HEAD + STEPS + f'  - choose: [{{if: "{condition.replace("true", "True")}", then: [{{exit: x}}]}}]\n'
    doubts = [each for each in found(text, project=project) if each.code == "W403"]
    assert len(doubts) == (told is not None)
    if told is not None:
        line = text.splitlines()[doubts[0].line - 1]
        assert line[doubts[0].column - 1] in "'-1"
        assert told in f"{doubts[0].message}; write: {doubts[0].fix}"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("{event: message_clicked, where: message == 'wellcome'}", "write: 'welcome'"),
        ("{event: message_clicked, where: message == 'newsletter-42'}", None),
        ("{event: message_bounced, where: kind == 'Hard'}", "write: 'hard'"),
        ("{event: message_failed, where: kind == 'Hard'}", None),
        ("{event: [message_opened, message_clicked], where: machine == 'true'}", "it is true or false"),
        ("{event: [a, b], where: event.type == 'c'}", "it is one of a, b"),
        ("{event: consent_changed, where: granted == 'no'}", "write: granted, or not granted"),
        ("{event: consent_changed, where: channel == 'emails'}", "it is one of email, sms; write: 'email'"),
        ("{event: order_placed, where: channel == 'mail'}", None),
    ],
)
def test_a_literal_that_an_event_can_never_have_is_doubted(rule, told, found):
    problems = found(f"journey: j\nversion: 1\npurpose: service\nenter: {rule}\nsteps: [{{id: a, wait: 1h}}]\n")
    doubts = [f"{each.message}; write: {each.fix}" for each in problems if each.code == "W403"]
    assert [told in doubt for doubt in doubts] == ([] if told is None else [True])


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("[{id: a, set: {profile.x: steps.b.status}}, {id: b, send: welcome}]", ["6:34 W406"]),
        ("[{id: b, send: welcome}, {id: a, set: {profile.x: steps.b.status}}]", []),
        ("[{id: b, send: {message: welcome, data: {x: steps.b.status}}}]", ["6:52 W406"]),
        ("[{id: r, repeat: {every: 1d, at_most: 2, until: steps.b.status == 'sent', steps: [{id: b, send: welcome}]}},"
            " {id: c, send: welcome}]", []),
        ("[{id: r, repeat: {every: 1d, at_most: 2, until: steps.c.status == 'sent', steps: [{id: b, send: welcome}]}},"
            " {id: c, send: welcome}]", ["6:56 W406"]),
        ("[{id: r, repeat: {every: 1d, at_most: 2, steps: [{choose: [{if: steps.b.channel == 'sms', then:"
            " [{exit: x}]}]}, {id: b, send: welcome}]}}]", []),
    ],
)  # fmt: skip
def test_a_step_that_nobody_can_have_passed_is_doubted(steps, told, found):
    # Exits and goals are asked at any time.
    rules = "exit: {event: x, where: steps.b.status == 'sent'}\n"
    problems = found(HEAD + rules + f"steps: {steps}\n")
    assert [f"{each.line}:{each.column} {each.code}" for each in problems if each.code[:2] != "W3"] == told


def test_a_branch_that_could_not_be_read_is_not_called_one_that_can_never_be(found):
    steps = "  - {id: offer, split: [{name: a, share: 50}, {name: b c, share: x}]}\n"
    problems = found(HEAD + "steps:\n" + steps + "  - choose: [{if: steps.offer.name == 'c', then: [{exit: x}]}]\n")
    assert {each.code for each in problems if each.line > 4} <= {"E203", "E206", "W303"}


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("profile.first-name == 'Ana'", ["4:26: W402 `profile.first-name` subtracts one from the other;"
            " write: profile.first_name where that is its name, or profile.first - name"]),
        ("cart-id == 7", ["4:26: W402 `cart-id` subtracts one from the other;"
            " write: cart_id where that is its name, or cart - id"]),
        ("total - discount > 30", []),
        ("total -discount > 30", []),
        ("total-30 > 0", []),
        ("total+discount > 0", []),
    ],
)  # fmt: skip
def test_a_name_with_a_dash_is_doubted_because_it_subtracts(where, told, found):
    problems = found(
        f"journey: j\nversion: 1\nstatus: draft\nenter: {{event: x, where: {where}}}\nsteps: [{{id: a, wait: 1h}}]\n"
    )
    assert [str(each).removeprefix("hello.journey.yaml:") for each in problems if each.code == "W402"] == told


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ('enter: {schedule: {every: day, once: "2026-11-27T09:00"}}', "E225"),
        ('enter: {schedule: {once: "2026-11-27T09:00", at: "10:00"}}', "E225"),
        ("enter: {schedule: {every: day}}", "E225"),
        ('enter: {schedule: {every: month, at: "09:00"}}', "E225"),
        ('enter: {schedule: {every: day, at: "09:00", weekday: mon}}', "E225"),
        ('enter: {schedule: {every: month, at: "09:00", day: 32}}', "E205"),
        ("enter: {event: ' x'}", "E207"),
        (f"enter: {{event: {'x' * 201}}}", "E208"),
        ("enter: {event: {name: x}}", "E203"),
        ("enter: x", "E203"),
        ("enter: {event: x, key: ''}", "E207"),
        ("enter: {event: x, where: [total]}", "E203"),
        ("enter: {event: x, where: ''}", "E207"),
        ("exit: [{segment: vip, where: total}]", "E225"),
        (f"purpose: {'x' * 201}", "E208"),
        ("holdout: ten", "E214"),
        ("priority: 5.5", "E203"),
        ("steps: [5]", "E203"),
        ("steps: [{id: a, wait_until: {time: 10:00, offset: 1d}}]", "E225"),
        ("steps: [{id: a, wait_until: {time: 10:00, yearly: true}}]", "E225"),
        ("steps: [{id: a, wait_until: {date: now, weekday: mon}}]", "E225"),
        ("steps: [{id: a, wait_for: {within: 1h}}]", "E224"),
        ("steps: [{id: a, wait_for: {segment: vip, where: total, within: 1h}}]", "E225"),
        ("steps: [{choose: [{if: entry.a, else: []}]}]", "E226"),
        ("steps: [{choose: [{then: [], else: []}]}]", "E226"),
        ("steps: [{id: a, send: {message: welcome, purpose: service, channels: []}}]", "E207"),
        ("steps: [{exit: ''}]", "E207"),
        (f"steps: [{{exit: {'x' * 201}}}]", "E208"),
        ("steps: [{set: {profile.a: [1]}}]", "E203"),
        ("steps: [{set: {profile.a.b: 1}}]", "E229"),
        ("steps: [{id: a, score: {model: sentiment, save: risk}}]", "E206"),
    ],
)
def test_a_shape_that_is_broken_gets_its_error_alone(rest, expected, found):
    keys = {"enter": "{event: x}", "steps": "[]", "journey": "j", "version": "1", rest.partition(":")[0]: None}
    text = "\n".join([*(f"{key}: {value}" for key, value in keys.items() if value), rest])
    errors = [
        problem.code for problem in found(text) if not problem.is_warning and problem.code[:2] not in ("E9", "E3")
    ]
    assert errors == [expected]


def test_what_is_broken_in_a_journey_is_not_blamed_on_what_refers_to_it(found):
    text = (
        HEAD
        + """\
steps:
  - {id: offer, split: x}
  - {id: greet, send: {message: welcome}}
  - choose: [{if: steps.offer.name == 'x'}]
"""
    )
    problems = found(text, message="message: welcome\nemail: {subject: S, text: '{{ steps.offer.name }}'}\n")
    assert [f"{problem.line} {problem.code}" for problem in problems if not problem.is_warning] == ["6 E203"]


def test_two_journeys_of_one_name_are_refused(found, sound):
    problems = found(**{"other.journey.yaml": sound["hello.journey.yaml"]})
    assert [f"{problem.file}:{problem.line}:{problem.column} {problem.code}" for problem in problems] == [
        "other.journey.yaml:1:10 E302"
    ]


def test_an_example_may_name_other_journeys_of_the_project(found, sound):
    example = """\
examples:
  - name: a
    others: [other]
    consents: {email: {service: true}}
    prefers: [sms]
    given: []
    expect: {exit: [x, null], waiting: greet, not_entered: [not_again]}
"""
    other = sound["hello.journey.yaml"].replace("hello", "other")
    assert found(sound["hello.journey.yaml"] + example, **{"other.journey.yaml": other}) == []


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("consents: {fax: {service: true}}, given: [], expect: {}", "E305"),
        ("consents: {email: {news: true}}, given: [], expect: {}", "E306"),
        ("prefers: [fax], given: [], expect: {}", "E305"),
        ("split: {nothing: y}, given: [], expect: {}", "E312"),
        ("split: {greet: x}, given: [], expect: {}", "E312"),
        ("responses: {greet: {status: 200}}, given: [], expect: {}", "E312"),
        ("scores: {greet: {value: 1}}, given: [], expect: {}", "E312"),
        ("given: [], expect: {messages: [{message: welcom}]}", "E304"),
        ("given: [], expect: {messages: [{channel: fax}]}", "E305"),
        ("given: [], expect: {messages: [{purpose: news}]}", "E306"),
        ("given: [], expect: {messages: [{at: 10:00}]}", "E213"),
        ("given: [], expect: {withheld: [{step: gret}]}", "E312"),
        ("given: [], expect: {withheld: [{channel: fax}]}", "E305"),
        ("given: [], expect: {waiting: gret}", "E312"),
        ("given: [], expect: {not_entered: [because]}", "E204"),
        ("given: [], expect: {entries: -1}", "E205"),
        ("given: [], expect: {events: [5]}", "E203"),
        ("given: [{at: 5m, event: x, properties: [1]}], expect: {}", "E203"),
        ("given: [{at: -5m, event: x}], expect: {}", "E213"),
        ("given: [], expect: {messages: [{text: hello}]}", "E203"),
        ("responses: {gret: {status: 200}}, given: [], expect: {}", "E312"),
        ("scores: {gret: {value: 1}}, given: [], expect: {}", "E312"),
        ("given: [], expect: {calls: [{step: gret}]}", "E312"),
        ("given: [], expect: {cases: [{step: gret}]}", "E312"),
        ("responses: {greet: {status: 20}}, given: [], expect: {}", "E205"),
    ],
)
def test_a_broken_example_gets_its_error(example, expected, found, sound):
    problems = found(sound["hello.journey.yaml"] + f"examples:\n  - {{name: a, {example}}}\n")
    assert [problem.code for problem in problems if not problem.is_warning] == [expected]
    assert {problem.line for problem in problems} == {8}


def test_an_example_that_expects_nothing_is_doubted(found, sound):
    text = sound["hello.journey.yaml"] + "examples:\n  - {name: a, given: [], expect: {}}\n"
    assert _seen(found(text)) == ["8:34 W318 messages: [...]"]
    assert found(text.replace("expect: {}", "expect: {exit: null}")) == []


def _seen(problems) -> list[str]:
    return [f"{each.line}:{each.column} {each.code} {each.fix}" for each in problems]


def test_a_value_that_was_left_out_is_reported_at_its_key(found):
    problems = found("journey:\nversion:\nenter: {event: x, where: }\nsteps:\n  - id: w\n    wait: {for: }\n")
    assert [each.split()[:2] for each in _seen(problems) if " E" in each] == [
        ["1:1", "E203"],
        ["2:1", "E203"],
        ["3:19", "E207"],
        ["6:12", "E203"],
    ]


def test_a_comma_that_cuts_a_plain_condition_in_two_is_named_as_the_cause(found):
    problems = found(HEAD.replace("cart_updated}", "x, where: count('a', within='30d') > 1}") + "steps: []\n")
    quotes = "quotes around the whole condition if it holds a comma, else as many ) as ("
    assert f"4:26 E401 {quotes}" in _seen(problems)


@pytest.mark.parametrize(("share", "percent"), [("0.1", "10%"), ("10", "10%"), ("2.5", "2.5%"), ("0", "0%")])
def test_a_holdout_without_its_sign_is_told_the_percentage_that_was_meant(share, percent, found):
    problems = found(HEAD + f"holdout: {share}\nsteps: [{{exit: x}}]\n")
    assert f"5:10 E214 {percent}" in _seen(problems)


@pytest.mark.parametrize("steps", ["", "steps: {id: w, wait: 1h}\n", "steps:\n"])
def test_steps_that_cannot_be_read_are_not_called_none_as_well(steps, found):
    assert "W307" not in [problem.code for problem in found(HEAD + steps)]


@pytest.mark.parametrize(
    ("line", "place", "code", "fix"),
    [
        # A key at the wrong level is told where it belongs.
        ("key: cart_id", "5:1", "E202", "`key` inside `enter`"),
        ("steps: [{id: a, wait: 1h, restart_on: x}]", "5:27", "E202", "`restart_on` inside `wait`"),
        ("steps: [{id: a, wait_for: {event: x, within: 1h, then: []}}]", "5:50", "E202",
         "`then` beside `wait_for`, not inside it"),
        ("examples: [{name: e, given: [{at: 0m, event: x, total: 3}], expect: {exit: null}}]", "5:49", "E202",
         "`total` inside `properties`"),
        # A slip of the pen, and another tool's word.
        ("exits: [{event: x}]", "5:1", "E202", "exit"),
        ("exit: {events: x}", "5:8", "E202", "event"),
        ("steps: [{id: a, choose: [{if: entry.a, do: []}]}]", "5:40", "E202", "then"),
        ("steps: [{id: a, wait_for: {event: x, within: 1h}, else: []}]", "5:51", "E202", "on_timeout"),
        # A number without its unit, a word where a rule belongs, a map where a list does.
        ("goal: {event: x, within: 3}", "5:26", "E203", "a length with its unit, such as 30m, 1h or 7d"),
        ("steps: [{id: a, wait_until: {date: entry.d, offset: -3}}]", "5:53", "E203",
         "an offset with its unit, such as -3d"),
        ("steps: [{id: a, wait_until: {time: 10}}]", "5:36", "E203", 'hours and minutes in quotes, such as "10:00"'),
        ("goal: order_placed", "5:7", "E203", "{event: order_placed}"),
        ("steps: [{id: a, wait_for: clicked}]", "5:27", "E203", "{event: clicked, within: 1d}"),
        ("steps: {wait: 1h}", "5:8", "E203", "a list, with a dash before each of its items: - wait: ..."),
        ("title: [a, b]", "5:8", "E203", "one text, without brackets"),
        # What is wrong with an id is said once.
        ("steps: [{id: Settle, wait: 1h}]", "5:14", "E206", "settle"),
        ("steps: [{id: Señal única, wait: 1h}]", "5:14", "E206", "senal-unica"),
    ],
)  # fmt: skip
def test_what_to_write_instead_is_what_was_meant(line, place, code, fix, found):
    rest = "" if line.startswith("steps") else "steps: [{id: pause, wait: 1h}]\n"
    problems = [each for each in found(f"{HEAD}{line}\n{rest}") if each.file.startswith("hello")]
    assert [(f"{each.line}:{each.column}", each.code, each.fix) for each in problems] == [(place, code, fix)]


@pytest.mark.parametrize(("key", "fix"), [("event.cart_id", "cart_id"), ("cart.", "cart_id")])
def test_the_key_of_a_journey_is_a_propertys_name_alone(key, fix, found):
    problems = found(f"journey: j\nversion: 2\nenter: {{event: x, key: {key}}}\nsteps: [{{id: a, wait: 1h}}]\n")
    assert [(each.code, each.fix) for each in problems if each.file.startswith("hello")] == [("E206", fix)]


def test_an_examples_customer_lives_in_a_time_zone_that_exists(found):
    example = "examples: [{name: e, profile: {timezone: Madrid}, given: [], expect: {exit: null}}]\n"
    problems = found(f"{HEAD}steps: [{{id: a, wait: 1h}}]\n{example}")
    told = [(each.line, each.column, each.code, each.fix) for each in problems if each.file.startswith("hello")]
    assert told == [(6, 42, "E215", "Europe/Madrid")]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("title: #1 reminder", ["5:1 E207 quotes, as # begins a comment: \"#1 reminder\""]),
        ("title:  # later", ["5:1 E207 a value, or leave the key out"]),
        ("exit: {event: x, reason: “bought”}", ["5:26 E206 bought"]),
        ("exit: {event: mess\u200bage, reason: x}", ["5:15 E206 message"]),
        ("exit: {event: x, where: total > 3, total < 9}",
            ["5:36 E202 [...] around a list, or quotes around a text that holds a comma"]),
        ("exit: {event: x, wehre: total > 3}", ["5:18 E202 where"]),
    ],
)  # fmt: skip
def test_what_yaml_takes_for_something_else_is_named(line, told, found):
    problems = found(HEAD + line + "\nsteps: [{id: greet, send: welcome}]\n")
    assert [f"{each.line}:{each.column} {each.code} {each.fix}" for each in problems] == told


def test_a_purpose_that_cannot_be_read_is_not_called_missing_as_well(found):
    head = HEAD.replace("purpose: service", "purpose: service\u00a0")
    problems = found(head + "steps: [{id: greet, send: welcome}]\n")
    assert [each.code for each in problems] == ["E206"]
    others = found(HEAD.replace("purpose: service", "titel: x") + "steps: [{id: greet, send: welcome}]\n")
    assert [each.code for each in others] == ["E202", "E308"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("enter: {inactive: 30d}", "E203 {for: 30d}"),
        ("enter: {date: profile.birthday}", "E203 {date: profile.birthday}"),
        ("enter: {event: x, limit: 1000}", "E203 {entries: 1000, per: 1d}"),
        ("enter: {schedule: daily}", 'E203 {every: day, at: "09:00"}'),
        ("enter: {schedule: [x]}", "E203 a map: {...}"),
        ("enter: {schedule: {once: 2026-11-27 9:00}}", 'E213 "2026-11-27T09:00"'),
        ("enter: {schedule: {once: 2026-11-27}}", 'E213 "2026-11-27T09:00"'),
        ("enter: {schedule: {once: black friday}}", 'E213 one such as "2026-03-02T20:45"'),
        ("enter: {event: x, again: 3 days}", "E204 3d"),
        ("steps: [{id: a, wait_until: 2026-12-24 10:00}]", 'E211 {date: "\'2026-12-24\'", time: "10:00"}'),
        ("steps: [{id: a, wait_until: 2026-12-24}]", "E211 {date: \"'2026-12-24'\"}"),
        ("steps: [{id: a, wait_until: entry.starts_at}]", "E211 {date: entry.starts_at}"),
        ("steps: [{id: a, wait_until: tomorrow}]", 'E211 a time such as "09:00"'),
        ("steps: [{id: a, score: {model: sentiment, save: mood}}]", "E206 profile.mood"),
        ("steps: [{id: a, score: {model: sentiment, save: my mood}}]", "E206 a field such as profile.churn_risk"),
    ],
)
def test_a_single_value_is_told_the_map_that_was_meant(line, told, found):
    keys = {"journey": "j", "version": "1", "enter": "{event: x}", "steps": "[]", line.partition(":")[0]: None}
    text = "\n".join([*(f"{key}: {value}" for key, value in keys.items() if value), line])
    problems = [problem for problem in found(text) if not problem.is_warning]
    assert [f"{problem.code} {problem.fix}" for problem in problems] == [told]


@pytest.mark.parametrize(
    ("content", "is_doubted"),
    [
        ("email: {subject: S, text: Hi}", True),
        ("email: {subject: S, text: 'Hi {{ links.survey }}'}", False),
        ("email: {subject: S, text: Hi}\nsms: {text: '{{ links.survey }}'}", False),
        ("chat: {text: 'From 0 to 10?'}", False),
    ],
)
def test_a_survey_without_a_way_to_it_is_doubted(content, is_doubted, found, sound):
    project = sound["orchestrator.yaml"].replace("  sms:", "  chat: {address: profile.chat}\n  sms:")
    text = HEAD + "steps: [{id: rate, ask: {survey: nps, message: welcome, within: 1d}}]\n"
    problems = found(text, project=project, message=f"message: welcome\n{content}\n")
    assert [each.code for each in problems] == (["W316"] if is_doubted else [])
