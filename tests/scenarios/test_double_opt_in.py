"""The double opt-in of the shop: its mail confirms the newsletter, not the purpose that the mail was sent for."""

import re
from pathlib import Path

import pytest

from orchestrator.channels.links import Kind, Links
from orchestrator.channels.preparing import Preparer
from orchestrator.language import compile_sources, load
from orchestrator.testing.examples import play, renderer_of

JOURNEYS = Path(__file__).resolve().parents[2] / "journeys"
PROJECT = """\
project: shop
brand: {address: Calle del Pez 14}
channels: {email: {address: profile.email}}
purposes:
  service: {consent: none}
  news: {consent: double_opt_in}
"""
MESSAGE = 'message: confirm\nemail: {subject: Yes?, text: "{{ links.confirm }}"}\n'
JOURNEY = """\
journey: ask
version: 1
purpose: service
enter: {event: signed_up}
steps: [{id: ask, send: {message: confirm}}]
examples: [{name: asked, given: [{at: 0m, event: signed_up}], expect: {messages: [{channel: email}]}}]
"""


def token_of(shop, journey):
    links = Links("https://casaolmo.example", ("a secret of sufficient length for links",))
    action = play(shop, journey, shop.definitions[journey].examples[0]).actions[0]
    (delivery,) = Preparer(shop.catalog, renderer_of(shop), links).prepare(action, 0)
    (token,) = re.findall(r"https://casaolmo.example/c/(\S+)", delivery.rendered.fields["text"])
    return action, links.read(token, 0, Kind.CONFIRM)


@pytest.mark.parametrize(
    ("purposes", "data", "confirmed", "told"),
    [
        # Nobody may be sent to for a purpose that is not confirmed yet: it is the only one that asks for it.
        ("", "", "news", []),
        ("  offers: {consent: double_opt_in}\n", "", "service", ["W322"]),
        ("  offers: {consent: double_opt_in}\n", ", data: {confirms: \"'offers'\"}", "offers", []),
    ],
)
def test_a_link_confirms_the_purpose_that_asks_for_it(purposes, data, confirmed, told):
    journey = JOURNEY.replace("message: confirm", "message: confirm" + data)
    sources = {"orchestrator.yaml": PROJECT + purposes, "messages/c.message.yaml": MESSAGE, "a.journey.yaml": journey}
    shop = compile_sources(sources)
    assert [each.code for each in shop.warnings] == told
    assert token_of(shop, "ask")[1].purpose == confirmed


def test_the_link_in_the_mail_confirms_the_purpose_that_the_journey_names():
    shop = load(JOURNEYS)
    action, read = token_of(shop, "double-opt-in")
    assert (action.purpose, read.purpose, read.channel) == ("service", "newsletter", "email")
