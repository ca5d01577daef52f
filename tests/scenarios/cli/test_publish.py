"""`orchestrator publish --state`: what it names before it changes anything, and what a run does with what it put in."""

import json
import re

import pytest

from orchestrator.runtime.versions import publish
from orchestrator.storage import SqliteStore

CART = '{{"id": "{id}", "type": "cart_updated", "time": "2026-03-02T{at}:00Z", "customer_id": "{who}", "properties": {{"cart_id": "{who}", "total": 50}}}}'  # noqa: E501 - one line of a file
MIGRATES = ("version: 1\n", "version: 2\non_change: migrate\n")


def cart(who, at):
    return CART.format(id=f"{who}-{at}", at=at, who=who)


@pytest.fixture
def run(orchestrator, shop):
    """Run events over the shop's state, up to an instant."""

    def run(*lines, until=None, drain=False):
        (shop / "more.jsonl").write_text("".join(line + "\n" for line in lines))
        options = ["--until", f"2026-03-02T{until}:00Z"] if until else ["--drain"] if drain else []
        return orchestrator(
            "run", shop, "--events", shop / "more.jsonl", "--state", shop / "shop.db",
            "--actions", shop / "actions.jsonl", "--decisions", shop / "decisions.jsonl", *options,
        )  # fmt: skip

    return run


@pytest.fixture
def edit(shop):
    """Edit the journey, or give steps other names in everything that speaks of them."""

    def edit(*replacements, **renamed):
        path = shop / "abandoned-cart.journey.yaml"
        for each in shop.rglob("*.yaml"):
            for old, new in renamed.items():
                each.write_text(re.sub(rf"\b(?<!-){old}\b(?!-)", new, each.read_text()))
        text = path.read_text()
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)

    return edit


@pytest.fixture
def inside(run, shop):
    """Let three customers wait for their reminder, and two for a click on it."""
    consent = '{{"type": "consent_changed", "time": 0, "customer_id": "{0}", "properties": {{"granted": true}}}}'
    known = '{{"type": "profile_updated", "time": 1, "customer_id": "{0}", "properties": {{"email": "{0}@x.example"}}}}'
    people = [text.format(who) for who in ("ana", "ben", "eva", "flo", "gil") for text in (consent, known)]
    early = [cart("ana", "10:00"), cart("ben", "10:00")]
    ended = run(*people, *early, *(cart(who, "11:30") for who in ("eva", "flo", "gil")))
    assert ended.code == 0, ended.err
    assert steps(shop) == {"remind": ["ana", "ben"]}
    return shop


def lines(shop, kind):
    return [json.loads(line) for line in (shop / f"{kind}.jsonl").read_text().splitlines()]


def steps(shop):
    found = {}
    for action in lines(shop, "actions"):
        found.setdefault(action["step"], []).append(action["customer_id"])
    return {step: sorted(who) for step, who in found.items()}


def test_a_dry_run_names_the_customers_on_each_step_that_a_change_touches(orchestrator, inside, edit):
    ended = orchestrator("publish", inside, "--state", inside / "shop.db", "--dry-run", "--json")
    (change,) = json.loads(ended.out)["changes"]
    assert (change["kind"], change["inside"]) == ("unchanged", {"answer": 2, "settle": 3})
    edit(("version: 1\n", "version: 2\n"), ("within: 1d", "within: 2d"), ("for: 1h", "for: 2h"))
    ended = orchestrator("publish", inside, "--state", inside / "shop.db", "--dry-run")
    assert (ended.code, ended.out.splitlines()) == (
        0,
        [
            "abandoned-cart: version 1 to 2; 5 customers inside, who finish version 1",
            "  answer: 2 customers, changed or gone",
            "  settle: 3 customers, changed or gone",
        ],
    )
    assert ended.err == "nothing is published: this is a dry run\n"
    ended = orchestrator("publish", inside, "--state", inside / "shop.db", "--dry-run", "--json")
    assert json.loads(ended.out)["revision"] is None


