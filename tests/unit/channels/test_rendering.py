"""Rendering: languages, the sandbox, and what is refused."""

import pytest

from orchestrator.channels.rendering import MAX_OUTPUT_BYTES, MessageTemplates, Renderer
from orchestrator.errors import Refused

REMINDER = MessageTemplates(
    channels={
        "email": {
            "subject": "{{ profile.first_name | default: 'Hola' }}, tu cesta te espera",
            "text": "Total: {{ steps.settle.event.properties.total }} €. {{ brand.signature }}",
            "html": "<p>{{ profile.first_name }}</p>",
        },
        "push": {"title": "{{ brand.name }}", "body": "Tu cesta te espera"},
        "whatsapp": {"template": "cart", "parameters": ["{{ profile.first_name }}", "{{ data.code }}"]},
    },
    languages={
        "en": {"email": {"subject": "Your cart is waiting", "text": "Come back any time."}},
        "es-MX": {"push": {"body": "Tu carrito te espera"}},
    },
)
BRAND = {"name": "Tienda", "signature": "El equipo"}


def render(channel="email", language="es", content=REMINDER, links=None, **data):
    return Renderer(BRAND, ("es", "en"), {"reminder": content}).render("reminder", channel, language, data, links)


def text_of(template, **data):
    return render(content=MessageTemplates({"email": {"text": template}}), **data).fields["text"]


def test_markup_of_one_kind_in_another_language_takes_the_place_of_every_other():
    email = {"subject": "Hola", "html": "<p>Hola</p>"}
    content = MessageTemplates(
        {"email": email}, {"en": {"email": {"markdown": "Hello"}}, "en-GB": {"email": {"subject": "Hi"}}}
    )
    expected = {"subject": "Hi", "markdown": "Hello"}
    assert content.fields("email", ("en-GB", "en", "es")) == expected
    assert content.fields("email", ("es",)) == email
    assert render(language="en-GB", content=content).fields == expected


def test_a_message_is_rendered_from_the_actions_data():
    rendered = render(profile={"first_name": "Ana"}, steps={"settle": {"event": {"properties": {"total": 40.5}}}})
    assert rendered.fields == {
        "subject": "Ana, tu cesta te espera",
        "text": "Total: 40.5 €. El equipo",
        "html": "<p>Ana</p>",
    }
    assert rendered.language == "es"


def test_what_is_missing_renders_empty():
    assert text_of("[{{ profile.first_name }}][{{ nobody.there.at.all }}][{{ x | upcase }}]") == "[][][]"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ item.size }}", ""),
        ("{{ item.size | date: '%d/%m' }}", ""),
        ("{{ item.size | slice: 0, 2 }}", ""),
        ("{{ item.size | join: ', ' }}", ""),
        ("{{ item.size | default: 'one size' }}", "one size"),
        ("{{ item.title | append: item.size }}", "Shirt"),
        ("{{ item.title | prepend: item.size }}", "Shirt"),
        ("{{ item.title | replace: 'S', item.size }}", "hirt"),
        ("{{ item.tags | join: ', ' }}", "new, , red"),
        ("{{ item.tags | compact | join: ', ' }}", "new, red"),
        ("{{ item.tags.size }}", "3"),
        ("{{ item.tags | reverse | sort | join: ', ' }}", "new, red, "),
        ("{{ item.offers | sort: 'price' | map: 'shop' | join: ', ' }}", "b, d, a, c"),
        ("{{ item.offers | sort_natural: 'name' | map: 'shop' | join: ', ' }}", "a, b, c, d"),
    ],
)
def test_what_is_null_renders_as_what_is_missing(template, text):
    offers = [{"shop": "a", "price": None}, {"shop": "b", "price": 3}, {"shop": "c"}, {"shop": "d", "price": 5.5}]
    item = {"title": "Shirt", "size": None, "tags": ["new", None, "red"], "offers": offers}
    assert text_of(template, item=item) == text


