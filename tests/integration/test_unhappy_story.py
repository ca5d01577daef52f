"""The story of an unhappy customer, with the shop's own journeys, from a comment to whoever follows it up."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from orchestrator.model import instants
from providers import MailServer
from providers.live import HOUR, LiveShop, SetClock, until
from providers.web import WebServer, answer

ROOT = Path(__file__).parents[2]
KEY = "eva-has-a-long-key"
COMMENT = "Mi pedido no ha llegado y nadie contesta. ¡Una vergüenza!"


class Story(LiveShop):
    """The shop as it is, on a Tuesday morning in Madrid."""

    def __init__(self, folder, social, mail):
        clock = SetClock()
        clock.shift_ms = instants.parse("2026-03-03T09:00:00Z") - clock.now_ms()
        shutil.copytree(ROOT / "journeys", folder / "shop")
        super().__init__(folder, clock, social=social, email=mail, push=f"file:{folder}/pushed.jsonl")
        self.settings["agents"] = f"eva:{KEY}:care"
        self.pushed = folder / "pushed.jsonl"

    async def happens(self, event_type, channel=None, **properties):
        event = {"type": event_type, "customer_id": "ana", "properties": properties}
        status, told = await self.post({**event, "channel": channel} if channel else event)
        assert (status, told["refused"]) == (202, [])

    async def inbox(self, path="", verb=None, **said):
        method, url = ("POST", f"/v1/inbox/cases{path}/{verb}") if verb else ("GET", f"/v1/inbox/cases{path}")
        headers = {"Authorization": f"Bearer {KEY}"}
        async with self.client.request(method, url, headers=headers, json=said or None) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def has(self, *decision):
        known = await self.known()
        return decision in [(each["step"], each["verdict"], each["reason"]) for each in known["timeline"]]


def explained(shop):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "orchestrator", "explain", "ana", "--state", str(shop.state)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    return " ".join(done.stdout.split())


async def test_a_comment_becomes_a_case_an_answer_an_apology_a_survey_and_a_case_again(tmp_path):
    async with (
        WebServer(answer(200)) as social,
        MailServer() as mail,
        Story(tmp_path, social.url, mail.url) as shop,
    ):
        await _ana_leaves_a_cart_and_a_comment(shop)
        case = await _a_person_learns_all_of_it(shop)
        await _offers_stop_meanwhile(shop, mail)
        await _she_is_answered_where_she_wrote(shop, social, case)
        await _amends_are_made_as_she_prefers(shop, mail)
        await _she_says_how_it_was(shop, mail)
        await _and_is_followed_up(shop, mail)
        _it_can_all_be_told(explained(shop))


async def _ana_leaves_a_cart_and_a_comment(shop):
    traits = {"first_name": "Ana", "email": "ana@example.com", "device_token": "t-ana", "social_id": "@ana"}
    await shop.happens("profile_updated", **traits)
    await shop.happens("consent_changed", purpose="marketing", granted=True)
    await shop.happens("preference_changed", channels=["push", "email"])
    await shop.happens("cart_updated", cart_id="c1", total=80)
    await shop.happens("comment_left", "social", text=COMMENT, post="summer")


async def _a_person_learns_all_of_it(shop):
    [case] = (await shop.inbox())["cases"]
    assert [case[name] for name in ("priority", "skill", "reason")] == ["high", "complaints", "angry_comment"]
    found = await shop.inbox(f"/{case['id']}")
    assert found["said"]["properties"]["text"] == COMMENT
    feeling = next(each for each in found["sentiment"] if each["step"] == "feeling")
    assert feeling["label"] == "negative"
    assert any("vergüenza" in str(word) for word in feeling["why"])
    assert found["channels"][0] == "social"
    assert {each["journey"] for each in found["journeys"]} >= {"unhappy-comment", "abandoned-cart"}
    return f"/{case['id']}"


async def _offers_stop_meanwhile(shop, mail):
    shop.later(HOUR + 60)
    await until(lambda: shop.has("remind", "suppressed", "case_open"))
    assert (mail.raw, shop.pushed.read_text()) == ([], "")


async def _she_is_answered_where_she_wrote(shop, social, case):
    await shop.inbox(case, "claim")
    await shop.inbox(case, "answer", text="Ana, lo siento: sale hoy mismo.")
    await until(lambda: social.requests)
    [sent] = social.bodies
    assert (sent["data"]["to"], sent["data"]["content"]) == ("@ana", {"text": "Ana, lo siento: sale hoy mismo."})
    await shop.inbox(case, "close", outcome="solved")
    assert (await shop.inbox())["cases"] == []


async def _amends_are_made_as_she_prefers(shop, mail):
    await until(shop.pushed.read_text)
    [pushed] = [json.loads(line)["data"] for line in shop.pushed.read_text().splitlines()]
    assert (pushed["message"], pushed["to"]) == ("apology-discount", "t-ana")
    codes = (ROOT / "journeys" / "coupons" / "disculpa15.txt").read_text().split()
    assert [code for code in codes if code in pushed["content"]["body"]] != []
    await until(lambda: len(mail.raw) == 1)
    assert mail.mails[0]["Subject"] == "¿Todo arreglado?"


async def _she_says_how_it_was(shop, mail):
    shop.later(HOUR + 60)
    await until(lambda: len(mail.raw) == 2)
    text = mail.mails[1].get_body(("plain",)).get_content()
    [path] = re.findall(r"https://shop\.example(/s/\S+)", text)
    async with shop.client.post(path, data={"score": "1", "comment": "Tardasteis dos semanas"}) as response:
        assert response.status == 200


async def _and_is_followed_up(shop, mail):
    [case] = (await shop.inbox())["cases"]
    assert (case["reason"], case["priority"]) == ("bad_service", "high")
    assert case["summary"] == "1 of 5 for eva: Tardasteis dos semanas"
    found = await shop.inbox(f"/{case['id']}")
    assert [each["outcome"] for each in found["other_cases"]] == ["solved"]
    assert "eva answered by social: Ana, lo siento: sale hoy mismo." in " ".join(
        each["text"] for each in found["timeline"]
    )
    await until(lambda: len(mail.raw) == 3)
    assert mail.mails[2]["Subject"] == "No estuvimos a la altura"


def _it_can_all_be_told(told):
    for sentence in (
        "Scored by sentiment at feeling",
        "Handed over to care at to-care: a case is open",
        "by push at remind: they have an open case",
        "Sent the answer of eva to the case of to-care by social",
        "The case of to-care was closed by eva: solved",
        "Sent apology-discount (marketing) by push at amends",
        "Sent support-survey (research) by email at how",
        "Went on from how: the answer came",
        "Handed over to care at to-lead: a case is open",
        "Sent support-sorry (service) by email at own-up",
    ):
        assert sentence in told, (sentence, told)
