"""What every figure is taken in: the broker, a folder, the projects, how much of everything.

Owns the sizes and the workers' settings. Must never measure anything.
"""

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree

from orchestrator.bench.kafka.cluster import Cluster
from orchestrator.bench.kafka.programs import Worker
from orchestrator.bench.workload import SOURCES

ABANDONED_CART = "abandoned-cart.journey.yaml"
# What is answered at once, for the time from an event to what it brings about.
THANKS = {
    "messages/thanks.message.yaml": """
message: thanks
email: {subject: Thank you, text: We pack it at once.}
""",
    "thanks.journey.yaml": """
journey: thanks
version: 1
status: live
purpose: service
enter: {event: order_placed, again: always}
steps:
  - id: thank
    send: {message: thanks, channels: [email], data: {offered_ms: event.properties.offered_ms}}
""",
}


@dataclass(frozen=True)
class Sizes:
    """How much of everything; small numbers are for trying it out."""

    events: int = 1_000_000
    rounds: int = 1
    faust_events: int = 30_000
    customers: int = 1_000_000
    timers: int = 100_000
    rates: tuple[int, ...] = (1_000, 10_000)
    seconds: int = 10
    partitions: int = 4
    idle_partitions: int = 48


@dataclass(frozen=True)
class Setting:
    """Where figures are taken. `shop` is a project whose abandoned cart is measured, `peers` other programs' folder."""

    cluster: Cluster
    folder: Path
    sizes: Sizes
    shop: Path
    peers: Path | None = None
    # Every run's topics have names of their own, so that a named broker may hold other things.
    run: str = field(default_factory=lambda: f"bench-{uuid.uuid4().hex[:8]}")

    def topic(self, name: str) -> str:
        """Name a topic of this run."""
        return f"{self.run}.{name}"

    def worker(self, app: str, project: Path, events: str, *, resolve: bool = False, partitions: int = 0) -> Worker:
        """Start a worker of an application of this run, with all settings that matter as operators have them."""
        settings = {
            "APP_ID": f"{self.run}-{app}",
            "TOPIC_PREFIX": f"{self.run}.{app}.",
            "KAFKA_BOOTSTRAP_SERVERS": self.cluster.servers,
            "EVENTS_TOPICS": events,
            "PARTITIONS": str(partitions or self.sizes.partitions),
            "START": "earliest",
            "RESOLVE": "on" if resolve else "off",
            "HTTP": "127.0.0.1:0",
            "LOG_FORMAT": "json",
        }
        return Worker(project, settings, self.folder / f"{app}-{uuid.uuid4().hex[:6]}.log")

    def output(self, app: str, name: str) -> str:
        """Name a topic that an application writes."""
        return f"{self.run}.{app}.{name}"

    def abandoned_cart_alone(self) -> Path:
        """Copy the shop's project with that one journey."""
        target = self.folder / "abandoned-cart"
        copytree(self.shop, target, dirs_exist_ok=True)
        for journey in target.rglob("*.journey.yaml"):
            if journey.name != ABANDONED_CART:
                journey.unlink()
        # Its examples stand last and name other journeys.
        text = (target / ABANDONED_CART).read_text(encoding="utf-8")
        (target / ABANDONED_CART).write_text(text.partition("\nexamples:")[0] + "\n", encoding="utf-8")
        return target

    def small_project(self, folder: str = "small", more: str = "") -> Path:
        """Write a project without quiet hours, so that what is measured does not depend on the time of day.

        `more` are further lines of its orchestrator.yaml.
        """
        target = self.folder / folder
        for name, text in {**SOURCES, **THANKS}.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            further = more if name == "orchestrator.yaml" else ""
            (target / name).write_text(text + further, encoding="utf-8")
        return target
