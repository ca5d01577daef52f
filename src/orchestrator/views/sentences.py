"""Decisions as sentences: what happened, what did not, and why, for people who read no codes.

Owns one sentence for every verdict and reason, in each language; a test keeps the tables whole. Must never decide, look
anything up or guess: a sentence says what the decision, and those before it, recorded and nothing else.
"""

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from orchestrator.model import instants
from orchestrator.model.decision import Decision, Reason, Verdict
from orchestrator.views import times
from orchestrator.views.spanish import SPANISH
from orchestrator.views.wordings import Wording

_NOT_SENT = "Did not send {message} ({purpose}) by {channel} at {step}: "
# The same about what is no message, told by what the decision saw.
_NOT_DONE = {
    "webhook": "Did not call {webhook} at {step}: ",
    "team": "Did not hand over to {team} at {step}: ",
    "agent": "Did not send the answer of {agent} to the case of {step} by {channel}: ",
}

# In braces: what the decision is about (`journey`, `step`) or saw (`channel`, `message`, `event`, `until` …). What it
# saw and no sentence names is put behind the sentence.
SENTENCES: Mapping[tuple[Verdict, Reason], str] = {
    (Verdict.ENTERED, Reason.EVENT): "Entered {journey}",
    (Verdict.ENTERED, Reason.SEGMENT): "Entered {journey}: they came into the segment {segment}",
    (Verdict.ENTERED, Reason.SEGMENT_LEFT): "Entered {journey}: they left the segment {segment}",
    (Verdict.ENTERED, Reason.SCHEDULE): "Entered {journey}: its time has come",
    (Verdict.ENTERED, Reason.DATE): "Entered {journey}: the date has come",
    (Verdict.ENTERED, Reason.INACTIVE): "Entered {journey}: nothing was heard of them for long enough",
    (Verdict.NOT_ENTERED, Reason.NOT_LIVE): "Did not enter {journey}: the journey is not live",
    (Verdict.NOT_ENTERED, Reason.CONDITION_FALSE): "Did not enter {journey}: the condition to enter did not hold",
    (
        Verdict.NOT_ENTERED,
        Reason.KEY_MISSING,
    ): "Did not enter {journey}: the event lacks {lacks}, the key of entries",
    (Verdict.NOT_ENTERED, Reason.ALREADY_INSIDE): "Did not enter {journey}: they are already inside",
    (Verdict.NOT_ENTERED, Reason.NOT_AGAIN): "Did not enter {journey}: they were inside before, and may not again yet",
    (Verdict.NOT_ENTERED, Reason.LIMIT_REACHED): "Did not enter {journey}: the journey has taken in as many as it may",
    (Verdict.NOT_ENTERED, Reason.ENTRY_LIMIT): "Did not enter {journey}: they have too many entries in it already",
    (Verdict.WAITED, Reason.TIME): "Waits at {step} until {until}",
    (Verdict.WAITED, Reason.FOR_EVENT): "Waits at {step} for an event, until {until} at the latest",
    (Verdict.WAITED, Reason.FOR_ANSWER): "Waits at {step} for the answer, until {until}",
    (Verdict.WAITED, Reason.RESTARTED): "Starts the wait at {step} again, now until {until}",
    (Verdict.WAITED, Reason.NEXT_ROUND): "Waits at {step} for the next round, until {until}",
    (Verdict.WAITED, Reason.CONDITION_FALSE): "Stays at {step}: a condition on what came did not hold",
    (Verdict.RESUMED, Reason.TIME_PASSED): "Went on from {step}: the time was over",
    (Verdict.RESUMED, Reason.EVENT_CAME): "Went on from {step}: {event} came",
    (Verdict.RESUMED, Reason.TIMED_OUT): "Went on from {step}: nothing came in time",
    (Verdict.RESUMED, Reason.ANSWERED): "Went on from {step}: the answer came",
    (Verdict.RESUMED, Reason.NOT_SENT): "Went on from {step}: there is nothing to wait for, as nothing could be sent",
    (Verdict.RESUMED, Reason.UNTIL_EVENT): "Ended the rounds of {step}: the event that ends them came",
    (Verdict.RESUMED, Reason.DATE_PASSED): "Did not wait at {step}: the date has passed",
    (Verdict.RESUMED, Reason.DATE_MISSING): "Did not wait at {step}: there is no date",
    (
        Verdict.SENT,
        Reason.ALLOWED,
    ): "Sent {message} ({purpose}) by {channel} at {step}: reachable, consented and allowed",
    (Verdict.SENT, Reason.CASE_ANSWERED): "Sent the answer of {agent} to the case of {step} by {channel}",
    (Verdict.RESUMED, Reason.CASE_CLOSED): "The case of {step} was closed by {agent}: {outcome}",
    (
        Verdict.HELD,
        Reason.QUIET_HOURS,
    ): "Held {message} ({purpose}) at {step} until {until}: it is quiet time for {channel}",
    (Verdict.SUPPRESSED, Reason.UNREACHABLE): _NOT_SENT + "there is no usable address",
    (Verdict.SUPPRESSED, Reason.NO_CONSENT): _NOT_SENT + "they have not consented to it",
    (Verdict.SUPPRESSED, Reason.NOT_ALLOWED): _NOT_SENT + "the condition of its purpose does not hold",
    (Verdict.SUPPRESSED, Reason.CASE_OPEN): _NOT_SENT + "they have an open case",
    (Verdict.SUPPRESSED, Reason.WINDOW_CLOSED): _NOT_SENT + "they have not written for a day, and it is no template",
    (Verdict.SUPPRESSED, Reason.HOLDOUT): _NOT_SENT + "they are held out, to measure the rest",
    (Verdict.SUPPRESSED, Reason.CAP_REACHED): _NOT_SENT + "they have had as many as they may, {cap}",
    (Verdict.SUPPRESSED, Reason.QUIET_HOURS): _NOT_SENT + "it is their quiet time",
    (Verdict.SUPPRESSED, Reason.EXPIRED): _NOT_SENT + "it would have come too late",
    (Verdict.SUPPRESSED, Reason.ALREADY_SENT): "Passed over {step}: it was done before the journey changed",
    (Verdict.MOVED, Reason.NEW_VERSION): "Moved to {step} of version {version} of {journey}",
    (Verdict.SUPPRESSED, Reason.CANCELLED): _NOT_SENT + "it was taken back in time",
    (Verdict.SUPPRESSED, Reason.STALE): _NOT_SENT + "it could not leave for too long",
    (Verdict.SUPPRESSED, Reason.NOT_RENDERED): _NOT_SENT + "its text could not be made",
    (Verdict.SUPPRESSED, Reason.FAILURE): _NOT_SENT + "an error of ours, which is on record",
    (Verdict.SUPPRESSED, Reason.REFUSED): _NOT_SENT + "its provider refused it",
    (Verdict.SUPPRESSED, Reason.NO_COUPON): _NOT_SENT + "no code is left for it",
    (Verdict.HANDED_OFF, Reason.CASE_OPENED): "Handed over to {team} at {step}: a case is open",
    (Verdict.CALLED, Reason.CALL_MADE): "Called {webhook} at {step}",
    (Verdict.SCORED, Reason.MODEL_ANSWERED): "Scored by {model} at {step}",
    (Verdict.SCORED, Reason.NO_ANSWER): "Could not be scored by {model} at {step}: there is nothing to judge",
    (Verdict.BRANCHED, Reason.CONDITION_TRUE): "At {step} took the way whose condition holds",
    (Verdict.BRANCHED, Reason.OTHERWISE): "At {step} took the way for everybody else: no condition holds",
    (Verdict.BRANCHED, Reason.NONE_TRUE): "At {step} carried on: no condition holds",
    (Verdict.BRANCHED, Reason.SHARE): "At {step} fell into the share {branch}, for good",
    (Verdict.BRANCHED, Reason.ROUND): "At {step} began round {round}",
    (Verdict.BRANCHED, Reason.UNTIL_TRUE): "Ended the rounds of {step}: its condition holds",
    (Verdict.BRANCHED, Reason.AT_MOST): "Ended the rounds of {step}: there are no more than {rounds}",
    (Verdict.CHANGED, Reason.SET): "Noted {field} on the profile, at {step}",
    (
        Verdict.CHANGED,
        Reason.VALUE_MISSING,
    ): "Left {field} on the profile as it is, at {step}: the new value is missing",
    (Verdict.EMITTED, Reason.EMIT): "Emitted {event} at {step}",
    (Verdict.EXITED, Reason.COMPLETED): "Left {journey}: all steps are done",
    (Verdict.EXITED, Reason.GOAL): "Left {journey}: the goal is reached",
    (Verdict.CONVERTED, Reason.GOAL): "Reached the goal of {journey}",
    (Verdict.PARKED, Reason.FAILURE): "Stopped at {step}: an error of ours, which is on record; nothing is lost",
    (Verdict.PARKED, Reason.EMIT_LIMIT): "Stopped at {step}: one event has set off too many others",
    (Verdict.PARKED, Reason.STATE_TOO_LARGE): "Stopped at {step}: more is remembered of them than a record holds",
    (Verdict.PARKED, Reason.VERSION_MISSING): "Stopped at {step}: version {version} of {journey} is gone",
    (Verdict.EXITED, Reason.TWIN): "Left {journey}: they were inside under another name too, and that entry stays",
    (Verdict.MERGED, Reason.SAME_CUSTOMER): "Recognised: what was known under {kinds} ({profile}) is this customer",
    (Verdict.NOT_MERGED, Reason.PROFILE_LIMIT): "Not recognised by {kind}: a customer may not have more identifiers",
    (
        Verdict.NOT_MERGED,
        Reason.KIND_LIMIT,
    ): "Not recognised by {kind}: together they would be more customers than one may be",
    (Verdict.NOT_MERGED, Reason.NEVER): "Not recognised by {kind}: the value names nobody",
    (Verdict.NOT_MERGED, Reason.STATE_TOO_LARGE): "Left out {kind}: together more is known of them than a record holds",
    (Verdict.NOT_MERGED, Reason.UNUSABLE): "Not recognised by {kind}: the value cannot be read",
}

