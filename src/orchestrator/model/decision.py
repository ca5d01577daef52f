"""Decisions: one recorded choice, with its verdict and why; and every word they use.

Owns the verdicts and the reason codes. A code is the same string in YAML, metrics, decisions and on
screen, and never changes its meaning. Exit reasons are the author's own words and not listed here.
"""

from enum import StrEnum
from typing import Any

import msgspec


class Verdict(StrEnum):
    """What became of the question that a decision answers."""

    ENTERED = "entered"
    NOT_ENTERED = "not_entered"
    WAITED = "waited"
    RESUMED = "resumed"
    SENT = "sent"
    HELD = "held"
    SUPPRESSED = "suppressed"
    BRANCHED = "branched"
    CHANGED = "changed"
    EMITTED = "emitted"
    HANDED_OFF = "handed_off"
    CALLED = "called"
    SCORED = "scored"
    EXITED = "exited"
    CONVERTED = "converted"
    PARKED = "parked"
    MOVED = "moved"
    MERGED = "merged"
    NOT_MERGED = "not_merged"


class Reason(StrEnum):
    """Why, as one stable word. The comment behind each group names the verdicts it goes with."""

    # entered: what opened the entry
    EVENT = "event"
    SEGMENT = "segment"
    SEGMENT_LEFT = "segment_left"
    SCHEDULE = "schedule"
    DATE = "date"
    INACTIVE = "inactive"

    # not_entered, in the order in which they are asked
    NOT_LIVE = "not_live"
    CONDITION_FALSE = "condition_false"
    KEY_MISSING = "key_missing"
    ALREADY_INSIDE = "already_inside"
    NOT_AGAIN = "not_again"
    LIMIT_REACHED = "limit_reached"
    ENTRY_LIMIT = "entry_limit"

    # waited: for what
    TIME = "time"
    FOR_EVENT = "for_event"
    FOR_ANSWER = "for_answer"
    RESTARTED = "restarted"
    NEXT_ROUND = "next_round"

    # resumed: by what
    TIME_PASSED = "time_passed"
    EVENT_CAME = "event_came"
    ANSWERED = "answered"
    TIMED_OUT = "timed_out"
    NOT_SENT = "not_sent"
    UNTIL_EVENT = "until_event"
    DATE_PASSED = "date_passed"
    DATE_MISSING = "date_missing"

    # sent
    ALLOWED = "allowed"

    # sent by a person: the answer to a case; resumed: a case was closed
    CASE_ANSWERED = "case_answered"
    CASE_CLOSED = "case_closed"

    # held, suppressed: in the order in which they are asked
    UNREACHABLE = "unreachable"
    NO_CONSENT = "no_consent"
    NOT_ALLOWED = "not_allowed"
    CASE_OPEN = "case_open"
    WINDOW_CLOSED = "window_closed"
    HOLDOUT = "holdout"
    CAP_REACHED = "cap_reached"
    QUIET_HOURS = "quiet_hours"
    EXPIRED = "expired"

    # suppressed, after a move to another version
    ALREADY_SENT = "already_sent"

    # moved
    NEW_VERSION = "new_version"

    # suppressed by delivery, after it was decided
    CANCELLED = "cancelled"
    STALE = "stale"
    NOT_RENDERED = "not_rendered"
    REFUSED = "refused"
    NO_COUPON = "no_coupon"

    # handed_off, called, scored
    CASE_OPENED = "case_opened"
    CALL_MADE = "call_made"
    MODEL_ANSWERED = "model_answered"
    NO_ANSWER = "no_answer"

    # branched
    CONDITION_TRUE = "condition_true"
    OTHERWISE = "otherwise"
    NONE_TRUE = "none_true"
    SHARE = "share"
    ROUND = "round"
    UNTIL_TRUE = "until_true"
    AT_MOST = "at_most"

    # changed, emitted
    SET = "set"
    VALUE_MISSING = "value_missing"
    EMIT = "emit"

    # exited, when the author names no reason
    COMPLETED = "completed"
    GOAL = "goal"

    # parked
    FAILURE = "failure"
    EMIT_LIMIT = "emit_limit"
    STATE_TOO_LARGE = "state_too_large"
    VERSION_MISSING = "version_missing"

    # merged: two profiles are one; and exited, for an entry whose twin in the other life stays
    SAME_CUSTOMER = "same_customer"
    TWIN = "merged"

    # not_merged: identifiers that came together and were not linked
    PROFILE_LIMIT = "profile_limit"
    KIND_LIMIT = "kind_limit"
    NEVER = "never"
    UNUSABLE = "unusable"


class Decision(msgspec.Struct, gc=False):
    """One recorded choice. `at` is RFC 3339 text, `cause` an event's id or `timer`, `saw` the values looked at."""

    id: str
    at: str
    profile_id: str
    journey: str
    version: int
    entry_id: str | None
    step: str | None
    verdict: str
    reason: str
    cause: str
    saw: dict[str, Any]
    action_id: str | None = None
