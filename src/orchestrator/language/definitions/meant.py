"""What others call our words: other tools, and whoever writes Spanish or German without thinking.

Owns these words, for hints that name ours. Must never make a key be read under two names.
"""

import re
from collections.abc import Iterator

# What other tools, and people, call our keys.
_KEYS = {
    "if": ("when", "condition"),
    "where": ("when", "condition", "filter"),
    "else": ("otherwise", "default"),
    "then": ("do", "actions"),
    "on_timeout": ("else", "otherwise"),
    "within": ("timeout", "up_to"),
    "every": ("each", "interval"),
    "at_most": ("max", "limit", "times"),
    "message": ("template",),
    "text": ("body", "content"),
    "from": ("start", "begin", "since"),
    "to": ("end", "till", "until"),
    "time": ("at", "hour"),
    "at": ("time", "hour"),
    "exit": ("exit_on", "exits"),
    "enter": ("trigger", "entry", "start"),
}
# What other tools, and people, call our verbs.
_VERBS = {
    "choose": ("if", "branch", "condition", "when", "switch", "decide"),
    "wait": ("delay", "pause", "sleep"),
    "wait_for": ("wait_for_event", "await", "listen"),
    "send": ("message", "email", "push", "sms", "notify"),
    "split": ("ab_test", "experiment", "random"),
    "ask": ("survey",),
    "handoff": ("escalate", "case", "ticket"),
    "emit": ("event", "trigger", "fire", "publish"),
    "call": ("webhook", "http", "request"),
    "repeat": ("loop", "for_each"),
    "exit": ("stop", "end", "leave"),
}
# In Spanish and German.
_WORDS = {
    "again": "otra_vez repetible erneut wieder",
    "call": "llamar aufrufen",
    "channel": "canal kanal",
    "channels": "canales canal kanäle kanal",
    "choose": "elegir si wenn wählen",
    "consent": "consentimiento einwilligung",
    "else": "si_no sino sonst",
    "email": "correo mail",
    "enter": "entrada entrar eintritt einstieg",
    "event": "evento ereignis",
    "every": "cada jede alle",
    "examples": "ejemplos beispiele",
    "exit": "salida salir ausgang ausstieg ende fin",
    "expect": "esperado esperar erwartet erwarte",
    "for": "durante por für dauer duración",
    "from": "desde von ab",
    "given": "dado gegeben",
    "goal": "objetivo ziel",
    "if": "si wenn falls",
    "journey": "recorrido viaje reise",
    "languages": "idiomas lenguas sprachen",
    "message": "mensaje nachricht",
    "name": "nombre",
    "owner": "propietario responsable eigentümer",
    "priority": "prioridad priorität",
    "purpose": "propósito proposito finalidad zweck",
    "purposes": "propósitos propositos finalidades zwecke",
    "quiet_hours": "horas_de_silencio ruhezeiten ruhezeit",
    "reason": "motivo razón razon grund",
    "repeat": "repetir wiederholen",
    "send": "enviar mandar senden schicken",
    "split": "dividir aufteilen",
    "status": "estado zustand",
    "steps": "pasos schritte",
    "subject": "asunto betreff",
    "text": "texto",
    "then": "entonces luego dann",
    "timezone": "zona_horaria zeitzone",
    "title": "título titulo titel",
    "to": "hasta bis",
    "version": "versión",
    "wait": "esperar espera warten warte",
    "wait_for": "esperar_a warten_auf",
    "wait_until": "esperar_hasta warten_bis",
    "where": "donde dónde cuando wo wenn wobei",
    "within": "dentro_de plazo innerhalb binnen",
}
# Filters of templates, as other template languages call them.
_FILTERS = {
    "upcase": ("upper", "uppercase"),
    "downcase": ("lower", "lowercase"),
    "capitalize": ("title", "titlecase"),
    "strip": ("trim",),
    "size": ("length", "len", "count"),
    "round: 2": ("money", "currency", "number_format", "number", "to_fixed"),
    "date: '%d/%m/%Y'": ("format_date", "date_format", "strftime", "format"),
    "default: 'there'": ("fallback", "or", "ifempty"),
}
# By the foreign word, all of ours that it may stand for: each map knows some of them only.
_TRANSLATED: dict[str, list[str]] = {}
for _ours, _theirs in _WORDS.items():
    for _word in _theirs.split():
        _TRANSLATED.setdefault(_word, []).append(_ours)


def by_key(word: str) -> Iterator[str]:
    """List our keys that somebody may mean who writes this one, the likeliest first."""
    yield from (ours for ours, theirs in _KEYS.items() if word in theirs)
    yield from _TRANSLATED.get(word.lower(), ())


def sent_as(name: str) -> str:
    """Say what to do about a property that others call by a name of several words."""
    plain = re.sub(r"\W+", "_", name.strip()).strip("_").lower()
    return f"{plain}, and have the event sent with its property called so"


def by_filter(word: str) -> str | None:
    """Give our filter that somebody means who writes this one."""
    return next((ours for ours, theirs in _FILTERS.items() if word.lower() in theirs), None)


def by_verb(word: str) -> Iterator[str]:
    """List our verbs that somebody may mean who writes this one; keys may be among them."""
    yield from (ours for ours, theirs in _VERBS.items() if word.lower() in theirs)
    yield from _TRANSLATED.get(word.lower(), ())
