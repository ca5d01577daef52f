"""Deadlines: who is ended, when, and by whom."""

import asyncio

import pytest

from orchestrator.channels.deadlines import Deadlines

LONG = 60


async def held(deadlines, work):
    """Give what came of some work."""
    try:
        return await deadlines.hold(work)
    except TimeoutError:
        return "ended"


async def answering(answer):
    await asyncio.sleep(0)
    return answer


async def test_what_ends_in_time_gives_its_result_and_what_does_not_is_ended():
    deadlines = Deadlines(0.01)
    came = await asyncio.gather(
        held(deadlines, answering(1)), held(deadlines, asyncio.sleep(LONG)), held(deadlines, answering(2))
    )
    assert came == [1, "ended", 2]
    assert asyncio.current_task().cancelling() == 0


async def test_each_has_its_own_time_and_the_timer_goes_on_for_the_next():
    deadlines, ended = Deadlines(0.4), []  # far enough apart for a machine that does much else

    async def one(name):
        await held(deadlines, asyncio.sleep(LONG))
        ended.append(name)

    first = asyncio.create_task(one("first"))
    await held(Deadlines(0.2), asyncio.sleep(LONG))
    second = asyncio.create_task(one("second"))
    await first
    assert ended == ["first"]
    await second
    assert await held(deadlines, asyncio.sleep(LONG)) == "ended"  # after everything was quiet


async def test_whoever_cancels_the_task_is_obeyed():
    task = asyncio.create_task(Deadlines(LONG).hold(asyncio.sleep(LONG)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_is_cancelled_as_its_time_ends_stays_cancelled():
    async def work():
        try:
            await asyncio.sleep(LONG)
        finally:
            task.cancel()

    task = asyncio.create_task(Deadlines(0.01).hold(work()))
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_errors_of_the_work_itself_come_through():
    async def failing():
        await asyncio.sleep(0)
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        await Deadlines(LONG).hold(failing())
