"""Offers: a message that a timer brings up, with what its guards ask of each channel worked out once.

What `sends` and `guards` do for whoever asks, done for one step of one journey at its timer: the same order, the same
words. Owns those turns alone; whatever needs more (addresses that bounced, several devices, open cases, a channel with
a window) is the step's own. An offer then gives None before it has changed anything. Must never come to anything else
than the step would: `tests/properties/test_plan_laws.py` compares.
"""

from typing import Any

import msgspec

from orchestrator.engine import calendars, guards, payload
from orchestrator.engine.guards import Answer
from orchestrator.engine.steps import sends
from orchestrator.engine.turn import TIMER
from orchestrator.model import ids, instants
from orchestrator.model.decision import Decision, Reason, Verdict
from orchestrator.model.effects import Action
from orchestrator.model.expression import Scope
from orchestrator.model.journey import Journey, Send
from orchestrator.model.profile import Profile
from orchestrator.model.project import WINDOWS_MS, Project, is_always_quiet
from orchestrator.model.state import Entry, History, Result, Sent, State
from orchestrator.model.zones import zone_of

# Bound once, as everywhere on the hot path.
_SENT, _ALLOWED = Verdict.SENT.value, Reason.ALLOWED.value
_HELD, _SUPPRESSED, _QUIET_HOURS = Verdict.HELD.value, Verdict.SUPPRESSED.value, Reason.QUIET_HOURS.value
_QUIET, _UNREACHABLE, _NO_CONSENT = Reason.QUIET_HOURS, Reason.UNREACHABLE, Reason.NO_CONSENT
_NOT_ALLOWED, _HOLDOUT, _CAP_REACHED = Reason.NOT_ALLOWED, Reason.HOLDOUT, Reason.CAP_REACHED


class Told(msgspec.Struct, gc=False):
    """What a turn has told so far, and the texts that all of it shares."""

    turn_id: str
    at: str
    decisions: list[Decision] = []
    actions: list[Action] = []

    def tell(
        self,
        journey: Journey,
        state: State,
        entry: Entry,
        step: str,
        verdict: str,
        reason: str,
        saw: dict[str, Any],
        action_id: str | None = None,
    ) -> None:
        """Record a decision that a timer led to, as `Turn.decide` does."""
        decisions = self.decisions
        decisions.append(
            Decision(
                f"{self.turn_id}-{len(decisions)}", self.at, state.profile_id, journey.id, journey.version, entry.id,
                step, verdict, reason, TIMER, saw, action_id,
            )
        )  # fmt: skip


class Offer:
    """The send of one journey's version, outside of any repeat."""

    def __init__(self, project: Project, journey: Journey, step: Send) -> None:
        self._project, self._journey, self._step = project, journey, step
        self._version = str(journey.version)
        self._message = message = project.messages[step.message]
        # With one language, or none, whatever the customer speaks comes to the same.
        languages = message.languages or project.languages[:1]
        self._language = languages[0] if len(languages) == 1 else None
        self._roads = {
            name: _Road(project, journey, step, name) for name in message.channels if name in project.channels
        }
        named = tuple(dict.fromkeys(name for name in step.channels if name in self._roads))
        # None where it takes the customer to say which.
        self._named = None if {"same", "preferred"}.intersection(step.channels) else named

    def make(self, state: State, entry: Entry, now_ms: int, told: Told) -> str | None:
        """Offer the message; say whether it was SENT, is HELD, or was REFUSED, as `sends.offer` does."""
        step, profile, history, asked_ms = self._step, state.profile, state.history, entry.held_ms or now_ms
        expires_ms = None if step.expires_ms is None else asked_ms + step.expires_ms
        if (
            history.cases
            or profile.unreachable
            or len(history.sent) >= sends.KEPT_SENT
            or (expires_ms is not None and expires_ms <= now_ms)
        ):
            return None
        scope = Scope(self._project, state, now_ms, entry.event, entry)
        refused: list[Answer] = []
        named = self._named
        for name in sends.channels_of(self._project, profile, entry, step) if named is None else named:
            answer = self._roads[name].ask(profile, history, scope)
            if answer is None:
                return None
            if answer.reason is None:
                self._refuse(state, entry, refused, told)
                self._leave(state, entry, answer, expires_ms, scope, told)
                entry.held, entry.held_ms = [], 0
                return sends.SENT
            refused.append(answer)
        if not refused:
            return None
        quiet = next((answer for answer in refused if answer.reason is _QUIET), None)
        if quiet is not None:
            if expires_ms is not None and expires_ms <= quiet.until_ms:
                return None
            self._refuse(state, entry, [each for each in refused if each.reason is not _QUIET], told)
            self._hold(state, entry, quiet, asked_ms, told)
            return sends.HELD
        self._refuse(state, entry, refused, told)
        entry.results[step.id] = Result("suppressed")
        entry.held, entry.held_ms = [], 0
        return sends.REFUSED

    def _refuse(self, state: State, entry: Entry, refused: list[Answer], told: Told) -> None:
        step = self._step
        for answer in sends.unsaid(entry, refused):
            saw = sends.about_no(step, answer)
            told.tell(self._journey, state, entry, step.id, _SUPPRESSED, str(answer.reason), saw)

    def _hold(self, state: State, entry: Entry, quiet: Answer, asked_ms: int, told: Told) -> None:
        entry.step, entry.due_ms, entry.held_ms = self._step.id, quiet.until_ms, asked_ms
        entry.results[self._step.id] = Result("held", quiet.channel)
        saw = {**sends.about(self._step, quiet.channel), "until": instants.to_text(quiet.until_ms)}
        told.tell(self._journey, state, entry, self._step.id, _HELD, _QUIET_HOURS, saw)

    def _leave(
        self, state: State, entry: Entry, answer: Answer, expires_ms: int | None, scope: Scope, told: Told
    ) -> None:
        """Let the message leave, and keep what is kept of it."""
        step, journey, profile = self._step, self._journey, state.profile
        road = self._roads[answer.channel]
        data = payload.read_by(road.readers, scope)
        if step.data:
            data["data"] = {name: expression.evaluate(scope) for name, expression in step.data}
        now_ms, profile_id, entry_id, channel = scope.now_ms, state.profile_id, entry.id, answer.channel
        action_id = ids.derive(journey.id, self._version, profile_id, entry_id, step.id, "1")
        until_ms = now_ms + sends.STALE_AFTER_MS if expires_ms is None else expires_ms
        told.actions.append(
            Action(
                action_id, "message", profile_id, profile.customer_id, journey.id, journey.version, entry_id, step.id,
                told.at, channel, step.message, step.purpose,
                self._language or payload.language_of(scope, self._project, self._message),
                answer.address,
                None if expires_ms is None else instants.to_text(expires_ms),
                sends.STALE_AFTER if expires_ms is None else None,
                answer.quiet,
                data,
                list(road.track) if road.track is not None else guards.tracked(profile, self._project, channel),
            )
        )  # fmt: skip
        told.tell(journey, state, entry, step.id, _SENT, _ALLOWED, sends.about(step, channel), action_id)
        entry.results[step.id] = Result("sent", channel, action_id)
        entry.sent_ms = now_ms
        entry.messages += 1
        state.sent.append(
            Sent(
                action_id, now_ms, journey.id, entry_id, step.id, step.message, channel, step.purpose,
                guards.as_text(answer.address), until_ms, journey.version,
            )
        )  # fmt: skip


