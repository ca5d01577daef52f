"""The live service: from an event over HTTP to a mail that is read, and what the customer does with it."""

import asyncio
import re
from html import unescape

import pytest

from orchestrator.channels.email.composing import read_message_id
from orchestrator.errors import StorageError
from orchestrator.language import load
from orchestrator.model import ids
from orchestrator.runtime import versions
from orchestrator.storage import SqliteStore
from providers import MailServer
from providers.live import CART, HOUR, JOURNEY, PHONE, LiveShop, SetClock, until, write_project


def path_of(url):
    assert url.startswith("https://shop.example/")
    return url.removeprefix("https://shop.example")


def html_of(mail):
    return mail.get_body(("html",)).get_content()


def unsubscribe_of(mail):
    return path_of(mail["List-Unsubscribe"].strip("<>"))


async def reminded(shop, server, name="ana"):
    """Let a customer leave a cart, and read the mail that comes."""
    await shop.greet(name)
    status, _ = await shop.post({**CART, "customer_id": name})
    assert status == 202
    shop.later(HOUR)
    before = len(server.raw)
    await until(lambda: len(server.raw) > before)
    return server.mails[-1]


async def test_a_cart_left_alone_becomes_a_mail_and_a_click_leads_on(tmp_path):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url) as shop:
        mail = await reminded(shop, server)
        assert (mail["To"], mail["Subject"]) == ("ana@example.com", "Ana, tu cesta te espera")
        assert mail.get_body(("plain",)).get_content().startswith("Hola Ana: vuelve (https://casaolmo.example/cesta")
        assert "<strong>Ana</strong>" in html_of(mail)
        assert '<html lang="es">' in html_of(mail)
        [link] = [each for each in re.findall(r'href="([^"]+)"', html_of(mail)) if "/r/" in each]
        shop.later(60)
        browser = {"User-Agent": PHONE}
        async with shop.client.get(path_of(unescape(link)), headers=browser, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (302, "https://casaolmo.example/cesta?a=1&b=2")
        await until(lambda: len(server.raw) == 2)
        assert server.mails[1]["Subject"] == "Gracias"
        assert server.mails[1]["List-Unsubscribe"] is None
        assert (await shop.verdicts())[-1] == ("exited", "completed")


async def test_a_scanner_that_opens_every_link_changes_nothing(tmp_path):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url) as shop:
        mail = await reminded(shop, server)
        links = [unescape(each) for each in re.findall(r'(?:href|src)="(https://shop[^"]+)"', html_of(mail))]
        for link in [*links, mail["List-Unsubscribe"].strip("<>")]:
            async with shop.client.get(path_of(link), headers={"User-Agent": PHONE}, allow_redirects=False) as response:
                assert response.status in (200, 302)
        known = await shop.known()
        assert [entry["step"] for entry in known["journeys"]] == ["answer"]
        assert [each["granted"] for each in known["consents"]] == [True]
        assert len(server.raw) == 1


async def test_unsubscribing_in_one_click_ends_the_mails(tmp_path):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url, push="console:") as shop:
        mail = await reminded(shop, server)
        one_click = {"List-Unsubscribe": "One-Click"}
        async with shop.client.post(unsubscribe_of(mail), data=one_click, allow_redirects=False) as response:
            assert response.status == 200
            assert "Te has dado de baja" in await response.text()
        known = await shop.known()
        said = known["consents"][-1]
        assert (said["channel"], said["purpose"], said["granted"]) == ("email", "marketing", False)
        await shop.post({"type": "order_placed", "customer_id": "ana", "properties": {"cart_id": "c1"}})
        await shop.post({**CART, "id": "second cart", "customer_id": "ana"})
        shop.later(HOUR)
        await until(lambda: _has(shop, ("suppressed", "no_consent")))
        assert len(server.raw) == 1


