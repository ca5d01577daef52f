"""The timeline of an example: everything that happened to its customer, in order, with local times.

Owns what a line of it says and where each decision stands on it. Must never leave anything out: the line that a
failing example marks has to be among them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.channels.rendering import Rendered, Renderer
from orchestrator.errors import Refused
from orchestrator.model.decision import Decision
from orchestrator.model.effects import Action
from orchestrator.model.event import Event
from orchestrator.runtime.simulated import Happened
from orchestrator.testing.clock import VirtualClock
from orchestrator.views import sentences

_MARGIN = " " * 26
# Made up like the customer's addresses: in an example nothing is sent, so nobody can follow them.
LINKS = {name: f"https://example.com/{name}" for name in ("unsubscribe", "preferences", "survey", "confirm")}


@dataclass(frozen=True, slots=True)
class Sending:
    """A message that left, and what the customer reads; `refused` says why it could not be rendered."""

    action: Action
    rendered: Rendered | None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened. `details` stand below it; `decision` is the one that this line tells."""

    at: datetime
    text: str
    details: tuple[str, ...] = ()
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every line in order, and the messages that left."""

    lines: tuple[Line, ...]
    sendings: tuple[Sending, ...]

    def place_of(self, decision: Decision | None) -> int:
        """Find the line of a decision; None stands for the end."""
        for place, line in enumerate(self.lines):
            if decision is not None and line.decision is decision:
                return place
        return len(self.lines)


def timeline_of(
    history: Iterable[Happened], clock: VirtualClock, renderer: Renderer, coupons: Mapping[str, str]
) -> Timeline:
    """Tell what happened, turn by turn."""
    lines: list[Line] = []
    sendings: list[Sending] = []
    history = list(history)
    story = sentences.story_of(decision for happened in history for decision in happened.turned.decisions)
    for happened in history:
        at = clock.local(happened.now_ms)
        if happened.event is not None:
            outcome = happened.turned.outcome
            lines.append(Line(at, _event_text(happened.event) + ("" if outcome == "applied" else f"  [{outcome}]")))
        messages = {action.id: action for action in happened.turned.actions if action.kind == "message"}
        for decision in happened.turned.decisions:
            details: tuple[str, ...] = ()
            action = messages.pop(decision.action_id, None) if decision.action_id else None
            if action is not None:
                sendings.append(_sending(action, renderer, coupons))
                details = tuple(_shown(sendings[-1]))
            text = sentences.sentence(decision, clock.zone.key, story=story)
            lines.append(Line(at, text, details, decision))
        for failure in happened.turned.failures:
            lines.append(Line(at, f"A bug stopped {failure.journey}", tuple(failure.traceback.splitlines())))
    return Timeline(tuple(lines), tuple(sendings))


def _event_text(event: Event) -> str:
    properties = f" {_compact(event.properties)}" if event.properties else ""
    channel = f" by {event.channel}" if event.channel else ""
    return f"→ {event.type}{channel}{properties}"


def _compact(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, ensure_ascii=False, default=str)
    return text if len(text) <= 160 else text[:159] + "…"


def _sending(action: Action, renderer: Renderer, coupons: Mapping[str, str]) -> Sending:
    try:
        message, channel = action.message or "", action.channel or ""
        rendered = renderer.render(message, channel, action.language, action.data, LINKS, coupons, action.at)
    except Refused as refused:
        return Sending(action, None, str(refused))
    return Sending(action, rendered)


def _shown(sending: Sending) -> Iterable[str]:
    if sending.rendered is None:
        yield f"cannot be rendered: {sending.refused}"
        return
    for name, value in sending.rendered.fields.items():
        first, *rest = str(value).splitlines() or [""]
        yield f"{name}: {first}{' …' if rest else ''}"


def stamp(at: datetime) -> str:
    """Write a local time as authors do, with seconds only where there are any."""
    return at.isoformat(timespec="seconds" if at.second or at.microsecond else "minutes")


def as_text(timeline: Timeline, notes: Mapping[int, list[str]]) -> list[str]:
    """Write a timeline, with notes under the lines they are about; the first of all notes gets the arrow."""
    written: list[str] = []
    first = min(notes, default=-1)
    for place in range(len(timeline.lines) + 1):
        if place < len(timeline.lines):
            line = timeline.lines[place]
            marker = ">" if place == first else " "
            written.append(f"{marker} {stamp(line.at):<19}  {line.text}")
            written += [f"  {'':<19}    {detail}" for detail in line.details]
        for note in notes.get(place, []):
            written.append(f"{'>' if place == first else ' '} {'':<19}  ! {note}")
    return written
