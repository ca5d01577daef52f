"""What the market gets wrong, one test a row, by files and runtimes as users have them.

Exits that wait for the next batch, caps that lose messages silently, splits that are drawn anew after a restart, edits
that send again, and audiences that only one of several runtimes knows.
"""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.language import Loaded, compile_sources
from orchestrator.language.definitions.example import Example
from orchestrator.model import instants
from orchestrator.model.ids import profile_id_of
from orchestrator.runtime import versions
from orchestrator.runtime.embedded import RunOptions, run_events
from orchestrator.runtime.kafka.clock import PartitionClock
from orchestrator.runtime.kafka.header import Header
from orchestrator.runtime.kafka.merging import Inputs
from orchestrator.runtime.kafka.partition import Partition
from orchestrator.runtime.kafka.state import MemoryState
from orchestrator.runtime.serving.metrics import Metrics
from orchestrator.runtime.serving.turns import Records, Turns
from orchestrator.storage import MemoryStore
from orchestrator.testing.examples import play, run_example

HALF_HOUR_MS = 1_800_000
START_MS = instants.parse("2026-01-05T10:00:00Z") or 0
PROJECT = """\
project: shop
timezone: Europe/Madrid
languages: [en]
channels: {email: {address: profile.customer_id}, push: {address: profile.customer_id}}
purposes: {offers: {consent: none, caps: [{at_most: 1, per: 7d, channel: email}, {at_most: 2, per: 7d}]}}
"""
MESSAGE = "message: hi\nemail: {subject: Hello, text: You.}\npush: {title: Hello, body: You.}\n"
HEAD = "journey: offer\nversion: %d\nstatus: live\npurpose: offers\n"


def project(body: str, version: int = 1, segments: str = "") -> Loaded:
    sources = {
        "orchestrator.yaml": PROJECT,
        "messages/hi.message.yaml": MESSAGE,
        "a.journey.yaml": HEAD % version + body,
    }
    return compile_sources({**sources, "segments.yaml": segments} if segments else sources)


def line(name: str, minute: float, who: str) -> bytes:
    at_ms = START_MS + int(minute * 60_000)
    return json.dumps({"id": f"{name}-{who}-{minute}", "type": name, "time": at_ms, "customer_id": who}).encode()


class Ran:
    """One project over some events by `run`, in as many goes as there are lists of them."""

    def __init__(self, folder: Path, *goes: tuple[Loaded, list[bytes]], until_ms: int | None = None) -> None:
        folder.mkdir()
        for number, (loaded, lines) in enumerate(goes):
            events = folder / f"{number}.jsonl"
            events.write_bytes(b"".join(one + b"\n" for one in lines))
            files = {kind: folder / kind for kind in ("actions", "decisions")}
            is_last = number == len(goes) - 1
            options = RunOptions(
                events=[str(events)], state=folder / "s.db", until_ms=until_ms if is_last else None, **files
            )
            run_events(loaded, options)
        self.actions = [json.loads(one) for one in (folder / "actions").read_bytes().splitlines()]
        self.decisions = [json.loads(one) for one in (folder / "decisions").read_bytes().splitlines()]


def by_partition(loaded: Loaded, lines: list[bytes]) -> list[dict]:
    """Take the events through a partition of a worker; the last of them moves the clock."""
    inputs = Inputs(["events"])
    partition = Partition(0, 1, inputs, MemoryState(), PartitionClock(), Header(), checks_keys=False, most_facts=10_000)
    partition.take_up(loaded.catalog, 1)
    inputs.add("events", [record_of(offset, one) for offset, one in enumerate(lines)])
    partition.work(loaded.catalog, set(), time_of(lines[-1]) + 1)
    return [json.loads(written) for _, written in partition.outgoing.decisions]


def time_of(written: bytes) -> int:
    return int(json.loads(written)["time"])


def record_of(offset: int, value: bytes) -> Any:
    """Hand an event over as aiokafka does, as far as the runtime looks at it."""
    about = {"key": b"k", "topic": "events", "partition": 0, "headers": ()}
    return SimpleNamespace(offset=offset, timestamp=time_of(value), value=value, **about)


