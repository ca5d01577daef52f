"""The story of an unhappy customer on Kafka: a worker decides, `deliver` sends, and people sit at `serve --kafka`."""

import re
import shutil
from contextlib import AsyncExitStack

import pytest

from integration import test_unhappy_story as told
from integration.kafka.test_gateway import gateway_of
from integration.kafka.test_people import working
from providers import MailServer
from providers.deliveries import SECRET
from providers.live import READ, until
from providers.web import WebServer, answer

# The journeys of the shop that it passes through, told in seconds, and at any time of the day.
JOURNEYS = {"unhappy-comment": (), "after-support": ("wait: 1h", "wait: 1s"), "abandoned-cart": ("for: 1h", "for: 4s")}


class Story(told.Story):
    """The same story, at a gateway: its clock is the wall's."""

    def __init__(self, client, state, pushed):
        self.client, self.state, self.pushed = client, state, pushed

    def later(self, seconds):
        """Leave time alone: it passes by itself."""

    async def known(self, name="ana"):
        async with self.client.get(f"/v1/customers/{name}", headers={"Authorization": f"Bearer {READ}"}) as response:
            return await response.json() if response.status == 200 else {"timeline": []}

    async def shows(self, count):
        """Wait until so many cases are open; everything between here and there takes its time."""

        async def is_so():
            async with self.client.get("/v1/inbox/cases", headers={"Authorization": f"Bearer {told.KEY}"}) as response:
                return response.status == 200 and len((await response.json())["cases"]) == count

        await until(is_so, 30)


@pytest.fixture
def project(project):
    shutil.rmtree(project)
    shutil.copytree(told.ROOT / "journeys", project)
    sent = set()
    for journey in project.glob("*.journey.yaml"):
        name = journey.name.removesuffix(".journey.yaml")
        if name in JOURNEYS:
            text = journey.read_text().partition("\nexamples:")[0] + "\n"
            journey.write_text(text.replace(*JOURNEYS[name]) if JOURNEYS[name] else text)
            sent |= set(re.findall(r"message: ([a-z-]+)", text))
        else:
            journey.unlink()
    for message in (project / "messages").glob("*.message.yaml"):
        if message.name.removesuffix(".message.yaml") not in sent:
            message.unlink()
    settings = project / "orchestrator.yaml"
    settings.write_text(re.sub(r"\n *quiet_hours: .*", "", settings.read_text()))
    return project


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_the_story_of_an_unhappy_customer(shop, tmp_path):
    shop.variables |= {"RESOLVE": "on", "PUBLIC_URL": "https://shop.example", "ALLOWED_HOSTS": "127.0.0.1"}
    copy, pushed = tmp_path / "copy.db", tmp_path / "pushed.jsonl"
    pushed.touch()
    async with AsyncExitStack() as stack:
        social = await stack.enter_async_context(WebServer(answer(200)))
        mail = await stack.enter_async_context(MailServer())
        channels = {"CHANNEL_SOCIAL": social.url, "CHANNEL_EMAIL": mail.url, "CHANNEL_PUSH": f"file:{pushed}"}
        shop.start_worker("deliver", LINK_SECRET=SECRET, **channels)
        await stack.enter_async_context(working(shop))
        agents = {"agents": f"eva:{told.KEY}:care"}
        _, client = await stack.enter_async_context(gateway_of(shop, copy, agents))
        story = Story(client, copy, pushed)
        await story.shows(0)
        await told._ana_leaves_a_cart_and_a_comment(story)
        await story.shows(1)
        case = await told._a_person_learns_all_of_it(story)
        await told._offers_stop_meanwhile(story, mail)
        await told._she_is_answered_where_she_wrote(story, social, case)
        await told._amends_are_made_as_she_prefers(story, mail)
        await told._she_says_how_it_was(story, mail)
        await story.shows(1)
        await told._and_is_followed_up(story, mail)
    told._it_can_all_be_told(told.explained(story))
