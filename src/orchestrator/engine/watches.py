"""Watches: for each enter rule that time opens, the next instant at which it may open for this customer.

Owns their arming: at first sight, by what the customer does, by what becomes known of them, and when they leave. A
rule keeps its instant under another version of its journey, and a broadcast that was made is never made again.
Opening entries is `moments`' work.
"""

from collections.abc import Iterable

from orchestrator.engine import calendars, matching
from orchestrator.engine.turn import Turn
from orchestrator.model import instants
from orchestrator.model.audience import Audiences, Inactive, Moment, OnDate, Schedule, Silence, Watched
from orchestrator.model.event import Event
from orchestrator.model.journey import Journey
from orchestrator.model.state import Past
from orchestrator.model.zones import zone_of

# Two clocks on earth are never further apart.
_ZONES_APART_MS = 27 * instants.HOUR_MS


def arm(turn: Turn, watched: Iterable[Watched]) -> None:
    """Arm the rules that are new to this customer, as of now: what was before their time has passed."""
    past = turn.state.past
    for each in watched:
        if each.key in past.due or each.key in past.recurring:
            continue
        moment = each.moment
        if isinstance(moment, Inactive):
            past.due[each.key] = turn.now_ms + moment.for_ms
        elif isinstance(moment, Schedule) and moment.every is not None:
            past.recurring[each.key] = next_ms(turn, moment, turn.now_ms)
        else:
            at_ms = next_ms(turn, moment, turn.now_ms)
            # A broadcast of before their time is not noted, as one that was made is: another life of theirs may be
            # waiting for it still, in a zone behind.
            if at_ms or not isinstance(moment, Schedule):
                past.due[each.key] = at_ms


def arm_again(turn: Turn, watched: Iterable[Watched]) -> None:
    """Ask the calendar anew after something became known of the customer: another zone, another birthday."""
    past = turn.state.past
    for each in watched:
        moment = each.moment
        known = _known_ms(past, each.key)
        if isinstance(moment, Inactive) or (isinstance(moment, Schedule) and not known):
            continue  # a broadcast that was made, or was missed, is over in every zone
        at_ms = next_ms(turn, moment, turn.now_ms)
        if isinstance(moment, Schedule) and moment.once is not None and not at_ms:
            at_ms = turn.now_ms + 1  # where they live now it is past that time already, and they have not had it
        if at_ms and known and _recurs(moment):
            at_ms = _but_once_a_day(turn, moment, at_ms, known)
        if at_ms != known:
            recurs = isinstance(moment, Schedule) and moment.every is not None
            _put(past, each.key, at_ms, recurs=recurs)
            turn.changed = True


def _but_once_a_day(turn: Turn, moment: Moment, at_ms: int, known_ms: int) -> int:
    """Pass over a day that has come on the clock of another zone; the one after it is what was known to come then."""
    after_ms = next_ms(turn, moment, at_ms)
    return after_ms if abs(after_ms - known_ms) < min(abs(at_ms - known_ms), _ZONES_APART_MS) else at_ms


def _recurs(moment: Moment) -> bool:
    return (isinstance(moment, Schedule) and moment.every is not None) or (isinstance(moment, OnDate) and moment.yearly)


def hear(turn: Turn, audiences: Audiences, event: Event) -> None:
    """Let an event break the silences that it breaks."""
    silences = audiences.silences_of(event.type)
    if not (silences or audiences.retention) or matching.is_machine_made(event):
        return
    at_ms = min(event.time_ms, turn.now_ms)
    is_alive = matching.is_sign_of_life(turn, event)
    if is_alive and audiences.retention and live_on(turn.state.past, audiences, at_ms):
        turn.changed = True
    if not is_alive:
        silences = tuple(each for each in silences if each.moment.events)
    if break_silences(turn.state.past, silences, at_ms, turn.now_ms):
        turn.changed = True


def live_on(past: Past, audiences: Audiences, at_ms: int) -> bool:
    """Keep a customer on for as long again after a sign of life; noted once a day, years being what it is about."""
    due_ms = at_ms + audiences.retention_ms
    if due_ms < past.recurring.get(audiences.retention, 0) + instants.DAY_MS:
        return False
    past.recurring[audiences.retention] = due_ms
    return True


def break_silences(past: Past, silences: Iterable[Silence], at_ms: int, now_ms: int) -> bool:
    """Begin silences anew at an instant; tell whether that is news of any."""
    is_news = False
    for each in silences:
        due_ms = at_ms + each.moment.for_ms
        if due_ms > max(now_ms, _known_ms(past, each.key)):
            _put(past, each.key, due_ms, recurs=False)
            is_news = True
    return is_news


def leave(turn: Turn, journey: Journey) -> None:
    """Begin a silence anew when the customer leaves the journey that it opens."""
    audiences = turn.catalog.audiences
    for each in audiences.inactive if audiences is not None else ():
        if each.journey.id == journey.id:
            _put(turn.state.past, each.key, turn.now_ms + each.moment.for_ms, recurs=True)


def joined(audiences: Audiences | None, mine: Past, other: Past) -> dict[str, int]:
    """Say of two lives that are one customer's which broadcasts are made (0), and until when they are silent."""
    found: dict[str, int] = {}
    for each in audiences.watched if audiences is not None else ():
        both = [
            _known_ms(past, each.key) for past in (mine, other) if each.key in past.due or each.key in past.recurring
        ]
        if isinstance(each.moment, Inactive) and both:
            found[each.key] = max(both)
        elif isinstance(each.moment, Schedule) and each.moment.once is not None and 0 in both:
            found[each.key] = 0
    return found


def kept(audiences: Audiences | None, mine: Past, other: Past) -> dict[str, int]:
    """Say of two lives that are one customer's until when they are kept without a sign of life."""
    key = audiences.retention if audiences is not None else ""
    until_ms = max(mine.recurring.get(key, 0), other.recurring.get(key, 0))
    return {key: until_ms} if key and until_ms else {}


def move_on(turn: Turn, each: Watched) -> None:
    """Go on from an instant that has come to the one after it, where there is one."""
    moment, past = each.moment, turn.state.past
    if _recurs(moment):
        _put(past, each.key, next_ms(turn, moment, turn.now_ms), recurs=True)
    else:
        _put(past, each.key, 0, recurs=False)
    turn.changed = True


def next_ms(turn: Turn, moment: Moment, now_ms: int) -> int:
    """Find the next instant of a schedule or date on the customer's own clock, strictly later than now; 0 for none."""
    zone = zone_of(turn.state.profile, turn.project)
    if isinstance(moment, Schedule):
        if moment.once is not None:
            at_ms = calendars.at_wall(moment.once, zone)
            return at_ms if at_ms > now_ms else 0
        if moment.day is not None:
            return calendars.next_day_of_month(now_ms, zone, moment.minute, moment.day)
        days = frozenset() if moment.weekday is None else frozenset({moment.weekday})
        return calendars.next_time(now_ms, zone, moment.minute, days)
    if isinstance(moment, OnDate):
        day = calendars.read_date(moment.date.evaluate(turn.scope_at(None)), zone)
        return 0 if day is None else calendars.next_date(now_ms, zone, day, moment) or 0
    return 0


def _known_ms(past: Past, key: str) -> int:
    return past.due.get(key) or past.recurring.get(key, 0)


def _put(past: Past, key: str, at_ms: int, *, recurs: bool) -> None:
    to, other = (past.recurring, past.due) if recurs else (past.due, past.recurring)
    other.pop(key, None)
    to[key] = at_ms
