"""Real shoppers: the abandoned-cart reminder over two data sets, against counts by an independent program.

Where the data are absent these tests say so and are skipped.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

import shoppers
from orchestrator.language import Loaded, compile_sources
from orchestrator.runtime.embedded import RunOptions, Summary, run_events
from shoppers import Event


@pytest.fixture(scope="module")
def ecom() -> list[Event]:
    return shoppers.ecom()


@pytest.fixture(scope="module")
def jdata() -> list[Event]:
    return shoppers.jdata()


def _loaded(*journey: str) -> Loaded:
    return compile_sources(shoppers.sources(*journey))


Run = Callable[..., tuple[Summary, bytes, bytes]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run events up to the last one's time; gives the summary and the files' sorted lines."""
    return partial(_run, tmp_path)


def _run(folder: Path, loaded: Any, events: list[Event], **options: Any) -> tuple[Summary, bytes, bytes]:
    path = folder / f"events-{len(list(folder.iterdir()))}.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    files = {kind: folder / kind for kind in ("actions", "decisions")}
    summary = run_events(loaded, RunOptions(events=[str(path)], **files, **options))
    actions, decisions = (b"".join(sorted(each.read_bytes().splitlines(keepends=True))) for each in files.values())
    return summary, actions, decisions


def _last_ms(events: list[Event]) -> int:
    return max(event["time"] for event in events)


def _bought(decisions: bytes) -> int:
    found = map(json.loads, decisions.splitlines())
    return sum(decision["verdict"] == "exited" and decision["reason"] == "bought" for decision in found)


COUNTS = [("30m", 881, None, None), ("1h", 855, 364, 1), ("24h", 843, None, None)]


@pytest.mark.slow
@pytest.mark.parametrize(("within", "messages", "bought", "waiting"), COUNTS)
def test_the_web_shop_gets_exactly_its_reminders(ecom, run, within, messages, bought, waiting):
    summary, actions, decisions = run(_loaded("add_to_cart", "purchase", within), ecom, until_ms=_last_ms(ecom))
    assert actions.count(b"\n") == messages
    if bought is not None:
        assert (_bought(decisions), summary.waiting) == (bought, waiting)


@pytest.mark.slow
def test_jd_shoppers_get_exactly_their_reminders_duplicates_and_all(jdata, run):
    summary, actions, decisions = run(_loaded("2", "4", "30m"), jdata, until_ms=_last_ms(jdata))
    assert (actions.count(b"\n"), _bought(decisions), summary.waiting) == (150, 24, 14)


def _shuffled(events: list[Event]) -> list[Event]:
    """Shuffle, keeping the order of what happened within one second: that order is part of the meaning."""
    seconds = [list(group) for _, group in groupby(events, key=lambda event: event["time"] // 1000)]
    random.Random(5).shuffle(seconds)
    return [event for second in seconds for event in second]


def _doubled(events: list[Event]) -> list[Event]:
    return [event for event in events for _ in range(2)]


@dataclass(frozen=True)
class Shop:
    """Shoppers of one shop, and what comes of their events as they are: the sorted lines of both files."""

    loaded: Loaded
    events: list[Event]
    until_ms: int
    came: tuple[bytes, bytes]


@pytest.fixture(scope="module", params=["ecom", "jdata"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    journey = {"ecom": ("add_to_cart", "purchase", "1h"), "jdata": ("2", "4", "30m")}[request.param]
    loaded, events = _loaded(*journey), request.getfixturevalue(request.param)
    until_ms = _last_ms(events)
    _, actions, decisions = _run(tmp_path_factory.mktemp(request.param), loaded, events, until_ms=until_ms)
    return Shop(loaded, events, until_ms, (actions, decisions))


@pytest.mark.slow
@pytest.mark.parametrize("change", [_shuffled, _doubled, lambda events: _doubled(_shuffled(events))])
def test_shuffled_or_doubled_events_give_the_same_bytes(shop, run, change):
    changed = run(shop.loaded, change(shop.events), until_ms=shop.until_ms, sort_memory_bytes=1 << 20)
    assert changed[1:] == shop.came


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_run_cut_in_two_gives_the_same_bytes(shop, run, tmp_path, part):
    cut, state = int(len(shop.events) * part), tmp_path / "state.db"
    run(shop.loaded, shop.events[:cut], state=state)
    assert run(shop.loaded, shop.events[cut:], state=state, until_ms=shop.until_ms)[1:] == shop.came
