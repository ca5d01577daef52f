"""Profiles: what an event tells about the customer.

Owns traits, identifiers, consent statements and preferences. An explicit statement always replaces an
older one that it covers; a trait set to null is removed. What was said before what is known, and comes late, changes
nothing of it. Receipts are `receipts`' work.
"""

from bisect import bisect_right
from typing import Any

from orchestrator.engine import cancelling, guards
from orchestrator.engine.turn import Turn
from orchestrator.errors import EventError
from orchestrator.model.catalog import ANSWERABLE, UNREACHABLE, WRITTEN
from orchestrator.model.event import Event
from orchestrator.model.expression import Scope
from orchestrator.model.identity import CUSTOMER_ID
from orchestrator.model.profile import Consent, Profile
from orchestrator.model.project import WINDOWS_MS

# Traits that hold a map by id, to which an event adds instead of replacing the whole.
MAPS = frozenset({"groups"})
# What producers write who mean `true`; a number of 1, too.
MEANT_AS_YES = frozenset({"true", "yes", "y", "on", "1"})


def apply(turn: Turn, event: Event) -> None:
    """Take over what an event tells whose business is the profile."""
    profile = turn.state.profile
    if event.type == "profile_updated":
        _update_traits(turn, profile, event.properties, said_ms(turn, event))
    elif event.type == "consent_changed":
        _record_consent(turn, profile, event)
    elif event.type == "preference_changed":
        _update_preferences(turn, profile, event.properties, said_ms(turn, event))
    elif event.type == UNREACHABLE:
        channel, gone = event.properties.get("channel", event.channel), event.properties.get("addresses")
        if isinstance(channel, str) and isinstance(gone, list):
            mark_unreachable(turn, channel, [one for one in gone if isinstance(one, str)])
    elif event.type == WRITTEN:
        _note_written(turn, profile, event)
    elif event.type == ANSWERABLE:
        _note_answerable(turn, event)


def said_ms(turn: Turn, event: Event) -> int:
    """Date what an event says. A producer's clock that is ahead says nothing of the future.

    Else a yes from there would outlive every no until then, and a window stay open for longer than there is one.
    """
    return min(event.time_ms, turn.now_ms)


def identify(turn: Turn, event: Event) -> None:
    """Put the event's identifiers on record, the newest last, so many of a kind as a customer may have in all."""
    profile = turn.state.profile
    if event.customer_id is not None and event.customer_id != profile.customer_id:
        _know_by(turn, profile, event.customer_id)
    for kind, value in event.identifiers.items():
        known = profile.identifiers.setdefault(kind, [])
        if value not in known:
            since = profile.identified_ms.setdefault(kind, [])
            since += [0] * (len(known) - len(since))  # of a record from before there were instants
            # By their instants, as merging has them: what an app that was offline tells late is not the newest.
            at = bisect_right(since, said_ms(turn, event))
            known.insert(at, value)
            since.insert(at, said_ms(turn, event))
            # Of what links nobody, such as a session, there is no end; the oldest go.
            most = turn.project.identity.limit
            del known[:-most], since[:-most]
            turn.changed = True


def _know_by(turn: Turn, profile: Profile, customer_id: str) -> None:
    """Know a customer by a customer id: their own, or a further one, where the project's limits allow several."""
    if profile.customer_id is None:
        profile.customer_id = customer_id
        turn.changed = True
        return
    further = profile.identifiers.get(CUSTOMER_ID, [])
    if customer_id not in further:
        profile.identifiers[CUSTOMER_ID] = sorted([*further, customer_id])
        profile.identified_ms[CUSTOMER_ID] = [0] * (len(further) + 1)  # as merging writes them
        turn.changed = True


def _update_traits(turn: Turn, profile: Profile, traits: dict[str, Any], at_ms: int) -> None:
    said_ms = profile.said_ms
    for name, value in traits.items():
        if name in MAPS and isinstance(value, dict):
            news = {each: said for each, said in value.items() if said_ms.get(f"{name}.{each}", 0) <= at_ms}
            known = profile.traits.get(name)
            profile.traits[name] = {**known, **news} if isinstance(known, dict) else news
            said_ms.update({f"{name}.{each}": at_ms for each in news})
            said_ms[name] = max(at_ms, said_ms.get(name, 0))
        else:
            _set_trait(profile, name, value, at_ms)
    turn.changed = True


def _set_trait(profile: Profile, name: str, value: Any, at_ms: int) -> None:
    """Take over what is said of a trait, unless something was said of it since: an app that was offline comes late."""
    if at_ms < profile.said_ms.get(name, 0):
        return
    profile.said_ms[name] = at_ms
    if value is None:
        profile.traits.pop(name, None)
    else:
        profile.traits[name] = value


def _record_consent(turn: Turn, profile: Profile, event: Event) -> None:
    said, evidence = event.properties, event.properties.get("evidence")
    granted = _is_yes(said, "granted")
    confirmed = granted and _is_yes(said, "confirmed")
    channel, purpose = (_covered(said, name, granted=granted) for name in ("channel", "purpose"))
    action_id = evidence.get("action_id") if isinstance(evidence, dict) else None
    # In a scope of its own: the turn's keeps the event's properties as they are when it is first asked for.
    scope = Scope(turn.project, turn.state, turn.now_ms)
    if granted and channel and is_of_another_address(scope, channel, action_id):
        confirmed = False
        event.decoded = {**said, "confirmed": False}  # so that no journey takes it for confirmed, either
        known = profile.consent_for(channel, purpose or "")
        if known is not None and known.granted:
            return  # says nothing new, and must not take back what today's address has confirmed
    consent = Consent(
        channel=channel,
        purpose=purpose,
        granted=granted,
        confirmed=confirmed,
        at_ms=said_ms(turn, event),
        source=_text(said.get("source")),
        wording=_text(said.get("wording")),
        method=_text(said.get("method")),
        evidence=evidence,
    )
    add_consent(turn, consent)
    if not consent.granted:
        cancelling.of_withdrawn(turn)


