"""The inbox, as the people and programs use it who work on cases."""

import asyncio
import json
import re
from contextlib import closing

import aiohttp
import pytest
from yarl import URL

from orchestrator.cli.commands.serve import _tell
from orchestrator.errors import OrchestratorError
from orchestrator.runtime.agents import read_agents
from orchestrator.storage import SqliteStore
from orchestrator.web.server import listen
from providers.live import CART, HOUR, PROJECT, LiveShop, until, write_project
from providers.pages import Page

AGENTS = {"eva": "eva-has-a-long-key", "tom": "tom-has-a-long-key", "lea": "lea-has-a-long-key"}
TEAMS = """
teams:
  care: {skills: [complaints, stores], outcomes: [solved, not_solved, refunded]}
  sales: {}
"""
HANDS_OVER = """
journey: unhappy
version: 1
purpose: service
status: live
enter: {event: comment_left, key: order, again: always}
steps:
  - {id: feeling, score: {model: sentiment}}
  - id: to-care
    handoff:
      to: care
      skill: complaints
      priority: high
      reason: angry_comment
      summary: "{{ profile.first_name }} says: {{ event.properties.text }}"
      pause: [marketing]
      until: closed
      within: 30d
    then:
      - choose:
          - {if: "steps.to_care.outcome == 'solved'", then: [{exit: made_good}]}
"""
SELLS = """
journey: sale
version: 1
purpose: service
status: live
enter: {event: quote_asked}
steps:
  - {id: to-sales, handoff: {to: sales, priority: urgent, reason: quote}}
"""
LINKS = "identity: {identifiers: [customer_id, email, cookie]}\n"
COMMENT = {"type": "comment_left", "channel": "push", "customer_id": "ana"}
ANGRY = {**COMMENT, "properties": {"text": "Horrible, <b>una vergüenza</b>", "order": "o1"}}


@pytest.fixture
def project(tmp_path):
    return write_project(tmp_path / "shop", HANDS_OVER, SELLS, project=PROJECT + TEAMS + LINKS)


@pytest.fixture
async def shop(tmp_path, project):
    live = LiveShop(tmp_path, email=f"file:{tmp_path}/mails.jsonl", push=f"file:{tmp_path}/pushed.jsonl")
    live.settings["agents"] = ",".join(
        [f"eva:{AGENTS['eva']}", f"tom:{AGENTS['tom']}:care/complaints", f"lea:{AGENTS['lea']}:care/stores+@email"]
    )
    async with live:
        await live.greet()
        yield live


async def ask(shop, path="", agent="eva", verb=None, **said):
    """Ask for cases, or that something be done about one."""
    headers = {"Authorization": f"Bearer {AGENTS[agent]}"}
    once = said.pop("once", None)
    if once is not None:
        headers["Idempotency-Key"] = once
    url = f"/v1/inbox/cases{path}" + (f"/{verb}" if verb else "")
    async with shop.client.request("POST" if verb else "GET", url, headers=headers, json=said or None) as response:
        return response.status, await response.json()


async def opened(shop, event=ANGRY, **more):
    """Let a customer be handed over; give the case's id."""
    before = {each["id"] for each in (await ask(shop))[1]["cases"]}
    assert (await shop.post({**event, **more}))[0] == 202
    [new] = [each for each in (await ask(shop))[1]["cases"] if each["id"] not in before]
    return f"/{new['id']}"


async def test_a_case_comes_with_its_whole_context(shop):
    case = await opened(shop)
    status, found = await ask(shop, case)
    assert (status, found["priority"], found["team"], found["skill"]) == (200, "high", "care", "complaints")
    assert found["summary"] == "Ana says: Horrible, <b>una vergüenza</b>"
    assert found["said"]["properties"]["text"] == "Horrible, <b>una vergüenza</b>"
    [feeling] = found["sentiment"]
    assert (feeling["step"], feeling["label"]) == ("feeling", "negative")
    assert "horrible" in " ".join(map(str, feeling["why"])).lower()
    assert found["channels"] == ["push", "email"]  # the one they spoke on first
    assert found["customer"]["traits"]["first_name"] == "Ana"
    assert [each["step"] for each in found["journeys"]] == ["to-care"]
    assert "Handed over to care" in " ".join(each["text"] for each in found["timeline"])


