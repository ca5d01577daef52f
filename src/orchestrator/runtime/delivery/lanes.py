"""All lanes together.

Owns which lanes there are, their beginning and end, and that one which leads elsewhere by now is begun anew. Must never
let one lane wait for another.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from orchestrator.runtime.delivery import timing
from orchestrator.runtime.delivery.lane import GRACE_SECONDS, LOOK_EVERY, Lane, Observe
from orchestrator.runtime.delivery.outbox import Outbox
from orchestrator.runtime.delivery.pace import Manners
from orchestrator.runtime.delivery.roads import Road
from orchestrator.runtime.wall_clock import Clock


@dataclass(frozen=True, slots=True)
class Route:
    """A lane to be: its road and its manners. `origin` is what the project says of where it leads."""

    road: Road
    manners: Manners = field(default_factory=Manners)
    origin: str = ""


class Lanes:
    """Hands over whatever the outbox holds."""

    def __init__(
        self,
        routes: Mapping[str, Route],
        outbox: Outbox,
        clock: Clock,
        *,
        dice: random.Random,
        observe: Observe,
        fail: Callable[[BaseException], None],
        release_over_ms: int = timing.RELEASE_OVER_MS,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._make = partial(
            Lane,
            outbox=outbox,
            clock=clock,
            dice=dice,
            observe=observe,
            fail=fail,
            release_over_ms=release_over_ms,
            look_every=look_every,
        )
        self._lanes: dict[str, Lane] = {}
        self._origins: dict[str, str] = {}
        self._is_ending = False
        for name, route in routes.items():
            self._put(name, route)

    def _put(self, name: str, route: Route) -> Lane:
        lane = self._lanes[name] = self._make(name, route.road, manners=route.manners)
        self._origins[name] = route.origin
        return lane

    @property
    def by_name(self) -> Mapping[str, Lane]:
        """The lanes by name."""
        return self._lanes

    @property
    def origins(self) -> Mapping[str, str]:
        """What the project said of where each lane leads, by name."""
        return self._origins

    async def start(self) -> None:
        """Begin to hand over."""
        for lane in self._lanes.values():
            await lane.start()

    async def take_up(self, routes: Mapping[str, Route], release_over_ms: int) -> None:
        """Open lanes by these routes, as when journeys begin to use another channel.

        A lane that is there already finishes what it is handing over and makes room: what else it had in hand goes by
        the new one.
        """
        self._make = partial(self._make, release_over_ms=release_over_ms)
        for lane in self._lanes.values():
            lane.release_over_ms = release_over_ms
        await asyncio.gather(*(self._lanes[name].stop() for name in routes if name in self._lanes))
        if self._is_ending:
            return  # nobody would end the new ones
        for name, route in routes.items():
            await self._put(name, route).start()

    def wake(self, names: Iterable[str]) -> None:
        """Tell lanes that something was put into the outbox for them."""
        for name in names:
            if name in self._lanes:
                self._lanes[name].wake()

    def cancel(self, action_ids: Iterable[str]) -> None:
        """Tell lanes what must not go any more; the outbox knows it already."""
        action_ids = list(action_ids)
        for lane in self._lanes.values():
            lane.cancel(action_ids)

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Finish what is being handed over, on all lanes at once, for so long at most."""
        self._is_ending = True
        await asyncio.gather(*(lane.stop(grace_seconds) for lane in self._lanes.values()))
