"""A run that is killed, at random moments and at named points, until it is done, leaves what an undisturbed one leaves.

The kills are real: another process, SIGKILL, a state file on disk. Moments come from a seed that a failure shows.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import shoppers

PROGRAM = Path(__file__).with_name("embedded_program.py")
IMPORTS = os.pathsep.join(str(PROGRAM.parents[2] / folder) for folder in ("src", "tests"))
POINTS = ["run.before_commit", "run.after_commit", "run.within_append", "run.after_append"]
KINDS = ("actions", "decisions", "dead_letters")

SOURCES = shoppers.sources("cart_updated", "order_placed", "10m", address="profile.customer_id")

EVENTS, CUSTOMERS = 6_000, 150


def _write_day(path: Path, seed: int) -> None:
    """Write a day of events, not quite in order, some of them broken and some of them twice."""
    dice = random.Random(seed)
    lines: list[bytes] = []
    for number in range(EVENTS):
        kind = dice.choice(["page_viewed", "cart_updated", "cart_updated", "order_placed"])
        time_ms = number * 86_400_000 // EVENTS + dice.randrange(300_000)
        event = {"id": f"e{number}", "type": kind, "customer_id": f"c{dice.randrange(CUSTOMERS)}", "time": time_ms}
        lines.append(b"broken" if dice.random() < 0.01 else json.dumps(event).encode())
        if dice.random() < 0.1:
            lines.append(lines[-1])
    path.write_bytes(b"\n".join(lines))


def options_of(folder: Path, events: Path, **more: Any) -> dict[str, Any]:
    folder.mkdir()
    files = {kind: str(folder / kind) for kind in (*KINDS, "state")}
    # Too little memory to sort in, so that runs on disk are killed too.
    return {"events": [str(events)], "sort_memory_bytes": 100_000, **files, **more}


class Runs:
    """Runs of one project, each in its own process."""

    def __init__(self, sources: dict[str, str]) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, str(PROGRAM), json.dumps(sources)],
            env={**os.environ, "PYTHONPATH": IMPORTS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # what select does not see must not wait in a buffer of ours
        )

    def run(self, options: dict[str, Any], *, fault: str = "", kill_after: float | None = None) -> int:
        """Run, and kill the process after so many seconds unless it has ended; gives its exit code."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps({**options, "fault": fault}).encode() + b"\n")
        process_id = int(self._parent.stdout.readline())
        if not select.select([self._parent.stdout], [], [], kill_after)[0]:
            os.kill(process_id, signal.SIGKILL)
        return int(self._parent.stdout.readline())

    def run_killed(self, options: dict[str, Any], dice: random.Random) -> int:
        """Start again and again, killing by the clock or at a point, until one ends by itself; gives the kills."""
        kills = 0
        while True:
            if dice.random() < 0.7:
                code = self.run(options, fault=f"{dice.choice(POINTS)}:{dice.randrange(4, 10)}")
            else:
                code = self.run(options, kill_after=dice.uniform(0, 0.5))
            if code == 0:
                return kills
            assert code == -signal.SIGKILL
            kills += 1

    def close(self) -> None:
        with self._parent:
            self._parent.kill()


def _content(options: dict[str, Any]) -> dict[str, bytes]:
    return {kind: Path(options[kind]).read_bytes() for kind in KINDS}


def _kill_until(folder: Path, sources: dict[str, str], events: Path, at_least: int, **more: Any) -> dict[str, bytes]:
    """Run with kills, over and over with other seeds, until there were enough; each run must leave what one leaves."""
    with closing(Runs(sources)) as runs:
        whole = options_of(folder / "whole", events, **more)
        assert runs.run(whole) == 0
        expected = _content(whole)
        kills, seed = 0, 0
        while kills < at_least:
            seed += 1
            killed = options_of(folder / f"killed-{seed}", events, **more)
            kills += runs.run_killed(killed, random.Random(seed))
            assert _content(killed) == expected, f"seed {seed}"
    print(f"{kills} kills in {seed} runs")  # noqa: T201 - what a round of chaos has to say
    return expected


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("in_order", [False, True])
def test_over_twenty_kills_each_file_holds_each_line_once(tmp_path, rounds, in_order):
    events = tmp_path / "events.jsonl"
    _write_day(events, seed=rounds)
    content = _kill_until(tmp_path, SOURCES, events, 20 * rounds, in_order=in_order, drain=True)
    assert all(lines.count(b"\n") > 20 for lines in content.values())


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_over_twenty_kills_real_shoppers_get_exactly_their_reminders(tmp_path, rounds):
    happened = shoppers.ecom()
    events = tmp_path / "events.jsonl"
    events.write_text("".join(json.dumps(event) + "\n" for event in happened))
    sources = shoppers.sources("add_to_cart", "purchase", "1h")
    until_ms = max(event["time"] for event in happened)
    content = _kill_until(tmp_path, sources, events, 20 * rounds, until_ms=until_ms)
    assert content["actions"].count(b"\n") == 855


WAITS, SENDS = '{for: 10m, restart_on: "cart_updated"}', "{message: cart-reminder, channels: [email]}"
# Who waits is moved to a step that sends at once, so that a move is more than a change of a record.
EDITED = {
    name: text.replace("version: 1", "version: 2\non_change: migrate\nmoves: {settle: calm}")
    .replace(f"id: settle\n    wait: {WAITS}", f"id: calm\n    send: {SENDS}")
    .replace(f"id: remind\n    send: {SENDS}", "id: rest\n    wait: 1h")
    for name, text in SOURCES.items()
}


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_in_the_middle_of_a_move_to_another_version_everybody_moves_once_and_whole(tmp_path, rounds):
    day, more = tmp_path / "day.jsonl", tmp_path / "more.jsonl"
    # All of them wait at the end of the day.
    carts = [{"id": f"e{n}", "type": "cart_updated", "customer_id": f"c{n}", "time": n} for n in range(1_000)]
    day.write_text("".join(json.dumps(each) + "\n" for each in carts))
    more.write_text(json.dumps({"id": "last", "type": "page_viewed", "customer_id": "c1", "time": 90_000}) + "\n")
    with closing(Runs(SOURCES)) as before, closing(Runs(EDITED)) as after:
        whole = options_of(tmp_path / "whole", day)
        assert before.run(whole) == 0
        assert after.run({**whole, "events": [str(more)], "drain": True}) == 0
        expected = _content(whole)
        assert expected["actions"].count(b"\n") == 1_000
        assert expected["decisions"].count(b'"moved"') == 1_000
        kills, seed = 0, 0
        while kills < 10 * rounds:
            seed += 1
            killed = options_of(tmp_path / f"killed-{seed}", day)
            assert before.run(killed) == 0
            moving = {**killed, "events": [str(more)], "drain": True}
            kills += after.run_killed(moving, random.Random(seed))
            assert _content(killed) == expected, f"seed {seed}"
