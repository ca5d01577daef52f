"""Addressing: who is reached at an address, and which of our messages somebody answers from there.

    the profile's own address of a channel     what `address` of the channel reads: a trait, or an identifier
    messages that went there                   as the customer's record remembers them (`Sent`)

Whoever writes from an address that is only a trait is still the customer whom we wrote to. A store keeps the hashes of
addresses (`storage.addresses`) to find who may be meant; their records say who is. An address that is no identifier
merges nobody: a family's phone is everybody's who lives there. Owns both questions. Must never keep an address.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from orchestrator.engine.guards import each_of, refuses_everything
from orchestrator.errors import StorageError
from orchestrator.model import codec, ids
from orchestrator.model.catalog import ANSWERABLE
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.model.expression import Scope
from orchestrator.model.identity import EMAIL, PHONE, kept_form
from orchestrator.model.instants import DAY_MS
from orchestrator.model.project import Project
from orchestrator.model.state import Sent, State
from orchestrator.storage import Batch, Store

# An address that more share is a switchboard's, or a mistake.
MOST_OWNERS = 1_000
# A text names no message. One that comes later than this after ours begins something new.
ANSWERED_WITHIN_MS = 3 * DAY_MS
# What the index was made by; another way to write addresses makes it anew.
INDEXED = "addresses"
_AT_ONCE = 10_000
_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reached:
    """A customer who is reached at an address by a channel, and what we sent there, the oldest first.

    `has_left` says that they want nothing more by that channel, whatever for.
    """

    state: State
    sent: Sequence[Sent]
    has_left: bool = False


def written(address: str, region: str | None) -> str:
    """Write an address the one way in which its kind is written."""
    if _E164.fullmatch(address):
        return address  # as nearly all numbers are, and reading one takes long
    return kept_form(EMAIL, address, region) or kept_form(PHONE, address, region) or address.strip()


def name_of(address: str, region: str | None) -> str:
    """Hash an address, for what is kept of it."""
    return ids.profile_id_of("address", written(address, region))


# What is kept


def of_action(project: Project, action: Action) -> list[str]:
    """Name the address that a message goes to; none for a device, which nobody writes from."""
    is_address = action.kind == "message" and isinstance(action.to, str)
    return [name_of(str(action.to), project.identity.region)] if is_address else []


def of_receipt(project: Project, event: Event) -> list[str]:
    """Name the address that a message went to, as its provider was told it."""
    to = event.properties.get("to") if event.type == ANSWERABLE else None
    return [name_of(to, project.identity.region)] if isinstance(to, str) and to else []


def of_state(project: Project, state: State) -> set[str]:
    """Name all addresses that a customer is found by."""
    own = (each for channel in project.channels for each in _own(project, state, channel))
    return {name_of(each, project.identity.region) for each in (*own, *_went_to(state.sent))}


def of_record(project: Project, record: bytes) -> set[str]:
    """Name the same of a record; none of one that a newer release wrote, which others will tell of."""
    try:
        return of_state(project, codec.decode(record))
    except StorageError as error:
        _log.warning("a record's addresses cannot be read", why=str(error))
        return set()


def indexed_by(project: Project) -> bytes:
    """Name the rules by which addresses are found; others make an index anew."""
    sources = [f"{name} {channel.address.source}" for name, channel in sorted(project.channels.items())]
    return ids.derive(project.identity.region or "", *sources).encode()


def index(store: Store, project: Project) -> None:
    """Put the addresses of all customers into a store that does not hold them yet, or by other rules."""
    rules = indexed_by(project)
    if store.position(INDEXED) == rules:
        return
    found: list[tuple[str, str]] = []
    for profile_id, record in store.records():
        found += [(name, profile_id) for name in of_record(project, record)]
        if len(found) >= _AT_ONCE:
            store.commit(Batch(addressed=found))
            found = []
    store.commit(Batch(addressed=found, positions={INDEXED: rules}))


# What is asked


def reached(store: Store, project: Project, channel: str, address: str) -> list[Reached]:
    """Find who is reached at an address by a channel."""
    owners = store.addresses.owners(name_of(address, project.identity.region), MOST_OWNERS + 1)
    if len(owners) > MOST_OWNERS:
        _log.warning("more customers than are looked at have the same address", channel=channel, most=MOST_OWNERS)
    found = []
    for profile_id in owners[:MOST_OWNERS]:
        record = store.read(profile_id)
        each = None if record is None else _reached(project, codec.decode(record), channel, address)
        if each is not None:
            found.append(each)
    return found


def _reached(project: Project, state: State, channel: str, address: str) -> Reached | None:
    """Ask a record whether its customer is reached there: the index only says that they may be."""
    region = project.identity.region
    asked = written(address, region)
    sent = [
        each
        for each in state.sent
        if each.channel == channel and any(written(to, region) == asked for to in _went_to([each]))
    ]
    own = channel in project.channels and any(written(each, region) == asked for each in _own(project, state, channel))
    return Reached(state, sent, refuses_everything(state.profile, channel)) if sent or own else None


def _own(project: Project, state: State, channel: str) -> list[str]:
    """Read where a channel reaches a customer; a list is devices, which nobody writes from."""
    found = project.channels[channel].address.evaluate(Scope(project, state, 0))
    if isinstance(found, int) and not isinstance(found, bool):
        return [str(found)]
    return [found] if isinstance(found, str) and found.strip() else []


def _went_to(sent: Iterable[Sent]) -> Iterator[str]:
    for each in sent:
        if each.address and len(each_of(each.address)) == 1:
            yield each.address
        if each.reached:
            yield each.reached


def answered(found: Reached, answers: str, ours: Sequence[str] | None, region: str | None, now_ms: int) -> Sent | None:
    """Find the message that somebody answers: the one that they name, or for a text the latest from that number.

    `ours` are the numbers of ours that a text came to, none where that is not known, and None for what names the
    message that it answers, or answers none. Of several texts the latest whose journey still waits for something.
    """
    if answers:
        return next((sent for sent in reversed(found.sent) if sent.named == answers), None)
    if ours is None:
        return None
    numbers = {written(each, region) for each in ours}
    since_ms = now_ms - ANSWERED_WITHIN_MS
    left = [
        sent
        for sent in found.sent
        if sent.named
        and sent.at_ms > since_ms
        # The gateway's own number is not known to us, and there is one.
        and (not numbers or sent.named == sent.channel or written(sent.named, region) in numbers)
    ]
    live = {entry.id for entry in found.state.entries}
    return max(left, key=lambda sent: (sent.entry_id in live, sent.at_ms), default=None)