async def test_one_story_of_three_customers_who_click_leave_and_bounce(tmp_path):
    pushed = tmp_path / "pushed.jsonl"
    async with MailServer() as server, LiveShop(tmp_path, email=server.url, push=f"file:{pushed}") as shop:
        server.refuse["carla@example.com"] = "550 5.1.1 unknown"
        for name in ("ana", "ben", "carla"):
            await shop.greet(name)
            await shop.post({**CART, "customer_id": name})
        shop.later(HOUR)
        await until(lambda: len(server.raw) == 2 and pushed.exists() and "token-carla" in pushed.read_text())
        mails = {mail["To"]: mail for mail in server.mails}
        ana = mails["ana@example.com"]
        assert ana.get_body(("plain",)).get_content().startswith("Hola Ana: vuelve (https://casaolmo.example/cesta")
        assert '<html lang="es">' in html_of(ana)
        [link] = [each for each in re.findall(r'href="([^"]+)"', html_of(ana)) if "/r/" in each]
        shop.later(60)
        async with shop.client.get(
            path_of(unescape(link)), headers={"User-Agent": PHONE}, allow_redirects=False
        ) as got:
            assert got.status == 302
        one_click = {"List-Unsubscribe": "One-Click"}
        async with shop.client.post(unsubscribe_of(mails["ben@example.com"]), data=one_click) as response:
            assert response.status == 200
        await until(lambda: "Gracias" in [mail["Subject"] for mail in server.mails])
        for name in ("ben", "carla"):
            await shop.post({"type": "order_placed", "customer_id": name, "properties": {"cart_id": "c1"}})
            await shop.post({**CART, "id": f"{name} again", "customer_id": name})
        shop.later(HOUR)
        await until(lambda: _has(shop, ("suppressed", "no_consent"), "ben"))
        await until(lambda: _has(shop, ("suppressed", "unreachable"), "carla"))
        assert sorted(to for _, to in server.envelopes) == ["ana@example.com"] * 2 + ["ben@example.com"]
        assert len(pushed.read_text().splitlines()) >= 2  # ben's and carla's second carts go by the next channel


async def _has(shop, verdict, name="ana"):
    return verdict in await shop.verdicts(name)


def bounce_of(mail):
    return (
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
        "Final-Recipient: rfc822; ana@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {mail['Message-ID']}\r\n\r\n--b--\r\n"
    )


async def test_a_bounce_report_makes_the_address_unreachable(tmp_path):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url, push="console:") as shop:
        mail = await reminded(shop, server)
        async with shop.client.post("/hooks/email", data=bounce_of(mail)) as response:
            assert (response.status, await response.json()) == (202, {"accepted": 1})
        assert (await shop.known())["unreachable"] == ["email"]
        assert read_message_id(mail["Message-ID"])[1] == ids.profile_id_of("customer_id", "ana")


async def test_a_bounce_in_the_servers_own_answer_does_too(tmp_path):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url, push="console:") as shop:
        server.refuse["ana@example.com"] = "550 5.1.1 unknown"
        await shop.greet()
        await shop.post({**CART, "customer_id": "ana"})
        shop.later(HOUR)

        async def is_unreachable():
            return (await shop.known())["unreachable"] == ["email"]

        await until(is_unreachable)
        assert server.raw == []


async def test_timers_outlive_a_restart_and_what_was_due_meanwhile_fires_at_once(tmp_path):
    clock = SetClock()
    async with MailServer() as server:
        async with LiveShop(tmp_path, clock, email=server.url) as shop:
            await shop.greet()
            await shop.post({**CART, "customer_id": "ana"})
        clock.shift_ms += 2 * 3_600_000
        async with LiveShop(tmp_path, clock, email=server.url) as shop:
            await until(lambda: server.raw)
        async with LiveShop(tmp_path, clock, email=server.url) as shop:
            assert [entry["step"] for entry in (await shop.known())["journeys"]] == ["answer"]
    assert len(server.raw) == 1


