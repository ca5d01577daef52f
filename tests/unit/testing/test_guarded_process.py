"""A guarded process: killed with its data kept, frozen, and gone with its folder when its starter is gone."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.testing.brokers import BrokerError
from orchestrator.testing.brokers.guarded_process import PORTS, GuardedProcess, free_ports

SLEEP = ["sleep", "1000"]


@pytest.fixture
def process():
    process = GuardedProcess("test")
    yield process
    process.remove()


def _is_frozen(pid: int) -> bool:
    """Look at the letter that proc(5) gives a process; T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"


def _becomes(frozen: bool, pid: int) -> bool:
    """Look until a signal, which arrives a moment after it was sent, has had its effect."""
    end = time.monotonic() + 30
    while _is_frozen(pid) != frozen and time.monotonic() < end:
        time.sleep(0.001)
    return _is_frozen(pid) == frozen


def test_a_killed_process_leaves_its_folder_and_can_be_started_again(process):
    process.start([*SLEEP], os.environ)
    first = process.pid
    process.kill()
    assert process.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert process.folder.is_dir()
    process.start([*SLEEP], os.environ)
    assert process.pid not in {None, first}


def test_a_removed_process_is_gone_with_its_folder_and_removing_twice_does_nothing(process):
    process.start(SLEEP, os.environ)
    pid = process.pid
    process.remove()
    process.remove()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not process.folder.exists()


def test_a_process_is_frozen_and_goes_on(process):
    process.start(SLEEP, os.environ)
    process.pause()
    assert _becomes(True, process.pid)
    process.resume()
    assert _becomes(False, process.pid)


def test_a_frozen_process_can_be_killed(process):
    process.start(SLEEP, os.environ)
    process.pause()
    process.kill()
    assert not process.is_running


def test_two_at_once_are_refused(process):
    process.start(SLEEP, os.environ)
    with pytest.raises(BrokerError) as refusal:
        process.start(SLEEP, os.environ)
    assert "is running already" in str(refusal.value)


def test_a_program_that_is_not_there_is_an_error_that_names_it(process):
    with pytest.raises(BrokerError) as refusal:
        process.start(["no-such-program"], os.environ)
    assert str(refusal.value).startswith("no-such-program could not be started: ")


def test_a_process_that_is_not_running_cannot_be_frozen(process):
    with pytest.raises(BrokerError) as refusal:
        process.pause()
    assert str(refusal.value) == "there is no running process to freeze"


def test_the_last_words_are_those_of_its_console(process):
    process.start(["sh", "-c", "echo out of memory >&2; exit 3"], os.environ)
    process._guard.wait(30)
    assert process.last_words() == "out of memory"


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs process descriptors, which only Linux has")
def test_nothing_outlives_a_starter_that_is_killed(tmp_path):
    script = (
        "import os, signal\n"
        "from orchestrator.testing.brokers.guarded_process import GuardedProcess\n"
        "process = GuardedProcess('orphan')\n"
        f"process.start({SLEEP!r}, os.environ)\n"
        "print(process._guard.pid, process.pid, process.folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    starter = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert starter.returncode == -signal.SIGKILL, starter.stderr
    guard, pid, folder = starter.stdout.split()
    # A process descriptor becomes readable when its process ends: a wait for somebody who is not our child.
    try:
        descriptor = os.pidfd_open(int(guard))
    except ProcessLookupError:
        pass  # it was quicker than we
    else:
        _wait_for_end(descriptor)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
    assert not Path(folder).exists()


def _wait_for_end(descriptor: int) -> None:
    try:
        assert select.select([descriptor], [], [], 30)[0] == [descriptor]
    finally:
        os.close(descriptor)


def test_free_ports_are_different_and_out_of_the_way_of_outgoing_connections():
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert set(ports) <= set(PORTS)