def test_a_migration_from_a_step_that_is_gone_and_not_mapped_fails_with_the_number_of_customers(
    orchestrator, inside, edit, run
):
    edit(MIGRATES, settle="calm")
    ended = orchestrator("publish", inside, "--state", inside / "shop.db")
    assert ended.code == 1
    assert "there is no step for 3 customers on settle; write moves: {settle: ...}" in ended.out
    ended = run(drain=True)
    assert (ended.code, ended.out) == (2, "")
    assert "there is no step for 3 customers on settle" in ended.err
    assert steps(inside) == {"remind": ["ana", "ben"]}


def test_customers_move_and_nobody_is_sent_anything_twice(orchestrator, inside, edit, run):
    moves = ("version: 1\n", "version: 2\non_change: migrate\nmoves: {settle: calm, remind: nudge}\n")
    edit(moves, settle="calm", remind="nudge")
    ended = orchestrator("publish", inside, "--state", inside / "shop.db")
    assert ended.out.splitlines()[0] == "abandoned-cart: version 1 to 2; 5 customers inside, who move to version 2"
    assert ended.err == "published as release 2\n"
    assert run(drain=True).code == 0
    assert steps(inside) == {"remind": ["ana", "ben"], "nudge": ["eva", "flo", "gil"]}
    moved = [one for one in lines(inside, "decisions") if one["verdict"] == "moved"]
    assert (
        sorted((one["saw"]["from_step"], one["step"]) for one in moved)
        == [("answer", "answer")] * 2 + [("settle", "calm")] * 3
    )
    explained = orchestrator("explain", "eva", "--state", inside / "shop.db")
    assert "Moved to calm of version 2 of abandoned-cart" in explained.out


def test_another_meaning_without_a_higher_version_is_refused_by_whatever_would_put_it_in_force(
    orchestrator, inside, edit, run
):
    edit(("for: 1h", "for: 2h"))
    ended = orchestrator("publish", inside, "--state", inside / "shop.db")
    assert ended.code == 1
    assert "what it means has changed; write version: 2" in ended.out
    ended = run(drain=True)
    assert ended.code == 2
    assert "abandoned-cart: what it means has changed; write version: 2" in ended.err


def test_validate_says_where_a_higher_version_is_needed(orchestrator, inside, edit):
    assert orchestrator("validate", inside, "--state", inside / "shop.db").code == 0
    edit(("for: 1h", "for: 2h"))
    ended = orchestrator("validate", inside, "--state", inside / "shop.db")
    assert "can be run" not in ended.err
    assert ended.code == 1
    assert ended.out.endswith("abandoned-cart.journey.yaml:3:10: E323 what it means has changed; write: version: 2\n")
    assert orchestrator("validate", inside).code == 0


def test_a_title_needs_no_higher_version(inside, edit, run):
    edit(("title: Abandoned cart reminder", "title: Carts"))
    assert run(drain=True).code == 0


def test_while_it_drains_nobody_enters_and_those_inside_finish(orchestrator, inside, edit, run):
    edit(("version: 1\n", "version: 2\non_change: drain\n"))
    ended = orchestrator("publish", inside, "--state", inside / "shop.db")
    assert "nobody enters any more; 5 customers inside, who finish version 1" in ended.out
    assert run(cart("hal", "11:45"), drain=True).code == 0
    assert steps(inside) == {"remind": ["ana", "ben", "eva", "flo", "gil"]}
    (refused,) = [one for one in lines(inside, "decisions") if one["verdict"] == "not_entered"]
    assert (refused["version"], refused["reason"]) == (2, "not_live")


def test_a_pause_is_said_to_be_one_and_ends_as_it_began(orchestrator, inside, edit, run):
    edit(("status: live", "status: paused"))
    ended = orchestrator("publish", inside, "--state", inside / "shop.db")
    assert ended.out.splitlines()[0] == (
        "abandoned-cart: version 1, live to paused: nobody enters, and who is inside stands still until it is live "
        "again; 5 customers inside"
    )
    assert run(until="23:00").code == 0
    assert steps(inside) == {"remind": ["ana", "ben"]}
    edit(("status: paused", "status: live"))
    assert "who stood still goes on" in orchestrator("publish", inside, "--state", inside / "shop.db").out
    assert run(drain=True).code == 0
    assert steps(inside) == {"remind": ["ana", "ben", "eva", "flo", "gil"]}