# At a step that handed over, what is waited for is its case.
_OF_CASES = {
    (Verdict.WAITED, Reason.FOR_ANSWER): "Waits at {step} for the case to be closed, until {until} at the latest",
    (Verdict.RESUMED, Reason.ANSWERED): "Went on from {step}, as the case was closed: {outcome}",
    (Verdict.RESUMED, Reason.TIMED_OUT): "Went on from {step}: the case was not closed in time",
}
_UNBOUNDED = "Waits at {step} for the case to be closed"
# Behind an exit, of the message that was held then.
_UNSENT = "; {}, which was held, is not sent any more"

# For exit reasons, which are the author's own words, and for what a newer release may have written.
_BY_VERDICT: Mapping[str, str] = {
    Verdict.EXITED: "Left {journey}: {reason}",
    Verdict.HELD: "Held {message} at {step}: {reason}",
    Verdict.SUPPRESSED: _NOT_SENT + "{reason}",
    Verdict.NOT_ENTERED: "Did not enter {journey}: {reason}",
}
_ANY = "{verdict} at {step}: {reason}"

_UNNAMED = {
    "message": "the message",
    "channel": "any channel",
    "purpose": "the purpose",
    "event": "the event",
    "step": "the journey as a whole",
    "until": "later",
    "branch": "drawn",
    "field": "the field",
    "round": "the next",
    "rounds": "allowed",
    "team": "a team",
    "agent": "an agent",
    "outcome": "without an outcome",
    "segment": "that it names",
    "webhook": "a webhook",
    "model": "a model",
    "kinds": "another name",
    "kind": "an identifier",
    "profile": "a profile",
    "lacks": "a property",
    "cap": "in so short a time",
}