async def test_cases_go_by_urgency_then_age_and_each_agent_sees_their_teams_skills_and_channels(shop):
    first = await opened(shop)
    shop.later(60)
    second = await opened(shop, {**ANGRY, "properties": {"text": "Mal", "order": "o2"}})
    shop.later(60)
    quote = await opened(shop, {"type": "quote_asked", "customer_id": "ana"})
    order = [f"/{each['id']}" for each in (await ask(shop))[1]["cases"]]
    assert order == [quote, first, second]
    assert [f"/{each['id']}" for each in (await ask(shop, agent="tom"))[1]["cases"]] == [first, second]
    assert (await ask(shop, agent="lea"))[1]["cases"] == []
    assert (await ask(shop, first, agent="lea"))[0] == 404
    assert (await ask(shop, first, agent="lea", verb="claim"))[0] == 404


async def test_of_many_who_claim_at_once_exactly_one_has_the_case(shop):
    case = await opened(shop)
    asked = [ask(shop, case, agent, "claim") for agent in ("eva", "tom") * 10]
    statuses = [status for status, _ in await asyncio.gather(*asked)]
    _, found = await ask(shop, case)
    winner = found["agent"]
    assert sorted(statuses) == [200] * 10 + [409] * 10
    loser = "tom" if winner == "eva" else "eva"
    assert (await ask(shop, case, loser, "answer", text="Hola"))[1]["code"] == "taken"
    assert (await ask(shop, case, loser, "close", outcome="solved"))[1]["code"] == "taken"
    assert (await ask(shop, case, winner, "release"))[0] == 200
    assert (await ask(shop, case, loser, "close", outcome="solved"))[1]["code"] == "unclaimed"
    assert (await ask(shop, case, loser, "claim"))[0] == 200


async def test_a_claim_lapses_when_nothing_is_done_and_stays_while_something_is(shop):
    case = await opened(shop)
    await ask(shop, case, "eva", "claim")
    shop.later(25 * 60)
    assert (await ask(shop, case, "eva", "answer", text="Lo miro"))[0] == 200
    shop.later(25 * 60)
    assert (await ask(shop, case, "tom", "claim"))[1]["code"] == "taken"
    shop.later(6 * 60)
    assert (await ask(shop, case))[1]["agent"] is None
    assert (await ask(shop, case, "tom", "claim"))[0] == 200


async def test_an_answer_goes_out_on_the_customers_channel_once_and_closing_moves_the_journey_on(shop, tmp_path):
    case = await opened(shop)
    await ask(shop, case, "eva", "claim")
    for _ in range(2):
        assert (await ask(shop, case, "eva", "answer", text="Lo siento, Ana", once="a1"))[0] == 200
    pushed = tmp_path / "pushed.jsonl"
    await until(lambda: pushed.exists() and pushed.read_text())
    [message] = [json.loads(line)["data"] for line in pushed.read_text().splitlines()]
    assert (message["to"], message["content"]["body"]) == ("token-ana", "Lo siento, Ana")
    await shop.post({"type": "message_received", "customer_id": "ana", "channel": "push",
                     "properties": {"text": "Gracias"}})  # fmt: skip
    await ask(shop, case, "tom", "note", text="la conozco")

    async def is_sent():
        return [line["status"] for line in (await ask(shop, case))[1]["lines"] if line["what"] == "answer"] == ["sent"]

    await until(is_sent)
    assert (await ask(shop, case, "eva", "close", outcome="solved", text="hablamos"))[0] == 200
    lines = [(line["what"], line["who"], line["text"]) for line in (await ask(shop, case))[1]["lines"]]
    assert lines == [
        ("claimed", "eva", ""),
        ("answer", "eva", "Lo siento, Ana"),
        ("customer", "customer", "Gracias"),
        ("note", "tom", "la conozco"),
        ("closed", "eva", "hablamos"),
    ]
    verdicts = await shop.verdicts()
    assert verdicts[verdicts.index(("sent", "case_answered")) :] == [
        ("sent", "case_answered"),
        ("resumed", "case_closed"),
        ("resumed", "answered"),
        ("branched", "condition_true"),
        ("exited", "made_good"),
    ]
    told = " ".join(each["sentence"] for each in (await shop.known())["timeline"])
    assert "Sent the answer of eva to the case of to-care by push" in told
    assert "was closed by eva: solved" in told
    assert (await ask(shop, case, "eva", "answer", text="otra"))[1]["code"] == "closed"
    assert [each["id"] for each in (await ask(shop, "?state=closed"))[1]["cases"]] == [case[1:]]


