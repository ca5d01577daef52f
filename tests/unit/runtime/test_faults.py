"""Fault points: armed by tests and the environment, free otherwise."""

import os
import signal
import subprocess
import sys

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.runtime import faults


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    faults.disarm()


def test_a_point_that_nobody_armed_does_nothing():
    faults.reach("commit.before_end")


def test_an_armed_point_acts_at_its_passage_and_only_then():
    calls = []
    with faults.armed("a", lambda: calls.append("acted"), passage=2):
        for passage in range(1, 4):
            faults.reach("a")
            faults.reach("b")
            calls.append(passage)
    faults.reach("a")
    assert calls == [1, "acted", 2, 3]


def test_an_act_may_be_asked_for_at_every_passage():
    calls = []
    with faults.armed("a", lambda: calls.append("acted"), passage=None):
        faults.reach("a")
        faults.reach("a")
    assert calls == ["acted", "acted"]


async def test_in_a_coroutine_an_act_may_be_awaited():
    calls = []

    async def act():
        calls.append("acted")

    with faults.armed("a", act):
        await faults.pause_at("a")
        await faults.pause_at("a")
    await faults.pause_at("a")
    assert calls == ["acted"]


def test_what_the_act_raises_is_seen_by_the_code():
    def fail():
        raise ConnectionError("cut")

    with faults.armed("a", fail), pytest.raises(ConnectionError):
        faults.reach("a")


def test_the_environment_arms_a_failure():
    faults.arm_from({"ORCHESTRATOR_FAULT": "a:2:raise,b::raise"})
    faults.reach("a")
    with pytest.raises(faults.InjectedError):
        faults.reach("a")
    with pytest.raises(faults.InjectedError):
        faults.reach("b")


def test_the_environment_kills_the_process_at_once():
    code = "import os; from orchestrator.runtime import faults; faults.arm_from(os.environ); faults.reach('a')"
    process = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "ORCHESTRATOR_FAULT": "a"},
        check=False,
    )
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("text", ["a:soon", "a:1:explode"])
def test_a_value_that_arms_nothing_is_refused(text):
    with pytest.raises(OrchestratorError):
        faults.arm_from({"ORCHESTRATOR_FAULT": text})
