"""One customer's story, on whatever serves it: a phone, a laptop, a card in the shop, and one profile behind them.

Owns the shop's files and the story's steps. How events get in, and pages and mails are opened, is handed over.
"""

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NAMES = ("cookie:phone", "cookie:laptop", "email:ana@example.com", "loyalty_card:L-7")
IDENTITY = """
identity:
  identifiers: [customer_id, email, phone, loyalty_card, device_id, cookie]
  never: {email: ["", "null", "test@example.com"]}
"""
FILES = {
    "basket.journey.yaml": """
journey: basket
version: 1
purpose: service
status: live
enter: {event: basket_filled, key: cart_id, again: after_exit}
exit: [{event: order_placed, reason: bought}]
steps:
  - {id: settle, wait: {for: 1h, restart_on: basket_filled}}
  - {id: remind, send: {message: basket-reminder, channels: [email]}}
""",
    "hello.journey.yaml": """
journey: hello
version: 1
purpose: service
status: live
enter: {event: newsletter_joined}
steps:
  - {id: greet, send: {message: hello, channels: [email]}}
  - id: read
    wait_for: {event: message_opened, within: 1d}
    then: [{exit: read}]
""",
    "messages/basket-reminder.message.yaml": """
message: basket-reminder
email: {subject: Your basket waits, text: Come back any time.}
""",
    "messages/hello.message.yaml": """
message: hello
email: {subject: Hello, markdown: "Have a [look](https://casaolmo.example/new)."}
""",
}


def write(project: Path) -> None:
    """Add the story's journeys, and what links, to a project."""
    for name, text in FILES.items():
        (project / name).write_text(text)
    written = project / "orchestrator.yaml"
    written.write_text(written.read_text() + IDENTITY)


@dataclass
class Storyteller:
    """What the story is told through. `post` sends events, `read` finds a mail, `open` a link as a person's browser."""

    post: Callable[..., Awaitable[Any]]
    read: Callable[[str, str], Awaitable[EmailMessage]]
    open: Callable[[str], Awaitable[Any]]
    known: Callable[[str], Awaitable[Any]]
    until: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]

    async def happens(self, kind: str, who: dict[str, str], **properties: Any) -> None:
        await self.post({"type": kind, "identifiers": who, "properties": properties})

    async def joins(self, phone: str, address: str) -> EmailMessage:
        """Fill a basket as a visitor, then give an address; a mail comes."""
        await self.happens("basket_filled", {"cookie": phone}, cart_id=f"of {phone}", total=40)
        await self.until(lambda: self._stands(f"cookie:{phone}"))
        await self.happens("newsletter_joined", {"cookie": phone, "email": address})
        return await self.read(address.lower(), "Hello")

    async def opens(self, mail: EmailMessage) -> None:
        """Read the mail on a laptop: fetch its picture, and follow its link to the shop, which knows the laptop."""
        body = mail.get_body(("html",))
        assert body is not None
        found = [html.unescape(each) for each in re.findall(r'(?:href|src)="([^"]+)"', body.get_content())]
        [pixel], [link] = ([each for each in found if road in each] for road in ("/o/", "/r/"))
        await self.open(pixel)
        await self.open(link)
        await self.happens("page_viewed", {"cookie": "laptop", "email": "ana@example.com"})

        async def is_read() -> bool:
            return ("hello", "exited", "read") in await self.decided("cookie:laptop")

        await self.until(is_read)

    async def buys(self) -> None:
        """Show the card in the shop, with the address, and pay with nothing but the card."""
        await self.happens("card_shown", {"loyalty_card": "L-7", "email": "ANA@example.com"})
        await self.happens("order_placed", {"loyalty_card": "L-7"}, cart_id="of phone", total=40)

        async def has_left() -> bool:
            return ("basket", "exited", "bought") in await self.decided("loyalty_card:L-7")

        await self.until(has_left)

    async def is_one_customer(self) -> None:
        """Look whether by every name it is the same customer, in no journey any more, who was written to once."""
        found = [await self.known(name) for name in NAMES]
        assert all(each == found[0] for each in found)
        assert (found[0]["journeys"], [each["message"] for each in found[0]["messages"]]) == ([], ["hello"])
        entered = [each for each in found[0]["timeline"] if each["verdict"] == "entered"]
        assert sorted(each["journey"] for each in entered) == ["basket", "hello"]

    async def decided(self, name: str) -> set[tuple[str, str, str]]:
        known = await self.known(name)
        return {(each["journey"], each["verdict"], each["reason"]) for each in known["timeline"]} if known else set()

    async def _stands(self, name: str) -> bool:
        known = await self.known(name)
        return known is not None and [each["step"] for each in known["journeys"]] == ["settle"]


def it_can_be_told(project: Path, state: Path) -> None:
    """Look whether `explain`, asked by any name, tells one customer's story in its order."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    told = []
    for name in (NAMES[0], NAMES[-1]):
        command = [sys.executable, "-m", "orchestrator", "explain", name, str(project), "--state", str(state), "--json"]
        done = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
        told.append(json.loads(done.stdout))
    assert [told[0][name] == told[1][name] for name in ("profile_id", "decisions", "waiting")] == [True] * 3
    sentences = [each["sentence"] for each in told[0]["decisions"]]
    expected = (
        'Entered basket (key = "of phone").',
        "Recognised: what was known under cookie",
        "Sent hello (service) by email at greet",
        "Left hello: read",
        "Left basket: bought.",
    )
    places = [next(at for at, said in enumerate(sentences) if said.startswith(start)) for start in expected]
    assert places == sorted(places), sentences