def by_service(loaded: Loaded, lines: list[bytes]) -> list[dict]:
    """Take the events into `serve`, one batch an event, with a look at the clock every half an hour."""
    store = MemoryStore()
    turns = Turns(versions.take_up(loaded, store).catalog, store, Metrics(), 0)
    now_ms = time_of(lines[0])
    for one in lines:
        while now_ms + HALF_HOUR_MS < time_of(one):
            now_ms += HALF_HOUR_MS
            turns.work([], now_ms)
        now_ms = time_of(one)
        turns.work([Records([one], "test")], now_ms)
    who = {profile_id_of("customer_id", json.loads(one)["customer_id"]) for one in lines}
    return [json.loads(each) for name in sorted(who) for told in store.decisions_of(name) for each in told.splitlines()]


def test_an_exit_during_a_wait_of_thirty_days_takes_effect_at_the_event(tmp_path):
    loaded = project("enter: {event: came}\nexit: [{event: ordered}]\nsteps: [{id: a, wait: 30d}, {id: b, send: hi}]\n")
    for minutes in (0.001, 17, 29 * 1440, 30 * 1440):
        ran = Ran(tmp_path / str(minutes), (loaded, [line("came", 0, "ana"), line("ordered", minutes, "ana")]))
        at = instants.to_text(START_MS + int(minutes * 60_000))
        assert [(one["verdict"], one["reason"], one["at"]) for one in ran.decisions[2:]] == [("exited", "ordered", at)]
        assert ran.actions == []


def test_a_capped_message_goes_by_the_next_channel_or_is_refused_on_record(tmp_path):
    body = "enter: {event: came, again: always}\nsteps: [{id: a, send: {message: hi, channels: [email, push]}}]\n"
    ran = Ran(tmp_path / "capped", (project(body), [line("came", minute, "ana") for minute in range(4)]))
    assert [action["channel"] for action in ran.actions] == ["email", "push"]
    told = [(one["verdict"], one["reason"], one["saw"]["channel"]) for one in ran.decisions if one["step"] == "a"]
    capped = [("suppressed", "cap_reached", "email"), ("suppressed", "cap_reached", "push")]
    assert told == [("sent", "allowed", "email"), capped[0], ("sent", "allowed", "push"), *capped, *capped]


SPLIT = """\
enter: {event: came, again: always}
steps:
  - id: half
    split: [{name: one, share: 50, then: [{id: a, send: hi}]}, {name: two, share: 50}]
%s"""