async def test_a_clock_that_is_set_back_and_forth_loses_no_timer(tmp_path):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url) as shop:
        await shop.greet()
        shop.later(-24 * HOUR)
        await shop.post({**CART, "customer_id": "ana"})
        shop.later(-1)
        await shop.post({**CART, "id": "2", "customer_id": "ana"})
        shop.later(HOUR + 5)
        await until(lambda: server.raw)
        shop.later(24 * HOUR)
        await shop.post({"type": "order_placed", "customer_id": "ana", "properties": {"cart_id": "c1"}})
        assert len(server.raw) == 1


async def test_a_second_process_on_the_same_state_is_turned_away(tmp_path):
    async with LiveShop(tmp_path):
        with pytest.raises(StorageError, match="in use by another process"):
            async with LiveShop(tmp_path):
                raise AssertionError("it must not start")


async def test_journeys_are_read_anew_when_valid_and_stay_when_not(tmp_path):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url) as shop:
        file = shop.project / "abandoned-cart.journey.yaml"
        file.write_text(JOURNEY.replace("total >= 30", "total >="))
        await until(lambda: shop.service.problem)
        await shop.post({**CART, "customer_id": "ana"})
        assert ("entered", "event") in await shop.verdicts()
        file.write_text(JOURNEY.replace("version: 1", "version: 2").replace("total >= 30", "total >= 100"))
        await until(lambda: shop.service.problem is None and shop.service.catalog.current[0].version == 2)
        await shop.post({**CART, "customer_id": "ben"})
        assert await shop.verdicts("ben") == [("not_entered", "condition_false")]
        shop.later(HOUR)
        await until(lambda: _at(shop, "answer"))


async def _at(shop, step):
    return any(entry["step"] == step for entry in (await shop.known())["journeys"])


async def test_a_paused_journey_stands_still_and_goes_on_when_it_is_live_again(tmp_path):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url) as shop:
        await shop.greet()
        await shop.post({**CART, "customer_id": "ana"})
        file = shop.project / "abandoned-cart.journey.yaml"
        file.write_text(JOURNEY.replace("status: live", "status: paused"))
        await until(lambda: shop.service.catalog.is_paused("abandoned-cart"))
        shop.later(2 * HOUR)
        await until(lambda: _stopped(shop))
        assert server.raw == []
        file.write_text(JOURNEY)
        await until(lambda: server.raw)


def _published(shop, *replacements):
    """Publish an edited journey beside the running process, as `orchestrator publish --state` does."""
    text = JOURNEY
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    project = write_project(shop.project.parent / "edited", text)
    with SqliteStore(shop.state, writes=False, publishes=True) as store:
        loaded = load(project)
        refused = [change.refusal for change in versions.plan_of(loaded, store) if change.why is not None]
        return refused or versions.publish(loaded, store)


MIGRATES = ("version: 1", "version: 2\non_change: migrate\nmoves: {settle: nudge}")


async def test_what_is_published_beside_a_running_process_moves_those_inside_and_sends_nothing_twice(tmp_path):
    async with MailServer() as server:
        await _publish_and_move(tmp_path, server)
        async with LiveShop(tmp_path, email=server.url) as again:
            # Its folder is as it was, and takes nothing back.
            assert again.service.catalog.current[0].version == 2


async def _publish_and_move(tmp_path, server):
    async with LiveShop(tmp_path, email=server.url) as shop:
        await reminded(shop, server)
        await shop.greet("ben")
        await shop.post({**CART, "customer_id": "ben"})
        assert _published(shop, ("version: 1", "version: 2\non_change: migrate"), ("id: settle", "id: rest")) == [
            "there is no step for 1 customer on settle; write moves: {settle: ...}"
        ]
        assert _published(shop, MIGRATES, ("id: remind", "id: nudge"), ("  - {id: settle,", "  - {id: rest,")) == 2
        await until(lambda: shop.service.catalog.current[0].version == 2)
        # Who waited stands on a send now: it is sent at the move, although nothing happens to them.
        await until(lambda: len(server.raw) == 2)
        assert ("moved", "new_version") in await shop.verdicts("ben")
        await until(lambda: _has_moved(shop))
        assert (len(server.raw), shop.service.problem) == (2, None)


