"""`orchestrator stats`: what journeys came to, from a store and from files, for people and for programs."""

import json
import re

import pytest

from orchestrator.model.casework import CaseFile
from orchestrator.storage import Batch, Given, SqliteStore


@pytest.fixture
def ran(orchestrator, shop):
    ended = orchestrator(
        "run", shop, "--events", shop / "events.jsonl", "--state", shop / "shop.db",
        "--actions", shop / "actions.jsonl", "--decisions", shop / "decisions.jsonl", "--drain",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    return shop


def test_a_store_and_the_files_that_were_written_tell_the_same(orchestrator, ran):
    stored = orchestrator("stats", "--state", ran / "shop.db", "--json")
    written = orchestrator("stats", "--decisions", ran / "decisions.jsonl", ran, "--json")
    assert (stored.code, stored.out) == (0, written.out)
    (told,) = json.loads(stored.out)["journeys"]
    decisions = [json.loads(line) for line in (ran / "decisions.jsonl").read_text().splitlines()]
    assert told["entries"] == sum(one["verdict"] == "entered" for one in decisions) > 0
    assert told["conversions"]["reached"] == sum(one["verdict"] == "converted" for one in decisions)
    sent = [one for one in decisions if one["verdict"] == "sent"]
    assert sum(sum(step["sent"].values()) for step in told["steps"].values()) == len(sent)


def test_for_people_there_is_a_table(orchestrator, ran):
    ended = orchestrator("stats", "--state", ran / "shop.db")
    lines = ended.out.splitlines()
    assert lines[0] == "abandoned-cart, version 1"
    assert lines[1].startswith("  entered: ")
    assert any(line.split()[:2] == ["step", "sent"] for line in lines)
    assert any("95 %, Wilson" in line for line in lines)


def test_a_journey_without_a_goal_reaches_none(orchestrator, ran):
    journey = ran / "abandoned-cart.journey.yaml"
    journey.write_text(re.sub(r"(?m)^goal:\n(  .*\n)+", "", journey.read_text()))
    without = orchestrator("stats", "--decisions", ran / "decisions.jsonl", ran)
    alone = orchestrator("stats", "--decisions", ran / "decisions.jsonl")
    assert (without.code, "goal" in without.out, "goal" in alone.out) == (0, False, True), without.err


def test_what_counts_can_be_narrowed(orchestrator, ran):
    def told(*options):
        return json.loads(orchestrator("stats", "--state", ran / "shop.db", "--json", *options).out)["journeys"]

    assert told("--version", "2") == []
    assert told("--since", "2100-01-01T00:00:00Z") == []
    assert told("--since", "2000-01-01T00:00:00Z") == told("--journey", "abandoned-cart") == told()


def test_an_instant_that_is_none_is_told_by_its_own_option(orchestrator, ran):
    ended = orchestrator("stats", "--state", ran / "shop.db", "--since", "yesterday")
    said = "error: --since 'yesterday' is no time; write one such as 2026-03-03T00:00:00Z\n"
    assert (ended.code, ended.err) == (2, said)


@pytest.mark.parametrize("source", [("--state", "shop.db"), ("--decisions", "decisions.jsonl", ".")])
def test_a_journey_that_nothing_knows_is_refused_with_the_one_that_is_meant(orchestrator, ran, source):
    option, name, *folder = source
    ended = orchestrator("stats", option, ran / name, *(ran / each for each in folder), "--journey", "abandoned-crt")
    said = f"error: no journey 'abandoned-crt' in {ran if folder else ran / name}; did you mean 'abandoned-cart'?\n"
    assert (ended.code, ended.out, ended.err) == (2, "", said)


def test_decisions_alone_do_not_tell_that_there_is_no_such_journey(orchestrator, ran):
    # It may have done nothing on that day.
    ended = orchestrator("stats", "--decisions", ran / "decisions.jsonl", "--journey", "welcome")
    doubt = f"warning: nothing in {ran / 'decisions.jsonl'} is about a journey 'welcome'; there is abandoned-cart\n"
    assert (ended.code, ended.out, ended.err) == (0, "", doubt + "nothing has been decided\n")


@pytest.mark.parametrize("options", [(), ("--state", "a.db", "--decisions", "b.jsonl")])
def test_it_wants_a_store_or_files(orchestrator, shop, options):
    ended = orchestrator("stats", *options)
    assert (ended.code, ended.out) == (2, "")
    assert "--state" in ended.err


def test_a_line_that_is_no_decision_is_named(orchestrator, ran):
    with (ran / "decisions.jsonl").open("a") as file:
        file.write("{}\n")
    ended = orchestrator("stats", "--decisions", ran / "decisions.jsonl")
    assert ended.code == 2
    assert "this is no decision" in ended.err


def test_a_store_tells_how_many_codes_are_left(orchestrator, shop):
    project = shop / "orchestrator.yaml"
    project.write_text(project.read_text() + "\ncoupons: {gift: {codes: gift.txt}}\n")
    (shop / "gift.txt").write_text("A\nB\nC\n")
    assert orchestrator("run", shop, "--events", shop / "events.jsonl", "--state", shop / "shop.db").code == 0
    with SqliteStore(shop / "shop.db") as store:
        store.commit(Batch(given=[Given("gift", "B", "e", "p"), Given("gift", "gone", "f", "p")]))
    told = json.loads(orchestrator("stats", "--state", shop / "shop.db", "--json").out)
    assert told["coupons"] == {"gift": {"codes": 3, "left": 2}}
    assert orchestrator("stats", "--state", shop / "shop.db").out.endswith("\ncoupons\n  gift: 2 of 3 codes left\n")


def test_a_store_tells_how_long_its_teams_took_for_cases(orchestrator, ran):
    minute = 60_000
    cases = [
        CaseFile(f"c{n}", "case", "ana", "care", 0, claimed_ms=n * minute, closed_ms=n * 60 * minute, outcome="solved")
        for n in range(1, 11)
    ]
    cases[9].outcome = "not_solved"
    waits = CaseFile("c11", "theirs", "ana", "", 5 * minute)
    with SqliteStore(ran / "shop.db") as store:
        store.commit(Batch(cases=[*cases, waits]))
    told = json.loads(orchestrator("stats", "--state", ran / "shop.db", "--json").out)["cases"]
    assert told["care"] == {
        "opened": 10,
        "open": 0,
        "claimed": 10,
        "closed": 10,
        "seconds_to_claim": {"half": 300.0, "most": 540.0},
        "seconds_to_close": {"half": 18_000.0, "most": 32_400.0},
        "outcomes": {"solved": 9, "not_solved": 1},
    }
    assert (told[""]["open"], told[""]["seconds_to_close"]) == (1, None)
    shown = orchestrator("stats", "--state", ran / "shop.db").out
    assert "care: 10 opened, 0 open, 10 closed" in shown
    assert "to claim: half within 5.0 m, nine in ten within 9.0 m" in shown
    since = orchestrator("stats", "--state", ran / "shop.db", "--json", "--since", "1970-01-01T00:01:00Z").out
    assert list(json.loads(since)["cases"]) == [""]
