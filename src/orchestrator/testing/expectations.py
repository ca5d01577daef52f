"""What an example expects against what came of it: every difference, each with the decision behind it.

Owns what each key of `expect` means (LANGUAGE.md, "Examples"): it checks what it names, whole and in order, and
nothing else. Must never stop at the first difference; which one comes first is a matter of time, not of keys.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.language.definitions.example import Expect, ExpectedMessage
from orchestrator.model import instants
from orchestrator.model.decision import Decision, Verdict
from orchestrator.model.effects import Action
from orchestrator.testing.played import Played
from orchestrator.testing.timeline import Sending, stamp


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected; `decision` is the one that made it so, None where there was none."""

    key: str
    text: str
    decision: Decision | None


@dataclass(frozen=True, slots=True)
class _Found:
    """One item that came of an example: what is compared, and the decision behind it."""

    value: Any
    decision: Decision | None


Check = Callable[[Any, Played], list[Difference]]


def differences(expect: Expect, played: Played) -> list[Difference]:
    """Compare everything that the example names."""
    found: list[Difference] = []
    for key, check in _CHECKS.items():
        if key in expect.model_fields_set:
            found += check(getattr(expect, key), played)
    return found


def _messages(expected: Sequence[ExpectedMessage], played: Played) -> list[Difference]:
    decisions = {decision.action_id: decision for decision in played.decisions if decision.action_id}
    found = [
        _Found(_message_values(sending, played), decisions.get(sending.action.id))
        for sending in played.timeline.sendings
    ]
    wanted = [_message_wishes(item) for item in expected]
    told = _listed("messages", wanted, found, played, _why_unsent(wanted[len(found) :], played))
    # What cannot be rendered would not leave, whatever is asked of it.
    return told or [
        Difference("messages", f"messages, item {number}: cannot be rendered: {sending.refused}", have.decision)
        for number, (sending, have) in enumerate(zip(played.timeline.sendings, found, strict=True), start=1)
        if sending.rendered is None
    ]


def _why_unsent(missing: Sequence[dict[str, Any]], played: Played) -> Decision | None:
    """Find the refusal or hold that kept the first missing message back."""
    refusals = [
        decision
        for wish in missing[:1]
        for decision in played.with_verdict(Verdict.SUPPRESSED, Verdict.HELD)
        if "message" not in wish or decision.saw.get("message") == wish["message"]
    ]
    return refusals[-1] if refusals else None


def _message_wishes(item: ExpectedMessage) -> dict[str, Any]:
    wishes = item.model_dump(exclude_unset=True)
    if "at" in wishes:
        wishes["at"] = stamp(datetime.fromisoformat(wishes["at"]))
    if item.text is not None:
        wishes["text"] = _Contains(item.text.contains)
    return wishes


def _message_values(sending: Sending, played: Played) -> dict[str, Any]:
    action = sending.action
    return {
        "message": action.message,
        "channel": action.channel,
        "at": stamp(played.clock.local(instants.parse(action.at) or 0)),
        "language": action.language,
        "purpose": action.purpose,
        "text": sending.refused if sending.rendered is None else sending.rendered.body,
    }


