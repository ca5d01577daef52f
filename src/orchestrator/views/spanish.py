"""Decisions as sentences in Spanish; `sentences` says them in English, and which is which.

Owns these texts; a test keeps them as whole as the English ones. Must never say more than those do.
"""

from collections.abc import Mapping

from orchestrator.model.decision import Reason, Verdict
from orchestrator.views.wordings import Wording

_NOT_SENT = "No se envió {message} ({purpose}) por {channel} en {step}: "
_NOT_ENTERED = "No entró en {journey}: "
_NOT_KNOWN = "No se le reconoció por {kind}: "

_SENTENCES: Mapping[tuple[Verdict, Reason], str] = {
    (Verdict.ENTERED, Reason.EVENT): "Entró en {journey}",
    (Verdict.ENTERED, Reason.SEGMENT): "Entró en {journey}: pasó a formar parte del segmento {segment}",
    (Verdict.ENTERED, Reason.SEGMENT_LEFT): "Entró en {journey}: dejó el segmento {segment}",
    (Verdict.ENTERED, Reason.SCHEDULE): "Entró en {journey}: llegó su hora",
    (Verdict.ENTERED, Reason.DATE): "Entró en {journey}: llegó la fecha",
    (Verdict.ENTERED, Reason.INACTIVE): "Entró en {journey}: hacía bastante que no se sabía nada de esta persona",
    (Verdict.NOT_ENTERED, Reason.NOT_LIVE): _NOT_ENTERED + "el recorrido no está en marcha",
    (Verdict.NOT_ENTERED, Reason.CONDITION_FALSE): _NOT_ENTERED + "no se cumplía la condición de entrada",
    (Verdict.NOT_ENTERED, Reason.KEY_MISSING): _NOT_ENTERED + "al evento le falta {lacks}, la clave de las entradas",
    (Verdict.NOT_ENTERED, Reason.ALREADY_INSIDE): _NOT_ENTERED + "ya está dentro",
    (Verdict.NOT_ENTERED, Reason.NOT_AGAIN): _NOT_ENTERED + "ya estuvo dentro y todavía no puede volver",
    (Verdict.NOT_ENTERED, Reason.LIMIT_REACHED): _NOT_ENTERED + "el recorrido ya ha admitido a cuantos puede",
    (Verdict.NOT_ENTERED, Reason.ENTRY_LIMIT): _NOT_ENTERED + "ya tiene demasiadas entradas en él",
    (Verdict.WAITED, Reason.TIME): "Espera en {step} hasta {until}",
    (Verdict.WAITED, Reason.FOR_EVENT): "Espera en {step} un evento, como mucho hasta {until}",
    (Verdict.WAITED, Reason.FOR_ANSWER): "Espera en {step} la respuesta, hasta {until}",
    (Verdict.WAITED, Reason.RESTARTED): "Vuelve a empezar la espera en {step}, ahora hasta {until}",
    (Verdict.WAITED, Reason.NEXT_ROUND): "Espera en {step} la próxima vuelta, hasta {until}",
    (Verdict.WAITED, Reason.CONDITION_FALSE): "Sigue en {step}: no se cumplía una condición sobre lo que llegó",
    (Verdict.RESUMED, Reason.TIME_PASSED): "Siguió desde {step}: se acabó el tiempo",
    (Verdict.RESUMED, Reason.EVENT_CAME): "Siguió desde {step}: llegó {event}",
    (Verdict.RESUMED, Reason.TIMED_OUT): "Siguió desde {step}: no llegó nada a tiempo",
    (Verdict.RESUMED, Reason.ANSWERED): "Siguió desde {step}: llegó la respuesta",
    (Verdict.RESUMED, Reason.NOT_SENT): "Siguió desde {step}: no hay nada que esperar, porque no se pudo enviar nada",
    (Verdict.RESUMED, Reason.UNTIL_EVENT): "Terminó las vueltas de {step}: llegó el evento que las termina",
    (Verdict.RESUMED, Reason.DATE_PASSED): "No esperó en {step}: la fecha ya ha pasado",
    (Verdict.RESUMED, Reason.DATE_MISSING): "No esperó en {step}: no hay fecha",
    (Verdict.RESUMED, Reason.CASE_CLOSED): "El caso de {step} lo cerró {agent}: {outcome}",
    (Verdict.SENT, Reason.ALLOWED): "Se envió {message} ({purpose}) por {channel} en {step}: localizable, con"
    " consentimiento y permitido",
    (Verdict.SENT, Reason.CASE_ANSWERED): "Se envió la respuesta de {agent} al caso de {step} por {channel}",
    (Verdict.HELD, Reason.QUIET_HOURS): "Se retuvo {message} ({purpose}) en {step} hasta {until}: son horas de silencio"
    " para {channel}",
    (Verdict.SUPPRESSED, Reason.UNREACHABLE): _NOT_SENT + "no hay ninguna dirección útil",
    (Verdict.SUPPRESSED, Reason.NO_CONSENT): _NOT_SENT + "no ha dado su consentimiento",
    (Verdict.SUPPRESSED, Reason.NOT_ALLOWED): _NOT_SENT + "no se cumple la condición de su finalidad",
    (Verdict.SUPPRESSED, Reason.CASE_OPEN): _NOT_SENT + "tiene un caso abierto",
    (Verdict.SUPPRESSED, Reason.WINDOW_CLOSED): _NOT_SENT + "lleva un día sin escribir, y no es una plantilla",
    (Verdict.SUPPRESSED, Reason.HOLDOUT): _NOT_SENT + "está en el grupo de control",
    (Verdict.SUPPRESSED, Reason.CAP_REACHED): _NOT_SENT + "ya ha recibido cuantos puede, {cap}",
    (Verdict.SUPPRESSED, Reason.QUIET_HOURS): _NOT_SENT + "son sus horas de silencio",
    (Verdict.SUPPRESSED, Reason.EXPIRED): _NOT_SENT + "habría llegado demasiado tarde",
    (Verdict.SUPPRESSED, Reason.ALREADY_SENT): "Pasó de largo por {step}: se hizo antes de que cambiara el recorrido",
    (Verdict.SUPPRESSED, Reason.CANCELLED): _NOT_SENT + "se retiró a tiempo",
    (Verdict.SUPPRESSED, Reason.STALE): _NOT_SENT + "pasó demasiado tiempo sin poder salir",
    (Verdict.SUPPRESSED, Reason.NOT_RENDERED): _NOT_SENT + "no se pudo componer su texto",
    (Verdict.SUPPRESSED, Reason.FAILURE): _NOT_SENT + "por un error nuestro, que queda registrado",
    (Verdict.SUPPRESSED, Reason.REFUSED): _NOT_SENT + "su proveedor lo rechazó",
    (Verdict.SUPPRESSED, Reason.NO_COUPON): _NOT_SENT + "no quedan códigos",
    (Verdict.MOVED, Reason.NEW_VERSION): "Pasó a {step} de la versión {version} de {journey}",
    (Verdict.HANDED_OFF, Reason.CASE_OPENED): "Se pasó a {team} en {step}: hay un caso abierto",
    (Verdict.CALLED, Reason.CALL_MADE): "Se llamó a {webhook} en {step}",
    (Verdict.SCORED, Reason.MODEL_ANSWERED): "Valoración de {model} en {step}",
    (Verdict.SCORED, Reason.NO_ANSWER): "Sin valoración de {model} en {step}: no hay nada que valorar",
    (Verdict.BRANCHED, Reason.CONDITION_TRUE): "En {step} tomó el camino cuya condición se cumple",
    (Verdict.BRANCHED, Reason.OTHERWISE): "En {step} tomó el camino de los demás: no se cumple ninguna condición",
    (Verdict.BRANCHED, Reason.NONE_TRUE): "En {step} siguió adelante: no se cumple ninguna condición",
    (Verdict.BRANCHED, Reason.SHARE): "En {step} le tocó la parte {branch}, para siempre",
    (Verdict.BRANCHED, Reason.ROUND): "En {step} empezó la vuelta {round}",
    (Verdict.BRANCHED, Reason.UNTIL_TRUE): "Terminó las vueltas de {step}: se cumple su condición",
    (Verdict.BRANCHED, Reason.AT_MOST): "Terminó las vueltas de {step}: no hay más de {rounds}",
    (Verdict.CHANGED, Reason.SET): "Se anotó {field} en el perfil, en {step}",
    (
        Verdict.CHANGED,
        Reason.VALUE_MISSING,
    ): "Se dejó {field} como estaba en el perfil, en {step}: falta el nuevo valor",
    (Verdict.EMITTED, Reason.EMIT): "Se emitió {event} en {step}",
    (Verdict.EXITED, Reason.COMPLETED): "Salió de {journey}: todos los pasos están hechos",
    (Verdict.EXITED, Reason.GOAL): "Salió de {journey}: alcanzó el objetivo",
    (Verdict.EXITED, Reason.TWIN): "Salió de {journey}: estaba dentro también con otro nombre, y esa entrada se queda",
    (Verdict.CONVERTED, Reason.GOAL): "Alcanzó el objetivo de {journey}",
    (
        Verdict.PARKED,
        Reason.FAILURE,
    ): "Se paró en {step}: por un error nuestro, que queda registrado; no se pierde nada",
    (Verdict.PARKED, Reason.EMIT_LIMIT): "Se paró en {step}: un evento ha provocado demasiados otros",
    (Verdict.PARKED, Reason.STATE_TOO_LARGE): "Se paró en {step}: se recuerda más de esta persona de lo que cabe en su"
    " registro",
    (Verdict.PARKED, Reason.VERSION_MISSING): "Se paró en {step}: ya no existe la versión {version} de {journey}",
    (Verdict.MERGED, Reason.SAME_CUSTOMER): "Se le reconoció: lo que se conocía por {kinds} ({profile}) es de este"
    " cliente",
    (Verdict.NOT_MERGED, Reason.PROFILE_LIMIT): _NOT_KNOWN + "un cliente no puede tener más identificadores",
    (Verdict.NOT_MERGED, Reason.KIND_LIMIT): _NOT_KNOWN + "juntos serían más clientes de los que uno puede ser",
    (Verdict.NOT_MERGED, Reason.NEVER): _NOT_KNOWN + "el valor no es de nadie",
    (Verdict.NOT_MERGED, Reason.STATE_TOO_LARGE): "Se dejó fuera {kind}: en total se sabe más de lo que cabe en su"
    " registro",
    (Verdict.NOT_MERGED, Reason.UNUSABLE): _NOT_KNOWN + "el valor no se puede leer",
}

