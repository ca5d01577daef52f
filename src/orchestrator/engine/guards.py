"""Guards: whether a message may leave by a channel now, later, or not at all, and why.

Owns the order of the reasons (LANGUAGE.md, "Sending"). Each answer depends on the state, the project
and the instant only, so that it can be asked again, at the end of quiet hours or by somebody who wants
to know.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from orchestrator.engine import calendars, cases, payload
from orchestrator.engine.turn import Turn, draw
from orchestrator.model.decision import Reason
from orchestrator.model.expression import Scope
from orchestrator.model.journey import Journey
from orchestrator.model.profile import Profile
from orchestrator.model.project import WINDOWS_MS, Cap, Channel, Message, Project, Purpose, QuietHours, is_always_quiet
from orchestrator.model.state import Entry, Sent
from orchestrator.model.zones import zone_of

# Bound once: on Python 3.11 each look-up of an enum's member costs as much as a method call.
_UNREACHABLE, _NO_CONSENT, _NOT_ALLOWED = Reason.UNREACHABLE, Reason.NO_CONSENT, Reason.NOT_ALLOWED
_CASE_OPEN, _WINDOW_CLOSED, _HOLDOUT = Reason.CASE_OPEN, Reason.WINDOW_CLOSED, Reason.HOLDOUT
_CAP_REACHED, _QUIET_HOURS = Reason.CAP_REACHED, Reason.QUIET_HOURS
# Which holdout somebody is in, as `saw` of an entry says.
UNIVERSAL, OWN = "universal", "journey"
Address = str | list[str]
# A purpose of this name, where there is one, stands for being measured.
TRACKING_PURPOSE = "tracking"


class Answer(msgspec.Struct, gc=False):
    """May it leave by this channel? `reason` None says yes; with QUIET_HOURS, `until_ms` is their end, 0 for never.

    With CAP_REACHED, `cap` is the one.

    A yes comes with what is to be asked again at the real moment of sending, as an action carries it: the quiet hours,
    and the end of the window in which a channel takes texts of our own wording.
    """

    channel: str
    reason: Reason | None
    address: Address = ""
    until_ms: int = 0
    quiet: dict[str, Any] | None = None
    cap: Cap | None = None
    window_ms: int = 0


def ask(turn: Turn, journey: Journey, entry: Entry, channel: Channel, purpose: Purpose, message: Message) -> Answer:
    """Ask every guard of one channel, in order; the first "no" is the answer."""
    state, project, now_ms, name = turn.state, turn.catalog.project, turn.now_ms, channel.name
    profile = state.profile
    address = reachable_of(turn, channel)
    if address is None:
        return Answer(name, _UNREACHABLE)
    # Consent comes before quiet hours: a customer who withdrew at 23:00 is on record as `no_consent`,
    # not as held until the morning and then refused.
    if not consents(profile, name, purpose):
        return Answer(name, _NO_CONSENT)
    if purpose.only_if is not None and not purpose.only_if.holds(turn.scope_of(entry)):
        return Answer(name, _NOT_ALLOWED)
    if state.cases and cases.is_silenced(state, purpose):
        return Answer(name, _CASE_OPEN)
    window_ms = window_until(turn, name)
    if window_ms <= now_ms and needs_window(turn, entry, name, message):
        return Answer(name, _WINDOW_CLOSED)
    if is_held_out(turn, journey, purpose):
        return Answer(name, _HOLDOUT)
    for cap in purpose.caps:
        is_counted = cap.channel is None or cap.channel == name
        if is_counted and is_reached(project, state.sent, now_ms, cap, purpose):
            return Answer(name, _CAP_REACHED, cap=cap)
    windows = quiet_windows(project, profile, purpose, name)
    if not windows:
        return Answer(name, None, address, window_ms=window_ms)
    zone = zone_of(profile, project)
    until_ms = calendars.quiet_until(now_ms, zone, windows)
    if until_ms:
        # The customer's own may close the gap that the project's leave: nothing is held that could never leave.
        is_closed = profile.quiet_hours and is_always_quiet(windows)
        return Answer(name, _QUIET_HOURS, address, 0 if is_closed else until_ms)
    return Answer(name, None, address, quiet=calendars.as_data(zone, windows), window_ms=window_ms)


def window_until(turn: Turn, channel: str) -> int:
    """Say until when a channel takes texts of our own wording from us; 0 where it has no such window, or none is open.

    The window is [written, written + its length).
    """
    if channel not in WINDOWS_MS:
        return 0
    wrote_ms = turn.state.profile.wrote_ms.get(channel, 0)
    return wrote_ms + WINDOWS_MS[channel] if wrote_ms else 0


def needs_window(turn: Turn, entry: Entry, channel: str, message: Message) -> bool:
    """Tell whether a message has no template for when the window is shut, in the language that it would be in."""
    only_text = message.only_text.get(channel)
    if not only_text:
        return False
    return payload.language_of(turn.scope_of(entry), turn.catalog.project, message) in only_text


def address_of(turn: Turn, channel: Channel) -> Address | None:
    """Find where a channel is to reach the customer: text, or several (their devices); None when nowhere."""
    return address_in(turn.scope_at(None), channel)


def address_in(scope: Scope, channel: Channel) -> Address | None:
    """Find the same in a scope."""
    found: Any = channel.address.evaluate(scope)
    if found.__class__ is str:  # as nearly all are
        return found.strip() or None
    addresses = addresses_in(found)
    return addresses or None if isinstance(found, list) else next(iter(addresses), None)


def addresses_in(value: Any) -> list[str]:
    """Read what may be one address, or several: texts, numbers, browsers' subscriptions."""
    if isinstance(value, list):
        return [text for one in value if (text := _device_in(one))]
    if isinstance(value, int) and not isinstance(value, bool):
        return [str(value)]
    return [text] if (text := _device_in(value)) else []


