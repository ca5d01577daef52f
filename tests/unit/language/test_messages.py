"""Messages: content by channel and language, the files they name, and what their templates read.

Must never render one.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.language import templates

JOURNEY = """\
journey: hello
version: 1
purpose: service
enter: {event: signed_up}
steps:
  - id: settle
    wait: {for: 1h, restart_on: signed_up}
  - id: first-try
    send: {message: welcome, data: {code: "'X'"}}
"""
PROJECT = """\
project: shop
languages: [es, en]
brand: {name: Casa, color: "#0a7"}
channels:
  email: {address: profile.email}
  push: {address: profile.device_token}
  whatsapp: {address: profile.phone}
  in-app: {address: profile.id}
purposes:
  service: {consent: none}
"""


def rows(problems, code="E"):
    return [
        f"{problem.file.rpartition('/')[2]}:{problem.line}:{problem.column} {problem.code}"
        for problem in problems
        if problem.code.startswith(code)
    ]


def message(text: str) -> str:
    return "message: welcome\n" + text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("email: {subject: S}", "2:1 E314"),
        ("email: {text: T}", "2:1 E314"),
        ("push: {url: U}", "2:1 E314"),
        ("in-app: {title: T}", "2:1 E314"),
        ("whatsapp: {parameters: [a]}", "2:1 E314"),
        ("emial: {text: T}", "2:1 E305"),
        ("push: {title: T, sound: loud}", "2:18 E202"),
        ("in-app: {text: T, body: B}", "2:19 E202"),
        ("push: {title: 5}", "2:15 E203"),
        ("push: Hello", "2:7 E203"),
        ("purpose: newsletter\npush: {title: T}", "2:10 E306"),
        ("languages: {EN: {push: {title: T}}}\npush: {title: T}", "2:13 E216"),
        ("languages: {en: {push: {title: T}}}\nemail: {subject: S, text: T}", "2:18 E315"),
        ("push: {title: '{{ profile.x'}", "2:16 E501"),
        ("push: {title: 'Hi {% if a %}'}", "2:16 E501"),
        ("push: {title: '{% raw %}'}", "2:16 E501"),
        ("push: {title: '{{ proflie.first_name }}'}", "2:19 E502"),
        ("push: {title: 'Hi {{ profile.x | upcse }}'}", "2:34 E503"),
        ("push: {title: '{{ profile }}'}", "2:19 E506"),
        ("push: {title: '{{ brand.colour }}'}", "2:19 E506"),
        ("push: {title: '{{ links.unsubscibe }}'}", "2:19 E506"),
        ("push: {title: '{{ event.total }}'}", "2:19 E506"),
        ("push: {title: '{{ steps.setle.event.type }}'}", "2:19 E504"),
        ("push: {title: '{{ steps.first-try.status }}'}", "2:19 E504"),
        ("push: {title: '{{ steps.settle.status }}'}", "2:19 E505"),
        ("push: {title: '{{ steps.settle }}'}", "2:19 E505"),
        ("push: {title: '{{ steps.settle.event.total }}'}", "2:19 E506"),
        ("push: {title: '{{ data.coupon }}'}", "2:19 E509"),
        ("push: {title: '{% include \"x\" %}'}", "2:19 E507"),
        ("push:\n  title: |\n    {{ nothing.x }}\n", "3:10 E502"),
        ("email: {subject: S, html: gone.html}", "2:27 E310"),
        ("email: {subject: S, html: ../../etc/passwd.html}", "2:27 E316"),
        ("email: {subject: S, html: /etc/passwd.html}", "2:27 E316"),
        ("push: {title: '" + "{{ a }}" * 30_000 + "'}", "2:15 E208"),
        ("meta: {a: b}", "1:1 E309"),
    ],
)
def test_a_broken_message_gets_its_error_at_its_place(text, expected, found):
    problems = found(JOURNEY, project=PROJECT, message=message(text))
    errors = [problem for problem in problems if problem.file.endswith(".message.yaml") and not problem.is_warning]
    assert [f"{error.line}:{error.column} {error.code}" for error in errors] == [expected]
    assert all(error.fix for error in errors)


@pytest.mark.parametrize(
    ("marked", "told"),
    [
        ("§{profile.first_name}", "W317 {{ profile.first_name }}"),
        ("a §{ entry.total } b", "W317 {{ entry.total }}"),
        ("§%%FirstName%%", "W317 {{ profile.firstname }}"),
        ("§*|FNAME|*", "W317 {{ profile.fname }}"),
        ("Hi §%FIRSTNAME%", "W317 {{ profile.firstname }}"),
        ("Hi §[[ first_name ]]", "W317 {{ profile.first_name }}"),
        ("{{ entry.since | date: '§dd/mm/yyyy' }}", "W317 %d/%m/%Y"),
        ("{{ entry.since | date: '%e de %B' }}", None),
        ("Hi §${profile.name}", "W317 {{ profile.name }}"),
        ("{{§first_name}}", "E502 profile.first_name or entry.first_name, or quotes if it is a text: 'first_name'"),
        ("{{ §user.first_name }}", "E502 profile.first_name"),
        ("{{ profile.n | default: §amigo }}",
            "E502 profile.amigo or entry.amigo, or quotes if it is a text: 'amigo'"),
        ("{{ profile.n | default: §“x” }}", "E501 straight quotes"),
        ("§{% if profile.n %}x", "E501 {% endif %} where it ends"),
        ("{% if profile.n %}x{% else if §entry.a > 3 %}y{% endif %}", "E501 {% elsif entry.a > 3 %}"),
        ("{% if profile.n %}x{%- else §entry.a -%}y{% endif %}", "E501 {% elsif entry.a %}"),
        ("{% if profile.n %}x{% §elif entry.a %}y{% endif %}", "E501 {% elsif ... %}"),
        ("{% if §not profile.n %}x{% endif %}", "E501 {% unless ... %}"),
        ("{% if profile.n §= 'a' %}x{% endif %}", "E501 =="),
        ("{% if profile.n §&& entry.a %}x{% endif %}", "E501 and"),
        ("{{ entry.a §+ 5 }}", "E501 a filter: plus: 5"),
        ("{{ event.time | §date }}", "E501 date: '%d/%m/%Y'"),
        ("{{ entry.a | plus: 5 | §minus }}", "E501 minus: ..."),
        ("{% assign n = entry.a | §times %}{{ n }}", "E501 times: ..."),
        ("{% if profile.n %}{{ entry.a | §round: 1, 2 }}{% endif %}", "E501 round with at most 1"),
        ("{{ profile.n | §upcase: 1 }}", "E501 upcase with none"),
        ("{{ entry.a | §round: digits: 2 }}", "E501 round without it"),
        ("{{ profile.n | default: 'x', allow_false: true | truncate }} {% if entry.a %}x{% else %}y{% endif %}", None),
        ("{{ profile.n }} {% if entry.a %}{x}{% endif %} 50%% [a](b) {a: b}", None),
    ],
)  # fmt: skip
def test_how_other_tools_put_a_value_in_is_met_with_our_way(marked, told, found):
    text = f'message: welcome\nemail:\n  subject: "{marked.replace("§", "")}"\n  text: x\n'
    problems = [each for each in found(message=text) if each.code in ("W317", "E501", "E502")]
    where = len('  subject: "') + 1 + marked.find("§")
    assert [(each.column, f"{each.code} {each.fix}") for each in problems] == ([(where, told)] if told else [])


def test_a_channel_that_is_misspelt_is_blamed_once(found):
    text = "message: welcome\nemial: {subject: S, text: T}\nlanguages:\n  es: {email: {subject: A, text: B}}\n"
    problems = [each for each in found(message=text) if not each.is_warning]
    assert [f"{each.line}:{each.column} {each.code} {each.fix}" for each in problems] == ["2:1 E305 email"]


def test_two_messages_of_one_name_are_refused(found):
    same = message("push: {title: T}")
    problems = found(JOURNEY, project=PROJECT, message=same, **{"messages/again.message.yaml": same})
    assert rows(problems) == ["welcome.message.yaml:1:10 E303"]


def test_messages_whose_ids_cannot_be_read_are_not_called_two_of_one_name(found):
    bare = "email: {subject: S, text: T}\n"
    problems = found(message=bare, **{"messages/again.message.yaml": bare})
    assert rows(problems) == ["again.message.yaml:1:1 E201", "welcome.message.yaml:1:1 E201"]


@pytest.mark.parametrize("uses", [JOURNEY, JOURNEY.replace("send: {", "ask: {survey: nps, within: 1d, ")])
def test_a_message_that_is_sent_by_the_name_of_its_file_is_told_its_id(uses, found):
    uses = uses.replace(", data: {code: \"'X'\"}", "")
    problems = found(uses, project=PROJECT, message="message: first-steps\npush: {title: T}\n")
    told = [f"{each.code} {each.message}: {each.fix}" for each in problems if not each.is_warning]
    assert told == ["E304 there is no message welcome: first-steps"]
    assert "W303" not in {each.code for each in problems}


def test_a_template_in_a_file_is_checked_where_it_stands(found):
    problems = found(
        JOURNEY,
        project=PROJECT,
        message=message("email: {subject: S, html: parts/w.html}"),
        **{"messages/parts/w.html": "<p>\n  {{ profile.first_name | upcse }}\n  {{ nothing.x }}\n</p>"},
    )
    assert rows(problems) == ["w.html:2:27 E503", "w.html:3:6 E502"]


def test_a_message_that_cannot_be_read_is_not_said_to_be_missing(found):
    problems = found(JOURNEY, project=PROJECT, message="message: [")
    assert rows(problems) == ["welcome.message.yaml:1:11 E101"]


@pytest.mark.parametrize(
    ("title", "is_doubted"),
    [
        ("{{ data.code }}", True),
        ("{{ data.code | upcase }}", True),
        ("{{ data.code }} {{ profile.name | default: 'X' }}", True),
        ("{{ data.code | default: 'X' }}", False),
        ("{{ data.code | upcase | default: 'X' }}", False),
        ("{% if data.code %}{{ data.code }}{% endif %}", False),
        ("{% if profile.name %}{{ data.code }}{% endif %}", True),
    ],
)
def test_data_that_a_send_does_not_give_is_doubted_unless_the_template_can_do_without(title, is_doubted, found):
    without = "  - {id: second-try, send: welcome}\n"
    problems = found(JOURNEY + without, project=PROJECT, message=message(f'push: {{title: "{title}"}}'))
    assert ("hello.journey.yaml:10:28 W309" in rows(problems, "W")) == is_doubted, rows(problems, "W")


@pytest.mark.parametrize(
    ("title", "step", "told"),
    [
        ("{{ steps.settle.event.type }}", "", []),
        ("{{ steps.answer.event.type }}", "", ["9:11 W406"]),
        ("{{ steps.first_try.status }}", "", ["9:11 W406"]),  # it is written before it is sent
        ("{{ steps.answer.event.type | default: 'x' }}", "", []),
        ("{% if steps.answer.event %}x{% endif %}", "", []),
        ("{{ steps.answer.event.type }}", "  - {id: second-try, send: welcome}\n", ["9:11 W406"]),
    ],
)
def test_a_step_that_nobody_has_passed_yet_is_doubted_in_a_message(title, step, told, found):
    later = "  - {id: answer, wait_for: {event: clicked, within: 1d}}\n"
    text = f'message: welcome\npush: {{title: "{title}"}}\nlanguages: {{en: {{push: {{title: T}}}}}}\n'
    problems = found(JOURNEY.replace(", data: {code: \"'X'\"}", "") + later + step, project=PROJECT, message=text)
    assert [f"{each.line}:{each.column} {each.code}" for each in problems] == told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("steps:", "\tsteps:", ["E104", "W305"]),  # what it sends is unknown
        ("send:", "sned:", ["E221", "W305"]),
        ("message: welcome", "message: welcom", ["E304", "W305"]),  # the hint names the message already
        ("message: welcome", "message: farewell", ["E304", "W303", "W305"]),
    ],
)
def test_a_message_is_not_doubted_for_the_mistake_of_who_sends_it(old, new, told, found):
    assert old in JOURNEY
    problems = found(JOURNEY.replace(old, new), project=PROJECT, message=message("sms: {text: T}"))
    assert sorted({each.code for each in problems} - {"W304", "W309"}) == told


def test_a_message_whose_id_is_broken_is_not_called_one_that_nobody_sends(found):
    problems = found(JOURNEY, project=PROJECT, **{"messages/idle.message.yaml": "message:\nsms: {text: T}\n"})
    told = {row for row in rows(problems, "") if row.startswith("idle")}
    assert "idle.message.yaml:1:1 E203" in told
    assert not any(row.endswith("W303") for row in told)


def test_what_is_doubtful_is_a_warning(found):
    problems = found(
        JOURNEY.replace("{message: welcome, data: {code: \"'X'\"}}", "welcome"),
        project=PROJECT,
        message=message("push: {title: '{{ data.code }}'}\nsms: {text: T}"),
        **{"messages/idle.message.yaml": "message: idle\npush: {title: T}\nlanguages: {en: {push: {title: T}}}\n"},
    )
    assert rows(problems, "W") == [
        "hello.journey.yaml:9:11 W309",
        "idle.message.yaml:1:10 W303",
        "welcome.message.yaml:1:1 W304",
        "welcome.message.yaml:3:1 W305",
    ]


CONTENT = """\
message: welcome
email: {subject: Hola, text: hola.txt, html: "<b>{{ profile.first_name }}</b>"}
push: {title: Hola, body: "{{ entry.cart.items[0].name }} {{ entry.cart.size }}"}
whatsapp: {template: hi, parameters: ["{{ profile.first_name | default: 'x' }}", "{{ event.properties.total }}"]}
languages:
  en: {email: {subject: Hello}, push: {title: Hello}}
  en-GB: {email: {subject: Good day}}
