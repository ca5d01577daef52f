"""The host of a part: how it ends, in a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, logging, signal, sys
from orchestrator.runtime.kafka import app

if sys.argv[1] == "hangs":
    app.LONGEST_END_S = 0.3
logging.basicConfig()

class Hung:
    async def start(self):
        print("started", flush=True)

    async def run(self):
        await asyncio.Event().wait()

    async def stop(self):
        if sys.argv[1] == "hangs":
            await asyncio.Event().wait()

# Whatever whoever runs the tests made of it.
signal.signal(signal.SIGHUP, signal.SIG_IGN if sys.argv[2:] == ["nohup"] else signal.SIG_DFL)
sys.exit(app.host(Hung, "the part"))
"""


def ended_by(*signals: signal.Signals, words: tuple[str, ...]) -> tuple[int, str]:
    """Start the program, wait until it runs, send signals, and give its exit code and what it said."""
    source = Path(__file__).parents[4] / "src"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(source)},
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            for each in signals:
                process.send_signal(each)
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()  # nothing, where it has ended
    return process.returncode, said


def test_a_part_that_does_not_end_is_cut_off():
    code, said = ended_by(signal.SIGTERM, words=("hangs",))
    assert code == 2
    assert "the part did not end in 0.3 s and is cut off; what was open is done again" in said


@pytest.mark.parametrize(
    ("signals", "words"),
    [
        ((signal.SIGHUP,), ("ends",)),  # the terminal goes
        ((signal.SIGHUP, signal.SIGTERM, signal.SIGTERM), ("ends", "nohup")),  # it may, and somebody is in a hurry
    ],
)
def test_a_part_ends_in_order_however_it_is_told(signals, words):
    assert ended_by(*signals, words=words)[0] == 0