def _device_in(value: Any) -> str:
    """Read a single address, "" where there is none; a browser's subscription is an object, and goes as its JSON."""
    if isinstance(value, dict) and isinstance(value.get("endpoint"), str):
        return msgspec.json.encode(value, order="sorted").decode()
    return value.strip() if isinstance(value, str) else ""


def reachable_of(turn: Turn, channel: Channel) -> Address | None:
    """Find the same without what takes nothing any more: of several devices those that are dead."""
    address = address_of(turn, channel)
    dead = turn.state.profile.unreachable.get(channel.name)
    if address is None or dead is None:
        return address
    gone = each_of(dead)
    if isinstance(address, str):
        return None if address in gone else address
    return [one for one in address if one not in gone] or None


def as_text(address: Address) -> str:
    """Write an address as one text, to compare it with those that bounced: a line for each."""
    return address if isinstance(address, str) else "\n".join(address)


def each_of(text: str) -> list[str]:
    """List the addresses that `as_text` wrote."""
    return text.split("\n")


def consents(profile: Profile, channel: str, purpose: Purpose) -> bool:
    """Whether the customer lets us speak for this purpose on this channel."""
    return purpose.consent == "none" or purpose.is_consented(profile.consent_for(channel, purpose.name))


def refuses_everything(profile: Profile, channel: str) -> bool:
    """Whether the customer has said no to all that comes by this channel, whatever for, as STOP does."""
    said = profile.consent_for(channel, "")
    return said is not None and not said.granted


def tracked(profile: Profile, project: Project, channel: str) -> list[str]:
    """List what of a message may be tracked: its channel's, and where there is such a purpose, with a "yes" to it."""
    purpose = project.purposes.get(TRACKING_PURPOSE)
    if purpose is not None and not consents(profile, channel, purpose):
        return []
    return list(project.channels[channel].track)


def is_held_out(turn: Turn, journey: Journey, purpose: Purpose | None) -> bool:
    """Whether the customer is in the universal holdout (never for a purpose without consent) or the journey's own."""
    return holdout_of(turn, journey, purpose) is not None


def holdout_of(turn: Turn, journey: Journey, purpose: Purpose | None) -> str | None:
    """Name the holdout that the customer is in, the universal one first; None outside of both."""
    percent = turn.catalog.project.holdout_percent
    if not percent and not journey.holdout_percent:
        return None
    profile_id = turn.state.profile_id
    is_asked = purpose is None or purpose.consent != "none"
    if percent and is_asked and draw(turn, "", "holdout", profile_id) < percent:
        return UNIVERSAL
    if journey.holdout_percent and draw(turn, journey.id, "holdout", profile_id, journey.id) < journey.holdout_percent:
        return OWN
    return None


def is_reached(project: Project, messages: Sequence[Sent], now_ms: int, cap: Cap, purpose: Purpose) -> bool:
    """Whether one more message now, by a channel that a cap counts, would break it: the window is (now - per, now]."""
    if len(messages) < cap.at_most:
        return False
    since_ms = now_ms - cap.per_ms
    count = 0
    for sent in messages:
        if sent.at_ms > since_ms and (cap.channel is None or sent.channel == cap.channel):
            count += _counts(project, cap, sent.purpose, purpose)
    return count >= cap.at_most


def _counts(project: Project, cap: Cap, purpose_sent: str, purpose: Purpose) -> bool:
    """Whether a cap counts a message: a purpose's own its messages, the project's those of all with policies."""
    if purpose_sent == purpose.name:
        return True
    other = project.purposes.get(purpose_sent)
    return cap.is_shared and other is not None and other.has_policies


def quiet_windows(project: Project, profile: Profile, purpose: Purpose, channel: str) -> tuple[QuietHours, ...]:
    """List the quiet hours that hold for a purpose and channel, the customer's own among them."""
    windows = project.quiet_hours[purpose.name, channel]
    if profile.quiet_hours and purpose.has_policies and purpose.consent != "none":
        windows += own_quiet_hours(profile)
    return windows


def own_quiet_hours(profile: Profile) -> tuple[QuietHours, ...]:
    """Read the quiet hours that the customer asked for; a window that cannot be read holds nothing up.

    Nor does one that ends when it begins: it may mean never as well as always, and always would hold for ever.
    """
    found = []
    for window in profile.quiet_hours:
        begins, ends = calendars.read_minute(window.get("from")), calendars.read_minute(window.get("to"))
        if begins is not None and ends is not None and begins != ends:
            found.append(QuietHours(begins, ends))
    return tuple(found)