def branches(decisions: list[dict]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in decisions:
        if one["verdict"] == "branched":
            found.setdefault(one["profile_id"], set()).add(one["saw"]["branch"])
    return found


def test_a_split_is_sticky_over_restarts_versions_and_runtimes(tmp_path):
    first, second = project(SPLIT % ""), project(SPLIT % "  - {id: later, wait: 1d}\n", version=2)
    lines = [line("came", 0, f"c{number}") for number in range(40)]
    again = [line("came", 5, f"c{number}") for number in range(40)]
    drawn = branches(Ran(tmp_path / "once", (first, lines)).decisions)
    assert {len(names) for names in drawn.values()} == {1}
    assert 10 <= sum(names == {"one"} for names in drawn.values()) <= 30
    assert branches(Ran(tmp_path / "restarts", (first, lines), (first, again)).decisions) == drawn
    assert branches(Ran(tmp_path / "versions", (first, lines), (second, again)).decisions) == drawn
    assert branches(by_partition(first, lines)) == drawn
    assert branches(by_service(second, lines)) == drawn
    for name in ("c1", "c2", "c3"):
        example = Example(name="x", profile={"customer_id": name}, given=[{"at": "0m", "event": "came"}], expect={})
        own = profile_id_of("customer_id", name)
        told = [json.loads(json.dumps({"verdict": each.verdict, "profile_id": own, "saw": each.saw}))
                for each in play(first, "offer", example).decisions]  # fmt: skip
        assert branches(told) == {own: drawn[own]}


@pytest.mark.parametrize("on_change", ["pin", "migrate"])
def test_an_edit_of_a_live_journey_never_sends_again(tmp_path, on_change):
    steps = "enter: {event: came, again: always}\nsteps:\n  - {id: a, send: hi}\n%s  - {id: rest, wait: 10d}\n"
    before = project(steps % "")
    edited = f"on_change: {on_change}\n" + steps % "  - {id: between, send: hi}\n"
    lines = [line("came", 0, f"c{number}") for number in range(5)]
    later = [line("viewed", 1440, f"c{number}") for number in range(5)]
    ran = Ran(
        tmp_path / "edit", (before, lines), (project(edited, version=2), later), until_ms=START_MS + 20 * 86_400_000
    )
    assert sorted((action["customer_id"], action["step"]) for action in ran.actions) == [
        (f"c{n}", "a") for n in range(5)
    ]
    assert sum(one["verdict"] == "exited" for one in ran.decisions) == 5


def test_an_edit_of_a_broadcast_that_was_made_never_makes_it_again(tmp_path):
    made = 'enter: {schedule: {once: "2026-01-06T09:00"}, again: always}\nsteps: [{id: %s, send: hi}]\n'
    lines, later = [line("came", 0, "ana")], [line("viewed", 1440, "ana")]
    loaded, edited = project(made % "a"), project(made % "b", version=2)
    ran = Ran(tmp_path / "edit", (loaded, [*lines, *later]), (edited, []), until_ms=START_MS + 40 * 86_400_000)
    assert [action["step"] for action in ran.actions] == ["a"]


AUDIENCES = """\
enter:
  any:
    - {segment: keen}
    - {segment_left: keen}
    - {schedule: {every: week, weekday: fri, at: "09:30", segment: keen}}
    - {inactive: {for: 9d, events: [came]}}
  again: after_exit
steps: [{id: a, choose: [{if: "count('came', within='7d') >= 3", then: [{id: b, send: hi}]}]}]
"""
KEEN = "keen: {if: \"count('came', within='3d') >= 2\"}\n"


def days(*pairs: tuple[float, str]) -> list[bytes]:
    return [line("came" if who != "clock" else "viewed", day * 1440, who) for day, who in sorted(pairs)]


@pytest.mark.parametrize("runtime", [by_partition, by_service])
def test_audiences_mean_the_same_in_every_runtime(tmp_path, runtime: Callable[[Loaded, list[bytes]], list[dict]]):
    loaded = project(AUDIENCES, segments=KEEN)
    lines = days(
        *[(day, "ana") for day in (0, 1, 1.5, 6, 7, 7.25)], (0.5, "ben"), (3.4, "ben"), (3.6, "ben"), (29, "clock")
    )
    ran = Ran(tmp_path / "run", (loaded, lines))

    reasons = {one["reason"] for one in ran.decisions}
    assert {"segment", "segment_left", "schedule", "inactive", "condition_true", "none_true"} <= reasons
    # `serve` wakes by the wall clock, which here is looked at twice an hour.
    names = ("profile_id", "verdict", "reason", "step", *(["at"] if runtime is by_partition else []))

    def told(decisions: list[dict]) -> list[tuple[str, ...]]:
        return sorted(tuple(one[name] or "" for name in names) for one in decisions)

    assert told(runtime(loaded, lines)) == told(ran.decisions)


def test_an_example_is_told_the_same_story_as_run(tmp_path):
    loaded = project(AUDIENCES, segments=KEEN)
    given = [{"at": f"{hour}h", "event": "came"} for hour in (0, 24, 36, 144, 168, 174)]
    about = {"name": "x", "start": "2026-01-05T11:00", "profile": {"customer_id": "ana"}, "expect": {}}
    example = Example(given=given, until="29d", **about)
    assert run_example(loaded, "offer", example).passed
    ran = Ran(tmp_path / "run", (loaded, [line("came", hour * 60, "ana") for hour in (0, 24, 36, 144, 168, 174)]),
              until_ms=START_MS + 29 * 86_400_000)  # fmt: skip
    played = play(loaded, "offer", example).decisions
    assert [(each.at, each.verdict, each.reason) for each in played] == [
        (one["at"], one["verdict"], one["reason"]) for one in ran.decisions
    ]
