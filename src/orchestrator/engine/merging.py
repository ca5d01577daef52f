"""Merging: two lives turn out to be one customer's.

Owns the rules by which every part of a state is merged; they stand here, in README's table, and nowhere else. Must
never decide whose two lives are one: that is `linking`'s.

| part | rule |
| --- | --- |
| traits, groups | by field: what was said last, a taking back included |
| preferred channels, own quiet hours | what was said last |
| identifiers | all of them, by the time each became known, so that the newest is still the newest |
| consents | by channel and purpose, an explicit no of either life beats a yes, also for what is on its way |
| unreachable | a channel that is so in either life, for the addresses that bounced there |
| first and last seen, last written | the earliest; by channel, the latest |
| caps | the messages of both count, each once; each is taken back by the profile that it left to |
| events seen | those of both are known again |
| entries | all; of two with the same journey and key the one that sent more messages stays, else the older one |
| twins | ties go by the smaller id; the other exits as `merged`, its messages go back; with `again: always` both stay |
| timers | they stay with their entries |
| last exits | by journey and key, the later one |
| ended entries with an open goal | those of both |
| cases | those open in either life |
| draws of splits and holdouts | what was drawn stays drawn; where both drew, the earlier draw |
| refusals on record | those of both |
| counts | summed; an event that both lives counted, known by its instant, counts once |
| purchases | summed; one that both lives were told of, known by its event, counts once; the last one is the later |
| segments | who was in one in either life was in it; what they are in together is asked at the event that comes next |
| schedules, dates, silences | a broadcast that either had was made; of two silences the later; dates by what is known |
| retention | as long as the life is kept of which something was heard later |

Laws: the order in which lives are merged makes no difference, nor which one is merged into which (but for the
profile's id), and a life merged with itself is as it was.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import fsum
from typing import Any, TypeVar

import msgspec

from orchestrator.engine import cancelling, endings, guards, profiles, watches
from orchestrator.engine.cases import MAX_CASES
from orchestrator.engine.linking import RefusedLink
from orchestrator.engine.past import MAX_COUNTED, MAX_LATELY
from orchestrator.engine.turn import Turn
from orchestrator.model.catalog import Catalog
from orchestrator.model.decision import Reason, Verdict
from orchestrator.model.identity import CUSTOMER_ID, Unnamed
from orchestrator.model.journey import Journey
from orchestrator.model.profile import Consent, Profile
from orchestrator.model.state import DIGEST_BYTES, Case, Entry, Past, Purchase, Purchases, Sent, State

# What is decided about a customer as a whole belongs to no journey.
NO_JOURNEY = Journey("", 0, None, {}, ())
# So many refusals are remembered, so that each is on record once.
MAX_REFUSED = 50

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_Held = TypeVar("_Held")


def meet(turn: Turn, cause: str, lives: Sequence[State], refused: Sequence[RefusedLink | Unnamed]) -> None:
    """Merge lives into the turn's own, and put on record what was merged and which links were refused."""
    turn.begin_meeting(cause)
    for life in lives:
        turn.changed = True
        kinds = sorted({*life.profile.identifiers, *(["customer_id"] if life.profile.customer_id else [])})
        saw = {"profile": life.profile_id, "kinds": ", ".join(kinds) or "no name"}
        turn.decide(NO_JOURNEY, None, None, Verdict.MERGED, Reason.SAME_CUSTOMER, saw)
        for twin in join(turn.catalog, turn.state, life):
            journey = turn.catalog.journey(twin.journey, twin.version)
            gone = journey or Journey(twin.journey, twin.version, None, {}, ())
            turn.decide(gone, twin, twin.step, Verdict.EXITED, Reason.TWIN)
            cancelling.of_entry(turn, twin)
    if lives:
        cancelling.of_withdrawn(turn)  # a no of one life holds for what is on its way to another
    for no in refused:
        _say_refused(turn, no)


def _say_refused(turn: Turn, no: RefusedLink | Unnamed) -> None:
    name = no.name[:16] if isinstance(no, RefusedLink) else ""
    record = f"{no.reason}:{no.kind}:{name}"
    on_record = turn.state.history.refused
    if record in on_record:
        return
    turn.state.history.refused = [*on_record, record][-MAX_REFUSED:]
    turn.changed = True
    turn.decide(NO_JOURNEY, None, None, Verdict.NOT_MERGED, no.reason, {"kind": no.kind})


def join(catalog: Catalog, mine: State, other: State) -> list[Entry]:
    """Merge another life into a state, in place; give the entries that end because their twin stays."""
    _join_profiles(mine.profile, other.profile)
    twins = _join_entries(catalog, mine, other)
    mine.seen = _join_seen(mine.seen, other.seen)
    _join_histories(mine, other)
    if mine.has_past or other.has_past:
        _join_pasts(catalog, mine.past, other.past)
    return twins


# The profile


