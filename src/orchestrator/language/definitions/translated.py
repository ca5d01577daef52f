"""Our words in Spanish and German, for whoever writes those without thinking: the hint names ours.

Owns the words. Must never make a key be read in two languages.
"""

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
# By the foreign word, all of ours that it may stand for: each map knows some of them only.
TRANSLATED: dict[str, list[str]] = {}
for _ours, _theirs in _WORDS.items():
    for _word in _theirs.split():
        TRANSLATED.setdefault(_word, []).append(_ours)
