"""A rolling upgrade on the real broker: a release that reads less than another one writes leaves everything alone."""

import asyncio
import json
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from orchestrator.model import codec
from orchestrator.testing.streams import committed


@pytest.fixture
def newer(monkeypatch):
    """Make of this process one of the release after this one, which writes its own format."""

    def upgrade():
        before = codec.FORMAT
        monkeypatch.setattr(codec, "FORMAT", before + 1)
        monkeypatch.setitem(codec.UPGRADES, before, lambda content: content)

    return upgrade


async def _members(shop):
    """Name the members of the turns' group, as its coordinator does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=shop.servers)
    await admin.start()
    try:
        [answer] = await admin.describe_consumer_groups([shop.variables["APP_ID"]])
        return sorted(member[0] for group in answer.groups for member in group[5])
    finally:
        await admin.close()


def _errors(worker):
    lines = (json.loads(line) for line in worker.said().splitlines() if line.startswith("{"))
    ours = (line for line in lines if line["logger"].startswith("orchestrator."))
    return [line["event"] for line in ours if line["level"] == "error"]


async def test_a_worker_of_the_release_before_leaves_what_a_newer_one_wrote_as_it_is_and_says_so(
    shop, one_event, newer
):
    now, refusal = int(time.time() * 1000), "holds state of format 2, and this release reads up to 1"
    older = shop.start_worker()
    carts = [one_event(now, f"e{number}", "cart_updated", f"c{number}", 40.0) for number in range(20)]
    await shop.receive(carts)
    await shop.drained()
    newer()
    async with shop.member() as member:

        async def is_at_work():
            return member.is_ready and len(await _members(shop)) == 2

        await shop.until(is_at_work)
        await shop.receive([one_event(now + 1, f"f{n}", "cart_updated", f"c{n}", 50.0) for n in range(20)])
        await shop.drained()
        before = await _members(shop)
        refused = shop.start_worker()
        assert await asyncio.to_thread(refused.wait, 30) == 2, refused.said()
        [told] = _errors(refused)
        assert refusal in told
        assert "assigned partitions" not in refused.said()
        assert await _members(shop) == before  # nobody had to join anew for one that may not work here
    written = await committed(shop.servers, shop.topics.changelog, 4)
    # It was at work, and meets the format in the partitions that come to it.
    assert await asyncio.to_thread(older.wait, 30) == 2, older.said()
    [told] = _errors(older)
    assert refusal in told
    assert await committed(shop.servers, shop.topics.changelog, 4) == written
    async with shop.member():
        await shop.receive([one_event(now + 2, "g", "cart_updated", "c1", 60.0)])
        await shop.drained()