class _Road:
    """One channel of an offer: its guards, and how its templates are filled."""

    def __init__(self, project: Project, journey: Journey, step: Send, channel: str) -> None:
        self._name, self._project = channel, project
        self._purpose = purpose = project.purposes[step.purpose]
        self._address = project.channels[channel].address
        self._has_window = channel in WINDOWS_MS
        self._is_free = purpose.consent == "none"
        universal = 0.0 if self._is_free else project.holdout_percent
        own = journey.holdout_percent
        # Under which name each holdout was drawn, and who is in it.
        self._holdouts = tuple((name, percent) for name, percent in (("", universal), (journey.id, own)) if percent)
        self._caps = tuple(cap for cap in purpose.caps if cap.channel is None or cap.channel == channel)
        self._windows = project.quiet_hours[purpose.name, channel]
        self._zone = zone_of(Profile(""), project)  # of whoever has none of their own
        self._asks_own_hours = purpose.has_policies and not self._is_free
        self.readers = payload.readers_of(project.messages[step.message].reads.get(channel, ()))
        self.track = None if guards.TRACKING_PURPOSE in project.purposes else project.channels[channel].track

    def ask(self, profile: Profile, history: History, scope: Scope) -> Answer | None:
        """Ask every guard in order, as `guards.ask` does; None where one of them is not worked out here."""
        name, purpose = self._name, self._purpose
        address = self._address.evaluate(scope)
        if address.__class__ is str:
            address = address.strip()
        elif address is not None:
            return None
        if not address:
            return Answer(name, _UNREACHABLE)
        if not self._is_free:
            said = profile.consent_for(name, purpose.name) if profile.consents or profile.lives else None
            if not purpose.is_consented(said):
                return Answer(name, _NO_CONSENT)
        if purpose.only_if is not None and not purpose.only_if.holds(scope):
            return Answer(name, _NOT_ALLOWED)
        if self._has_window:
            return None
        for holdout, percent in self._holdouts:
            drawn = history.draws.get(holdout)
            if drawn is None:
                return None
            if drawn[0] < percent:
                return Answer(name, _HOLDOUT)
        now_ms = scope.now_ms
        if history.sent:
            for cap in self._caps:
                if guards.is_reached(self._project, history.sent, now_ms, cap, purpose):
                    return Answer(name, _CAP_REACHED, cap=cap)
        windows = self._windows
        if profile.quiet_hours and self._asks_own_hours:
            windows += guards.own_quiet_hours(profile)
        if not windows:
            return Answer(name, None, address)
        zone = self._zone if profile.value("timezone") is None else zone_of(profile, self._project)
        until_ms = calendars.quiet_until(now_ms, zone, windows)
        if until_ms:
            is_closed = profile.quiet_hours and is_always_quiet(windows)
            return None if is_closed else Answer(name, _QUIET, address, until_ms)
        return Answer(name, None, address, quiet=calendars.as_data(zone, windows))