def _is_yes(said: dict[str, Any], name: str) -> bool:
    """Tell whether something is agreed to: only by `true`; whatever else there is says no, so that no no is missed.

    Raises EventError for what was meant as a yes and is none: taken for a no, it would take back an earlier yes.
    """
    value = said.get(name)
    if not isinstance(value, bool) and str(value).strip().casefold() in MEANT_AS_YES:
        raise EventError("bad_properties", f"`{name}` is {value!r}; a yes is `true`, without quotes")
    return value is True


def _covered(said: dict[str, Any], name: str, *, granted: bool) -> str | None:
    """Read which channel or purpose a statement is about; None for all of them.

    Raises EventError for a yes to what is no text: taken for all, it would be one that nobody gave. A no is one to all.
    """
    value = said.get(name)
    if granted and value is not None and not isinstance(value, str):
        raise EventError("bad_properties", f"`{name}` is {value!r}; name one as text, in an event for each")
    return _text(value)


def is_of_another_address(scope: Scope, channel: str, action_id: object) -> bool:
    """Tell whether a message went to an address of the channel that is no longer the customer's.

    Whoever reads there shows nothing of the address that took its place. Of a message that is not remembered any more
    it is not told.
    """
    sent = next((sent for sent in scope.state.sent if sent.action_id == action_id), None)
    asked = scope.project.channels.get(channel)
    if sent is None or sent.address is None or asked is None or sent.channel != channel:
        return False
    today = guards.address_in(scope, asked)
    known = {one.casefold() for one in ([today] if isinstance(today, str) else today or [])}
    return not any(one.casefold() in known for one in guards.each_of(sent.address))


def add_consent(turn: Turn, consent: Consent) -> None:
    """Put a statement on record; older ones that it covers entirely can never decide again and go."""
    profile = turn.state.profile
    # What is said now is said by all lives of this customer; those that it makes alike become one.
    profile.consents, *others = [_with(consent, life) for life in (profile.consents, *profile.lives)]
    profile.lives = [life for at, life in enumerate(others) if life != profile.consents and life not in others[:at]]
    turn.changed = True


def recall(turn: Turn, name: str) -> None:
    """Let the noes hold again of whoever was erased under an address that a journey has written into the profile.

    They bear the instant at which they were made, so that a yes that was given since decides.
    """
    remembered, project = turn.catalog.recall, turn.project
    if remembered is None or name not in project.addressed_by:
        return
    scope = Scope(project, turn.state, turn.now_ms)
    said = [
        one
        for channel in project.channels.values()
        for address in guards.addresses_in(channel.address.evaluate(scope))
        for one in remembered(address)
    ]
    for one in said:
        add_consent(
            turn, Consent(one.channel, one.purpose, granted=False, confirmed=False, at_ms=one.at_ms, source="objection")
        )
    if said:
        cancelling.of_withdrawn(turn)


def _with(consent: Consent, life: list[Consent]) -> list[Consent]:
    left = [older for older in life if not (consent.replaces(older) and older.at_ms <= consent.at_ms)]
    return [*left, consent]


def _update_preferences(turn: Turn, profile: Profile, said: dict[str, Any], at_ms: int) -> None:
    channels = said.get("channels")
    if isinstance(channels, list) and at_ms >= profile.prefers_ms:
        profile.prefers = list(dict.fromkeys(channel for channel in channels if isinstance(channel, str)))
        profile.prefers_ms = at_ms
    for name in ("language", "timezone"):
        if isinstance(said.get(name), str):
            _set_trait(profile, name, said[name], at_ms)
    windows = said.get("quiet_hours")
    if windows is not None and at_ms >= profile.quiet_hours_ms:
        profile.quiet_hours = [
            window for window in (windows if isinstance(windows, list) else [windows]) if isinstance(window, dict)
        ]
        profile.quiet_hours_ms = at_ms
    turn.changed = True


def mark_unreachable(turn: Turn, channel: str, gone: list[str]) -> None:
    """Note addresses that take nothing any more; of those noted before, only what is still an address is kept."""
    unreachable = turn.state.profile.unreachable
    asked = turn.project.channels.get(channel)
    today = None if asked is None else guards.address_of(turn, asked)
    kept = [] if today is None or channel not in unreachable else guards.each_of(unreachable[channel])
    known = [today] if isinstance(today, str) else today or []
    dead = {*gone, *(one for one in kept if one in known)}
    if dead:
        unreachable[channel] = guards.as_text(sorted(dead))
        turn.changed = True


def _note_written(turn: Turn, profile: Profile, event: Event) -> None:
    channel = event.properties.get("channel", event.channel)
    if isinstance(channel, str) and channel in WINDOWS_MS and channel in turn.project.channels:
        at_ms = said_ms(turn, event)
        if at_ms > profile.wrote_ms.get(channel, 0):
            profile.wrote_ms[channel] = at_ms
            turn.changed = True


def _note_answerable(turn: Turn, event: Event) -> None:
    """Remember how an answer names a message, and the address that it went to."""
    said = event.properties
    sent = next((sent for sent in turn.state.sent if sent.action_id == said.get("action_id")), None)
    if sent is None:
        return
    named, to = _text(said.get("named")), _text(said.get("to"))
    if to is not None and to != sent.address:
        sent.reached, turn.changed = to, True
    if named is not None and turn.catalog.hears_answers:
        sent.named, turn.changed = named, True


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
