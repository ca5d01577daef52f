"""Publishing on the real broker, as an operator does it: who stands where, what is refused, and workers that follow."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from orchestrator.runtime.kafka.catalogs import keyed, publish
from orchestrator.runtime.kafka.topics import Topics, ensure

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


async def _has_taken_up(worker):
    return "release 2 is in force" in worker.said()


def _now():
    # Once a worker has read all there is, the wall clock is what its timers go by.
    return time.time_ns() // 1_000_000


async def test_publishers_that_begin_at_one_instant_publish_once(shop):
    settings, topics = shop.settings(), Topics.of(shop.settings())
    await ensure(settings, topics)
    sources = keyed(shop.loaded)
    found = await asyncio.gather(
        *(publish(settings, topics, sources, only_if_new=True) for _ in range(4)), return_exceptions=True
    )
    assert sorted(found, key=str) == [1, None, None, None]
