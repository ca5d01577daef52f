"""One small journey, events for it, and a way to run them."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import shoppers
from orchestrator.language import Loaded, compile_sources
from orchestrator.runtime.embedded import RunOptions, Summary, run_events

MINUTE_MS = 60_000
Runner = Callable[..., "Ran"]


class Ran:
    """What a run came to, and what its files hold."""

    def __init__(self, summary: Summary, folder: Path) -> None:
        self.summary = summary
        self.folder = folder

    def lines(self, kind: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / f"{kind}.jsonl").read_bytes().splitlines()]

    def sent(self) -> list[tuple[str, str]]:
        return [(action["customer_id"], action["at"][11:16]) for action in self.lines("actions")]


@pytest.fixture(scope="session")
def loaded() -> Loaded:
    """Compile a reminder: ten minutes after the last cart, unless an order comes first."""
    return compile_sources(shoppers.sources("cart_updated", "order_placed", "10m", address="profile.customer_id"))


class Shop:
    """Records of what customers do, by the minute."""

    def event(self, kind: str, minute: float, customer: str = "ana", **more: Any) -> bytes:
        about = {"id": f"{kind}-{customer}-{minute}", "time": int(minute * MINUTE_MS)}
        return json.dumps({"type": kind, "customer_id": customer, **about, **more}).encode()

    def cart(self, minute: float, customer: str = "ana", **more: Any) -> bytes:
        return self.event("cart_updated", minute, customer, **more)

    def order(self, minute: float, customer: str = "ana") -> bytes:
        return self.event("order_placed", minute, customer)

    def page(self, minute: float, customer: str = "ana") -> bytes:
        return self.event("page_viewed", minute, customer)

    def day(self, seed: int, events: int) -> list[bytes]:
        """Make a day of events of twenty customers, in order of time."""
        dice = random.Random(seed)
        kinds = ["cart_updated", "cart_updated", "order_placed", "page_viewed"]
        minutes = sorted(dice.randrange(24 * 60 * 100) / 100 for _ in range(events))
        return [self.event(dice.choice(kinds), minute, f"c{dice.randrange(20)}") for minute in minutes]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write records into a file of events."""

    def write(records: list[bytes], name: str = "events.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(b"".join(record + b"\n" for record in records))
        return path

    return write


@pytest.fixture
def run(loaded: Loaded, tmp_path: Path) -> Runner:
    """Run files of events into files beside them."""

    def run(*events: Path | str, into: str = "out", **options: Any) -> Ran:
        folder = tmp_path / into
        folder.mkdir(exist_ok=True)
        files = {kind: folder / f"{kind}.jsonl" for kind in ("actions", "decisions", "dead_letters")}
        chosen = RunOptions(events=[str(path) for path in events], **{**files, **options})
        return Ran(run_events(loaded, chosen), folder)

    return run
