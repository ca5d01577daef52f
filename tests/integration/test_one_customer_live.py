"""One customer under many names, live: over HTTP, with real mails, and told by the command line."""

from providers import MailServer
from providers.live import HOUR, PHONE, LiveShop, until, write_project
from providers.one_customer import Storyteller, it_can_be_told, write

LAPTOP = {"User-Agent": PHONE.replace("iPhone; CPU iPhone OS 17_5 like Mac OS X", "Macintosh; Intel Mac OS X 10_15_7")}


def told_through(shop, server) -> Storyteller:
    async def read(address, subject):
        def come():
            return [mail for mail in server.mails if (mail["To"], mail["Subject"]) == (address, subject)]

        return (await until(come))[0]

    async def opened(link):
        shop.later(60)
        path = link.removeprefix("https://shop.example")
        async with shop.client.get(path, headers=LAPTOP, allow_redirects=False) as response:
            assert response.status in (200, 302)

    return Storyteller(shop.post, read, opened, shop.known, until)


async def test_a_visitor_on_a_phone_who_reads_on_a_laptop_and_buys_with_a_card_is_one_customer(tmp_path):
    write(write_project(tmp_path / "shop"))
    async with MailServer() as server, LiveShop(tmp_path, email=server.url) as shop:
        story = told_through(shop, server)
        mail = await story.joins("phone", "Ana@Example.com")
        await story.joins("other", "ben@example.com")
        await story.opens(mail)
        await story.buys()
        shop.later(2 * HOUR)
        # Ben, whose basket was filled without a name too, is reminded by mail; she is not.
        await story.read("ben@example.com", "Your basket waits")
        assert sorted(mail["Subject"] for mail in server.mails) == ["Hello", "Hello", "Your basket waits"]
        await story.is_one_customer()
        it_can_be_told(shop.project, shop.state)