ENGLISH = Wording(
    SENTENCES, _NOT_SENT, _NOT_DONE, _OF_CASES, _UNBOUNDED, _UNSENT, _BY_VERDICT, _ANY, _UNNAMED, "missing", {}
)
WORDINGS: Mapping[str, Wording] = {"en": ENGLISH, "es": SPANISH}


class _Words(dict[str, Any]):
    """The values a sentence may name, remembering which it did name."""

    def __init__(self, values: Mapping[str, Any], unnamed: Mapping[str, str]) -> None:
        super().__init__(values)
        self.named: set[str] = set()
        self._unnamed = unnamed

    def __getitem__(self, name: str) -> Any:
        self.named.add(name)
        found = self.get(name)
        return self._unnamed.get(name, name) if found is None else found


@dataclass(frozen=True, slots=True)
class Story:
    """What decisions say only together: the steps, by entry, that opened a case, and by exit what stayed unsent."""

    cases: Set[tuple[str | None, str | None]] = frozenset()
    unsent: Mapping[str, str] = field(default_factory=dict)


def story_of(decisions: Iterable[Decision]) -> Story:
    """Read a customer's decisions, in order, for what `sentence` says better when it knows of the others."""
    cases = set()
    held: dict[str | None, str] = {}
    unsent = {}
    for one in decisions:
        if one.verdict == Verdict.HANDED_OFF:
            cases.add((one.entry_id, one.step))
        elif one.verdict == Verdict.EXITED and one.entry_id in held:
            unsent[one.id] = held[one.entry_id]
        if one.verdict == Verdict.HELD and isinstance(one.saw.get("message"), str):
            held[one.entry_id] = one.saw["message"]
        elif one.verdict != Verdict.CONVERTED:  # whoever converts is where they were
            held.pop(one.entry_id, None)
    return Story(cases, unsent)


