"""A run that is killed, at random moments and at named points, until it is done, leaves what an undisturbed one leaves.

The kills are real: another process, SIGKILL, a state file on disk. Moments come from a seed that a failure shows.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("embedded_program.py")
SOURCES = os.pathsep.join(str(PROGRAM.parents[2] / folder) for folder in ("src", "tests"))
POINTS = ["run.before_commit", "run.after_commit", "run.within_append", "run.after_append"]
KINDS = ("actions", "decisions", "dead_letters")
KILLED = -9
EVENTS, CUSTOMERS = 6_000, 150


def _events(path: Path, seed: int) -> None:
    """Write a day of events, not quite in order, some of them broken and some of them twice."""
    dice = random.Random(seed)
    lines: list[bytes] = []
    for number in range(EVENTS):
        kind = dice.choice(["page_viewed", "cart_updated", "cart_updated", "order_placed", "message_clicked"])
        time_ms = number * 86_400_000 // EVENTS + dice.randrange(300_000)
        event = {"id": f"e{number}", "type": kind, "customer_id": f"c{dice.randrange(CUSTOMERS)}", "time": time_ms}
        lines.append(b"broken" if dice.random() < 0.01 else json.dumps(event).encode())
        if dice.random() < 0.1:
            lines.append(lines[-1])
    path.write_bytes(b"\n".join(lines))


def _options(folder: Path, events: Path, in_order: bool) -> dict[str, Any]:
    folder.mkdir()
    files = {kind: str(folder / kind) for kind in (*KINDS, "state")}
    # Too little memory to sort in, so that runs on disk are killed too.
    return {"events": [str(events)], "in_order": in_order, "drain": True, "sort_memory_bytes": 100_000, **files}


def _start(options: dict[str, Any], fault: str = "") -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": SOURCES, "ORCHESTRATOR_FAULT": fault}
    return subprocess.Popen([sys.executable, str(PROGRAM), json.dumps(options)], env=environment)


def _kill_at(process: "subprocess.Popen[bytes]", seconds: float) -> int:
    """Kill a process after so long, unless it has ended by itself."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _run_killed(options: dict[str, Any], dice: random.Random) -> int:
    """Start again and again, killing by the clock or at a named point, until a run ends by itself; count the kills."""
    kills = 0
    while True:
        if dice.random() < 0.7:
            code = _start(options, f"{dice.choice(POINTS)}:{dice.randrange(4, 10)}").wait()
        else:
            code = _kill_at(_start(options), dice.uniform(0.1, 1.0))
        if code == 0:
            return kills
        assert code == KILLED
        kills += 1


def _content(options: dict[str, Any]) -> dict[str, bytes]:
    return {kind: Path(options[kind]).read_bytes() for kind in KINDS}


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("in_order", [False, True])
def test_over_twenty_kills_each_file_holds_each_line_once(tmp_path, rounds, in_order):
    events = tmp_path / "events.jsonl"
    _events(events, seed=rounds)
    whole = _options(tmp_path / "whole", events, in_order)
    assert _start(whole).wait() == 0
    expected = _content(whole)
    assert all(content.count(b"\n") > 20 for content in expected.values())
    kills, seed = 0, 0
    while kills < 20 * rounds:
        seed += 1
        killed = _options(tmp_path / f"killed-{seed}", events, in_order)
        kills += _run_killed(killed, random.Random(seed))
        assert _content(killed) == expected, f"seed {seed}"
    print(f"{kills} kills in {seed} runs")  # noqa: T201 - what a round of chaos has to say