async def _has_moved(shop):
    return ("moved", "new_version") in await shop.verdicts("ana")


async def test_a_file_that_would_strand_customers_changes_nothing_and_says_so(tmp_path):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url) as shop:
        await shop.greet()
        await shop.post({**CART, "customer_id": "ana"})
        file = shop.project / "abandoned-cart.journey.yaml"
        file.write_text(JOURNEY.replace("version: 1", "version: 2\non_change: migrate").replace("settle", "rest"))
        await until(lambda: shop.service.problem)
        assert "there is no step for 1 customer on settle" in shop.service.problem
        assert shop.service.catalog.current[0].version == 1


async def _stopped(shop):
    return all(entry["until"] is None for entry in (await shop.known())["journeys"])


async def test_a_customer_is_found_by_any_identifier(tmp_path):
    async with LiveShop(tmp_path) as shop:
        await shop.post(
            {"type": "seen", "customer_id": "ana", "identifiers": {"email": "a@x.example", "loyalty_card": "77"}},
            {"type": "cart_updated", "identifiers": {"email": "only@x.example"}, "properties": {}},
        )
        for name in ("ana", "email:a@x.example", "loyalty_card:77"):
            assert (await shop.known(name))["customer_id"] == "ana"
        assert (await shop.known("email:only@x.example"))["customer_id"] is None
        assert await shop.known("nobody") is None


async def test_a_channel_that_nobody_set_up_waits_and_readiness_and_metrics_answer(tmp_path):
    async with LiveShop(tmp_path) as shop:
        await shop.greet()
        await shop.post({**CART, "customer_id": "ana"})
        await shop.post({"type": "cart_updated"})
        shop.later(HOUR)
        await until(lambda: _at(shop, "answer"))
        async with shop.client.get("/readyz") as response:
            assert (response.status, await response.json()) == (200, {"status": "ready", "problem": None})
        async with shop.client.get("/healthz") as response:
            assert response.status == 200
        async with shop.client.get("/metrics") as response:
            told = await response.text()
        assert 'orchestrator_events_total{outcome="applied",type="cart_updated"} 1.0' in told
        assert 'orchestrator_actions_total{channel="email",journey="abandoned-cart"} 1.0' in told
        assert 'orchestrator_http_events_total{outcome="accepted"} 3.0' in told
        assert 'orchestrator_http_events_total{outcome="refused"} 1.0' in told
        assert "ana" not in told


async def test_what_cannot_be_read_is_answered_and_kept_as_a_dead_letter(tmp_path):
    async with LiveShop(tmp_path) as shop:
        status, told = await shop.post({"customer_id": "ana"})
        assert (status, told["code"]) == (400, "no_type")
        status, told = await shop.post({"type": "a", "customer_id": "ana"}, {"type": "b"})
        assert (status, told["accepted"], [each["reason"] for each in told["refused"]]) == (202, 1, ["nobody"])
        letters = await shop.service.intake.run(shop.service.intake.store.dead_letters)
        assert len(letters) == 2
        assert b'"reason":"no_type"' in letters[0]


