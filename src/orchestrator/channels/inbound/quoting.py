"""Quoting: what is new in a reply, without the mail that it quotes and without the signature.

Owns where a mail program begins to quote, in the languages that we write in and those nearest to them. A reply is read
from its top to the first such line, line by line: the libraries for this that we tried match whole mails against
patterns that take seconds for a few hostile kilobytes, and cut off what follows "thanks". Must never cut what nobody
quoted: where no line begins a quotation, all of it is new.
"""

import re
from itertools import takewhile

MAX_CHARACTERS = 20_000
MAX_LINES = 1_000
# "On Tue, 3 Mar 2026 at 10:00, Shop <shop@…> wrote:" and its kin; mail programs may break it into up to three lines.
_INTRODUCES = re.compile(
    r"(?:on|el|em|no|le|am|il|op|den|dnia|a)\b.{0,300}\b"
    r"(?:(?:wrote|escribió|escribio|escreveu|va escriure|a écrit|ha scritto|skrev|napisał\(a\)|napisał)\s*:"
    r"|(?:schrieb|schreef)\b[^:]{0,80}:)",
    re.IGNORECASE,
)
_BEGINS = re.compile(r"(?:on|el|em|no|le|am|il|op|den|dnia|a)\s", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_SEPARATOR = re.compile(
    r"[-_]{2,}\s*(?:original message|mensaje original|mensagem original|missatge original|message d'origine"
    r"|ursprüngliche nachricht|messaggio originale|forwarded message|mensaje reenviado)\s*[-_]{2,}|_{20,}",
    re.IGNORECASE,
)
# A block of headers, as Outlook writes it above what it quotes: From and, right below, Sent or Date.
_FROM = re.compile(r"\*?(?:from|de|von|da|van)\s?:\*?\s", re.IGNORECASE)
_SENT = re.compile(r"\*?(?:sent|date|enviado(?: el)?|fecha|enviada|data|gesendet|envoyé|inviato|verzonden)\s?:", re.I)
_PHONE = re.compile(
    r"(?:sent from my|get outlook for|enviado desde mi|enviat des del meu|envoyé de mon|von meinem .{1,30} gesendet"
    r"|inviato da|enviado do meu)\b.{0,60}",
    re.IGNORECASE,
)


def reply_in(text: str) -> str:
    """Give what the writer added."""
    lines = text[:MAX_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MAX_LINES]
    stripped = [line.strip() for line in lines]
    end = next((at for at in range(len(lines)) if _begins_a_quotation(stripped, at)), len(lines))
    end = next((at for at in range(end) if lines[at].rstrip() == "--" or _PHONE.fullmatch(stripped[at])), end)
    return "\n".join(line.rstrip() for line in lines[:end]).strip()


def _begins_a_quotation(lines: list[str], at: int) -> bool:
    line = lines[at]
    if line.startswith(">") or _SEPARATOR.fullmatch(line):
        return True
    if _BEGINS.match(line) and _DIGIT.search(line):  # the day, or the year: "no, ..." begins an answer too
        paragraph = takewhile(bool, lines[at : at + 3])
        return _INTRODUCES.match(" ".join(paragraph)[:400]) is not None
    return _FROM.match(line) is not None and any(_SENT.match(each) for each in lines[at + 1 : at + 3])
