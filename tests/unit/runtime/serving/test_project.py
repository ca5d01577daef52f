"""The project of a live process: what becomes of its watch when a change of files cannot be taken up."""

import asyncio

import pytest

from orchestrator.errors import OrchestratorError, StorageError
from orchestrator.runtime.serving.project import Watch
from providers.live import write_project


@pytest.fixture
def watch(tmp_path):
    folder = write_project(tmp_path / "shop")
    made = Watch(folder, asyncio.sleep)
    (folder / "orchestrator.yaml").write_text((folder / "orchestrator.yaml").read_text() + "holdout: 5%\n")
    return made


@pytest.mark.parametrize(
    ("failure", "problem", "is_tried_again"),
    [
        (StorageError("no space left"), "no space left", True),
        (OrchestratorError("no version"), "no version", False),
        (TypeError("of somebody's"), "a fault of ours; the log says more", False),
    ],
)
async def test_a_change_that_fails_ends_no_watch(watch, failure, problem, is_tried_again):
    failures, taken = [failure], []

    async def changed(loaded):
        if failures:
            raise failures.pop()
        taken.append(loaded)

    await watch.look(changed)
    assert watch.problem == problem
    await watch.look(changed)
    assert bool(taken) is is_tried_again
    assert (watch.problem is None) is is_tried_again


async def test_a_store_that_could_not_be_asked_for_a_moment_is_no_problem_afterwards(tmp_path):
    failures = [StorageError("no space left")]

    async def look_further():
        if failures:
            raise failures.pop()

    watch = Watch(write_project(tmp_path / "shop"), asyncio.sleep, look_further)
    await watch.look(look_further)
    assert watch.problem == "no space left"
    await watch.look(look_further)
    assert watch.problem is None
