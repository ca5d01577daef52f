"""Shoppers: two real data sets from beside the repository, as events, and the journey that shoppers are put through.

Owns how their rows become events. The data lie in ../shared/data and are no part of the repository; where they are
absent, whoever asks for them says so and is skipped. Must never hold a count: tests do.
"""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"

PROJECT = """
project: shop
channels:
  email: {address: ADDRESS}
purposes:
  service: {consent: none}
"""
MESSAGE = """
message: cart-reminder
email: {subject: Your cart, text: It is still here.}
"""
JOURNEY = """
journey: abandoned-cart
version: 1
status: live
purpose: service
enter: {event: ADD, again: after_exit}
exit:
  - {event: BUY, reason: bought}
steps:
  - id: settle
    wait: {for: WITHIN, restart_on: ADD}
  - id: remind
    send: {message: cart-reminder, channels: [email]}
"""

Event = dict[str, Any]


def _rows(name: str) -> list[dict[str, str]]:
    if not (DATA / name).is_file():
        pytest.skip(f"THE DATA IS ABSENT: no {name} in shared/data beside the repository, so nothing was checked")
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _events_of(rows: list[dict[str, str]], user: str, kind: str, time: str) -> list[Event]:
    """Make an event of each row, in order of time, and before them one that makes each user reachable."""
    happened = [
        {
            "id": f"row-{number}",
            "type": row[kind],
            "customer_id": row[user],
            "time": int(datetime.fromisoformat(row[time]).replace(tzinfo=UTC).timestamp() * 1000),
        }
        for number, row in enumerate(rows)
    ]
    happened.sort(key=lambda event: event["time"])
    began_ms = happened[0]["time"] - 1000
    users = {event["customer_id"]: f"{event['customer_id']}@shop.example" for event in happened}
    known = [
        {
            "id": f"known-{user}",
            "type": "profile_updated",
            "customer_id": user,
            "time": began_ms,
            "properties": {"email": address},
        }
        for user, address in users.items()
    ]
    return known + happened


def ecom() -> list[Event]:
    """Make events of six months of a web shop: add_to_cart, purchase and so on."""
    return _events_of(_rows("ecom.csv"), "user_id", "event", "timestamp")


def jdata() -> list[Event]:
    """Make events of some hours of JD.com: type 2 adds to the cart, 4 orders."""
    return _events_of(_rows("jdata-2016-02.csv"), "user_id", "type", "time")


def sources(add: str, buy: str, within: str, *, address: str = "profile.email") -> dict[str, str]:
    """Write the project: a reminder `within` so long after the last `add`, unless a `buy` comes first."""
    project = PROJECT.replace("ADDRESS", address)
    journey = JOURNEY.replace("ADD", f'"{add}"').replace("BUY", f'"{buy}"').replace("WITHIN", within)
    texts = {"orchestrator.yaml": project, "messages/cart-reminder.message.yaml": MESSAGE}
    return {**texts, "abandoned-cart.journey.yaml": journey}
