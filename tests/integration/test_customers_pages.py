"""What customers do on their pages, as a browser without scripts does it."""

import json
import re
from html.parser import HTMLParser

import pytest

from orchestrator.channels.links import About, Kind
from orchestrator.errors import StorageError
from orchestrator.model import ids
from providers import LINKS
from providers.live import CART, HOUR, JOURNEY, LiveShop, until, write_project

ACTION = "ab" * 16
ASKING = """
journey: how-was-it
version: 1
purpose: service
status: live
enter: {event: order_delivered}
steps:
  - id: opinion
    ask: {survey: nps, message: thanks, channels: [email], within: 7d}
    then:
      - choose:
          - {if: "steps.opinion.score <= 6", then: [{exit: unhappy}]}
          - {else: [{exit: happy}]}
"""


def link(kind, shop, language="es", detail="", channel="email", purpose="marketing", action=ACTION):
    profile = ids.profile_id_of("customer_id", "ana")
    about = About(profile, action, channel, purpose, language)
    return LINKS.make(kind, about, shop.clock.now_ms(), detail).removeprefix("https://shop.example")


class Page(HTMLParser):
    """A page as a browser sees it: its title, language, fields, and what a screen reader would stumble over."""

    def __init__(self, text):
        super().__init__()
        self.fields, self.titles, self.language, self.scripts, self.unlabelled = {}, [], None, 0, []
        self.hidden = []
        self._in, self._labels = [], 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self._in.append(tag)
        if tag == "html":
            self.language = given.get("lang")
        elif tag == "script" or any(name.startswith("on") for name in given):
            self.scripts += 1
        elif tag == "input":
            self._in.pop()
            if given.get("type") == "hidden":
                self.hidden.append((given["name"], given["value"]))
                return
            self.fields.setdefault(given["name"], []).append((given["value"], "checked" in given))
            if "label" not in self._in:
                self.unlabelled.append(given["name"])
        elif tag in ("meta", "br", "img"):
            self._in.pop()

    def handle_endtag(self, tag):
        while self._in and self._in.pop() != tag:
            pass

    def handle_data(self, data):
        if self._in and self._in[-1] in ("h1", "button", "legend", "p"):
            self.titles.append(data)


async def opened(shop, path, **options):
    async with shop.client.get(path, **options) as response:
        assert response.status == 200
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        return Page(await response.text())


async def posted(shop, path, data):
    async with shop.client.post(path, data=data) as response:
        return response.status, await response.text()


@pytest.fixture
async def shop(tmp_path):
    write_project(tmp_path / "shop", JOURNEY, ASKING)
    async with LiveShop(tmp_path, email=f"file:{tmp_path}/mails.jsonl", push="console:") as live:
        await live.greet()
        yield live


@pytest.mark.parametrize("language", ["en", "es", "fr", "de", "es-MX", "xx"])
async def test_every_page_is_readable_by_everybody_in_their_language(shop, language):
    for kind in (Kind.UNSUBSCRIBE, Kind.PREFERENCES, Kind.CONFIRM, Kind.SURVEY):
        page = await opened(shop, link(kind, shop, language, "nps" if kind is Kind.SURVEY else ""))
        assert page.language == language
        assert page.scripts == 0
        assert page.unlabelled == []
        assert any(page.titles)


async def test_unsubscribing_on_the_page_takes_one_button(shop):
    path = link(Kind.UNSUBSCRIBE, shop)
    page = await opened(shop, path)
    assert "Darme de baja" in page.titles
    accepted = shop.service.metrics.accepted.labels("accepted")._value.get
    before = accepted()
    assert [each["granted"] for each in (await shop.known())["consents"]] == [True]
    assert (await posted(shop, path, {}))[0] == 200
    assert accepted() == before + 1
    said = (await shop.known())["consents"][-1]
    assert (said["channel"], said["purpose"], said["granted"]) == ("email", "marketing", False)


async def test_who_comes_back_can_leave_again_by_the_same_link(shop):
    path = link(Kind.UNSUBSCRIBE, shop)
    await posted(shop, path, {})
    yes = {"purpose": "marketing", "channel": "email", "granted": True}
    shop.later(1)
    await shop.post({"type": "consent_changed", "customer_id": "ana", "properties": yes})
    shop.later(1)
    await posted(shop, path, {})
    assert (await shop.known())["consents"][-1]["granted"] is False


async def test_the_page_to_leave_leads_to_the_preferences(shop):
    async with shop.client.get(link(Kind.UNSUBSCRIBE, shop)) as response:
        [further] = re.findall(r'href="(/u/[^"]+)"', await response.text())
    page = await opened(shop, further)
    assert page.fields == {"marketing": [("email", True), ("push", True)], "news": [("email", False), ("push", False)]}