"""


def test_content_falls_back_field_by_field(compiled):
    loaded = compiled(JOURNEY, project=PROJECT, message=CONTENT, **{"messages/hola.txt": "Hola\n"})
    content = loaded.messages["welcome"]
    html = "<b>{{ profile.first_name }}</b>"
    assert content.fields("email", "es") == {"subject": "Hola", "text": "Hola\n", "html": html}
    assert content.fields("email", "en") == {"subject": "Hello", "text": "Hola\n", "html": html}
    assert content.fields("email", "en-GB") == {"subject": "Good day", "text": "Hola\n", "html": html}
    assert content.fields("push", "en-GB")["title"] == "Hello"
    assert content.fields("email", "fr")["subject"] == "Hola"
    assert content.fields("sms", "es") == {}
    assert loaded.sources["messages/hola.txt"] == "Hola\n"


def test_the_engine_learns_what_each_channel_reads(compiled):
    loaded = compiled(JOURNEY, project=PROJECT, message=CONTENT, **{"messages/hola.txt": "Hola"})
    message = loaded.catalog.project.messages["welcome"]
    assert message.channels == ("email", "push", "whatsapp")
    assert message.languages == ("es", "en", "en-GB")
    assert message.reads == {
        "email": (("profile", "first_name"),),
        "push": (("entry", "cart"),),
        "whatsapp": (("profile", "first_name"), ("event", "properties", "total")),
    }


@pytest.mark.parametrize(
    ("template", "reads"),
    [
        ("{{ profile.first_name }}", ("profile", "first_name")),
        ("{{ entry.items.size }}", ("entry", "items")),
        ("{{ entry.items.first.name }}", ("entry", "items")),
        ("{{ entry.size }}", ("entry", "size")),
        ("{{ entry['odd name'].x }}", ("entry", "odd name", "x")),
        ("{{ entry.list[profile.n] }}", ("entry", "list")),
        ("{% for e in steps.a.events %}{{ e.properties.x }}{% endfor %}", ("steps", "a", "events")),
        ("{{ steps.a.events.last.properties.x }}", ("steps", "a", "events")),
        ("{{ steps.a.event.properties.items.first.name }}", ("steps", "a", "event", "properties", "items")),
        ("{% assign x = entry.a.b %}{{ x.c }}", ("entry", "a", "b")),
        ("{% if event.properties.vip == true %}!{% endif %}", ("event", "properties", "vip")),
    ],
)
def test_a_template_names_what_must_be_handed_in(template, reads):
    assert templates.read_of(templates.inspect(template).names[0].path) == reads


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 90_000,
        "{%" * 90_000,
        "{% raw %}" * 4_000,
        "{% comment %}" * 4_000,
        "{% doc %}" * 4_000,
        "{% raw %}" * 2_000 + "{% endraw %}",
        "{% if a %}" * 2_000 + "{% endif %}" * 2_000,
        "{{ a" + ".b" * 50_000 + " }}",
        "{{ a" + "[b" * 3_000 + "]" * 3_000 + " }}",
        "{{ " + "(" * 5_000 + " }}",
        "{% if " + "a and " * 3_000 + "a %}{% endif %}",
        "{{ a }}" * 5_001,
        "x" * 200_001,
        "{{ " + "9" * 10_000 + " }}",
    ],
)
def test_no_template_takes_more_than_a_moment(text):
    found = templates.inspect(text)
    assert {mistake.code for mistake in found.mistakes} <= {"E501", "E508"}


PIECES = [
    "{{",
    "}}",
    "{%",
    "%}",
    " ",
    "a",
    ".",
    "b",
    "|",
    "if ",
    "endif",
    "for x in ",
    "endfor",
    "'",
    '"',
    "[",
    "]",
    "-",
]


@given(st.lists(st.sampled_from([*PIECES, "1", ":", "raw", "endraw", "case ", "assign ", "=", "\n", "ß"]), max_size=30))
def test_no_heap_of_liquid_makes_anything_but_names_or_mistakes(pieces):
    found = templates.inspect("".join(pieces))
    assert all(mistake.code in ("E501", "E503", "E507", "E508") and mistake.fix for mistake in found.mistakes)


@given(st.text())
def test_no_text_makes_anything_but_names_or_mistakes(text):
    assert all(mistake.code.startswith("E5") for mistake in templates.inspect(text).mistakes)


@pytest.mark.parametrize(
    ("purposes", "data", "told"),
    [
        ("news: {consent: double_opt_in}", "", []),
        ("tips: {consent: opt_in}", "", ["W322 data: {confirms: \"'NAME'\"} for a purpose that asks for it"]),
        (
            "news: {consent: double_opt_in}\n  tips: {consent: double_opt_in}",
            "",
            ["W322 data: {confirms: \"'news'\"} for that one of news, tips"],
        ),
        (
            "news: {consent: double_opt_in}\n  tips: {consent: double_opt_in}",
            ", data: {confirms: \"'tips'\"}",
            [],
        ),
        ("news: {consent: double_opt_in}", ", data: {confirms: \"'nwes'\"}", ["E306 news"]),
        ("news: {consent: double_opt_in}", ", data: {confirms: profile.asked_for}", []),
    ],
)
def test_a_link_to_confirm_is_about_a_purpose_that_asks_for_it(purposes, data, told, found, sound):
    project = sound["orchestrator.yaml"].replace("purposes:\n", f"purposes:\n  {purposes}\n")
    journey = sound["hello.journey.yaml"].replace("send: welcome", f"send: {{message: welcome{data}}}")
    problems = found(journey, project=project, message='message: welcome\nsms: {text: "{{ links.confirm }}"}\n')
    assert [f"{each.code} {each.fix}" for each in problems] == told


@pytest.mark.parametrize(
    ("written", "meant"),
    [("upper", "upcase"), ("upcse", "upcase"), ("trim", "strip"), ("money", "round: 2"), ("len", "size")],
)
def test_a_filter_of_another_language_is_told_in_ours(written, meant, found):
    problems = found(message=f"message: welcome\nsms: {{text: '{{{{ profile.x | {written} }}}}'}}\n")
    assert [(each.code, each.fix) for each in problems] == [("E503", meant)]
