"""Customers' pages: how they look.

Owns the HTML: plain forms that work without a script, in the customer's language, with labels that screen readers
read and sizes that fingers hit. Everything put into a page is escaped here. Must never ask for anything to change: a
page is shown to whoever opens its link, and most of those are link scanners.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from orchestrator.channels.wording import words_in

_STYLE = (
    "body{font:1.0625rem/1.5 system-ui,sans-serif;margin:0;color:#1a1a1a;background:#fff}"
    "main{max-width:36rem;margin:0 auto;padding:2rem 1.25rem}h1{font-size:1.5rem}"
    "fieldset{border:1px solid #767676;border-radius:.5rem;margin:1rem 0;padding:.75rem 1rem}"
    "label{display:block;padding:.5rem 0}.scale label{display:inline-block;padding:.5rem .625rem;text-align:center}"
    ".scale input{display:block;margin:0 auto .25rem;width:1.5rem;height:1.5rem}"
    "textarea{width:100%;box-sizing:border-box;font:inherit;min-height:6rem}"
    ".ends{display:flex;justify-content:space-between}"
    "button{font:inherit;padding:.75rem 1.5rem;border:2px solid #1a1a1a;border-radius:.5rem;"
    "background:#1a1a1a;color:#fff}"
    "button:focus,input:focus,textarea:focus,a:focus{outline:3px solid #0b57d0;outline-offset:2px}"
    "@media(prefers-color-scheme:dark){body{background:#121212;color:#eee}a{color:#8ab4f8}"
    "button{background:#eee;color:#121212;border-color:#eee}}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def policy(style_hash: str) -> str:
    """Give the policy of a page of ours: its own style, forms to ourselves, and nothing else from anywhere."""
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    )


HEADERS = {
    "Cache-Control": "no-store, private",
    "Content-Security-Policy": policy(_STYLE_HASH),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
# The scores of a survey, lowest first.
SCALES: Mapping[str, range] = {"nps": range(11), "csat": range(1, 6), "ces": range(1, 8)}

# The field that says which boxes were ticked when the page of preferences was shown; no purpose's name looks like it.
SHOWN = ":shown"


@dataclass(frozen=True, slots=True)
class Look:
    """Whose page it is, and in which language."""

    brand: str
    language: str

    @property
    def words(self) -> Mapping[str, str]:
        """Our texts in that language."""
        return words_in(self.language)

    def page(self, title: str, content: str, status: int = 200) -> Response:
        """Give a whole page; `content` is HTML already."""
        brand = f"<p>{escape(self.brand)}</p>" if self.brand else ""
        whole = (
            f'<!doctype html><html lang="{escape(self.language)}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
            f"<body><main>{brand}<h1>{escape(title)}</h1>{content}</main></body></html>"
        )
        return HTMLResponse(whole, status, HEADERS)

    def note(self, title: str, text: str = "", status: int = 200, further: str = "") -> Response:
        """Give a page that only says something, and may lead on; `further` is HTML already."""
        said = f'<p role="status">{escape(text)}</p>' if text else ""
        return self.page(title, said + further, status)

    def question(self, question: str, button: str, further: str = "") -> Response:
        """Give a page with one button."""
        form = f'<form method="post"><p><button type="submit">{escape(button)}</button></p></form>'
        return self.page(question, form + further)


def invalid(request: Request, expired: bool = False) -> Response:
    """Give the page of a link that is not ours, was changed, or is past its end."""
    accepted = request.headers.get("accept-language", "en").partition(",")[0].partition(";")[0].strip()
    language = accepted if accepted.replace("-", "").isalnum() and accepted.isascii() else "en"
    look = Look("", language[:35])
    text = look.words["expired" if expired else "invalid"]
    return look.note(text, look.words["no_change"], 410 if expired else 404)


def link(url: str, text: str) -> str:
    """Write a link in a paragraph of its own."""
    return f'<p><a href="{escape(url)}">{escape(text)}</a></p>'


def shown_as(purpose: str, channel: str) -> str:
    """Name a box of the page of preferences."""
    return f"{purpose}/{channel}"


def preferences(look: Look, choices: Iterable[tuple[str, Iterable[tuple[str, bool]]]]) -> Response:
    """Give the page of what we may write about: (purpose, [(channel, whether)])."""
    groups = []
    choices = [(purpose, list(channels)) for purpose, channels in choices]
    ticked = [shown_as(purpose, channel) for purpose, channels in choices for channel, granted in channels if granted]
    shown = "".join(f'<input type="hidden" name="{SHOWN}" value="{escape(each)}">' for each in ticked or ["-"])
    for purpose, channels in choices:
        boxes = "".join(
            f'<label><input type="checkbox" name="{escape(purpose)}" value="{escape(channel)}"'
            f"{' checked' if granted else ''}> {escape(_readable(channel))}</label>"
            for channel, granted in channels
        )
        groups.append(f"<fieldset><legend>{escape(_readable(purpose))}</legend>{boxes}</fieldset>")
    words = look.words
    form = (
        f'<p>{escape(words["preferences_intro"])}</p><form method="post">{shown}{"".join(groups)}'
        f'<p><button type="submit">{escape(words["save"])}</button></p></form>'
    )
    return look.page(words["preferences"], form)


def survey(look: Look, kind: str, chosen: int | None, status: int = 200) -> Response:
    """Give the page of a survey; the score that was clicked in the mail is chosen already."""
    words = look.words
    question = words.get(f"survey_{kind}", words["survey_custom"])
    scale = ""
    if kind in SCALES:
        radios = "".join(
            f'<label><input type="radio" name="score" value="{score}" required'
            f"{' checked' if score == chosen else ''}> {score}</label>"
            for score in SCALES[kind]
        )
        # With their numbers: on a telephone the scale takes two lines.
        least, most = f"{SCALES[kind][0]}: {words['least']}", f"{SCALES[kind][-1]}: {words['most']}"
        ends = f"<span>{escape(least)}</span><span>{escape(most)}</span>"
        scale = (
            f'<fieldset class="scale"><legend>{escape(question)}</legend>{radios}'
            f'<div class="ends" aria-hidden="true">{ends}</div></fieldset>'
        )
    form = (
        f'<form method="post">{scale}<label for="comment">{escape(words["comment"])}</label>'
        '<textarea id="comment" name="comment" maxlength="2000"></textarea>'
        f'<p><button type="submit">{escape(words["send"])}</button></p></form>'
    )
    return look.page(words["survey"] if scale else question, form, status)


def _readable(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").capitalize()
