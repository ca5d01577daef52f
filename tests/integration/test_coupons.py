"""Coupons of the live service: shown, explained, refilled while it runs, counted, and forgotten with their customer."""

from orchestrator.language import load
from orchestrator.model import ids
from orchestrator.runtime import rights
from orchestrator.storage import SqliteStore
from providers import WebServer
from providers.live import HOUR, PROJECT, LiveShop, until, write_project

JOURNEY = """
journey: welcome
version: 1
purpose: service
status: live
enter: {event: signed_up, again: always}
steps:
  - {id: gift, send: {message: gift, channels: [push]}}
  - {id: rest, wait: 1h}
  - {id: again, send: {message: gift, channels: [push]}}
"""


def write_shop(folder, *codes):
    write_project(folder, JOURNEY, project=PROJECT + "coupons: {gift: {codes: gift.txt}}\n")
    (folder / "gift.txt").write_text("\n".join(codes))
    (folder / "messages/gift.message.yaml").write_text(
        'message: gift\npush: {title: For you, body: "{{ coupon.gift }}"}\n'
    )


async def sign_up(shop, name, number=1):
    await shop.greet(name)
    await shop.post({"id": f"{name}{number}", "type": "signed_up", "customer_id": name})


def shown(sink):
    return [(body["data"]["to"], body["data"]["content"]["body"]) for body in sink.bodies]


async def left(shop):
    async with shop.client.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return [line for line in lines if line.startswith("orchestrator_coupons")]


async def test_an_entry_keeps_its_code_and_the_next_one_gets_another(tmp_path):
    write_shop(tmp_path / "shop", "A", "B", "C")
    async with WebServer() as sink, LiveShop(tmp_path, push=sink.url) as shop:
        await sign_up(shop, "ana")
        await until(lambda: len(sink.requests) == 1)
        shop.later(HOUR)
        await until(lambda: len(sink.requests) == 2)
        await sign_up(shop, "ana", 2)
        await until(lambda: len(sink.requests) == 3)
        assert shown(sink) == [("token-ana", "A")] * 2 + [("token-ana", "B")]
        assert await left(shop) == [
            'orchestrator_coupons{coupon="gift"} 3.0',
            'orchestrator_coupons_left{coupon="gift"} 1.0',
        ]


async def test_an_empty_pool_is_on_record_and_new_codes_are_taken_up_while_it_runs(tmp_path):
    write_shop(tmp_path / "shop", "A")
    async with WebServer() as sink, LiveShop(tmp_path, push=sink.url) as shop:
        await sign_up(shop, "ana")
        await sign_up(shop, "ben")

        async def is_told():
            return (await shop.verdicts("ben"))[-1] == ("suppressed", "no_coupon")

        await until(is_told)
        assert {to for to, _ in shown(sink)} == {"token-ana"}
        # The one that was given stays in the file, and is given to nobody else.
        (tmp_path / "shop/gift.txt").write_text("A\nD\n")

        async def is_refilled():
            return 'orchestrator_coupons_left{coupon="gift"} 1.0' in await left(shop)

        await until(is_refilled)
        await sign_up(shop, "eva")
        await until(lambda: ("token-eva", "D") in shown(sink))


async def test_a_code_stays_given_over_restarts_and_after_its_customer_is_erased(tmp_path):
    write_shop(tmp_path / "shop", "A", "B")
    profile_id = ids.profile_id_of("customer_id", "ana")
    async with WebServer() as sink:
        async with LiveShop(tmp_path, push=sink.url) as shop:
            await sign_up(shop, "ana")
            await until(lambda: len(sink.requests) == 1)
        with SqliteStore(tmp_path / "state.db") as store:
            assert rights.export(store, profile_id, 0).coupons == [{"coupon": "gift", "code": "A"}]
            receipt = rights.erase(store, load(tmp_path / "shop").catalog.project, profile_id, 0)
            assert receipt.erased["coupons"] == 1
            assert (store.codes(), store.codes_of(profile_id)) == ({"A"}, [])
        async with LiveShop(tmp_path, push=sink.url) as shop:
            await sign_up(shop, "ben")
            await until(lambda: ("token-ben", "B") in shown(sink))
