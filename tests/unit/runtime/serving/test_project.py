"""The project of a live process: what becomes of its watch when a change of files cannot be taken up."""

import asyncio

import pytest
from structlog.testing import capture_logs

from orchestrator.errors import OrchestratorError, StorageError
from orchestrator.runtime.serving.project import PATIENCE, Watch
from providers.live import write_project


@pytest.fixture
def watch(tmp_path):
    folder = write_project(tmp_path / "shop")
    made = Watch(folder, folder / "state.db", asyncio.sleep)
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

    await watch.look(changed)  # which sees that something has changed, and waits until it stands still
    await watch.look(changed)
    assert watch.problem == problem
    await watch.look(changed)
    assert bool(taken) is is_tried_again
    assert (watch.problem is None) is is_tried_again


async def test_files_that_somebody_still_writes_are_not_read(watch, tmp_path):
    taken = []

    async def changed(loaded):
        taken.append(sorted(loaded.definitions))

    journey = tmp_path / "shop/abandoned-cart.journey.yaml"
    text = journey.read_text()
    for name in ("a", "b", "c"):  # one more file at each look
        journey.with_name(f"{name}.journey.yaml").write_text(text.replace("abandoned-cart", name))
        await watch.look(changed)
    assert taken == []
    await watch.look(changed)
    await watch.look(changed)
    assert taken == [["a", "abandoned-cart", "b", "c"]]


async def test_a_state_file_in_the_folder_is_no_part_of_the_project(watch, tmp_path):
    taken = []

    async def changed(loaded):
        taken.append(loaded)

    for number in range(6):
        for name in ("state.db", "state.db-wal"):
            (tmp_path / "shop" / name).write_text("x" * number)
        await watch.look(changed)
    assert len(taken) == 1  # of the change that the fixture made


async def test_what_changes_all_the_time_keeps_no_journey_from_being_read(watch, tmp_path):
    taken = []

    async def changed(loaded):
        taken.append(loaded)

    for number in range(PATIENCE + 1):
        (tmp_path / "shop/some.log").write_text("x" * number)
        await watch.look(changed)
    assert len(taken) == 1


async def test_a_store_that_could_not_be_asked_for_a_moment_is_no_problem_afterwards(tmp_path):
    failures = [StorageError("no space left")]

    async def look_further():
        if failures:
            raise failures.pop()

    watch = Watch(write_project(tmp_path / "shop"), tmp_path / "state.db", asyncio.sleep, look_further)
    await watch.look(look_further)
    assert watch.problem == "no space left"
    await watch.look(look_further)
    assert watch.problem is None


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (OrchestratorError("no provider"), "no provider"),
        (TypeError("of somebody's"), "a fault of ours; the log says more"),
    ],
)
async def test_what_was_published_and_cannot_be_used_ends_no_watch_and_is_said_once(tmp_path, failure, problem):
    looks, taken = [], []

    async def look_further():
        looks.append(1)
        if len(looks) < 4:
            raise failure

    async def changed(loaded):
        taken.append(loaded)

    folder = write_project(tmp_path / "shop")
    watch = Watch(folder, tmp_path / "state.db", asyncio.sleep, look_further)
    with capture_logs() as logged:
        for _ in range(3):
            await watch.look(changed)
            assert watch.problem == problem
        await watch.look(changed)
    assert watch.problem is None
    assert [line["log_level"] for line in logged] == ["error"]
