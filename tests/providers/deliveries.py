"""Actions and deliveries as the engine and the preparer make them.

Owns what a test about sending need not say each time.
"""

from typing import Any

from orchestrator.channels.links import Links
from orchestrator.channels.port import Delivery
from orchestrator.channels.preparing import Preparer
from orchestrator.channels.rendering import MessageTemplates, Renderer
from orchestrator.model import ids
from orchestrator.model.catalog import Catalog
from orchestrator.model.effects import Action
from orchestrator.model.project import Channel, Message, Project, Purpose
from shop.expressions import trait

SECRET = "a secret of at least thirty-two characters"
LINKS = Links("https://shop.example", (SECRET,))
PROFILE = ids.profile_id_of("customer_id", "ana")
NOW_MS = 1_767_261_600_000  # 2026-01-01T10:00:00Z
BRAND = {"name": "Tienda", "address": "Calle del Pez 14, Madrid"}
REMINDER = {
    "email": {"subject": "{{ profile.first_name }}, tu cesta te espera", "text": "Vuelve cuando quieras."},
    "push": {"title": "{{ brand.name }}", "body": "Tu cesta te espera"},
}


def action(number: int = 1, **fields: Any) -> Action:
    """Make the action that sends ana the reminder by e-mail."""
    known: dict[str, Any] = {
        "id": ids.derive("action", str(number)),
        "kind": "message",
        "profile_id": PROFILE,
        "customer_id": "ana",
        "journey": "abandoned-cart",
        "version": 1,
        "entry_id": "entry-1",
        "step": "remind",
        "at": "2026-01-01T10:00:00.000Z",
        "channel": "email",
        "message": "cart-reminder",
        "purpose": "marketing",
        "language": "es",
        "to": "ana@example.com",
        "data": {"profile": {"first_name": "Ana"}},
    }
    return Action(**{**known, **fields})


def preparer(content: dict[str, Any] | None = None, **fields: Any) -> Preparer:
    """Make the preparer of a shop with one message."""
    channels = {"email": Channel("email", trait("email"), 1), "push": Channel("push", trait("device_token"), 2)}
    purposes = {"marketing": Purpose("marketing", "opt_in"), "service": Purpose("service", "none")}
    known: dict[str, Any] = {"name": "shop", "languages": ("es", "en"), "brand": BRAND}
    message = Message("cart-reminder", ("email", "push"))
    project = Project(**{**known, **fields}, channels=channels, purposes=purposes, messages={"cart-reminder": message})
    renderer = Renderer(project.brand, project.languages, {"cart-reminder": MessageTemplates(content or REMINDER)})
    return Preparer(Catalog(project, ()), renderer, LINKS)


def delivery(content: dict[str, Any] | None = None, number: int = 1, **fields: Any) -> Delivery:
    """Make the delivery of one such action."""
    [made] = preparer(content).prepare(action(number, **fields), NOW_MS)
    return made
