"""The port: what a channel is handed, and what it answers.

    class Channel(Protocol):
        async def send(self, delivery: Delivery) -> Receipt: ...     raises TryLater or Refused (errors.py)
        async def close(self) -> None: ...

Owns the shapes that pass between delivery and every channel. A channel hands one delivery to its provider, with
`delivery.key` as the idempotency key, and says what came of it. It must never retry, wait or decide by itself: pace,
patience and order are delivery's, so that they are the same for all channels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from orchestrator.channels.rendering import Rendered
from orchestrator.model.effects import Action


class Unsubscribing(msgspec.Struct, frozen=True):
    """What a message that needs consent carries so that it can be withdrawn: the link, and who is speaking."""

    url: str
    address: str
    words: str


class Tracking(msgspec.Struct, frozen=True):
    """What comes back, where that is allowed: the pixel's address, and what makes the redirect of a link.

    Links that begin with `own` are ours already.
    """

    pixel: str | None = None
    click: Callable[[str], str] | None = None
    own: str = ""

    def follow(self, url: str) -> str:
        """Write a link so that following it is noticed, where that is allowed."""
        return url if not url or self.click is None or url.startswith(self.own) else self.click(url)


class Delivery(msgspec.Struct, frozen=True):
    """One message to one address.

    `key` is the idempotency key: the action's id, and for the second and further of a customer's devices with its
    number. `unsubscribing` is None for a purpose that needs no consent. `now_ms` is the moment of sending.
    """

    key: str
    to: str
    rendered: Rendered
    action: Action
    now_ms: int
    unsubscribing: Unsubscribing | None = None
    tracking: Tracking = Tracking()

    def outline(self) -> dict[str, object]:
        """Tell what goes to whom and why, as programs of the company's own get it."""
        action = self.action
        return {
            "id": self.key,
            "channel": self.rendered.channel,
            "to": self.to,
            "customer_id": action.customer_id,
            "profile_id": action.profile_id,
            "journey": action.journey,
            "step": action.step,
            "message": action.message,
            "purpose": action.purpose,
            "language": self.rendered.language,
            "content": self.rendered.fields,
        }


class Receipt(msgspec.Struct, frozen=True):
    """A provider took it. `reference` is the provider's own name for it, if it gave one.

    `details` is what else the receipt tells, such as how many parts a text message was. Where customers answer by the
    same channel, `named` is how an answer names the message (the reference, or the number of ours that it came from),
    and `to` the address as the provider was told it.
    """

    reference: str | None = None
    details: Mapping[str, str | int] = {}
    named: str = ""
    to: str = ""


class Channel(Protocol):
    """A road to the customer.

    One whose provider can tell by the key that it has had a message already says `knows_repeats = True`: delivery then
    writes down more outcomes at once, which is faster, and after a crash sends more of them again.
    """

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand one delivery to the provider.

        Raises Refused (Bounced when it is the address's fault) or TryLater (Unavailable when the provider as a whole
        is in trouble, or cannot be reached); a message that raises anything else met a bug, and is given up. May be
        called again with the same key, and from several tasks at once.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; closing twice does no harm."""
        ...


def _nothing(name: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Setup:
    """What a channel is made from: its name in the project, the operator's URL, and what goes with it.

    `secret` signs or logs in where the scheme says so. `allowed_hosts` may be private addresses. `find` looks up the
    operator's settings below the channel's own: `fcm` is ORCHESTRATOR_CHANNEL_PUSH_FCM for push. `hooks` is where this
    channel's provider can report to us, "" where nobody listens.
    """

    name: str
    url: str
    secret: str | None = None
    allowed_hosts: frozenset[str] = frozenset()
    find: Callable[[str], str | None] = _nothing
    hooks: str = ""
