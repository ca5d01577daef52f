"""Roads: what actually sends an action of each kind, and what its outcome is as events.

    message   rendered, then by its channel           message_sent, message_bounced, message_failed,
                                                      address_unreachable, message_answerable
    call      the project's webhook of that name      call_answered, with whatever it answered
    handoff   the team's webhook or mailbox           nothing: the case is open since the decision

Owns those three. Must never keep an action, nor wait.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec.structs import replace

from orchestrator.channels.answers import Rejected
from orchestrator.channels.cases import letter
from orchestrator.channels.coupons import AskedCodes
from orchestrator.channels.port import Channel, Delivery, Receipt
from orchestrator.channels.preparing import Preparer
from orchestrator.channels.receipts import Report
from orchestrator.channels.webhook import Webhook
from orchestrator.errors import Bounced, ChannelError, OptedOut, Refused, TryLater, Unavailable
from orchestrator.model import ids, instants, values
from orchestrator.model.catalog import ANSWERABLE, UNREACHABLE
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.runtime import faults
from orchestrator.runtime.delivery.coupons import Claims, NoCoupon

# Of a refusal only this much is on record; a provider's answer may be a page.
_WHY_LENGTH = 300


class NotRendered(Refused):
    """A message whose template fails; sending it again changes nothing before the template does."""


class PartlyTaken(TryLater):
    """A message that some of a customer's devices took while others may take it later.

    `receipts` are those of the message, which has left; `left` is what of it is tried again, where none else is told.
    """

    def __init__(self, error: TryLater, receipts: Sequence[Event], left: Action) -> None:
        super().__init__(error.after, error.why)
        self.args = (error, receipts, left)
        self.receipts = receipts
        self.left = left


class Road(Protocol):
    """What sends the actions of a lane."""

    @property
    def knows_repeats(self) -> bool:
        """Whether what is sent twice under one key comes to nothing more at the other side."""
        ...

    async def send(self, action: Action, now_ms: int) -> Sequence[Event]:
        """Send one; give its receipts. Raises ChannelError, PartlyTaken among them."""
        ...

    def failed(self, action: Action, reason: str, error: ChannelError | None, now_ms: int) -> Sequence[Event]:
        """Give the receipts of one that will not be sent any more."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def lane_of(action: Action) -> str | None:
    """Name the lane that an action goes by; None for what delivery has nothing to do with."""
    if action.kind == "message" and action.channel is not None:
        return action.channel
    if action.kind in ("call", "handoff"):
        return f"{action.kind}:{action.to}"
    return None