SPANISH = Wording(
    _SENTENCES,
    _NOT_SENT,
    {
        "webhook": "No se llamó a {webhook} en {step}: ",
        "team": "No se pasó a {team} en {step}: ",
        "agent": "No se envió la respuesta de {agent} al caso de {step} por {channel}: ",
    },
    {
        (Verdict.WAITED, Reason.FOR_ANSWER): "Espera en {step} a que se cierre el caso, como mucho hasta {until}",
        (Verdict.RESUMED, Reason.ANSWERED): "Siguió desde {step}, al cerrarse el caso: {outcome}",
        (Verdict.RESUMED, Reason.TIMED_OUT): "Siguió desde {step}: el caso no se cerró a tiempo",
    },
    "Espera en {step} a que se cierre el caso",
    "; {}, que se retuvo, ya no se envía",
    {
        Verdict.EXITED: "Salió de {journey}: {reason}",
        Verdict.HELD: "Se retuvo {message} en {step}: {reason}",
        Verdict.SUPPRESSED: _NOT_SENT + "{reason}",
        Verdict.NOT_ENTERED: _NOT_ENTERED + "{reason}",
    },
    "{verdict} en {step}: {reason}",
    {
        "message": "el mensaje",
        "channel": "ningún canal",
        "purpose": "la finalidad",
        "event": "el evento",
        "step": "el recorrido entero",
        "until": "más tarde",
        "branch": "que salió",
        "field": "el campo",
        "round": "siguiente",
        "rounds": "las permitidas",
        "team": "un equipo",
        "agent": "un agente",
        "outcome": "sin resultado",
        "segment": "que nombra",
        "webhook": "un webhook",
        "model": "un modelo",
        "kinds": "otro nombre",
        "kind": "un identificador",
        "profile": "un perfil",
        "lacks": "una propiedad",
        "cap": "en tan poco tiempo",
    },
    "falta",
    {"per": "cada", "by": "por"},
)
