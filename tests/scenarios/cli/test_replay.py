"""`orchestrator replay`: a changed journey over real events, checked against two plain runs of the same."""

import json
from collections import Counter

import pytest

import shoppers
from orchestrator.language import compile_sources
from orchestrator.runtime.embedded import RunOptions, run_events


def _write(folder, sources):
    for name, text in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def _plain(sources, events, until_ms, tmp_path, name):
    """Run one project by itself; gives what each customer got, and when."""
    actions = tmp_path / f"{name}.jsonl"
    run_events(compile_sources(sources), RunOptions(events=[str(events)], actions=actions, until_ms=until_ms))
    lines = map(json.loads, actions.read_text().splitlines())
    return Counter((line["customer_id"], line["at"]) for line in lines)


@pytest.mark.slow
def test_the_difference_over_real_shoppers_is_exact(tmp_path, orchestrator):
    happened = shoppers.ecom()
    events = tmp_path / "events.jsonl"
    events.write_text("".join(json.dumps(event) + "\n" for event in happened))
    until_ms = max(event["time"] for event in happened)
    live, changed = (shoppers.sources("add_to_cart", "purchase", within) for within in ("1h", "30m"))
    before = _plain(live, events, until_ms, tmp_path, "before")
    after = _plain(changed, events, until_ms, tmp_path, "after")

    folders = (_write(tmp_path / "changed", changed), _write(tmp_path / "live", live))
    options = ["--events", str(events), "--until", str(until_ms), "--json"]
    ended = orchestrator("replay", str(folders[0]), "--against", str(folders[1]), *options)
    assert ended.code == 0
    told = json.loads(ended.out)

    gone, new = before - after, after - before
    (row, everything) = told["totals"]
    assert row["place"] == "abandoned-cart/remind"
    assert (row["before"], row["after"]) == (855, 881)
    assert everything == {**row, "place": "all"}
    # All come from one step, so for each customer as many are paired as are gone and new; the rest is more or less.
    pairs = {name: [0, 0] for name, _ in gone | new}
    for place, counter in enumerate((gone, new)):
        for (name, _), count in counter.items():
            pairs[name][place] += count
    assert row["changed"] == sum(min(pair) for pair in pairs.values())
    assert row["less"] == sum(max(0, had - has) for had, has in pairs.values())
    assert row["more"] == sum(max(0, has - had) for had, has in pairs.values())
    assert set(told["customers"]) == set(pairs)


PROJECT = {
    "orchestrator.yaml": """
project: shop
channels: {email: {address: profile.email}}
purposes: {service: {consent: none}}
""",
    "messages/hello.message.yaml": "message: hello\nemail: {subject: Hi, text: Hello}\n",
    "hello.journey.yaml": """
journey: hello
version: 1
status: live
purpose: service
enter: {event: signed_up}
steps:
  - {id: greet, send: hello}
""",
}
LATER = {
    **PROJECT,
    "hello.journey.yaml": PROJECT["hello.journey.yaml"].replace("steps:\n", "steps:\n  - {id: rest, wait: 1h}\n"),
}
EVENTS = """\
{"id": "1","type": "profile_updated", "customer_id": "ana", "time": 1767607200000, "properties": {"email": "a@b.c"}}
{"id": "2", "type": "signed_up", "customer_id": "ana", "time": 1767607260000}
"""


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "events.jsonl").write_text(EVENTS)
    return _write(tmp_path / "live", PROJECT), _write(tmp_path / "changed", LATER), tmp_path / "events.jsonl"


def test_a_terminal_is_told_step_by_step_and_customer_by_customer(folders, orchestrator):
    live, changed, events = folders
    ended = orchestrator("replay", str(changed), "--against", str(live), "--events", str(events), "--drain")
    assert ended.code == 0
    assert ended.out.splitlines()[1:] == [
        "step         before  after  more  less  else",
        "hello/greet       1      1     0     0     1",
        "all               1      1     0     0     1",
        "~ ana: hello by email at 2026-01-05T10:01:00.000Z (hello/greet), "
        "now hello by email at 2026-01-05T11:01:00.000Z (hello/greet)",
        "1 customer of 1 who get anything would get something else",
    ]


def test_a_pull_request_gets_a_table_with_the_customers_folded_away(folders, orchestrator):
    live, changed, events = folders
    ended = orchestrator("replay", str(changed), "--against", str(live), "--events", str(events), "--markdown")
    assert ended.code == 0
    told = ended.out.splitlines()
    # Without --drain the hour is not over at the end of the input.
    assert told[2:6] == [
        "| step | before | after | more | less | else |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| `hello/greet` | 1 | 0 | 0 | 1 | 0 |",
        "| `all` | 1 | 0 | 0 | 1 | 0 |",
    ]
    assert "- `ana` - hello by email at 2026-01-05T10:01:00.000Z (hello/greet)" in told


def test_the_changed_project_may_stand_behind_the_events(folders, orchestrator):
    live, changed, events = folders
    ended = orchestrator("replay", "--against", live, "--events", events, changed)
    assert (ended.code, ended.out) == (0, orchestrator("replay", changed, "--against", live, "--events", events).out)


def test_the_same_project_twice_makes_no_difference(folders, orchestrator):
    live, _, events = folders
    ended = orchestrator("replay", str(live), "--against", str(live), "--events", str(events), "--json")
    assert ended.code == 0
    told = json.loads(ended.out)
    assert told["customers"] == {}
    assert [(row["more"], row["less"], row["changed"]) for row in told["totals"]] == [(0, 0, 0)] * 2


def test_without_anything_to_compare_with_it_is_wrong_use(folders, orchestrator):
    _, changed, events = folders
    ended = orchestrator("replay", str(changed), "--events", str(events))
    assert ended.code == 2
    assert "--against" in ended.err