class MessageRoad:
    """Messages of one channel. `preparer` is asked for each time: journeys may be read anew meanwhile.

    `claims` gives the codes that messages ask for; without it there are none.
    """

    def __init__(self, channel: Channel, preparer: Callable[[], Preparer], claims: Claims | None = None) -> None:
        self._channel = channel
        self._preparer = preparer
        self._claims = claims
        # Said only by channels that can: see `channels.port`.
        self.knows_repeats: bool = getattr(channel, "knows_repeats", False)

    async def send(self, action: Action, now_ms: int) -> Sequence[Event]:
        """Render a message and send it to each of the customer's addresses; it has left once one of them takes it.

        Of the others, those that are gone for good are reported beside it, and those that may take it later are tried
        again: a customer reads on the device in their hand, which need not be the one that was switched on.
        """
        taken: list[Receipt] = []
        troubles: list[tuple[str, ChannelError]] = []
        for delivery in await self._prepared(action, now_ms):
            try:
                taken.append(await self._channel.send(delivery))
            except ChannelError as error:
                troubles.append((delivery.to, error))
        has_left = _has_left(action)
        later = [error for _, error in troubles if isinstance(error, TryLater)]
        if not taken and (later or not has_left):
            raise min((error for _, error in troubles), key=_finality)
        receipts = [] if has_left else _sent(action, taken, now_ms)
        gone = [to for to, error in troubles if isinstance(error, Bounced) and error.hard]
        if gone:
            receipts.append(_unreachable(action, gone, now_ms))
        if later:
            waiting = {to for to, error in troubles if isinstance(error, TryLater)}
            left = [to if to in waiting else "" for to in action.to or ()]
            raise PartlyTaken(later[0], receipts, replace(action, to=left))
        return receipts

    async def _prepared(self, action: Action, now_ms: int) -> list[Delivery]:
        """Render a message, and once more with codes if it asks for any."""
        preparer, asked = self._preparer(), AskedCodes()
        try:
            deliveries = preparer.prepare(action, now_ms, asked)
            if not asked.names:
                return deliveries
            # Not before now: a message that cannot be rendered, or does not come to its code, claims none.
            return preparer.prepare(action, now_ms, await self._claim(action, asked.names))
        except NoCoupon:
            raise
        except Refused as error:
            raise NotRendered(error.why) from error

    async def _claim(self, action: Action, coupons: Sequence[str]) -> Mapping[str, str]:
        if self._claims is None:
            raise NoCoupon(f"nobody gives codes of {', '.join(coupons)} here")
        codes = await self._claims.claim(action, coupons)
        faults.reach("coupons.claimed")
        return codes

    def failed(self, action: Action, reason: str, error: ChannelError | None, now_ms: int) -> Sequence[Event]:
        """Report a bounce, or a failure with its reason; nothing of a message that has left already."""
        return [] if _has_left(action) else message_failed(action, reason, error, now_ms)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def _has_left(action: Action) -> bool:
    """Tell whether one of several addresses took a message before, of which this is what is left."""
    return isinstance(action.to, list) and "" in action.to


def _sent(action: Action, taken: Sequence[Receipt], now_ms: int) -> list[Event]:
    reference = next((each.reference for each in reversed(taken) if each.reference), None)
    properties = {**taken[-1].details, **({"reference": reference} if reference else {})}
    receipts = [_report(action, "sent", properties).event(now_ms)]
    return [*receipts, _answerable(action, taken[-1], now_ms)] if taken[-1].named else receipts


def _finality(error: ChannelError) -> int:
    """Order what became of several addresses: while one may still take it nothing is final."""
    if isinstance(error, TryLater):
        return 0
    if not isinstance(error, Bounced):
        return 1
    return 3 if error.hard else 2


def _unreachable(action: Action, gone: list[str], now_ms: int) -> Event:
    """Report the devices that are gone while others took the message, which has not bounced by that."""
    properties = {"channel": action.channel, "addresses": gone, "action_id": action.id}
    return Event(
        ids.derive(action.id, UNREACHABLE, *gone), UNREACHABLE, now_ms, channel=action.channel, decoded=properties
    )


def _answerable(action: Action, taken: Receipt, now_ms: int) -> Event:
    """Report how an answer to the message names it, and whom it went to."""
    properties = {"channel": action.channel, "named": taken.named, "to": taken.to, "action_id": action.id}
    event_id = ids.derive(action.id, ANSWERABLE, taken.named)
    return Event(event_id, ANSWERABLE, now_ms, channel=action.channel, decoded=properties)


def message_failed(action: Action, reason: str, error: ChannelError | None, now_ms: int) -> Sequence[Event]:
    """Report that a message bounced, or failed with its reason."""
    why = {} if error is None else {"why": getattr(error, "why", str(error))[:_WHY_LENGTH]}
    if isinstance(error, Bounced):
        bounced = _report(action, "bounced", {"kind": "hard" if error.hard else "soft", **why}).event(now_ms)
        has_left = isinstance(error, OptedOut)
        return [bounced, *([_report(action, "unsubscribed", why).event(now_ms)] if has_left else [])]
    return [_report(action, "failed", {"reason": reason, **why}).event(now_ms)]


def nothing_failed(action: Action, reason: str, error: ChannelError | None, now_ms: int) -> Sequence[Event]:
    """Report nothing: calls time out by themselves, and a case stands whoever hears of it."""
    return []


Failed = Callable[[Action, str, ChannelError | None, int], Sequence[Event]]


