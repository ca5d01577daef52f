"""Where a customer stands: what an entry is waiting for, and what does not reach them, as sentences.

Owns the words for it, step by step, in each language. Must never work out what would happen next; it says what is
stored. Conditions are the author's, and shown as they are written.
"""

from collections.abc import Mapping
from functools import singledispatch

from orchestrator.model.audience import SEGMENT_LEFT
from orchestrator.model.journey import ANSWERS, Ask, Call, Handoff, Journey, Repeat, Send, Step, Trigger, Wait, WaitFor
from orchestrator.model.profile import Profile
from orchestrator.model.state import Entry
from orchestrator.views import times

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "until": "until {}",
        "goes_on": "until the journey goes on",
        "stopped": "stopped at {}, because of {}",
        "holds": "holds {} at {} {}",
        "waits": "waits at {} {}",
        "restarts": "{}; {} starts the wait again",
        "for_event": "waits at {} for {}, {} at the latest",
        "for_answer": "waits at {} for the answer to {}, {} at the latest",
        "for_call": "waits at {} for the answer of {}, {} at the latest",
        "for_case": "waits at {} for {} to close the case",
        "for_case_until": "waits at {} for {} to close the case, {} at the latest",
        "for_round": "waits at {} for the next round, {}",
        "or": " or ",
        "where": "{} where {}",
        "entering": "entering segment {}",
        "leaving": "leaving segment {}",
        "unreachable": "{} does not reach {}: the address bounced, or is gone.",
    },
    "es": {
        "until": "hasta {}",
        "goes_on": "hasta que el recorrido siga",
        "stopped": "parado en {}, por {}",
        "holds": "retiene {} en {} {}",
        "waits": "espera en {} {}",
        "restarts": "{}; {} vuelve a empezar la espera",
        "for_event": "espera en {} {}, como mucho {}",
        "for_answer": "espera en {} la respuesta a {}, como mucho {}",
        "for_call": "espera en {} la respuesta de {}, como mucho {}",
        "for_case": "espera en {} a que {} cierre el caso",
        "for_case_until": "espera en {} a que {} cierre el caso, como mucho {}",
        "for_round": "espera en {} la próxima vuelta, {}",
        "or": " o ",
        "where": "{} con {}",
        "entering": "entrar en el segmento {}",
        "leaving": "dejar el segmento {}",
        "unreachable": "{} no llega a {}: la dirección rebotó o ya no existe.",
    },
}


def awaited(journey: Journey | None, entry: Entry) -> list[str]:
    """Name the events that would move this entry on from its step."""
    step = None if journey is None else journey.steps.get(entry.step)
    if isinstance(step, Wait):
        return sorted(step.restart_on)
    if isinstance(step, WaitFor):
        return sorted(set().union(*(branch.trigger.events for branch in step.branches)))
    if isinstance(step, Ask | Call | Handoff) and not entry.held_ms:
        return [ANSWERS[type(step)]]
    return []


def standing(journey: Journey | None, entry: Entry, zone: str | None, language: str = "en") -> str:
    """Say where an entry stands; `journey` is the version it is in, None where that is not at hand."""
    texts = _TEXTS.get(language, _TEXTS["en"])
    key = "" if entry.key is None else f" ({entry.key})"
    where = f"{entry.journey}{key}"
    if entry.parked is not None:
        return f"{where}: {texts['stopped'].format(entry.step, entry.parked.replace('_', ' '))}."
    until = texts["until"].format(times.spoken(entry.due_ms, zone, language)) if entry.due_ms else texts["goes_on"]
    step = None if journey is None else journey.steps.get(entry.step)
    if entry.held_ms and isinstance(step, Send):
        return f"{where}: {texts['holds'].format(step.message, entry.step, until)}."
    return f"{where}: {_waits(step, entry.step, until, texts)}."


def bounced(profile: Profile) -> dict[str, list[str]]:
    """List, by channel, the addresses that take nothing any more."""
    return {channel: addresses.splitlines() for channel, addresses in sorted(profile.unreachable.items())}


def unreachable(profile: Profile, language: str = "en") -> list[str]:
    """Say which addresses take nothing any more, a sentence each; a device's long one is cut."""
    text = _TEXTS.get(language, _TEXTS["en"])["unreachable"]
    return [
        text.format(channel, address if len(address) <= 80 else address[:79] + "…")
        for channel, addresses in bounced(profile).items()
        for address in addresses
    ]


@singledispatch
def _waits(step: Step | None, step_id: str, until: str, texts: Mapping[str, str]) -> str:
    return texts["waits"].format(step_id, until)


@_waits.register
def _(step: Wait, step_id: str, until: str, texts: Mapping[str, str]) -> str:
    waits = texts["waits"].format(step_id, until)
    return texts["restarts"].format(waits, texts["or"].join(sorted(step.restart_on))) if step.restart_on else waits


@_waits.register
def _(step: WaitFor, step_id: str, until: str, texts: Mapping[str, str]) -> str:
    events = texts["or"].join(dict.fromkeys(_asked(branch.trigger, texts) for branch in step.branches))
    return texts["for_event"].format(step_id, events, until)


@_waits.register
def _(step: Ask, step_id: str, until: str, texts: Mapping[str, str]) -> str:
    return texts["for_answer"].format(step_id, step.message, until)


@_waits.register
def _(step: Call, step_id: str, until: str, texts: Mapping[str, str]) -> str:
    return texts["for_call"].format(step_id, step.webhook, until)


@_waits.register
def _(step: Handoff, step_id: str, until: str, texts: Mapping[str, str]) -> str:
    is_bounded = step.within_ms is not None
    return texts["for_case_until" if is_bounded else "for_case"].format(step_id, step.team, until)


@_waits.register
def _(step: Repeat, step_id: str, until: str, texts: Mapping[str, str]) -> str:
    return texts["for_round"].format(step_id, until)


def _asked(trigger: Trigger, texts: Mapping[str, str]) -> str:
    """Say what a trigger asks for, as `graph.trigger_in_words` does."""
    if trigger.segment is not None:
        return texts["leaving" if SEGMENT_LEFT in trigger.events else "entering"].format(trigger.segment)
    events = texts["or"].join(sorted(trigger.events))
    return events if trigger.where is None else texts["where"].format(events, trigger.where.source)
