"""Channels by URL: the ones for trying out, and those that other packages bring."""

import io
import json
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from orchestrator.channels import registry
from orchestrator.channels.console import ConsoleChannel
from orchestrator.channels.port import Receipt, Setup
from orchestrator.errors import OrchestratorError
from providers import delivery


async def test_the_console_shows_a_message_to_people_and_obeys_nobody():
    shown = io.StringIO()
    channel = ConsoleChannel(shown)
    await channel.send(delivery(data={"profile": {"first_name": "Ana\x1b[2J"}}))
    assert "email to ana@example.com" in shown.getvalue()
    assert "subject: Ana [2J, tu cesta te espera" in shown.getvalue()
    assert "\x1b" not in shown.getvalue()


async def test_the_file_gets_a_line_a_message(tmp_path):
    channel = registry.open_channel(Setup("email", f"file:{tmp_path}/out.jsonl"))
    for number in (1, 2):
        await channel.send(delivery(number=number))
    await channel.close()
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["data"]["id"] for line in lines] == [delivery(number=number).key for number in (1, 2)]


class Pigeon:
    def __init__(self, setup):
        self.url = setup.url

    async def send(self, delivery):
        return Receipt(f"{self.url} {delivery.to}")

    async def close(self):
        pass


async def test_another_package_brings_a_channel_by_its_scheme(monkeypatch):
    point = EntryPoint("pigeon", f"{__name__}:Pigeon", registry.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: Pigeon)
    monkeypatch.setattr(registry, "entry_points", lambda **only: EntryPoints([point]).select(**only))
    channel = registry.open_channel(Setup("post", "pigeon:loft"))
    assert await channel.send(delivery()) == Receipt("pigeon:loft ana@example.com")


def test_a_scheme_that_nobody_brings_is_named():
    with pytest.raises(OrchestratorError, match=r"there are .*console, .*file, http, https, .*smtp, smtps, telegram"):
        registry.open_channel(Setup("post", "carrier:x"))
