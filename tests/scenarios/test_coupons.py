"""Coupons as a journey sees them: without a code nothing is sent, and everything goes on as after any refusal."""

import pytest

from orchestrator.language import compile_sources
from orchestrator.testing.examples import run_examples
from orchestrator.views.sentences import sentence

PROJECT = """\
project: shop
channels: {email: {address: profile.email}, push: {address: profile.token}}
purposes: {service: {consent: none, caps: [{at_most: 1, per: 1d}]}}
coupons: {gift: {codes: gift.txt}}
"""
JOURNEY = """\
journey: welcome
version: 1
purpose: service
status: live
enter: {event: signed_up}
steps:
  - {id: gift, send: {message: gift, channels: [email, push]}}
  - {id: rest, wait: 2h}
  - id: weigh
    choose:
      - if: steps.gift.status == 'suppressed'
        then: [{id: instead, send: {message: sorry, channels: [email]}}]
  - id: opinion
    ask: {survey: nps, message: gift, channels: [push], within: 30d}
    then: [{exit: answered}]
    on_timeout: [{exit: not_asked}]
examples:
  - name: with a code
    given: [{at: 0m, event: signed_up}]
    until: 26h
    expect:
      messages: [{message: gift, channel: email, text: {contains: GIFT-}}]
  - name: without a code nothing was sent, nothing counts, and the journey knows
    given:
      - {at: 0m, event: signed_up}
      - {at: 1m, event: message_failed, channel: email, properties: {reason: no_coupon}}
    until: 3h
    expect:
      messages: [{message: gift, channel: email}, {message: sorry, channel: email}]
      withheld: [{step: gift, channel: email, reason: no_coupon}, {step: opinion, channel: push, reason: cap_reached}]
      exit: not_asked
"""
SURVEY = """\
journey: survey
version: 1
purpose: service
status: live
enter: {event: bought}
steps:
  - id: opinion
    ask: {survey: nps, message: gift, channels: [push], within: 30d}
    then: [{exit: answered}]
    on_timeout: [{id: later, wait: 1h}, {exit: not_asked}]
examples:
  - name: a survey that had no code is not waited for
    given:
      - {at: 0m, event: bought}
      - {at: 5m, event: message_failed, channel: push, properties: {reason: no_coupon}}
    until: 10m
    expect: {waiting: later, withheld: [{step: opinion, channel: push, reason: no_coupon}]}
  - name: one that failed otherwise is
    given:
      - {at: 0m, event: bought}
      - {at: 5m, event: message_failed, channel: push, properties: {reason: refused}}
    until: 10m
    expect: {waiting: opinion}
  - name: nor is anything that was answered
    given:
      - {at: 0m, event: bought}
      - {at: 4m, event: survey_answered, properties: {score: 9}}
      - {at: 5m, event: message_failed, channel: push, properties: {reason: no_coupon}}
    expect: {exit: answered}
"""
SOURCES = {
    "orchestrator.yaml": PROJECT,
    "gift.txt": "GIFT-1\nGIFT-2\n",
    "messages/gift.message.yaml": """\
message: gift
email: {subject: For you, text: "Yours: {{ coupon.gift }}"}
push: {title: For you, body: "{{ coupon.gift }} {{ links.survey }}"}
""",
    "messages/sorry.message.yaml": "message: sorry\nemail: {subject: Sorry, text: Sorry}\n",
    "welcome.journey.yaml": JOURNEY,
    "survey.journey.yaml": SURVEY,
}


@pytest.fixture(scope="module")
def results():
    return list(run_examples(compile_sources(SOURCES)))


def test_the_examples_hold(results):
    assert [result.report() for result in results if not result.passed] == []
    assert len(results) == 5


def test_it_is_said_in_words(results):
    told = [sentence(line.decision, "UTC") for result in results for line in result.timeline.lines if line.decision]
    assert "Did not send gift (service) by email at gift: no code is left for it." in told
    assert "Went on from opinion: there is nothing to wait for, as nothing could be sent." in told