_ALONE = Story()


def sentence(decision: Decision, zone: str | None, language: str = "en", story: Story = _ALONE) -> str:
    """Say one decision as a sentence, instants in the customer's local time; English stands in for other languages.

    `story` is that of the decisions it stands among, where they are at hand.
    """
    wording = WORDINGS.get(language, ENGLISH)
    own = {
        "journey": decision.journey,
        "version": decision.version,
        "step": decision.step,
        "verdict": decision.verdict.capitalize(),
        "reason": decision.reason.replace("_", " "),
    }
    seen = {name: _spoken(value, zone, language) for name, value in decision.saw.items()}
    if isinstance(seen.get("cap"), str):
        seen["cap"] = " ".join(wording.in_caps.get(word, word) for word in seen["cap"].split())
    words = _Words({**seen, **own}, wording.unnamed)
    is_case = (decision.entry_id, decision.step) in story.cases
    text = _template(decision, wording, is_case).format_map(words)
    named = words.named - own.keys()  # an author's condition may look at a property called `step`
    rest = [f"{name} = {_shown(value, wording)}" for name, value in decision.saw.items() if name not in named]
    text = f"{text} ({', '.join(rest)})" if rest else text
    return text + (wording.unsent.format(story.unsent[decision.id]) if decision.id in story.unsent else "") + "."


def _template(decision: Decision, wording: Wording, is_case: bool) -> str:
    try:
        pair = Verdict(decision.verdict), Reason(decision.reason)
        template = wording.sentences[pair]
        if is_case and pair in wording.of_cases:
            is_unbounded = pair[0] is Verdict.WAITED and "until" not in decision.saw
            return wording.unbounded if is_unbounded else wording.of_cases[pair]
    except (KeyError, ValueError):
        template = wording.by_verdict.get(decision.verdict, wording.whatever)
    if template.startswith(wording.not_sent):
        instead = next((text for name, text in wording.not_done.items() if name in decision.saw), wording.not_sent)
        return instead + template.removeprefix(wording.not_sent)
    return template


def _spoken(value: Any, zone: str | None, language: str) -> Any:
    """Say instants in local time and leave the rest as it is."""
    if isinstance(value, str) and value.endswith("Z") and (instant_ms := instants.parse(value)) is not None:
        return times.spoken(instant_ms, zone, language)
    return value


def _shown(value: Any, wording: Wording) -> str:
    """Show a value that was looked at: as in JSON, but for nothing, which is said."""
    if value is None:
        return wording.missing
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 80 else shown[:79] + "…"
