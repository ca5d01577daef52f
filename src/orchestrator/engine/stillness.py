"""Stillness: turns to which a customer's segments and watches cannot matter, so that plans may take them.

Where anybody asks for a customer's past, the funnel works out at every turn who has come into a segment or gone from
one, and when time may change that. At nearly all of them nobody has, and nothing of it is different. Owns the question
whether a turn is one of those, what an event still does to such a past (it breaks silences), and the events that come
to nothing at all. Must never come to anything else than the funnel would: `tests/properties/test_plan_laws.py`.
"""

from collections.abc import Callable

from orchestrator.engine import segments, watches
from orchestrator.model import codec, instants
from orchestrator.model.audience import Audiences
from orchestrator.model.catalog import Catalog, Plan, Planned
from orchestrator.model.event import Event
from orchestrator.model.state import State


def stillness_of(catalog: Catalog) -> Callable[[State, int], bool]:
    """Make what tells whether nothing that is kept of the past is due, to be armed, or told of by a turn at an instant.

    That is of turns that change nothing which segments see: traits, consents, counts, purchases.
    """
    audiences, project = catalog.audiences, catalog.project
    if audiences is None:
        return lambda state, now_ms: not state.has_past  # what is left of it is the funnel's to forget
    key, asked = audiences.key, audiences.segments

    def is_still(state: State, now_ms: int) -> bool:
        if not state.has_past or 0 < state.watch_ms <= now_ms or state.past.armed != key:
            return False
        return not asked or segments.stand(state, project, asked, now_ms)

    return is_still


def is_counted(catalog: Catalog, audiences: Audiences, event_type: str) -> bool:
    """Tell whether events of a type are counted, or as purchases reckoned with."""
    asked, purchase = audiences.asked, catalog.project.purchase
    return event_type in asked.counts or (asked.purchases and purchase is not None and event_type == purchase.event)


def heard_by_name(catalog: Catalog, audiences: Audiences) -> frozenset[str] | None:
    """List the events that may come to something; None where any may, because a silence is broken by whatever it is."""
    if catalog.migrating or any(not each.moment.events for each in audiences.inactive):
        return None
    return audiences.hears | catalog.interests.keys()


def heard_beside(catalog: Catalog, audiences: Audiences, event_type: str, plan: Plan) -> Plan | None:
    """Make of a plan the one for customers of whose past somebody asks; None for events that are counted there."""
    asked, is_still = audiences.asked, stillness_of(catalog)
    if is_counted(catalog, audiences, event_type):
        return None
    # What has a plan is the customer's own doing: others tell of profiles, cases and messages, and those have none.
    silences = audiences.silences_of(event_type)

    def take(state: State, event: Event, now_ms: int) -> Planned | None:
        if (asked.last_seen and event.channel is not None) or not is_still(state, now_ms):
            return None
        planned = plan(state, event, now_ms)
        if planned is None:
            return None
        # The funnel does this first, but no condition sees it, and a plan that gives None must have changed nothing.
        past, at_ms = state.past, min(event.time_ms, now_ms)
        is_news = watches.break_silences(past, silences, at_ms, now_ms)
        if audiences.retention and watches.live_on(past, audiences, at_ms):
            is_news = True
        if is_news and not planned.changed:
            return Planned(True, planned.decisions, planned.actions)
        return planned

    return take


def passing_of(catalog: Catalog) -> Callable[[Event, bytes, bytes, int], bool] | None:
    """Make what tells that an event comes to nothing, of a record as it is; one that is known there already does not.

    Those are the events that no journey names and that add nothing to the past. They are heard of because they may be
    the first of a customer, or say where they were last seen.
    """
    audiences = catalog.audiences
    heard = None if audiences is None else heard_by_name(catalog, audiences)
    if audiences is None or heard is None:
        return None
    key, retention, last_seen = audiences.key, audiences.retention, audiences.asked.last_seen
    kept_ms = audiences.retention_ms - instants.DAY_MS  # a day more is noted

    def passes(event: Event, digest: bytes, record: bytes, now_ms: int) -> bool:
        if event.type in heard or event.identifiers or (last_seen and event.channel is not None):
            return False
        seen = codec.glimpse(record)
        if seen is None or seen.past is None or seen.past.armed != key or digest in seen.seen:
            return False
        if retention and min(event.time_ms, now_ms) + kept_ms >= seen.past.recurring.get(retention, 0):
            return False
        # Who stands still may go on at any event.
        return not seen.entries or not any(entry.stopped_ms for entry in seen.entries)

    return passes
