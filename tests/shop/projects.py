"""The shop's project: three channels, four purposes with one consent rule each, and messages for all channels.

Owns what tests need not say each time; what a test is about, it says itself.
"""

from typing import Any

from orchestrator.model.project import Cap, Channel, Message, Project, Purpose, QuietHours
from shop.expressions import trait
from shop.lengths import ms

_ADDRESSES = {"email": "email", "push": "device_token", "sms": "phone"}


def channel(name: str, *, address: Any = None, preferred_order: int | None = None) -> Channel:
    return Channel(name, address or trait(_ADDRESSES[name]), preferred_order)


def quiet(begins: str, ends: str, *, days: tuple[int, ...] = (), channel: str | None = None) -> QuietHours:
    return QuietHours(_minute(begins), _minute(ends), frozenset(days), channel)


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def purpose(name: str = "marketing", consent: Any = "opt_in", *, caps: tuple[Any, ...] = (), **fields: Any) -> Purpose:
    """Make a purpose; a cap is written (at_most, per) or (at_most, per, channel)."""
    written = tuple(cap if isinstance(cap, Cap) else Cap(cap[0], ms(cap[1]), *cap[2:]) for cap in caps)
    return Purpose(name, consent, written, **fields)


def message(id: str, *channels: str, **fields: Any) -> Message:
    return Message(id, channels or ("email", "push", "sms"), **fields)


def project(
    *purposes: Purpose,
    channels: tuple[Channel, ...] = (),
    messages: tuple[Message, ...] = (),
    **fields: Any,
) -> Project:
    """Make the shop's project; what is given replaces what is there by name."""
    own_channels = (channel("email", preferred_order=2), channel("push", preferred_order=1), channel("sms"), *channels)
    own_purposes = (
        purpose("marketing", "opt_in"),
        purpose("news", "double_opt_in"),
        purpose("tips", "opt_out"),
        purpose("service", "none"),
        *purposes,
    )
    own_messages = (message("cart-reminder"), message("cart-coupon"), message("hello"), *messages)
    defaults: dict[str, Any] = {"name": "shop", "languages": ("es", "en")}
    return Project(
        **{**defaults, **fields},
        channels={one.name: one for one in own_channels},
        purposes={one.name: one for one in own_purposes},
        messages={one.id: one for one in own_messages},
    )
