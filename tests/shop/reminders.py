"""The shortest journey there is, a reminder that goes out at once, and what customers say and have around it.

Owns the words that tests about sending share.
"""

from typing import Any

from orchestrator.model.journey import Journey
from orchestrator.model.project import Project
from shop.customers import Customer
from shop.journeys import journey, send
from shop.projects import quiet

EMAIL_ONLY = {"email": "ana@shop.example"}
EMAIL_AND_SMS = {"email": "ana@shop.example", "phone": "+34600000001"}
YES = {"granted": True}
CONFIRMED = {"granted": True, "confirmed": True}
NO = {"granted": False}
NIGHT = quiet("21:30", "08:30")


def remind(*channels: str, **fields: Any) -> Journey:
    return journey(send("remind", "cart-reminder", *channels, **fields))


def reminded(
    *channels: str, customer: dict[str, Any] | None = None, shop: Project | None = None, **fields: Any
) -> Customer:
    """Open a cart whose reminder goes out at once; gives the customer who got it, or did not."""
    about_customer = {name: fields.pop(name) for name in ("start", "consents", "zone") if name in fields}
    ana = Customer(remind(*channels, **fields), project=shop, profile=customer, **about_customer)
    ana.does("cart_updated")
    return ana