class _Contains:
    """A text that must stand somewhere in what was found."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return f"a text that contains {json.dumps(self.text, ensure_ascii=False)}"


def _withheld(expected: Sequence[Any], played: Played) -> list[Difference]:
    found = [
        _Found({"step": one.step, "channel": one.saw.get("channel"), "reason": one.reason}, one)
        for one in played.with_verdict(Verdict.SUPPRESSED, Verdict.HELD)
    ]
    return _listed("withheld", [item.model_dump(exclude_unset=True) for item in expected], found, played)


def _path(expected: Sequence[str], played: Played) -> list[Difference]:
    return _listed("path", expected, [_Found(step, decision) for step, decision in played.path()], played)


def _waiting(expected: str | None, played: Played) -> list[Difference]:
    standing = played.live[0].step if played.live else None
    if standing == expected:
        return []
    return [_single("waiting", expected, standing, played.last())]


def _exit(expected: Any, played: Played) -> list[Difference]:
    found = [_Found(reason, decision) for reason, decision in played.exits()]
    if isinstance(expected, list):
        return _listed("exit", expected, found, played)
    if len(found) > 1:
        return [_single("exit", expected, [item.value for item in found], found[1].decision)]
    reason = found[0].value if found else None
    if reason == expected:
        return []
    is_out = found and found[0].value is not None
    return [_single("exit", expected, reason, found[0].decision if is_out else played.last())]


def _entries(expected: int, played: Played) -> list[Difference]:
    entered = played.with_verdict(Verdict.ENTERED)
    if len(entered) == expected:
        return []
    refused = played.with_verdict(Verdict.NOT_ENTERED)
    why = entered[expected] if len(entered) > expected else refused[-1] if refused else played.last()
    return [_single("entries", expected, len(entered), why)]


def _not_entered(expected: Sequence[str], played: Played) -> list[Difference]:
    found = [_Found(decision.reason, decision) for decision in played.with_verdict(Verdict.NOT_ENTERED)]
    return _listed("not_entered", expected, found, played)


def _converted(expected: bool, played: Played) -> list[Difference]:
    conversions = played.with_verdict(Verdict.CONVERTED)
    if bool(conversions) == expected:
        return []
    return [_single("converted", expected, bool(conversions), conversions[0] if conversions else played.last())]


def _profile(expected: dict[str, Any], played: Played) -> list[Difference]:
    found = []
    for name, value in expected.items():
        is_ = played.state.profile.value(name)
        if not _same(value, is_):
            changes = [one for one in played.with_verdict(Verdict.CHANGED) if one.saw.get("field") == name]
            found.append(_single(f"profile.{name}", value, is_, changes[-1] if changes else None))
    return found


def _events(expected: Sequence[Any], played: Played) -> list[Difference]:
    return _actions("events", "event", expected, played)


def _cases(expected: Sequence[Any], played: Played) -> list[Difference]:
    return _actions("cases", "handoff", expected, played)


def _calls(expected: Sequence[Any], played: Played) -> list[Difference]:
    return _actions("calls", "call", expected, played)


def _actions(key: str, kind: str, expected: Sequence[Any], played: Played) -> list[Difference]:
    decisions = {decision.action_id: decision for decision in played.own if decision.action_id}
    found = [
        _Found(_action_values(action, played), decisions.get(action.id))
        for action in played.actions
        if action.kind == kind and action.journey == played.journey.id
    ]
    wanted = [item.model_dump(exclude_unset=True) for item in expected]
    for wishes in wanted:
        if isinstance(wishes.get("summary"), dict):
            wishes["summary"] = _Contains(wishes["summary"]["contains"])
    return _listed(key, wanted, found, played)


def _action_values(action: Action, played: Played) -> dict[str, Any]:
    if action.kind == "event":
        return {"event": action.message, "properties": action.data}
    if action.kind == "call":
        return {"webhook": action.to, "payload": action.data, "step": action.step}
    told = {name: action.data.get(name) for name in ("skill", "priority", "reason")}
    return {"to": action.to, **told, "summary": played.renderer.summary(action.data), "step": action.step}


_CHECKS: dict[str, Check] = {
    "messages": _messages,
    "withheld": _withheld,
    "path": _path,
    "waiting": _waiting,
    "exit": _exit,
    "entries": _entries,
    "not_entered": _not_entered,
    "converted": _converted,
    "profile": _profile,
    "events": _events,
    "cases": _cases,
    "calls": _calls,
}


def _listed(
    key: str, expected: Sequence[Any], found: Sequence[_Found], played: Played, why_missing: Decision | None = None
) -> list[Difference]:
    """Compare a list whole and in order; the first item that differs is told, the rest would only follow from it."""
    for number, (want, have) in enumerate(zip(expected, found, strict=False), start=1):
        if not _fits(want, have.value):
            text = f"{key}, item {number}: {_difference(want, have.value)}"
            return [Difference(key, text, have.decision)]
    if len(expected) > len(found):
        want = expected[len(found)]
        text = f"{key}, item {len(found) + 1}: expected {_shown(want)}, found nothing more"
        return [Difference(key, text, why_missing or played.last())]
    if len(found) > len(expected):
        extra = found[len(expected)]
        text = f"{key}, item {len(expected) + 1}: expected nothing more, found {_shown(_told(extra.value))}"
        return [Difference(key, text, extra.decision)]
    return []


def _fits(want: Any, have: Any) -> bool:
    if isinstance(want, dict) and isinstance(have, dict):
        return all(_same(value, have.get(name)) for name, value in want.items())
    return _same(want, have)


def _same(want: Any, have: Any) -> bool:
    """Tell whether two values are the same to an author: 3 and 3.0 are, true and 1 are not."""
    if isinstance(want, _Contains):
        return isinstance(have, str) and want.text in have
    if isinstance(want, bool) or isinstance(have, bool):
        return want is have
    if isinstance(want, dict) and isinstance(have, dict):
        return want.keys() == have.keys() and all(_same(value, have[name]) for name, value in want.items())
    if isinstance(want, list) and isinstance(have, list):
        return len(want) == len(have) and all(map(_same, want, have))
    return bool(want == have)


def _difference(want: Any, have: Any) -> str:
    if not isinstance(want, dict):
        return f"expected {_shown(want)}, found {_shown(have)}"
    wrong = [name for name, value in want.items() if not _same(value, have.get(name))]
    return "; ".join(f"{name} should be {_shown(want[name])} and is {_shown(have.get(name))}" for name in wrong)


def _single(key: str, want: Any, have: Any, decision: Decision | None) -> Difference:
    return Difference(key, f"{key}: expected {_shown(want)}, found {_shown(have)}", decision)


def _told(value: Any) -> Any:
    """Leave out of an item what would only be noise where nothing was expected: its body."""
    return {name: inner for name, inner in value.items() if name != "text"} if isinstance(value, dict) else value


def _shown(value: Any) -> str:
    if isinstance(value, _Contains):
        return str(value)
    if isinstance(value, dict) and any(isinstance(inner, _Contains) for inner in value.values()):
        return "{" + ", ".join(f"{name}: {_shown(inner)}" for name, inner in value.items()) + "}"
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 300 else shown[:299] + "…"
