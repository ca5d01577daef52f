"""Publishing on the real broker, as an operator does it: who stands where, what is refused, and workers that follow."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.errors import StorageError
from orchestrator.model import codec, instants
from orchestrator.runtime.kafka.catalogs import keyed, publish
from orchestrator.runtime.kafka.publishing import in_force
from orchestrator.runtime.kafka.topics import Topics, ensure
from orchestrator.testing.streams import committed, latest_by_key

PARTITIONS = 4
SRC = Path(__file__).resolve().parents[3] / "src"


async def _publish(shop, *options):
    """Call `orchestrator publish` as a process; gives its exit code and its plan."""

    def call():
        settings = {f"ORCHESTRATOR_{name}": value for name, value in shop.variables.items()}
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", "publish", str(shop.project), "--json", *options],
            env={**os.environ, "PYTHONPATH": str(SRC), **settings},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    ended = await asyncio.to_thread(call)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def _edit(shop, *replacements):
    path = shop.project / "cart.journey.yaml"
    text = path.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


async def test_a_change_is_planned_refused_without_a_version_and_taken_up_with_one(shop, one_event):
    code, told = await _publish(shop, "--dry-run")
    assert (code, told["revision"], [change["kind"] for change in told["changes"]]) == (0, None, ["new"])
    assert (await _publish(shop))[1]["revision"] == 1

    carts = [one_event(_now(), f"e{number}", "cart_updated", f"c{number}", 40.0) for number in range(5)]
    await shop.receive(carts)
    worker = shop.start_worker()
    await shop.drained()

    _edit(shop, ("for: 1h", "for: 2h"))
    code, told = await _publish(shop)
    assert (code, told["revision"]) == (1, None)
    (change,) = told["changes"]
    assert (change["kind"], change["inside"], change["touched"]) == ("refused", {"settle": 5}, ["settle"])

    _edit(shop, ("version: 1", "version: 2"))
    code, told = await _publish(shop)
    assert (code, told["revision"]) == (0, 2)
    assert told["changes"][0]["inside"] == {"settle": 5}

    await shop.until(lambda: _has_taken_up(worker))
    await shop.receive([one_event(_now(), f"l{number}", "cart_updated", f"d{number}", 40.0) for number in range(3)])
    await shop.drained()
    assert worker.stop() == 0, shop.said()
    decided = [json.loads(line) for line in await shop.lines(shop.topics.decisions)]
    entered = {one["cause"]: one["version"] for one in decided if one["verdict"] == "entered"}
    assert entered == {**{f"e{number}": 1 for number in range(5)}, **{f"l{number}": 2 for number in range(3)}}


async def test_customers_move_to_a_version_that_migrates_and_not_off_a_step_that_is_gone(shop, one_event):
    assert (await _publish(shop))[1]["revision"] == 1
    await shop.receive([one_event(_now(), f"e{number}", "cart_updated", f"c{number}", 40.0) for number in range(5)])
    worker = shop.start_worker()
    await shop.drained()

    _edit(shop, ("version: 1", "version: 2\non_change: migrate"), ("id: settle", "id: calm"))
    for options in ((), ("--dry-run",)):
        code, told = await _publish(shop, *options)
        assert (code, told["revision"]) == (1, None)
        (change,) = told["changes"]
        assert (change["why"], change["fix"]) == ("there is no step for 5 customers on settle", "moves: {settle: ...}")

    # Where they wait now something is sent at once: a move is more than a change of a record.
    _edit(
        shop,
        ("on_change: migrate", "on_change: migrate\nmoves: {settle: remind}"),
        ("{id: calm, wait: {for: 1h, restart_on: cart_updated}}", "{id: calm, wait: 2h}"),
    )
    code, told = await _publish(shop, "--dry-run")
    (change,) = told["changes"]
    assert (code, told["revision"], change["inside"]) == (0, None, {"settle": 5})
    assert (change["touched"], change["moves"]) == (["settle"], {"settle": "remind"})
    assert (await _publish(shop))[1]["revision"] == 2

    async def reminded() -> bool:
        return len(await shop.lines(shop.topics.actions)) == 5

    await shop.until(reminded)
    assert worker.stop() == 0, shop.said()
    actions = [json.loads(line) for line in await shop.lines(shop.topics.actions)]
    assert {(action["step"], action["version"]) for action in actions} == {("remind", 2)}
    decided = [json.loads(line) for line in await shop.lines(shop.topics.decisions)]
    assert sum(one["verdict"] == "moved" for one in decided) == 5
    state = latest_by_key(await committed(shop.servers, shop.topics.changelog, PARTITIONS))
    states = [codec.decode(record) for key, record in state.items() if not key.startswith("@")]
    assert [(entry.version, entry.step) for each in states for entry in each.entries] == [(2, "rest")] * 5


async def _has_taken_up(worker):
    return "release 2 is in force" in worker.said()


def _now():
    # Once a worker has read all there is, the wall clock is what its timers go by.
    return time.time_ns() // 1_000_000


async def test_publishers_that_begin_at_one_instant_publish_once_and_say_nothing_odd(shop, caplog):
    settings, topics = shop.settings(), Topics.of(shop.settings())
    await ensure(settings, topics)
    sources = keyed(shop.loaded)
    found = await asyncio.gather(
        *(publish(settings, topics, sources, only_if_new=True) for _ in range(4)), return_exceptions=True
    )
    assert sorted(found, key=str) == [1, None, None, None]
    # Futures that nobody looked at complain when they are collected.
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_of_two_changes_that_were_compared_with_one_release_only_the_first_is_published(shop):
    settings, topics = shop.settings(), Topics.of(shop.settings())
    await ensure(settings, topics)
    first = keyed(shop.loaded)
    assert await publish(settings, topics, first, compared=0) == 1
    changes = []
    for wait in ("2h", "3h"):
        _edit(shop, ("version: 1", "version: 2"), ("for: 1h", f"for: {wait}"))
        changes.append(keyed(shop.loaded))
        _edit(shop, ("version: 2", "version: 1"), (f"for: {wait}", "for: 1h"))
    found = await asyncio.gather(
        *(publish(settings, topics, change, compared=1) for change in changes), return_exceptions=True
    )
    [refusal] = [each for each in found if isinstance(each, StorageError)]
    assert "somebody else has published release 2 meanwhile" in str(refusal)
    won = changes[found.index(2)]
    assert (await in_force(settings, topics)).loaded.sources == {each.file: each.text for each in won.values()}
    assert await publish(settings, topics, won, compared=1) is None  # the same is no change


@pytest.mark.slow
async def test_who_stood_still_while_a_journey_was_paused_goes_on_when_it_is_published_live_again(shop, one_event):
    _edit(shop, ("for: 1h", "for: 20s"))  # longer than it takes to publish the pause
    settings, topics = shop.settings(), Topics.of(shop.settings())
    await ensure(settings, topics)
    await publish(settings, topics, keyed(shop.loaded))
    worker = shop.start_worker()
    await shop.until(lambda: _says(worker, "restored"))
    await shop.receive([one_event(_now(), f"e{number}", "cart_updated", f"c{number}", 40.0) for number in range(5)])
    await shop.drained()
    _edit(shop, ("status: live", "status: paused"))
    await publish(settings, topics, keyed(shop.loaded))

    async def stand_still() -> bool:
        state = latest_by_key(await committed(shop.servers, topics.changelog, PARTITIONS))
        states = [codec.decode(record) for key, record in state.items() if not key.startswith("@")]
        return sum(entry.stopped_ms > 0 for each in states for entry in each.entries) == 5

    await shop.until(stand_still)
    assert await shop.lines(topics.actions) == []
    _edit(shop, ("status: paused", "status: live"))
    await publish(settings, topics, keyed(shop.loaded))
    # Nothing comes in any more: what wakes them is the end of the pause alone.

    async def reminded() -> bool:
        return len(await shop.lines(topics.actions)) == 5

    await shop.until(reminded)
    assert worker.stop() == 0, shop.said()


@pytest.mark.slow
async def test_a_broadcast_that_is_published_reaches_everybody_whom_the_workers_know(shop, one_event):
    settings, topics = shop.settings(), Topics.of(shop.settings())
    await ensure(settings, topics)
    await publish(settings, topics, keyed(shop.loaded))
    workers = [shop.start_worker(), shop.start_worker()]
    for worker in workers:
        await shop.until(lambda worker=worker: _says(worker, "restored"))
    await shop.receive([one_event(_now(), f"e{number}", "cart_updated", f"c{number}", 40.0) for number in range(8)])
    await shop.drained()
    # For customers without a time zone the project's counts, which is UTC here. Nothing comes in any more.
    soon_ms = _now() + 15_000
    once = f'{{schedule: {{once: "{instants.to_text(soon_ms)[:19]}"}}}}'
    enter = "{event: cart_updated, where: total >= 30, again: after_exit}"
    rules = f"{{any: [{{event: cart_updated, where: total >= 30}}, {once}], again: always}}"
    waits = "{id: settle, wait: {for: 1h, restart_on: cart_updated}}"
    _edit(shop, ("version: 1", "version: 2"), (enter, rules), (f"  - {waits}\n", ""))
    await publish(settings, topics, keyed(shop.loaded))

    async def told() -> bool:
        return len(await shop.lines(topics.actions)) >= 8

    await shop.until(told)
    actions = [json.loads(line) for line in await shop.lines(topics.actions)]
    assert sorted(action["customer_id"] for action in actions) == [f"c{number}" for number in range(8)]
    late_ms = [(instants.parse(action["at"]) or 0) - soon_ms // 1000 * 1000 for action in actions]
    assert all(each >= 0 for each in late_ms)
    assert [worker.stop() for worker in workers] == [0, 0], shop.said()


@pytest.mark.slow
async def test_workers_that_start_at_one_instant_on_an_empty_broker_all_come_up(shop, a_day):
    """Topics, definitions and the group are made once, whoever is first; nobody has to be started again."""
    records = a_day(2000, seed=21)
    workers = [shop.start_worker() for _ in range(4)]
    for worker in workers:
        await shop.until(lambda worker=worker: _says(worker, "restored"), 90)
    await shop.receive(records)
    await shop.drained()
    assert [await asyncio.to_thread(worker.stop) for worker in workers] == [0] * 4, shop.said()
    assert sum("published the journeys" in worker.said() for worker in workers) == 1
    await shop.check(records)


async def _says(worker, text: str) -> bool:
    return text in worker.said()
