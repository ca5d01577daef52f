"""Versions of a journey under one state: who is inside finishes the version they entered."""

import json

import pytest

from orchestrator.language import compile_sources
from orchestrator.runtime.embedded import RunOptions, run_events
from orchestrator.storage import SqliteStore

PROJECT = """
project: shop
channels:
  email: {address: profile.customer_id}
purposes:
  service: {consent: none}
"""
JOURNEY = """
journey: cart
version: %d
status: live
purpose: service
enter: {event: cart_updated, again: after_exit}
steps:
  - id: settle
    wait: 10m
  - id: remind
    send: {message: %s}
"""


def _version(number: int, message: str):
    return compile_sources(
        {
            "orchestrator.yaml": PROJECT,
            f"messages/{message}.message.yaml": f"message: {message}\nemail: {{subject: Hello, text: You.}}\n",
            "cart.journey.yaml": JOURNEY % (number, message),
        }
    )


@pytest.fixture
def run(tmp_path):
    def run(loaded, path, **options):
        files = {"actions": tmp_path / "actions", "state": tmp_path / "state.db"}
        run_events(loaded, RunOptions(events=[str(path)], **files, **options))
        return [
            (action["customer_id"], action["version"], action["message"])
            for action in map(json.loads, files["actions"].read_bytes().splitlines())
        ]

    return run


def test_who_is_inside_finishes_the_version_they_entered_and_its_messages(run, write, shop):
    run(_version(1, "old"), write([shop.cart(0)]))
    sent = run(_version(2, "new"), write([shop.cart(5, "ben")], "more"), drain=True)
    assert sent == [("ana", 1, "old"), ("ben", 2, "new")]


def test_each_version_is_kept_with_the_texts_it_was_made_of(run, write, shop, tmp_path):
    old, new = _version(1, "old"), _version(2, "new")
    for loaded in (old, new, new):
        run(loaded, write([shop.cart(0)]))
    with SqliteStore(tmp_path / "state.db", writes=False) as store:
        kept = [(each.journey, each.version, each.sources) for each in store.definitions()]
    assert kept == [("cart", 1, old.sources), ("cart", 2, new.sources)]


def test_a_message_that_is_corrected_is_kept_as_it_is_now(run, write, shop, tmp_path):
    run(_version(1, "old"), write([shop.cart(0)]))
    corrected = compile_sources({**_version(1, "old").sources, "orchestrator.yaml": PROJECT + "languages: [es]\n"})
    run(corrected, write([shop.cart(0)]))
    with SqliteStore(tmp_path / "state.db", writes=False) as store:
        assert [each.sources for each in store.definitions()] == [corrected.sources]
