"""Whose words are these? From the address that somebody wrote from to the customers who are meant.

    what they answer    the message that it names, or the one that a text comes after     whoever it was sent to
    the identifier      the address, as the channel's `address` names its kind            whoever is known by it
    the address         a trait of a profile that nobody else is known by                 whoever was heard of last

A message is one customer's: of the first of these that leads to somebody. An order to leave is everybody's who is
reached there: whoever says STOP wants nothing more on that phone, whosever profile it stands in. Owns that choice. Must
never link anybody: an address that is no identifier is no proof that two are one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.channels.inbound.findings import Stated, Written
from orchestrator.model.identity import Identifier
from orchestrator.runtime import addressing
from orchestrator.runtime.addressing import Reached
from orchestrator.runtime.live import Live


@dataclass(frozen=True, slots=True)
class Whose:
    """Who is meant. `told` are profiles that hear of it by their id; with `named` the event itself says whose it is.

    `action_id` is the message that is answered.
    """

    told: tuple[str, ...] = ()
    named: bool = True
    action_id: str | None = None


async def of_order(service: Live, channel: str, said: Written | Stated, kind: str, leaves: bool) -> Whose:
    """Say who withdraws or gives consent: everybody who is reached there, and whoever the address itself names.

    Of several who are reached there, only those come back who had left: the others were asked, or not, by themselves.
    """
    known = await _identified(service, kind, said.sender)
    there = await service.reached(channel, said.sender)
    is_one = len(there) == 1
    found = [each.state.profile_id for each in there if leaves or is_one or each.has_left]
    # A mail that answers ours may come from another address of theirs; that is enough to leave, and to come back not.
    if leaves and isinstance(said, Written) and said.reference is not None:
        found += await _existing(service, said.reference[1])
    others = tuple(each for each in dict.fromkeys(found) if each != known)
    # Only where nobody is known at all does it begin somebody new.
    return Whose(others, named=known is not None or not (others or there))


async def of_message(service: Live, channel: str, said: Written, kind: str) -> Whose:
    """Say whose message it is, and which of ours it answers."""
    if said.reference is not None and (existing := await _existing(service, said.reference[1])):
        return await _owned(service, kind, said, existing[0], said.reference[0])
    found = await service.reached(channel, said.sender)
    region, now_ms = service.catalog.project.identity.region, service.clock.now_ms()
    answers = [
        (sent, each.state.profile_id)
        for each in found
        if (sent := addressing.answered(each, said.answers, said.ours, region, now_ms)) is not None
    ]
    if answers:
        sent, profile_id = max(answers, key=lambda pair: pair[0].at_ms)
        return await _owned(service, kind, said, profile_id, sent.action_id)
    reference = None if said.reference is None else said.reference[0]
    if not found or await _identified(service, kind, said.sender) is not None:
        return Whose(action_id=reference)
    return Whose((_newest(found),), named=False, action_id=reference)


async def _owned(service: Live, kind: str, said: Written, profile_id: str, action_id: str) -> Whose:
    """Hand a message to a profile: by the identifier where that leads there anyway, so that it is on record."""
    is_named = await _identified(service, kind, said.sender) == profile_id
    return Whose(() if is_named else (profile_id,), is_named, action_id)


async def _identified(service: Live, kind: str, address: str) -> str | None:
    """Find whose an event is that names an address as an identifier; what links nobody names whom it names alone."""
    known = await service.find(f"{kind}:{address}", 1)
    rules = service.catalog.project.identity
    if known is None or kind in rules.kinds:
        return None if known is None else known.state.profile_id
    alone = rules.read(kind, address)
    return known.state.profile_id if isinstance(alone, Identifier) and alone.name == known.state.profile_id else None


async def _existing(service: Live, profile_id: str) -> list[str]:
    """Give the profile that one is now; none when nothing is kept of it."""
    state = await service.state_of(profile_id)
    return [] if state is None else [state.profile_id]


def _newest(found: Sequence[Reached]) -> str:
    """Choose among customers who share an address: whom we wrote to last, else who was heard of last."""

    def when(each: Reached) -> tuple[int, int, str]:
        profile = each.state.profile
        sent_ms = each.sent[-1].at_ms if each.sent else 0
        return sent_ms, max(profile.last_seen_ms.values(), default=0), profile.id

    return max(found, key=when).state.profile_id
