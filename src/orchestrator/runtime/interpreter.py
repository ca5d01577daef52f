"""The process of a live service, as its interpreter and its system have it.

Owns how often it looks for garbage, how long one thread keeps the other waiting, how many files it may have open, and
which signals end it, for processes that do nothing else. Must never be called where somebody else's code runs too.
"""

import gc
import resource
import signal
import sys
from types import FrameType

# A batch in the store's thread may take milliseconds; whoever answers requests meanwhile waits no longer than this for
# its turn (by default 5 ms, which several hand-overs a request add up to).
SWITCH_SECONDS = 0.001
# Every connection is an open file, as are the store's and those of a project that is read anew. Systems begin processes
# with 1,024, which is less than the connections that are taken, for programs that cannot count further: ours can.
OPEN_FILES = 65_536


def settle_down() -> None:
    """Set the interpreter up for a process that has begun and will run for long."""
    # What is loaded by now stays: looking through it again and again stopped everything for tens of milliseconds.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    sys.setswitchinterval(SWITCH_SECONDS)


def ending_signals() -> tuple[signal.Signals, ...]:
    """List the signals that end the process in order: SIGHUP too, unless it is to outlive its terminal (nohup)."""
    outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGTERM, signal.SIGINT, *(() if outlives else (signal.SIGHUP,)))


def may_end() -> None:
    """Let the process be told to end before anything runs in it that has to be stopped: it does, at once and in order.

    SIGINT does that by itself; whatever runs puts its own in the place of these.
    """
    for each in ending_signals():
        if each is not signal.SIGINT:
            signal.signal(each, _end)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def allow_files() -> int:
    """Let the process have as many files open as the system lets it, within reason; say how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