def test_it_publishes_beside_a_process_that_writes_the_same_file(orchestrator, inside, edit):
    edit(("version: 1\n", "version: 2\n"), ("for: 1h", "for: 2h"))
    with SqliteStore(inside / "shop.db") as writer:
        assert orchestrator("publish", inside, "--state", inside / "shop.db").err == "published as release 2\n"
        assert writer.revision() == 2


def test_a_folder_that_has_not_changed_takes_nothing_back_that_was_published(orchestrator, inside, edit, run, tmp_path):
    before = (inside / "abandoned-cart.journey.yaml").read_text()
    edit(("version: 1\n", "version: 2\n"), ("for: 1h", "for: 3h"), ('11:30"', '13:30"'))
    assert orchestrator("publish", inside, "--state", inside / "shop.db").code == 0
    (inside / "abandoned-cart.journey.yaml").write_text(before)
    assert run(cart("ana", "11:45"), cart("hal", "11:45")).code == 0
    entered = {one["profile_id"]: one["version"] for one in lines(inside, "decisions") if one["verdict"] == "entered"}
    assert sorted(entered.values()) == [1, 1, 1, 1, 1, 2]


def test_what_is_published_while_a_run_goes_on_is_taken_up_between_two_batches(inside, edit, monkeypatch):
    from orchestrator.language import load
    from orchestrator.runtime.embedded import RunOptions, processing, run_events, sources

    monkeypatch.setattr(processing, "BATCH_RECORDS", 1)
    monkeypatch.setattr(sources, "BLOCK_BYTES", 200)
    folder = load(inside)
    edit(("version: 1\n", "version: 2\non_change: migrate\nmoves: {settle: calm}\n"), settle="calm")
    changed = load(inside)
    published = []

    def publish_once(progress):
        if progress.events and not published:
            with SqliteStore(inside / "shop.db", writes=False, publishes=True) as store:
                published.append(publish(changed, store))

    (inside / "more.jsonl").write_text("".join(cart(f"n{number}", "11:45") + "\n" for number in range(4)))
    options = {name: inside / f"{name}.jsonl" for name in ("actions", "decisions")}
    run_events(
        folder,
        RunOptions(events=[str(inside / "more.jsonl")], state=inside / "shop.db", in_order=True, drain=True, **options),
        progress=publish_once,
    )
    assert published == [2]
    versions = [one["version"] for one in lines(inside, "decisions") if one["verdict"] == "moved"]
    assert versions
    assert set(versions) == {2}
    assert [one["step"] for one in lines(inside, "actions")].count("remind") == 5


def test_a_state_file_that_is_not_there_yet_begins_with_what_is_published(orchestrator, shop):
    ended = orchestrator("publish", shop, "--state", shop / "new.db", "--dry-run")
    assert (ended.code, ended.out) == (0, "abandoned-cart: new, version 1, live\n")
    assert not (shop / "new.db").exists()
    assert orchestrator("publish", shop, "--state", shop / "new.db").err == "published as release 1\n"
    assert orchestrator("publish", shop, "--state", shop / "new.db").err == "nothing to publish\n"


@pytest.mark.parametrize(("once", "is_late"), [("2020-11-27T09:00", True), ("2999-11-27T09:00", False)])
def test_a_broadcast_whose_moment_has_passed_is_told(orchestrator, shop, once, is_late):
    (shop / "sale.journey.yaml").write_text(
        f'journey: sale\nversion: 1\nstatus: live\nenter: {{schedule: {{once: "{once}"}}}}\n'
        "steps: [{id: a, wait: 1h}]\n"
    )
    planned = orchestrator("publish", shop, "--state", shop / "shop.db", "--dry-run")
    assert planned.code == 0, planned.err
    late = f"  nobody enters by its schedule: {once} has passed everywhere"
    assert (late in planned.out.splitlines()) == is_late
    assert "sale: new, version 1, live" in planned.out