def test_another_language_replaces_field_by_field():
    fields = render(language="en").fields
    assert fields["subject"] == "Your cart is waiting"
    assert fields["text"] == "Come back any time."
    assert fields["html"] == "<p></p>"


@pytest.mark.parametrize(
    ("language", "body"),
    [
        ("es-MX", "Tu carrito te espera"),
        ("es-AR", "Tu cesta te espera"),
        ("en", "Tu cesta te espera"),
        ("fr", "Tu cesta te espera"),
        (None, "Tu cesta te espera"),
    ],
)
def test_a_language_falls_back_to_its_base_and_then_to_the_projects_first(language, body):
    assert render("push", language).body == body


def test_the_body_is_the_message_without_subject_or_title():
    assert render("push").body == "Tu cesta te espera"
    assert render("whatsapp", profile={"first_name": "Ana"}, data={"code": "X1"}).body == "Ana\nX1"
    assert "tu cesta te espera" not in render().body


def test_a_customers_name_stays_text_in_html_and_is_left_alone_in_plain_text():
    fields = render(profile={"first_name": "<script>Ana & co"}).fields
    assert fields["html"] == "<p>&lt;script&gt;Ana &amp; co</p>"
    assert fields["subject"] == "<script>Ana & co, tu cesta te espera"


def test_links_are_at_hand():
    assert (
        render(
            content=MessageTemplates({"sms": {"text": "{{ links.unsubscribe }}"}}),
            channel="sms",
            links={"unsubscribe": "u"},
        ).fields["text"]
        == "u"
    )


def test_loops_and_conditions_work():
    items = [{"sku": "a"}, {"sku": "b"}]
    assert text_of("{% for item in event.items %}{{ item.sku }};{% endfor %}", event={"items": items}) == "a;b;"


@pytest.mark.parametrize(
    "template",
    [
        "{% include 'secret.txt' %}",
        "{% render 'secret' %}",
        "{{ 1 | divided_by: 0 }}",
        "{{ 'a' | no_such_filter }}",
        "{% for i in (1..100000) %}x{% endfor %}",
        "{% for i in (1..1000) %}{% for j in (1..1000) %}x{% endfor %}{% endfor %}",
        "{% assign a = 'xxxxxxxx' %}" + "{% assign a = a | append: a %}" * 40,
        "{{ 'xxxxxxxxxx' " + "| replace: 'x', 'xxxxxxxxxx' " * 12 + "}}",
        "{% if %}",
        "{{ unclosed",
        "{% if true %}" * 40 + "{% endif %}" * 40,
        "{% for i in (1..9000) %}" + "x" * 100 + "{% endfor %}",
    ],
)
def test_a_template_that_fails_or_costs_too_much_is_refused(template):
    with pytest.raises(Refused) as refused:
        text_of(template)
    assert "message reminder, email.text" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_data_that_a_filter_cannot_take_is_refused_or_rendered_and_never_raises_anything_else():
    for template in (
        "{{ x | plus: 1 }}",
        "{{ x | date: '%Y' }}",
        "{{ x | join: ',' }}",
        "{{ x | sort }}",
        "{{ x[y] }}",
    ):
        for value in (None, "a", -1, 1e308, [1, "a", None], {"b": []}, True, "9" * 5000):
            try:
                assert len(text_of(template, x=value, y=value)) <= MAX_OUTPUT_BYTES
            except Refused:
                continue


def test_python_is_out_of_reach():
    assert text_of("{{ x.__class__ }}{{ x.upper }}{{ x.__len__ }}", x="a") == ""


def test_a_message_or_channel_that_is_not_there_is_refused():
    with pytest.raises(Refused, match="has no content for sms"):
        render("sms")
    with pytest.raises(Refused, match="no content"):
        Renderer(BRAND, ("es",), {}).render("gone", "email", "es", {})


def test_a_template_is_read_once():
    renderer = Renderer(BRAND, ("es",), {"reminder": REMINDER})
    first = renderer.render("reminder", "push", "es", {})
    assert renderer.render("reminder", "push", "es", {}) == first
    assert len(renderer._templates) == 1  # the other field is plain text
