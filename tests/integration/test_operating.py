"""What operators of `serve` live through: keys, secrets, a full disk, a backup."""

import re
import sqlite3
from contextlib import closing

import pytest

from orchestrator.channels.links import About, Kind, Links
from orchestrator.cli.commands.serve import _tell
from orchestrator.errors import OrchestratorError, StorageError
from orchestrator.model import ids
from orchestrator.web.server import listen
from providers.live import CART, LiveShop, until

PROFILE = ids.profile_id_of("customer_id", "ana")


async def test_keys_that_a_start_made_and_told_nobody_are_told_by_the_next_one_and_by_no_other(tmp_path, capsys):
    def without_keys(**channels):
        live = LiveShop(tmp_path, **channels)
        live.settings |= {"write_keys": "", "read_keys": ""}
        return live

    async def told(live):
        async with live, live.client.post("/v1/events", headers={"Authorization": "Bearer x"}, json=CART):
            with closing(listen("127.0.0.1", 0)) as bound:
                _tell(live.service, bound)
        return capsys.readouterr().err

    with pytest.raises(OrchestratorError, match="nobody brings the scheme"):
        await told(without_keys(email="nonsense:x"))
    first, then = await told(without_keys()), await told(without_keys())
    assert f"{tmp_path / 'state.db'} knows nobody yet\n" in first
    assert re.findall(r"made the (\w+ key), kept", first) == ["write key", "read key", "agent key"]
    assert "made the" not in then
    assert "name yours in ORCHESTRATOR_WRITE_KEYS, ORCHESTRATOR_READ_KEYS, ORCHESTRATOR_AGENTS\n" in then


async def test_links_in_mails_from_before_the_operator_named_a_secret_still_lead_somewhere(tmp_path):
    live, about = LiveShop(tmp_path), About(PROFILE, "ab" * 16, "email", "marketing", "es")
    given, live.settings["link_secret"] = live.settings["link_secret"], ""
    async with live as shop:
        sent = shop.service.links.make(Kind.UNSUBSCRIBE, about, shop.clock.now_ms())
    live = LiveShop(tmp_path)
    live.settings["link_secret"] = given
    async with live as shop:
        now_ms, links = shop.clock.now_ms(), shop.service.links
        assert links.read(sent.rpartition("/")[2], now_ms, Kind.UNSUBSCRIBE).profile_id == PROFILE
        anew = Links("https://shop.example", (given,)).read(
            links.make(Kind.UNSUBSCRIBE, about, now_ms).rpartition("/")[2], now_ms, Kind.UNSUBSCRIBE
        )
        assert anew.profile_id == PROFILE


async def test_a_process_that_nobody_sends_anything_to_is_ready_again_once_there_is_room(tmp_path, monkeypatch):
    async with LiveShop(tmp_path) as shop:
        store = shop.service.intake.store
        full = StorageError("no space left")

        def refuse(batch):
            raise full

        commit = store.commit
        monkeypatch.setattr(store, "commit", refuse)
        assert (await shop.post({**CART, "customer_id": "ana"}))[0] == 503
        assert not shop.service.is_ready
        monkeypatch.setattr(store, "commit", commit)
        await until(lambda: shop.service.is_ready)
        assert shop.service.problem is None


async def test_a_backup_that_was_made_while_it_ran_takes_the_place_of_the_state_file(tmp_path):
    async with LiveShop(tmp_path) as shop:
        await shop.greet()
        assert (await shop.post({**CART, "customer_id": "ana"}))[0] == 202
        with closing(sqlite3.connect(shop.state)) as reader:  # as README says, and beside the process that writes
            reader.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
        await shop.greet("ben")
    (tmp_path / "backup.db").rename(tmp_path / "state.db")
    async with LiveShop(tmp_path) as shop:
        assert not shop.service.is_empty
        assert [each["journey"] for each in (await shop.known("ana"))["journeys"]] == ["abandoned-cart"]
        assert await shop.service.find("ben", 1) is None