def _report(action: Action, what: str, properties: Mapping[str, str | int]) -> Report:
    return Report(what, action.id, action.profile_id, action.channel or "", dict(properties))


class UnsetRoad:
    """A lane that nobody set up: its actions wait until somebody does, or until they are too old."""

    knows_repeats = True

    def __init__(self, missing: str, failed: Failed) -> None:
        self.missing = missing
        self.failed = failed

    async def send(self, action: Action, now_ms: int) -> Sequence[Event]:
        """Say what is missing."""
        raise Unavailable(None, self.missing)

    async def close(self) -> None:
        """Do nothing: there is nothing."""


class CallRoad:
    """Calls of one of the project's webhooks."""

    knows_repeats = True

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    async def send(self, action: Action, now_ms: int) -> Sequence[Event]:
        """Call; whatever the other side answers about this call is the answer."""
        payload = {"type": "journey.call", "timestamp": instants.to_text(now_ms), "data": action.data}
        answer = await self._webhook.call(action.id, msgspec.json.encode(payload), now_ms)
        try:
            response = msgspec.json.decode(answer.body) if answer.body else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            response = None
        if not values.is_storable(response):
            response = None  # no record holds it; the journey goes on by the status, as with what is no JSON
        return [_answered(action, {"status": answer.status, "response": response}, now_ms)]

    def failed(self, action: Action, reason: str, error: ChannelError | None, now_ms: int) -> Sequence[Event]:
        """Answer with the refusal's status; what never got an answer times out by itself."""
        return [_answered(action, {"status": error.status}, now_ms)] if isinstance(error, Rejected) else []

    async def close(self) -> None:
        """Let go of connections."""
        await self._webhook.close()


def _answered(action: Action, told: dict[str, object], now_ms: int) -> Event:
    properties = {"action_id": action.id, **told}
    return Event(ids.derive(action.id, "call_answered"), "call_answered", now_ms, decoded=properties)


class CaseRoad:
    """Cases of one team, told to its system: by the team's template where it has one, else as an event of ours."""

    # Ticket systems do not look at keys.
    knows_repeats = False

    def __init__(self, webhook: Webhook, preparer: Callable[[], Preparer]) -> None:
        self._webhook = webhook
        self._preparer = preparer

    async def send(self, action: Action, now_ms: int) -> Sequence[Event]:
        """Tell the team's system of the case: its summary in words, and its whole context."""
        data = self._preparer().case(action)
        try:
            payload = self._preparer().templated(str(action.to), data)
        except Refused as error:
            raise NotRendered(error.why) from error
        if payload is None:
            payload = {"type": "case.open", "timestamp": instants.to_text(now_ms), "data": data}
        await self._webhook.call(action.id, msgspec.json.encode(payload), now_ms)
        return []

    # The case stands, and the dead letter tells people.
    failed = staticmethod(nothing_failed)

    async def close(self) -> None:
        """Let go of connections."""
        await self._webhook.close()


class CaseMailRoad:
    """Cases of one team, told to its mailbox. `inbox` is the address of the page where cases are answered, if any."""

    knows_repeats = False

    def __init__(self, channel: Channel, to: str, preparer: Callable[[], Preparer], inbox: str | None) -> None:
        self._channel = channel
        self._to = to
        self._preparer = preparer
        self._inbox = inbox

    async def send(self, action: Action, now_ms: int) -> Sequence[Event]:
        """Write to the team."""
        data = self._preparer().case(action)
        link = None if self._inbox is None else f"{self._inbox}/cases/{action.id}"
        await self._channel.send(Delivery(action.id, self._to, letter(data, data["summary"], link), action, now_ms))
        return []

    # The case stands, and the dead letter tells people.
    failed = staticmethod(nothing_failed)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


class InboxRoad:
    """Cases that are in the inbox since their decision was committed: nobody else is told."""

    knows_repeats = True

    async def send(self, action: Action, now_ms: int) -> Sequence[Event]:
        """Do nothing: it is there."""
        return []

    failed = staticmethod(nothing_failed)

    async def close(self) -> None:
        """Do nothing: there is nothing."""