async def test_an_answer_without_an_address_says_so_and_is_on_record(shop, tmp_path):
    await shop.post({"type": "profile_updated", "customer_id": "ana", "properties": {"device_token": None}})
    case = await opened(shop)
    await ask(shop, case, "eva", "claim")
    status, told = await ask(shop, case, "eva", "answer", text="Hola", channel="push")
    assert (status, told["code"]) == (422, "unreachable")
    assert (await shop.verdicts())[-1] == ("suppressed", "unreachable")
    assert (await ask(shop, case))[1]["lines"][-1]["status"] == "unreachable"
    await shop.post({"type": "consent_changed", "customer_id": "ana",
                     "properties": {"channel": "email", "granted": False}})  # fmt: skip
    status, told = await ask(shop, case, "eva", "answer", text="Hola", channel="email")
    assert (status, told["code"]) == (422, "no_consent")
    assert (await ask(shop, case, "eva", "answer", text="  "))[1]["code"] == "empty"
    assert not (tmp_path / "pushed.jsonl").read_text()


async def test_the_contact_centres_own_cases_show_up_and_count(shop):
    said = {"case_id": "CC-7", "team": "stores", "priority": "urgent", "summary": "Rang us", "pause": ["marketing"]}
    await shop.post({"type": "case_opened", "customer_id": "ana", "channel": "phone", "properties": said})
    [case] = (await ask(shop))[1]["cases"]
    assert (case["id"], case["kind"], case["priority"], case["summary"]) == ("CC-7", "theirs", "urgent", "Rang us")
    shop.later(HOUR)
    await shop.post({"type": "case_closed", "customer_id": "ana", "properties": {"outcome": "solved", "agent": "zoe"}})
    assert (await ask(shop))[1]["cases"] == []
    [closed] = (await ask(shop, "?state=closed"))[1]["cases"]
    assert (closed["agent"], closed["outcome"]) == ("zoe", "solved")
    async with shop.client.get("/metrics") as response:
        told = await response.text()
    assert 'orchestrator_case_close_seconds_count{team="other"} 1.0' in told
    assert 'orchestrator_case_close_seconds_sum{team="other"} 36' in told


async def test_what_no_case_can_hold_is_refused_and_holds_nobody_up(shop):
    for told in ({"case_id": "t1", "size": 2**64}, {"case_id": "t2", "readings": [1.5] * 40_000}):
        theirs = {"type": "case_opened", "customer_id": "ana", "properties": told}
        status, answer = await shop.post({**CART, "customer_id": "ben"}, theirs)
        assert (status, answer["accepted"], answer["refused"][0]["index"]) == (202, 1, 1)
    assert (await ask(shop))[1]["cases"] == []


async def test_a_case_is_closed_in_the_batch_in_which_its_customer_became_another(shop):
    visitor = {"identifiers": {"cookie": "c1"}}
    case = await opened(shop, {**visitor, "type": "case_opened", "properties": {"case_id": "t1"}})
    said = {**visitor, "customer_id": "zoe"}
    status, _ = await shop.post(
        {**said, "type": "profile_updated"},
        {**said, "type": "case_closed", "properties": {"case_id": "t1", "outcome": "solved"}},
        {**said, "type": "message_received", "properties": {"text": "¿Hola?"}},
        {**said, "type": "case_closed", "properties": {"outcome": "again"}},
    )
    assert status == 202
    closed = (await ask(shop, case))[1]
    assert (closed["outcome"], [line["what"] for line in closed["lines"]]) == ("solved", ["closed"])


