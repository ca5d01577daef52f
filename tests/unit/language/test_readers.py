"""What a message owes to its readers, and what its channel takes."""

import pytest

JOURNEY = """\
journey: hello
version: 1
purpose: marketing
status: live
enter: {event: signed_up}
steps:
  - {id: greet, send: welcome}
"""
PROJECT = """\
project: shop
brand: {address: Calle del Pez 14}
channels: {email: {address: profile.email}, sms: {address: profile.phone}, push: {address: profile.token}}
purposes: {marketing: {consent: opt_in}, service: {consent: none}}
"""


def codes(found, content, project=PROJECT, **files):
    problems = found(JOURNEY, project=project, message=f"message: welcome\n{content}\n", **files)
    return [
        f"{problem.line}:{problem.column} {problem.code}"
        for problem in problems
        if problem.code not in ("W304", "W306")
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("sms: {text: %s}" % ("x" * 1_530), []),
        ("sms: {text: %s}" % ("x" * 1_531), ["2:13 E319"]),
        ("sms: {text: %s}" % ("á" * 670), []),
        ("sms: {text: %s}" % ("á" * 671), ["2:13 E319"]),
        ("sms: {text: '%s{{ profile.first_name }}'}" % ("x" * 1_520), []),
        ("push: {title: T, body: %s}" % ("x" * 2_001), ["2:24 E319"]),
        ("email: {subject: %s, text: T}" % ("x" * 251), ["2:18 E319"]),
        ("sms: {text: T}\nlanguages: {es: {sms: {text: %s}}}" % ("x" * 1_531), ["3:30 E319"]),
    ],
)
def test_what_is_too_long_for_its_channel_is_refused(found, content, expected):
    assert codes(found, content) == expected


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("html", "<img src='a.png' alt=''><IMG ALT='x' src='b.png'>", []),
        ("html", "<p><img src='a.png'></p><img src='b.png'>", ["2:27 W310"]),
        ("mjml", "<mjml><mj-body><mj-image src='a.png' /></mj-body></mjml>", ["2:27 W310"]),
        ("markdown", "![Una taza](a.png)", []),
        ("markdown", "![](a.png)", ["2:31 W310"]),
        ("text", "<img src='a.png'>", []),
    ],
)
def test_a_picture_without_words_is_warned_of(found, field, text, expected):
    assert codes(found, f'email: {{subject: S, {field}: "{text}"}}') == expected


def test_pictures_are_looked_for_in_files_too(found):
    files = {"messages/w.html": "<img src='a.png'>"}
    assert codes(found, "email: {subject: S, html: w.html}", **files) == ["2:27 W310"]


@pytest.mark.parametrize(
    ("project", "content", "expected"),
    [
        (PROJECT, "email: {subject: S, text: T}", []),
        (PROJECT.replace("address: Calle", "street: Calle"), "email: {subject: S, text: T}", ["2:1 W311"]),
        (PROJECT.replace("address: Calle", "street: Calle"), "purpose: service\nemail: {subject: S, text: T}", []),
        (PROJECT.replace("address: Calle", "street: Calle"), "sms: {text: T}", []),
    ],
)
def test_a_mail_that_can_be_left_says_who_speaks(found, project, content, expected):
    assert codes(found, content, project=project) == expected


MJML = "<mjml><mj-body><mj-section><mj-column>{}</mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("html: <p>a</p>, text: a", []),
        ("html: <p>a</p>, markdown: a", ["W324 markdown"]),
        ("mjml: " + MJML.format("<mj-text>a</mj-text>"), []),
        # What a template makes is text; the tags around it are the author's.
        ("mjml: '" + MJML.format("{% for i in entry.x %}<mj-text>{{ i }}</mj-text>{% endfor %}") + "'", []),
        ("mjml: " + MJML.format("<mj-text>a"), ["W325 mjml"]),
        ("mjml: <p>a</p>", ["W325 mjml"]),
        ("mjml: " + MJML.format("<mj-include path='x.mjml'/>"), ["W325 mjml"]),
    ],
)
def test_markup_can_be_read_and_is_of_one_kind(fields, told, found):
    lines = "\n".join(f"  {each}" for each in fields.split(", "))
    problems = found(message=f"message: welcome\nemail:\n  subject: Hi\n{lines}\n")
    line_of = {each.partition(":")[0]: number for number, each in enumerate(fields.split(", "), start=4)}
    doubts = [each for each in problems if each.code in ("W324", "W325")]
    assert [(each.code, each.line) for each in doubts] == [(code, line_of[name]) for code, name in map(str.split, told)]
    assert [str(each) for each in problems if not each.is_warning] == []
