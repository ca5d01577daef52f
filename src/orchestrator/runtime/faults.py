"""Fault points: named places where a test makes this process die, freeze, fail or lose an answer.

    faults.reach("commit.before_end")            in the code, free while nothing is armed
    ORCHESTRATOR_FAULT=commit.before_end:3       in a process's environment: kill -9 at the third passage
    ORCHESTRATOR_FAULT=commit.after_end:1:raise  or `freeze`, which stops the process until it gets SIGCONT
    with faults.armed("restore.begin", fail): …  in a test: call `fail` there; what it raises, the code sees

A failure raised right *after* a step is an answer that got lost: the step took place, and nobody knows.
Owns the table of what is armed. Must never be armed by anything but a test or the environment.
"""

import inspect
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from orchestrator.errors import OrchestratorError

VARIABLE = "ORCHESTRATOR_FAULT"


class InjectedError(OrchestratorError):
    """A failure that was asked for by a test."""


class _Fault:
    """What happens at one point, and at which passage of it; at every one where that is None."""

    def __init__(self, act: Callable[[], object], passage: int | None) -> None:
        self.act = act
        self.left = passage

    def reach(self) -> object:
        if self.left is not None:
            self.left -= 1
            if self.left != 0:
                return None
        return self.act()


_armed: dict[str, _Fault] = {}


def reach(point: str) -> None:
    """Pass a fault point; does nothing unless a test armed it."""
    if _armed and (fault := _armed.get(point)) is not None:
        fault.reach()


async def pause_at(point: str) -> None:
    """Pass a fault point in a coroutine: what a test armed there may be awaited, so that the loop goes on meanwhile."""
    if _armed and (fault := _armed.get(point)) is not None:
        awaited = fault.reach()
        if inspect.isawaitable(awaited):
            await awaited


@contextmanager
def armed(point: str, act: Callable[[], object], passage: int | None = 1) -> Iterator[None]:
    """Call `act` when the code passes `point` for the n-th time from now, or each time; disarmed behind the block."""
    _armed[point] = _Fault(act, passage)
    try:
        yield
    finally:
        _armed.pop(point, None)


def arm_from(environment: Mapping[str, str]) -> None:
    """Arm what ORCHESTRATOR_FAULT names, as `point[:passage[:kill|freeze|raise]]`, several with commas between.

    Raises OrchestratorError for a value that is not of this form: a test that arms nothing proves nothing.
    """
    for text in filter(None, environment.get(VARIABLE, "").split(",")):
        point, _, rest = text.partition(":")
        passage, _, behaviour = rest.partition(":")
        if not (passage or "1").isdecimal() or (behaviour or "kill") not in _BEHAVIOURS:
            raise OrchestratorError(f"{VARIABLE}={text!r} is not point[:passage[:kill|freeze|raise]]")
        _armed[point] = _Fault(_BEHAVIOURS[behaviour or "kill"], int(passage or "1"))


def disarm() -> None:
    """Forget every fault."""
    _armed.clear()


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _freeze() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _raise() -> None:
    raise InjectedError("this failure was asked for; unset ORCHESTRATOR_FAULT to do without")


_BEHAVIOURS: dict[str, Callable[[], object]] = {"kill": _kill, "freeze": _freeze, "raise": _raise}