async def test_a_case_of_a_visitor_who_becomes_known_names_the_customer(shop):
    visitor = {"identifiers": {"cookie": "c1"}}
    case = await opened(shop, {**visitor, "type": "case_opened", "properties": {"case_id": "t1"}})
    assert (await ask(shop, case))[1]["customer_id"] is None
    await shop.post({"type": "profile_updated", "customer_id": "zoe", "identifiers": {"email": "zoe@shop.example"}})
    await shop.post({"type": "profile_updated", "identifiers": {"cookie": "c1", "email": "zoe@shop.example"}})
    [listed] = (await ask(shop))[1]["cases"]
    assert (listed["id"], listed["customer_id"]) == ("t1", "zoe")


async def test_cases_outlive_the_process_and_go_with_their_customer(shop, tmp_path):
    case = await opened(shop)
    await ask(shop, case, "eva", "claim")
    await ask(shop, case, "eva", "note", text="planted-note")
    await shop.__aexit__()
    with SqliteStore(shop.state, writes=False) as store:
        [kept] = store.casework.every()
        assert (kept.agent, kept.lines[-1].text) == ("eva", "planted-note")
    async with shop:
        assert (await ask(shop, case))[1]["agent"] == "eva"
        assert b"planted-note" in b"".join(path.read_bytes() for path in tmp_path.glob("state.db*"))
        await shop.post({"type": "profile_erase_requested", "customer_id": "ana"})
        assert (await ask(shop))[1]["cases"] == []
        assert b"planted-note" not in b"".join(path.read_bytes() for path in tmp_path.glob("state.db*"))
    await shop.__aenter__()


async def test_a_program_needs_an_agents_key(shop):
    for headers in ({}, {"Authorization": "Bearer a-write-key"}, {"Authorization": "Bearer nonsense"}):
        async with aiohttp.ClientSession(shop.url) as client:
            for method, path in (("GET", "/v1/inbox/cases"), ("POST", "/v1/inbox/cases/x/claim")):
                async with client.request(method, path, headers=headers) as response:
                    assert response.status == 401


# The page, as a browser without scripts uses it


