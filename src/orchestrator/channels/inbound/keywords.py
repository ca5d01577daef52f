"""Keywords: the words by which customers leave and come back, as a whole message.

    STOP, BAJA, ARRÊT …      a consent withdrawn for this channel, whatever the purpose
    START, ALTA …            a consent given for it

Owns the words: those that networks and providers mandate (CTIA, Twilio) in every project, others by the languages that
a project writes in, and the project's own (`keywords` in orchestrator.yaml). A message counts only as a whole: whoever
writes "please stop by tomorrow" has withdrawn nothing. YES is no word of ours: it answers too many other questions.
Must never know a channel.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# In every project: what US networks and Twilio take for an opt-out by default, and `/stop` as bots have it.
_STOP = ("stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "optout", "opt out", "revoke", "/stop")
_START = ("start", "unstop", "subscribe", "opt in", "optin")
_BY_LANGUAGE: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "es": (("baja", "alto", "parar", "para", "cancelar", "darme de baja", "no mas"), ("alta", "darme de alta")),
    "ca": (("baixa", "atura", "aturar", "cancellar", "donar-me de baixa"), ("alta", "donar-me d'alta")),
    "pt": (("parar", "pare", "sair", "cancelar", "remover"), ("voltar", "entrar", "inscrever")),
    "fr": (("arret", "arreter", "desabonner", "desinscrire", "annuler"), ("reprendre", "abonner")),
    "de": (("stopp", "abmelden", "abbestellen", "austragen"), ("anmelden", "starten")),
    "it": (("ferma", "fermati", "cancella", "disiscrivi", "annulla"), ("inizia", "iscrivi")),
    "nl": (("afmelden", "uitschrijven", "stoppen"), ("aanmelden",)),
    "gl": (("baixa", "parar", "deter"), ("alta",)),
    "eu": (("utzi", "gelditu"), ("hasi",)),
    "pl": (("rezygnuje", "wypisz"), ("zapisz",)),
}
LONGEST = 40
_AROUND = " \t\r\n.,;:!?¡¿\"'«»“”‘’()[]*_-"


@dataclass(frozen=True, slots=True)
class Keywords:
    """The words of one project, as they are compared."""

    stop: frozenset[str]
    start: frozenset[str] = field(default_factory=frozenset)

    def meaning(self, text: str) -> str | None:
        """Give `stop` or `start`; None for a message that is neither."""
        if len(text) > LONGEST:
            return None
        word = plain(text)
        return "stop" if word in self.stop else "start" if word in self.start else None


def keywords_of(languages: Iterable[str], stop: Iterable[str] = (), start: Iterable[str] = ()) -> Keywords:
    """Collect the words of a project that writes in these languages and has these of its own.

    A word that the project names is what the project says; of one that means both, leaving comes first.
    """
    stops, starts = {*_STOP}, {*_START}
    for language in languages:
        further = _BY_LANGUAGE.get(language.partition("-")[0].lower(), ((), ()))
        stops.update(further[0])
        starts.update(further[1])
    own_stops, own_starts = set(map(plain, stop)), set(map(plain, start))
    stops, starts = (stops - own_starts) | own_stops, (starts - own_stops) | own_starts
    return Keywords(frozenset(stops), frozenset(starts - stops))


def plain(text: str) -> str:
    """Write a message as it is compared: no case, no accents, no marks around it, single spaces."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(bare.strip(_AROUND).split())
