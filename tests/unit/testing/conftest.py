"""A small project, as texts, for tests of the example runner."""

import textwrap

import pytest

from orchestrator.language import compile_sources

PROJECT = """
project: shop
timezone: Europe/Madrid
languages: [es, en]
brand: {name: Tienda}
channels:
  email: {address: profile.email, preferred_order: 1}
  push: {address: profile.device_token, preferred_order: 2}
purposes:
  marketing: {consent: opt_in}
  service: {consent: none}
  night: {consent: none, quiet_hours: {from: "21:30", to: "08:30"}}
"""

MESSAGE = """
message: cart-reminder
email: {subject: "{{ profile.first_name | default: 'Hola' }}", text: "Tu cesta de {{ entry.total }} te espera"}
push: {title: "{{ brand.name }}", body: "Tu cesta te espera"}
languages:
  en:
    email: {subject: Hello, text: "Your cart of {{ entry.total }} is waiting"}
    push: {body: Your cart is waiting}
"""

WELCOME = """
journey: welcome
version: 1
purpose: service
status: draft
enter: {event: cart_updated, again: always}
steps:
  - send: {message: cart-reminder, channels: [push]}
"""


@pytest.fixture
def project():
    """Compile a project around one journey's steps; `examples` and the like go into `more`."""

    def build(steps, more="", **files):
        journey = (
            "journey: abandoned-cart\nversion: 1\npurpose: marketing\n"
            "enter: {event: cart_updated, where: total >= 30, key: cart_id, again: after_exit}\n"
            "exit: [{event: order_placed, reason: bought}]\n"
            "goal: {event: order_placed, within: 3d}\n"
        )
        sources = {
            "orchestrator.yaml": PROJECT,
            "messages/cart-reminder.message.yaml": MESSAGE,
            "abandoned-cart.journey.yaml": journey + textwrap.dedent(more) + "steps:\n" + textwrap.dedent(steps),
            "welcome.journey.yaml": WELCOME,
            **files,
        }
        return compile_sources(sources)

    return build