class Browser:
    """Keeps cookies, follows redirects, fills in the forms that it sees."""

    def __init__(self, shop):
        self.client = aiohttp.ClientSession(shop.url, cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.text = ""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        await self.client.close()

    async def open(self, path):
        async with self.client.get(path) as response:
            return await self._read(response)

    async def send(self, path, headers=None, **fields):
        async with self.client.post(path, data=fields, headers=headers) as response:
            return await self._read(response)

    async def _read(self, response):
        self.text = await response.text()
        self.page = Page(self.text)
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert (self.page.scripts, self.page.unlabelled) == (0, [])
        return response.status

    async def sign_in(self, name="eva", key=None):
        return await self.send("/inbox/login", name=name, key=key or AGENTS[name])

    def hidden(self, name):
        return re.search(rf'name="{name}" value="([^"]+)"', self.text)[1]

    async def do(self, case, verb, **fields):
        fields = {"form": self.hidden("form"), "once": self.hidden("once"), **fields}
        return await self.send(f"/inbox/cases{case}/{verb}", **fields)


async def test_an_agent_works_on_a_case_in_a_browser(tmp_path, project):
    live = LiveShop(tmp_path, email=f"file:{tmp_path}/mails.jsonl", push=f"file:{tmp_path}/pushed.jsonl")
    live.settings |= {"agents": f"eva:{AGENTS['eva']}", "public_url": "http://shop.example"}
    async with live as shop, Browser(shop) as browser:
        await shop.greet()
        case = await opened(shop)
        assert await browser.open("/inbox") == 200
        assert "Sign in" in browser.page.titles
        assert await browser.sign_in(key="wrong-and-long-enough") == 401
        assert await browser.sign_in() == 200
        assert "Open cases" in browser.page.titles
        assert 'href="/inbox/cases' + case + '"' in browser.text
        await browser.open(f"/inbox/cases{case}")
        assert "&lt;b&gt;una vergüenza&lt;/b&gt;" in browser.text
        assert "<b>una" not in browser.text
        await browser.do(case, "claim")
        assert "The case is yours." in browser.text
        assert browser.page.selected("channel") == ["push", "email"]
        assert browser.page.selected("outcome") == ["solved", "not_solved", "refunded"]
        await browser.do(case, "answer", text="Lo siento", channel="push")
        assert "The answer is on its way." in browser.text
        await browser.do(case, "close", outcome="solved", text="")
        assert "The case is closed." in browser.text
        assert (await shop.verdicts())[-1] == ("exited", "made_good")
        await browser.open("/inbox?state=closed")
        assert case[1:] in browser.text
        await browser.send("/inbox/logout", form=browser.hidden("form"))
        await browser.open(f"/inbox/cases{case}")
        assert "Sign in" in browser.page.titles


async def test_behind_a_proxy_that_calls_us_by_another_name_people_work_at_our_public_address(tmp_path, project):
    live = LiveShop(tmp_path)
    live.settings |= {"agents": f"eva:{AGENTS['eva']}", "public_url": "http://shop.example"}
    async with live as shop, Browser(shop) as browser:
        await shop.greet()
        case = await opened(shop)
        at_our_address = {"Origin": "http://shop.example"}
        assert await browser.send("/inbox/login", at_our_address, name="eva", key=AGENTS["eva"]) == 200
        await browser.open(f"/inbox/cases{case}")
        await browser.send(f"/inbox/cases{case}/claim", at_our_address, form=browser.hidden("form"), once="x")
        assert (await ask(shop, case))[1]["agent"] == "eva"


@pytest.mark.parametrize("case_id", [4711, "SR#12/7?a b%20"])
async def test_a_contact_centre_calls_its_cases_as_it_likes(tmp_path, project, case_id):
    live = LiveShop(tmp_path)
    live.settings |= {"agents": f"eva:{AGENTS['eva']}", "public_url": "http://shop.example"}
    async with live as shop, Browser(shop) as browser:
        for told in ({"case_id": case_id, "reason": "refund"}, {"case_id": "another"}):
            properties = {"team": "care", **told}
            await shop.post({"type": "case_opened", "customer_id": "ana", "properties": properties})
        await browser.sign_in()
        [path] = re.findall(r'href="(/inbox/cases/[^"]+)">Refund', browser.text)
        assert await browser.open(URL(path, encoded=True)) == 200
        assert re.findall(r'action="([^"]+)/claim"', browser.text) == [path]
        await browser.send(URL(f"{path}/claim", encoded=True), form=browser.hidden("form"), once="x")
        assert "The case is yours." in browser.text
        api = URL("/v1" + path, encoded=True)
        async with shop.client.get(api, headers={"Authorization": f"Bearer {AGENTS['eva']}"}) as response:
            assert (await response.json())["agent"] == "eva"
        await shop.post({"type": "case_closed", "customer_id": "ana", "properties": {"case_id": case_id}})
        assert [each["id"] for each in (await ask(shop))[1]["cases"]] == ["another"]
        known = await shop.service.find("ana", 1)
        assert [case.id for case in known.state.cases] == ["another"]


async def test_what_is_too_long_for_a_heading_is_read_on_the_cases_page(tmp_path, project):
    live = LiveShop(tmp_path)
    live.settings |= {"agents": f"eva:{AGENTS['eva']}", "public_url": "http://shop.example"}
    said = "It came broken. " * 20 + "And nobody answers."
    async with live as shop, Browser(shop) as browser:
        properties = {"case_id": "7", "team": "care", "summary": said}
        await shop.post({"type": "case_opened", "customer_id": "ana", "properties": properties})
        await browser.sign_in()
        assert re.findall(r'href="/inbox/cases/7">([^<]+)<', browser.text) == [said[:159].rstrip() + "…"]
        # What a narrow screen shows as lines keeps its heads, and its roles for whoever listens.
        assert re.findall(r'<td role="cell" data-head="Customer">([^<]+)<', browser.text) == ["ana"]
        await browser.open("/inbox/cases/7")
        assert said in browser.text


async def test_whoever_names_no_agent_is_told_how_to_sign_in(tmp_path, project, capsys):
    live = LiveShop(tmp_path)
    live.settings |= {"public_url": "http://shop.example"}
    async with live as shop, Browser(shop) as browser:
        with closing(listen("127.0.0.1", 0)) as bound:
            _tell(shop.service, bound)
        told = capsys.readouterr().err
        [key] = re.findall(r"^made the agent key, kept in the state file: (\S+)$", told, re.MULTILINE)
        [name] = re.findall(r"^with it, (\S+) signs in at http://shop.example/inbox$", told, re.MULTILINE)
        assert await browser.sign_in(name=name, key=key) == 200


async def test_no_other_site_can_have_a_browser_do_anything(tmp_path, project):
    live = LiveShop(tmp_path)
    live.settings |= {"agents": f"eva:{AGENTS['eva']}", "public_url": "http://shop.example"}
    async with live as shop, Browser(shop) as browser:
        await shop.greet()
        case = await opened(shop)
        await browser.sign_in()
        await browser.open(f"/inbox/cases{case}")
        ours = browser.hidden("form")
        for form, origin in (("", None), ("0" * 64, None), (ours, "https://evil.example"), (ours, "null")):
            headers = None if origin is None else {"Origin": origin}
            await browser.send(f"/inbox/cases{case}/claim", headers, form=form, once="x")
            assert "too old" in browser.text
        assert (await ask(shop, case))[1]["agent"] is None
        assert (
            await browser.send("/inbox/login", {"Origin": "https://evil.example"}, name="eva", key=AGENTS["eva"]) == 401
        )
        async with browser.client.post("/inbox/login", data={"name": "eva", "key": AGENTS["eva"]},
                                       allow_redirects=False) as response:  # fmt: skip
            cookie = response.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert AGENTS["eva"] not in cookie


async def test_a_cookie_is_secure_where_the_shop_is(shop):
    async with shop.client.post("/inbox/login", data={"name": "eva", "key": AGENTS["eva"]},
                                allow_redirects=False) as response:  # fmt: skip
        assert "; Secure" in response.headers["Set-Cookie"]


async def test_the_page_speaks_the_browsers_language_and_tells_the_time_of_the_project_or_the_agent(tmp_path, project):
    live = LiveShop(tmp_path, email=f"file:{tmp_path}/mails.jsonl", push=f"file:{tmp_path}/pushed.jsonl")
    agents = [f"eva:{AGENTS['eva']}", f"tom:{AGENTS['tom']}:care+tz=Asia/Kolkata"]
    live.settings |= {"agents": ",".join(agents), "public_url": "http://shop.example"}
    live.clock.shift_ms = JULY_MS - live.clock.now_ms()
    async with live as shop, Browser(shop) as browser, Browser(shop) as another:
        await shop.greet()
        case = await opened(shop)
        browser.client.headers["Accept-Language"] = "fr;q=0.9, es-MX, en;q=0.5"
        await browser.sign_in(key="wrong-and-long-enough")
        assert "No hay ningún agente con ese nombre y esa clave." in browser.text
        await browser.sign_in()
        assert '<html lang="es">' in browser.text
        assert "Casos abiertos" in browser.page.titles
        assert "2026-07-05 12:00 CEST" in browser.text
        await browser.open(f"/inbox/cases{case}")
        await browser.do(case, "claim")
        assert "El caso es tuyo." in browser.text
        assert "2026-07-05 12:00 CEST eva tomó el caso" in browser.text
        assert "2026-07-05 12:00 CEST Se pasó a care en to-care: hay un caso abierto" in browser.text
        assert (
            "<li>unhappy (o1): espera en to-care a que care cierre el caso, como mucho hasta mar 4 ago" in browser.text
        )
        assert ">Resuelto</option>" in browser.text
        assert "Take" not in browser.text
        await browser.do(case, "note", text="{}{0}")
        assert "La nota está guardada." in browser.text
        assert "eva anotó: {}{0}" in browser.text
        await another.sign_in("tom")
        assert '<html lang="en">' in another.text
        assert "2026-07-05 15:30 IST" in another.text


JULY_MS = 1_783_245_600_000  # 2026-07-05T10:00Z


def test_an_agents_time_zone_is_one():
    [agent] = read_agents(f"tom:{AGENTS['tom']}:care/stores+tz=America/Argentina/Buenos_Aires+@email")
    assert (agent.timezone, agent.sees.channels) == ("America/Argentina/Buenos_Aires", frozenset({"email"}))
    with pytest.raises(OrchestratorError, match="tom's time zone is none"):
        read_agents(f"tom:{AGENTS['tom']}:tz=Mars/Olympus")
