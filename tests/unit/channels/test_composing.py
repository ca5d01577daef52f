"""Mails, composed and then read as a mail program reads them."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.email import html
from orchestrator.channels.email.composing import compose, read_message_id
from orchestrator.channels.email.mime import clean
from orchestrator.channels.email.smtp import mark_of
from orchestrator.channels.links import Kind
from orchestrator.channels.references import read_reference
from orchestrator.errors import Bounced, Refused
from providers import LINKS, action, delivery

SENDER = "Tienda <hola@shop.example>"
NOW_MS = 1_767_261_600_000


def mail(content=None, **fields) -> EmailMessage:
    found = message_from_bytes(
        compose(delivery({"email": content} if content else None, **fields), SENDER).content, policy=default
    )
    assert isinstance(found, EmailMessage)
    assert found.defects == []
    return found


def text(found: EmailMessage, kind: str = "plain") -> str:
    part = found.get_body((kind,))
    assert part is not None
    assert part.defects == []
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_mail_of_text_only_is_one_part():
    found = mail()
    assert found.get_content_type() == "text/plain"
    assert (found["From"], found["To"]) == ("Tienda <hola@shop.example>", "ana@example.com")
    assert found["Subject"] == "Ana, tu cesta te espera"
    assert found["Date"].datetime.isoformat() == "2026-01-01T10:00:00+00:00"
    assert found["Message-ID"].startswith(f"<{action().id}.")
    assert text(found).startswith("Vuelve cuando quieras.\n")


def test_the_message_id_leads_back_to_the_action_and_the_customer():
    assert read_message_id(mail()["Message-ID"]) == (action().id, action().profile_id)
    assert read_message_id("<something@else.example>") is None


def test_a_server_with_message_ids_of_its_own_is_given_the_reference_beside():
    assert [mark_of(host) for host in ("smtp.postmarkapp.com", "postmarkapp.com.evil.example", "mail.example")] == [
        "X-PM-Metadata-orchestrator",
        None,
        None,
    ]
    sent = delivery()
    found = message_from_bytes(compose(sent, SENDER, mark="X-PM-Metadata-orchestrator").content, policy=default)
    assert read_reference(found["X-PM-Metadata-orchestrator"]) == read_message_id(found["Message-ID"])


def test_a_message_that_needs_consent_carries_the_way_out_in_its_headers_and_parts():
    found = mail({"subject": "Hola", "markdown": "Vuelve **cuando** quieras."})
    link = found["List-Unsubscribe"].removeprefix("<").removesuffix(">")
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    token = LINKS.read(link.rpartition("/")[2], NOW_MS, Kind.UNSUBSCRIBE)
    assert (token.action_id, token.profile_id, token.purpose) == (action().id, action().profile_id, "marketing")
    assert text(found).endswith(f"-- \nCalle del Pez 14, Madrid\nDarte de baja: {link}\n")
    assert f'Calle del Pez 14, Madrid<br><a href="{link}">Darte de baja</a>' in text(found, "html")


def test_the_list_unsubscribe_header_is_one_plain_line():
    raw = compose(delivery(), SENDER).content
    [line] = [line for line in raw.split(b"\r\n") if line.startswith(b"List-Unsubscribe:")]
    assert line.endswith(b">")
    assert b"=?" not in line


def test_no_footer_is_put_where_the_author_placed_the_link():
    found = mail({"text": "Adiós: {{ links.unsubscribe }}", "html": "<p><a href='{{ links.unsubscribe }}'>x</a></p>"})
    assert "-- \n" not in text(found)
    assert text(found, "html").count("/u/") == 1


def test_a_purpose_that_needs_no_consent_cannot_be_left():
    found = mail({"text": "Tu pedido está en camino.", "markdown": "x"}, purpose="service")
    assert found["List-Unsubscribe"] is None
    assert text(found) == "Tu pedido está en camino.\n"


def test_html_comes_with_a_plain_text_its_language_and_a_preheader():
    content = {"subject": "Hola", "html": "<h1>¡Hola!</h1><p>Ver <a href='https://shop.example/x'>la cesta</a></p>"}
    found = mail({**content, "preheader": "Te <espera>"}, purpose="service")
    assert found.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]
    assert text(found) == "¡Hola!\n\nVer la cesta (https://shop.example/x)\n"
    assert '<html lang="es">' in text(found, "html")
    assert "Te &lt;espera&gt;</div>" in text(found, "html")


def test_mjml_becomes_html_in_the_customers_language():
    inside = "<mj-section><mj-column><mj-text>{{ profile.first_name }}</mj-text></mj-column></mj-section>"
    mjml = f"<mjml><mj-body>{inside}</mj-body></mjml>"
    made = text(mail({"mjml": mjml}, data={"profile": {"first_name": "<b>Ana</b>"}}), "html")
    assert '<html lang="es"' in made
    assert "&lt;b&gt;Ana&lt;/b&gt;" in made


def test_a_document_keeps_the_language_that_it_says():
    assert html.document('<html lang="ca"><body>x</body></html>', "es", "") == '<html lang="ca"><body>x</body></html>'


@pytest.mark.parametrize(
    "broken", ["<mjml", "<p>no MJML</p>", '<mjml><mj-body><mj-include path="/etc/passwd"/></mj-body></mjml>']
)
def test_mjml_that_cannot_be_read_is_refused(broken):
    with pytest.raises(Refused):
        mail({"mjml": broken})


def test_a_customers_name_makes_no_markdown():
    name = "[win](https://evil.example) **x** <script>\n# h"
    made = text(mail({"markdown": "Hola {{ profile.first_name }}"}, data={"profile": {"first_name": name}}), "html")
    assert "evil.example" in made
    assert 'href="https://evil' not in made
    assert "<strong>" not in made
    assert "<script>" not in made


def test_a_link_in_markdown_survives():
    made = text(mail({"markdown": "[adiós]({{ links.unsubscribe }})"}), "html")
    assert '<a href="https://shop.example/u/' in made
    assert made.count("/u/") == 1


INJECTIONS = [
    "Ana\r\nBcc: all@shop.example",
    "Ana\nX: y",
    "Ana\x00\x0b",
    "Ana\u2028Bcc: x@y.example",
    "a" * 3000,
    "ñ" * 300,
]


@pytest.mark.parametrize("name", INJECTIONS)
def test_a_customers_name_stays_inside_its_header(name):
    content = {"subject": "{{ profile.first_name }}", "from": "{{ profile.first_name }} <a@shop.example>", "text": "x"}
    found = mail(content, data={"profile": {"first_name": name}})
    assert "Bcc" not in found
    assert "X" not in found
    assert found["From"].addresses[0].addr_spec == "a@shop.example"


@given(st.text(max_size=200))
def test_any_subject_is_read_back_as_it_was_written(subject):
    wanted = clean(subject.encode(errors="replace").decode())
    found = mail({"subject": "{{ data.s }}", "text": "x"}, data={"data": {"s": subject}})
    assert " ".join(str(found["Subject"]).split()) == " ".join(wanted.split())


@given(st.text(max_size=500))
def test_any_text_is_read_back_as_it_was_written(body):
    found = mail({"text": "{{ data.s }}.", "html": "x"}, data={"data": {"s": body}}, purpose="service")
    wanted = f"{body}.".encode(errors="replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    assert text(found) == f"{wanted}\n"


@pytest.mark.parametrize(
    "address", ["", "ana", "a@b, c@d", "a@b\r\nRCPT TO:<x@y>", "ana@", "<a@b.example>", "ñ@b.example"]
)
def test_what_is_no_single_address_bounces(address):
    with pytest.raises((Bounced, Refused)):
        mail(to=address)


def test_an_international_domain_goes_in_its_ascii_form():
    assert compose(delivery(to="ana@españa.example"), SENDER).recipient == "ana@xn--espaa-rta.example"
    assert compose(delivery(to="ana@straße.example"), SENDER).recipient == "ana@xn--strae-oqa.example"


def test_clicks_and_opens_are_led_back_where_the_channel_tracks_them():
    content = {
        "html": '<p><a href="https://shop.example.org/?a=1&amp;b=2">x</a><a href="{{ links.preferences }}">y</a></p>'
    }
    made = text(mail(content, track=["clicks", "opens"]), "html")
    assert made.count('href="https://shop.example/r/') == 1
    assert made.count('src="https://shop.example/o/') == 1
    link = made.split('href="https://shop.example/r/')[1].split('"')[0]
    assert LINKS.read(link, NOW_MS, Kind.CLICK).detail == "https://shop.example.org/?a=1&b=2"


def test_nothing_is_tracked_where_the_action_does_not_say_so():
    made = text(mail({"html": '<a href="https://shop.example.org/">x</a>'}), "html")
    assert 'href="https://shop.example.org/"' in made
    assert "/o/" not in made