def _join_profiles(mine: Profile, other: Profile) -> None:
    _join_identifiers(mine, other)
    _join_traits(mine, other)
    if _is_later(other.prefers_ms, other.prefers, mine.prefers_ms, mine.prefers):
        mine.prefers, mine.prefers_ms = other.prefers, other.prefers_ms
    if _is_later(other.quiet_hours_ms, other.quiet_hours, mine.quiet_hours_ms, mine.quiet_hours):
        mine.quiet_hours, mine.quiet_hours_ms = other.quiet_hours, other.quiet_hours_ms
    lives = sorted(_distinct([mine.consents, *mine.lives, other.consents, *other.lives]), key=_encode)
    mine.consents, mine.lives = (lives[0], lives[1:]) if lives else ([], [])
    mine.unreachable = _all_addresses(mine.unreachable, other.unreachable)
    mine.last_seen_ms = _greatest(mine.last_seen_ms, other.last_seen_ms)
    mine.wrote_ms = _greatest(mine.wrote_ms, other.wrote_ms)
    mine.first_seen_ms = min(filter(None, (mine.first_seen_ms, other.first_seen_ms)), default=0)


def _distinct(lives: list[list[Consent]]) -> list[list[Consent]]:
    return [life for at, life in enumerate(lives) if life and life not in lives[:at]]


def _join_identifiers(mine: Profile, other: Profile) -> None:
    ids_of_both = sorted({one.customer_id for one in (mine, other) if one.customer_id is not None})
    known: dict[str, dict[str, int]] = {}
    for profile in (mine, other):
        for kind, values in profile.identifiers.items():
            since = profile.identified_ms.get(kind, [])
            for at, value in enumerate(values):
                since_ms = since[at] if at < len(since) else 0
                of_kind = known.setdefault(kind, {})
                of_kind[value] = min(of_kind.get(value, since_ms), since_ms)
    if ids_of_both:
        mine.customer_id = ids_of_both[0]
        # Without instants: whichever life's own id is the further one now was known since nobody knows when.
        further = {*ids_of_both, *known.pop(CUSTOMER_ID, {})} - {mine.customer_id}
        if further:
            known[CUSTOMER_ID] = dict.fromkeys(further, 0)
    mine.identifiers, mine.identified_ms = {}, {}
    for kind in sorted(known):
        ordered = sorted(known[kind].items(), key=lambda pair: (pair[1], pair[0]))
        mine.identifiers[kind] = [value for value, _ in ordered]
        mine.identified_ms[kind] = [since_ms for _, since_ms in ordered]


def _join_traits(mine: Profile, other: Profile) -> None:
    traits: dict[str, Any] = {}
    for name in sorted({*mine.traits, *other.traits}):
        if name in profiles.MAPS:
            continue
        traits[name] = _later(mine, other, name, mine.traits.get(name), other.traits.get(name))
    for name in sorted(profiles.MAPS & {*mine.traits, *other.traits}):
        mapped = [one.traits[name] if isinstance(one.traits.get(name), dict) else {} for one in (mine, other)]
        fields = sorted({*mapped[0], *mapped[1]})
        traits[name] = {
            field: _later(mine, other, f"{name}.{field}", mapped[0].get(field), mapped[1].get(field))
            for field in fields
        }
    mine.traits = {name: value for name, value in traits.items() if value is not None}
    mine.said_ms = _greatest(mine.said_ms, other.said_ms)


def _later(mine: Profile, other: Profile, name: str, own: Any, theirs: Any) -> Any:
    """Choose what was said last about a field; what was never said, or only before there were instants, is older."""
    own_ms, their_ms = (
        mine.said_ms.get(name, -1 if own is None else 0),
        other.said_ms.get(name, -1 if theirs is None else 0),
    )
    return theirs if _is_later(their_ms, theirs, own_ms, own) else own


def _is_later(one_ms: int, one: Any, other_ms: int, other: Any) -> bool:
    """Whether one was said after the other; of one instant, the greater as bytes, so that order cannot tell."""
    return one_ms > other_ms or (one_ms == other_ms and _encode(one) > _encode(other))


def _greatest(mine: dict[str, _Held], other: dict[str, _Held]) -> dict[str, _Held]:
    """Take by key the greater of two values."""
    both: dict[str, Any] = {**mine, **other}
    for name in mine.keys() & other.keys():
        both[name] = max(both[name], mine[name])
    return {name: both[name] for name in sorted(both)}