async def test_a_fault_of_ours_hurts_nobody_else_and_shows_the_sender_nothing_of_us(tmp_path, monkeypatch):
    from orchestrator.engine import advance
    from orchestrator.runtime.serving.turns import Turns

    apply, take = advance.profiles.apply, Turns._take

    def fails(turn, event):
        if event.properties.get("first_name") == "Bug":
            raise TypeError("a bug")
        return apply(turn, event)

    def dies(turns, records, now_ms):
        if b"Worse" in records.lines[0]:
            raise TypeError("a bug outside of any turn")
        return take(turns, records, now_ms)

    monkeypatch.setattr(advance.profiles, "apply", fails)
    monkeypatch.setattr(Turns, "_take", dies)
    async with LiveShop(tmp_path) as shop:
        told = {"type": "profile_updated", "customer_id": "ana"}
        status, answer = await shop.post({**told, "properties": {"first_name": "Bug"}})
        assert (status, answer["code"]) == (400, "failure")
        assert "Traceback" not in str(answer)
        assert b"TypeError: a bug" in (await shop.service.intake.run(shop.service.intake.store.dead_letters))[0]
        # All at once, so that they share a commit.
        names = ["Ana", "Worse", "Carla"]
        answers = await asyncio.gather(
            *(shop.post({**told, "customer_id": name, "properties": {"first_name": name}}) for name in names)
        )
        assert [status for status, _ in answers] == [202, 503, 202]
        assert (await shop.post({**told, "properties": {"first_name": "Worse"}}))[0] == 503
        async with shop.client.get("/readyz") as response:
            problem = (await response.json())["problem"]
        assert (response.status, problem) == (503, "a fault of ours; the log says more")


def test_the_shop_of_these_tests_is_valid(tmp_path):
    from orchestrator.language import load

    assert [journey.id for journey in load(write_project(tmp_path)).catalog.current] == ["abandoned-cart"]


async def _is_settled(shop):
    return not await shop.service.intake.run(shop.service.intake.store.lanes)


async def test_outcomes_that_the_disk_does_not_take_are_kept_until_it_does_and_nothing_goes_twice(tmp_path):
    async with MailServer() as server, LiveShop(tmp_path, email=server.url) as shop:
        await shop.greet()
        await shop.post({**CART, "customer_id": "ana"})
        store, refused = shop.service.intake.store, list[int]()
        commit = store.commit

        def full(batch):
            if batch.settled:
                refused.append(len(batch.settled))
                raise StorageError("no space left")
            return commit(batch)

        store.commit = full
        shop.later(HOUR)
        await until(lambda: len(refused) > 1)
        assert (len(server.raw), shop.service.failed.done()) == (1, False)
        async with shop.client.get("/readyz") as answer:
            assert (answer.status, (await answer.json())["problem"]) == (503, "no space left")
        store.commit = commit
        await until(lambda: _is_settled(shop))
        assert await shop.post({"type": "order_placed", "customer_id": "ana", "properties": {"cart_id": "c1"}}) == (
            202,
            {"accepted": 1, "refused": []},
        )
        assert len(server.raw) == 1


async def _is_decided(shop):
    return "sent" in [verdict for verdict, _ in await shop.verdicts()]


async def test_nothing_is_sent_by_a_process_that_could_not_say_so(tmp_path, monkeypatch):
    clock = SetClock()
    async with LiveShop(tmp_path, clock) as shop:  # mails have no provider yet, and wait
        await shop.greet()
        await shop.post({**CART, "customer_id": "ana"})
        shop.later(HOUR)
        await until(lambda: _is_decided(shop))
    commit, refused = SqliteStore.commit, list[int]()

    def full(store, batch):
        refused.append(1)
        raise StorageError("no space left")

    monkeypatch.setattr(SqliteStore, "commit", full)
    clock.shift_ms += 60_000  # whatever the mail waits for is over
    async with MailServer() as server, LiveShop(tmp_path, clock, email=server.url) as shop:
        await until(lambda: len(refused) > 2)
        assert server.raw == []
        assert (await shop.post({**CART, "id": "second", "customer_id": "ana"}))[0] == 503
        async with shop.client.get("/metrics") as response:
            assert 'orchestrator_http_events_total{outcome="turned_away"} 1.0' in await response.text()
        monkeypatch.setattr(SqliteStore, "commit", commit)
        await until(lambda: server.raw)