async def test_who_left_by_mistake_finds_the_way_back(shop):
    _, done = await posted(shop, link(Kind.UNSUBSCRIBE, shop), {})
    [further] = re.findall(r'href="(/u/[^"]+)"', done)
    assert (await opened(shop, further)).fields["marketing"] == [("email", False), ("push", True)]
    assert (await posted(shop, further, {"marketing": ["email", "push"]}))[0] == 200
    assert (await opened(shop, further)).fields["marketing"] == [("email", True), ("push", True)]


async def test_the_page_to_leave_leads_on_below_the_path_that_we_stand_under(tmp_path):
    live = LiveShop(tmp_path)
    live.settings["public_url"] = "https://shop.example/letters/"
    async with live as shop:
        await shop.greet()
        async with shop.client.get(link(Kind.UNSUBSCRIBE, shop)) as response:
            [further] = re.findall(r'href="(/[^"]+)"', await response.text())
        assert further.startswith("/letters/u/")
        page = await opened(shop, further.removeprefix("/letters"))  # as the proxy in front of us does
        assert "Marketing" in page.titles


async def test_a_slash_at_the_end_of_a_link_leads_to_the_page_at_whatever_address_we_are_seen(shop):
    path = link(Kind.UNSUBSCRIBE, shop)
    async with shop.client.get(f"{path}/", headers={"Host": "inside:8080"}, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (307, f"..{path.removeprefix('/u')}")
    assert "Darme de baja" in (await opened(shop, f"{path}/")).titles
    async with shop.client.get("/nothing/here//", allow_redirects=False) as response:
        assert response.status == 404


async def test_preferences_say_yes_and_no_by_purpose_and_channel(shop):
    path = link(Kind.PREFERENCES, shop)
    await posted(shop, path, [("marketing", "push"), ("news", "email")])
    page = await opened(shop, path)
    assert page.fields == {"marketing": [("email", False), ("push", True)], "news": [("email", True), ("push", False)]}
    known = await shop.known()
    new = [each for each in known["consents"] if each["source"] == "preferences_page"]
    assert [(each["channel"], each["purpose"], each["granted"], each["confirmed"]) for each in new] == [
        ("email", "marketing", False, False),
        ("email", "news", True, True),
    ]
    status, _ = await posted(shop, path, [("marketing", "push"), ("news", "email"), ("nonsense", "x")])
    assert status == 200
    assert (await shop.known())["consents"] == known["consents"]


async def test_a_page_that_lay_open_takes_nothing_back_that_was_said_since(shop):
    page = await opened(shop, link(Kind.PREFERENCES, shop))
    await posted(shop, link(Kind.UNSUBSCRIBE, shop), {})
    as_it_was = [(purpose, channel) for purpose, boxes in page.fields.items() for channel, ticked in boxes if ticked]
    await posted(shop, link(Kind.PREFERENCES, shop), [*page.hidden, *as_it_was, ("news", "email")])
    now = await opened(shop, link(Kind.PREFERENCES, shop))
    assert now.fields == {"marketing": [("email", False), ("push", True)], "news": [("email", True), ("push", False)]}
    # What a customer does tick counts, and so does what they leave unticked.
    await posted(shop, link(Kind.PREFERENCES, shop), [*now.hidden, ("marketing", "email")])
    page = await opened(shop, link(Kind.PREFERENCES, shop))
    assert page.fields == {"marketing": [("email", True), ("push", False)], "news": [("email", False), ("push", False)]}
    await posted(shop, link(Kind.PREFERENCES, shop), page.hidden)
    page = await opened(shop, link(Kind.PREFERENCES, shop))
    assert {ticked for boxes in page.fields.values() for _, ticked in boxes} == {False}
    assert page.hidden == [(":shown", "-")]


async def test_confirming_takes_a_button(shop):
    path = link(Kind.CONFIRM, shop, purpose="news")
    await opened(shop, path)
    assert all(each["purpose"] != "news" for each in (await shop.known())["consents"])
    await posted(shop, path, {})
    said = (await shop.known())["consents"][-1]
    assert (said["purpose"], said["granted"], said["confirmed"]) == ("news", True, True)


async def test_who_was_asked_at_a_former_address_is_not_told_that_anything_was_confirmed(shop):
    action = await asked(shop)
    path = link(Kind.CONFIRM, shop, purpose="news", action=action)
    await shop.post({"type": "profile_updated", "customer_id": "ana", "properties": {"email": "ana@home.example"}})
    status, text = await posted(shop, path, {})
    assert (status, "No se ha cambiado nada" in text) == (410, True)
    assert all(each["purpose"] != "news" for each in (await shop.known())["consents"])


async def test_whoever_was_erased_is_not_told_that_anything_was_kept(shop):
    paths = [link(kind, shop) for kind in (Kind.CONFIRM, Kind.SURVEY, Kind.PREFERENCES)]
    await shop.post({"type": "profile_erase_requested", "customer_id": "ana"})
    for path in paths:
        async with shop.client.get(path) as response:
            assert response.status == 404
        status, text = await posted(shop, path, {"comment": "Gracias"})
        assert (status, "Ya no guardamos nada sobre ti" in text) == (404, True)
    assert (await posted(shop, link(Kind.UNSUBSCRIBE, shop), {}))[0] == 200


async def asked(shop):
    await shop.post({"type": "order_delivered", "customer_id": "ana"})

    async def waits():
        known = await shop.known()
        return known["messages"] and known["messages"][0]["action_id"]

    return await until(waits)


async def test_a_score_clicked_in_the_mail_is_chosen_and_sent_with_a_comment(shop):
    action = await asked(shop)
    path = link(Kind.SURVEY, shop, detail="nps", purpose="service", action=action)
    page = await opened(shop, f"{path}?score=6")
    assert len(page.fields["score"]) == 11
    assert [value for value, chosen in page.fields["score"] if chosen] == ["6"]
    assert ("waited", "for_answer") in await shop.verdicts()
    status, text = await posted(shop, f"{path}?score=6", {"score": "6", "comment": "Tarde <b>y mal</b>"})
    assert (status, "Gracias por tu respuesta" in text) == (200, True)
    assert (await shop.verdicts())[-1] == ("exited", "unhappy")


async def test_a_score_that_the_scale_does_not_have_is_asked_for_again(shop):
    path = link(Kind.SURVEY, shop, detail="csat")
    assert await opened(shop, f"{path}?score=9")
    for score in ("9", "0", "-1", "x", "", "٣"):
        status, text = await posted(shop, path, {"score": score})
        assert status == 422
        assert 'name="score"' in text
        assert "<span>1: nada</span><span>5: mucho</span>" in text


async def test_the_link_in_a_real_mail_asks_the_right_survey(shop, tmp_path):
    (tmp_path / "shop/messages/thanks.message.yaml").write_text(
        'message: thanks\nemail: {subject: "?", text: "{{ links.survey }}?score=10"}\n'
    )
    await until(lambda: "links" in str(shop.service.catalog.versions) or _has_survey(shop))
    action = await asked(shop)
    mails = tmp_path / "mails.jsonl"
    await until(lambda: mails.exists() and mails.read_text())
    [path] = re.findall(r"https://shop\.example(/s/\S+?score=10)", mails.read_text())
    page = await opened(shop, path)
    assert [value for value, chosen in page.fields["score"] if chosen] == ["10"]
    await posted(shop, path, {"score": "10"})
    assert (await shop.verdicts())[-1] == ("exited", "happy")
    assert action


def _has_survey(shop):
    return "survey" in str(shop.service.preparer._renderer._contents["thanks"].channels)


async def test_a_form_that_is_too_large_is_refused(shop):
    path = link(Kind.SURVEY, shop, detail="custom")
    assert (await posted(shop, path, {"comment": "x" * 100_000}))[0] == 413
    assert (await posted(shop, path, {"comment": "x" * 5_000}))[0] == 200


async def test_a_cart_bought_meanwhile_sends_nothing(shop, tmp_path):
    await shop.post({**CART, "customer_id": "ana"})
    shop.later(HOUR / 2)
    await shop.post({"type": "order_placed", "customer_id": "ana", "properties": {"cart_id": "c1"}})
    shop.later(HOUR)
    await shop.post({"type": "seen", "customer_id": "ana"})
    assert (await shop.verdicts())[-1] == ("exited", "bought")
    assert (tmp_path / "mails.jsonl").read_text() == ""


async def test_whoever_was_erased_and_leaves_by_an_old_mail_is_refused_when_they_come_back(shop, tmp_path):
    await shop.post({**CART, "customer_id": "ana"})
    shop.later(2 * HOUR)

    def sent():
        return [json.loads(line) for line in (tmp_path / "mails.jsonl").read_text().splitlines()]

    [mail] = await until(sent)
    path = mail["data"]["unsubscribe"].removeprefix("https://shop.example")
    await shop.post({"type": "profile_erase_requested", "customer_id": "ana"})
    assert await shop.known() is None
    assert (await posted(shop, path, {"List-Unsubscribe": "One-Click"}))[0] == 200
    assert await shop.known() is None
    shop.later(1)
    # Under another name, and the same address, written otherwise.
    await shop.post({"type": "profile_updated", "customer_id": "anna", "properties": {"email": "Ana@Example.com"}})
    [said] = (await shop.known("anna"))["consents"]
    assert (said["channel"], said["purpose"], said["granted"]) == ("email", "marketing", False)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["Nothing was changed.", "Please try again in a moment."]),
        ("es", ["No se ha cambiado nada.", "Inténtalo de nuevo en un momento."]),
    ],
)
async def test_what_cannot_be_kept_just_now_is_to_be_tried_again(shop, language, said, monkeypatch):
    async def full(profile_id, event):
        raise StorageError("no space left")

    monkeypatch.setattr(shop.service, "hear", full)
    status, text = await posted(shop, link(Kind.UNSUBSCRIBE, shop, language), {})
    assert (status, Page(text).titles) == (503, ["Tienda", *said])
