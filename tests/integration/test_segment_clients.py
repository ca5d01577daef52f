"""Segment's own client libraries, pointed at a live shop and otherwise unchanged."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from segment.analytics.client import Client

from providers.live import WRITE, LiveShop

IDENTIFY, CART = {"email": "ana@example.com"}, {"cart_id": "c1", "total": 40}


@pytest.mark.parametrize("packed", [False, True])
async def test_the_python_client_sends_what_it_always_sends(tmp_path, packed):
    async with LiveShop(tmp_path) as shop:
        errors = []

        def talk():
            client = Client(WRITE, host=shop.url, gzip=packed, on_error=lambda error, batch: errors.append(error))
            client.identify("ana", IDENTIFY)
            client.track("ana", "cart_updated", CART)
            client.page("ana", "shop", "cart")
            client.screen("ana", "app", "cart")
            client.group("ana", "company", {"plan": "gold"})
            client.alias("cookie-1", "ana")
            client.flush()
            client.shutdown()

        await asyncio.to_thread(talk)
        assert errors == []
        known = await shop.known()
        assert known["traits"]["email"] == "ana@example.com"
        assert known["traits"]["groups"] == {"company": {"plan": "gold"}}
        assert [entry["step"] for entry in known["journeys"]] == ["settle"]


async def test_the_python_client_hears_of_a_wrong_key(tmp_path):
    async with LiveShop(tmp_path) as shop:
        errors = []

        def talk():
            client = Client("wrong", host=shop.url, on_error=lambda error, batch: errors.append(error), max_retries=0)
            client.track("ana", "cart_updated", CART)
            client.flush()
            client.shutdown()

        await asyncio.to_thread(talk)
        assert len(errors) == 1
        assert await shop.known() is None


async def test_single_calls_work_as_well_as_batches(tmp_path):
    async with LiveShop(tmp_path) as shop:
        one = {"userId": "ana", "event": "cart_updated", "properties": CART, "writeKey": WRITE}
        status, _ = await shop.post(one, path="/v1/track", headers={"Authorization": ""})
        assert status == 202
        status, _ = await shop.post({"userId": "ana", "traits": IDENTIFY}, path="/v1/identify")
        assert status == 202
        assert (await shop.known())["traits"] == IDENTIFY


NODE = """
const { Analytics } = require('@segment/analytics-node')
const analytics = new Analytics({ writeKey: process.argv[2], host: process.argv[3], flushAt: 3 })
const failed = []
analytics.on('error', (error) => failed.push(String(error.code || error)))
analytics.identify({ userId: 'ana', traits: { email: 'ana@example.com' } })
analytics.track({ userId: 'ana', event: 'cart_updated', properties: { cart_id: 'c1', total: 40 } })
analytics.page({ userId: 'ana', name: 'cart' })
analytics.closeAndFlush().then(() => console.log(JSON.stringify(failed)))
"""


def _install(folder: Path) -> str | None:
    """Install the client in a folder; say why it could not be."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "there is no node here"
    done = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), "@segment/analytics-node@3"],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else f"npm: {done.stderr[-200:]}"


@pytest.mark.slow
async def test_the_node_client_sends_what_it_always_sends(tmp_path):
    missing = await asyncio.to_thread(_install, tmp_path / "node")
    if missing:
        pytest.skip(missing)
    script = tmp_path / "node" / "talk.js"
    script.write_text(NODE)
    async with LiveShop(tmp_path) as shop:
        node = await asyncio.create_subprocess_exec(
            "node", str(script), WRITE, shop.url, stdout=asyncio.subprocess.PIPE, cwd=tmp_path / "node"
        )
        out, _ = await node.communicate()
        assert json.loads(out) == []
        known = await shop.known()
        assert known["traits"]["email"] == "ana@example.com"
        assert [entry["step"] for entry in known["journeys"]] == ["settle"]