def _all_addresses(mine: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    """Take by channel the addresses of both."""
    both: dict[str, str] = {}
    for name in sorted(mine.keys() | other.keys()):
        known = {one for held in (mine, other) if name in held for one in guards.each_of(held[name])}
        both[name] = guards.as_text(sorted(known))
    return both


# Entries


def _join_entries(catalog: Catalog, mine: State, other: State) -> list[Entry]:
    own = {entry.id for entry in mine.entries}
    both = [*mine.entries, *(entry for entry in other.entries if entry.id not in own)]
    both.sort(key=lambda entry: (entry.entered_ms, entry.id))
    best: dict[tuple[str, str | None], Entry] = {}
    for entry in both:
        passage = entry.journey, entry.key
        if passage not in best or _strength(entry) < _strength(best[passage]):
            best[passage] = entry
    stay: list[Entry] = []
    twins: list[Entry] = []
    for entry in both:
        is_best = best[entry.journey, entry.key] is entry
        (stay if is_best or _may_be_twice(catalog, entry) else twins).append(entry)
    mine.entries = stay
    return twins


def _strength(entry: Entry) -> tuple[int, int, str]:
    return -entry.messages, entry.entered_ms, entry.id


def _may_be_twice(catalog: Catalog, entry: Entry) -> bool:
    journey = catalog.journey(entry.journey, entry.version)
    return journey is not None and journey.again.kind == "always"


# History


def _join_histories(one: State, another: State) -> None:
    mine, other = one.history, another.history
    for journey, exits in other.exits.items():
        mine.exits[journey] = _greatest(mine.exits.get(journey, {}), exits)
    ended = {one.id: one for one in (*other.ended, *mine.ended)}
    mine.ended = sorted(ended.values(), key=lambda one: (one.from_ms, one.id))[-endings.MAX_ENDED :]
    sent = {each.action_id: each for each in (*_sent_by(another), *_sent_by(one))}
    mine.sent = sorted(sent.values(), key=lambda one: (one.at_ms, one.action_id))
    mine.cases = _join_cases([*mine.cases, *other.cases])
    for name, made in other.draws.items():
        mine.draws[name] = min(made, mine.draws.get(name, made), key=lambda draw: (draw[1], draw[0]))
    mine.refused = sorted({*mine.refused, *other.refused})[-MAX_REFUSED:]


def _sent_by(life: State) -> Iterator[Sent]:
    """Give a life's messages, each with the profile that it left to: they lie with delivery under that."""
    for sent in life.sent:
        yield sent if sent.profile_id else msgspec.structs.replace(sent, profile_id=life.profile_id)


def _join_cases(cases: Iterable[Case]) -> list[Case]:
    known: dict[str, Case] = {}
    for case in cases:
        twin = known.get(case.id, case)
        first = min(twin, case, key=lambda one: (one.opened_ms, not one.journey))
        known[case.id] = msgspec.structs.replace(first, pause=sorted({*twin.pause, *case.pause}))
    return sorted(known.values(), key=lambda case: (case.opened_ms, case.id))[-MAX_CASES:]


# The past


def _join_pasts(catalog: Catalog, mine: Past, other: Past) -> None:
    mine.armed = ""  # so that whatever time may change is worked out anew
    mine.members = {
        key: mine.members.get(key, False) or other.members.get(key, False)
        for key in sorted({*mine.members, *other.members})
    }
    for event_type, instants_ms in other.counts.items():
        both = Counter(mine.counts.get(event_type, ())) | Counter(instants_ms)
        mine.counts[event_type] = sorted(both.elements())[-MAX_COUNTED:]
    known = watches.joined(catalog.audiences, mine, other)
    mine.due = {**_earliest(mine.due, other.due), **known}
    kept = watches.kept(catalog.audiences, mine, other)
    recurring = _earliest(mine.recurring, other.recurring)
    mine.recurring = {key: at_ms for key, at_ms in recurring.items() if key not in known}
    mine.recurring |= kept
    mine.purchases = _join_purchases(mine.purchases, other.purchases)


def _earliest(mine: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """Take by watch the earlier of two instants; 0 stands for none."""
    both: dict[str, int] = {}
    for key in sorted({*mine, *other}):
        both[key] = min(filter(None, (mine.get(key, 0), other.get(key, 0))), default=0)
    return both


def _join_purchases(mine: Purchases | None, other: Purchases | None) -> Purchases | None:
    if mine is None or other is None:
        return mine or other
    last = max(mine, other, key=lambda bought: (bought.last_ms, bought.currency))
    known: dict[bytes, Purchase] = {}
    twice: list[Purchase] = []
    for bought in (*mine.lately, *other.lately):
        twin = known.setdefault(bought.digest, bought)
        if twin is not bought:
            known[bought.digest] = max(twin, bought)
            twice.append(min(twin, bought))
    spent = {}
    for currency in sorted({*mine.spent, *other.spent}):
        once = [-bought.value for bought in twice if bought.currency == currency]
        spent[currency] = fsum([mine.spent.get(currency, 0.0), other.spent.get(currency, 0.0), *once])
    lately = sorted(known.values())[-MAX_LATELY:]
    return Purchases(mine.count + other.count - len(twice), last.last_ms, last.currency, spent, lately)


def _join_seen(mine: bytes, other: bytes) -> bytes:
    """Join the digests of events: the newest of both are the newest. Only the next event forgets the oldest."""
    ages: dict[bytes, int] = {}
    for seen in (mine, other):
        digests = [seen[at : at + DIGEST_BYTES] for at in range(0, len(seen), DIGEST_BYTES)]
        for age, digest in enumerate(reversed(digests)):
            ages[digest] = min(age, ages.get(digest, age))
    oldest_first = sorted(ages.items(), key=lambda pair: (-pair[1], pair[0]))
    return b"".join(digest for digest, _ in oldest_first)
