"""Versions of a journey under one state: who is inside finishes the version they entered."""

import json

import pytest

from orchestrator.language import compile_sources
from orchestrator.runtime import versions
from orchestrator.runtime.embedded import RunOptions, run_events
from orchestrator.storage import Release, SqliteStore, VersionTexts

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
status: %s
purpose: service
enter: {event: cart_updated, again: after_exit}
steps:
  - id: settle
    wait: 10m
  - id: remind
    send: {message: %s}
"""


def _version(number: int, message: str, status: str = "live"):
    return compile_sources(
        {
            "orchestrator.yaml": PROJECT,
            f"messages/{message}.message.yaml": f"message: {message}\nemail: {{subject: Hello, text: You.}}\n",
            "cart.journey.yaml": JOURNEY % (number, status, message),
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


def test_who_stood_still_in_a_paused_journey_goes_on_when_it_is_live_again(run, write, shop):
    live, paused = (_version(1, "old"), _version(1, "old", "paused"))
    run(live, write([shop.cart(0), shop.cart(0, "ben")]))
    # They are due at minute 10, while it is paused, and neither ever does anything again.
    assert run(paused, write([shop.page(30)], "paused"), until_ms=40 * 60_000) == []
    sent = run(live, write([], "live"))
    assert sorted(sent) == [("ana", 1, "old"), ("ben", 1, "old")]
    assert run(live, write([shop.page(60)], "later"), drain=True) == sent


def test_of_many_older_versions_only_those_are_compiled_that_somebody_is_inside_of(run, write, shop, monkeypatch):
    compiled = []

    def compile_and_note(texts):
        loaded = compile_sources(texts)
        compiled.append(loaded.catalog.current[0].version)
        return loaded

    monkeypatch.setattr(versions, "compile_sources", compile_and_note)
    monkeypatch.setattr(versions, "MANY_VERSIONS", 3)
    for number in range(1, 7):
        # Each day somebody enters; at minute 10 they have left, but for who came last.
        run(_version(number, "old"), write([shop.cart(20 * number, f"c{number}")], f"{number}.jsonl"))
    compiled.clear()
    sent = run(_version(7, "new"), write([], "none.jsonl"), drain=True)
    # 6 is compiled to be compared with, and because somebody waits in it.
    assert (set(compiled), sent[-1]) == ({6}, ("c6", 6, "old"))


def _refused_today(tmp_path):
    """Let the texts that a state keeps be such that only an older program took them."""
    with SqliteStore(tmp_path / "state.db") as store:
        release, definitions = store.release(), store.definitions()
        texts = {**release.sources, "cart.journey.yaml": release.sources["cart.journey.yaml"] + "old_key: 1\n"}
        store.define([VersionTexts(each.journey, each.version, texts) for each in definitions])
        store.define([], Release(release.revision + 1, texts))


def test_a_project_that_only_an_older_program_took_gives_way_to_one_in_which_that_is_mended(run, write, shop, tmp_path):
    run(_version(1, "first"), write([shop.cart(0)]))
    _refused_today(tmp_path)
    # Of the same version, it is what those inside go on with.
    assert run(_version(1, "mended"), write([], "none"), drain=True) == [("ana", 1, "mended")]


def test_who_is_inside_a_version_that_only_an_older_program_took_stands_still_and_others_go_on(
    run, write, shop, tmp_path
):
    run(_version(1, "first"), write([shop.cart(0)]))
    _refused_today(tmp_path)
    sent = run(_version(2, "second"), write([shop.cart(5, "ben")], "more"), until_ms=60 * 60_000)
    assert sent == [("ben", 2, "second")]
