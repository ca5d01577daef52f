"""Other systems that move: what `orchestrator.yaml` says of them counts as soon as it is read anew."""

from providers import WebServer
from providers.live import PROJECT, LiveShop, until, write_project
from providers.web import answer

ASKING = """
journey: restock
version: 1
purpose: service
status: live
enter: {event: item_missed, key: sku, again: after_exit}
steps:
  - {id: ask, call: {webhook: stock, payload: {sku: event.properties.sku}, within: 1m}}
  - {id: tell, handoff: {to: care, reason: missed, summary: Ask the supplier}}
"""


def systems(stock: WebServer, care: WebServer) -> str:
    return f"{PROJECT}webhooks: {{stock: {{url: '{stock.url}'}}}}\nteams: {{care: {{to: '{care.url}'}}}}\n"


async def missed(shop, sku):
    await shop.post({"type": "item_missed", "customer_id": "ana", "properties": {"sku": sku}})


async def test_what_is_asked_and_told_goes_where_the_project_says_by_now(tmp_path):
    async with WebServer(answer(200)) as stock, WebServer() as care, WebServer() as new_stock, WebServer() as new_care:
        write_project(tmp_path / "shop", ASKING, project=systems(stock, care))
        async with LiveShop(tmp_path) as shop:
            await missed(shop, "L-1")
            await until(lambda: care.bodies)
            (shop.project / "orchestrator.yaml").write_text(systems(new_stock, new_care))
            await until(lambda: new_stock.url in shop.service.loaded.sources["orchestrator.yaml"])
            await missed(shop, "L-2")
            await until(lambda: new_care.bodies)
            assert [[body["data"]["sku"] for body in each.bodies] for each in (stock, new_stock)] == [["L-1"], ["L-2"]]
            assert (len(care.bodies), shop.service.problem) == (1, None)
