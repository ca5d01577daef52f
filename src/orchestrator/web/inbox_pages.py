"""The inbox's pages: how they look.

Owns the HTML for people who work on cases: a queue, a case with its whole context, and forms that work without a
script, with labels that screen readers read, in the agent's language and on their clock. Everything put into a page is
escaped here. Must never decide what an agent may see: it is handed that.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from starlette.responses import HTMLResponse, Response

from orchestrator.web import pages
from orchestrator.web.inbox_words import words_in

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:0;color:#1a1a1a;background:#fff}"
    "header,main{max-width:72rem;margin:0 auto;padding:1rem 1.25rem}"
    "header{display:flex;gap:1.5rem;align-items:center;flex-wrap:wrap}"
    "h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.125rem;margin:1.5rem 0 .5rem}"
    "table{border-collapse:collapse;width:100%}caption{text-align:left;padding:.5rem 0}"
    "th,td{text-align:left;vertical-align:top;padding:.5rem .75rem .5rem 0;border-bottom:1px solid #767676;"
    "overflow-wrap:anywhere}td:not(:nth-child(3)){overflow-wrap:normal}"
    # On a telephone each case is a block of lines, each with the head of its column.
    "@media(max-width:45rem){table,caption,tbody,tr,th,td{display:block}thead{position:absolute;left:-999rem}"
    "tr{border-bottom:1px solid #767676;padding:.75rem 0}tbody th,td{border:0;padding:.125rem 0}"
    "td:before{content:attr(data-head) ': ';font-weight:600}}"
    ".columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:0 2rem}"
    "dt{font-weight:600}dd{margin:0 0 .5rem;overflow-wrap:anywhere}"
    "fieldset{border:1px solid #767676;border-radius:.5rem;margin:1rem 0;padding:.75rem 1rem}"
    "label{display:block;padding:.375rem 0}textarea,input,select{font:inherit;box-sizing:border-box;max-width:100%}"
    "textarea{width:100%;min-height:6rem}input,select{padding:.375rem}"
    "ol,ul{padding-left:1.25rem}li{margin:.25rem 0;overflow-wrap:anywhere}"
    ".said{white-space:pre-wrap;overflow-wrap:anywhere}"
    "button{font:inherit;padding:.5rem 1.25rem;border:2px solid #1a1a1a;border-radius:.5rem;background:#1a1a1a;"
    "color:#fff}form.inline{display:inline}[role=alert],[role=status]{border-left:.25rem solid #0b57d0;padding:.5rem "
    "1rem}[role=alert]{border-color:#b3261e}"
    "a:focus,button:focus,input:focus,select:focus,textarea:focus{outline:3px solid #0b57d0;outline-offset:2px}"
    "@media(prefers-color-scheme:dark){body{background:#121212;color:#eee}a{color:#8ab4f8}"
    "button{background:#eee;color:#121212;border-color:#eee}}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Forms need a Referer's origin to be told apart from other sites' where a browser sends no Origin.
HEADERS = {**pages.HEADERS, "Content-Security-Policy": pages.policy(_HASH), "Referrer-Policy": "same-origin"}
_LONGEST_TITLE = 160
# What is told after something was done, by a word in the address, and of these what is a failure.
_DONE = ("claim", "release", "note", "answer", "close")
_FAILED = ("unreachable", "no_consent", "taken", "unclaimed", "closed", "empty", "no_outcome", "no_channel", "form")


@dataclass(frozen=True, slots=True)
class Look:
    """Whose page it is: the brand, the agent's language and time zone, and who is signed in, with their forms."""

    brand: str
    language: str
    zone: ZoneInfo
    agent: str | None = None
    form: str = ""

    def say(self, name: str, *filled: str) -> str:
        """Give one of our texts in the agent's language."""
        return words_in(self.language)[name].format(*filled)

    def called(self, name: str) -> str:
        """Give what the product calls something, in the agent's language; a name of the project's own as it reads."""
        return words_in(self.language).get(f"called_{name}") or name.replace("_", " ").replace("-", " ").capitalize()

    def time(self, text: str) -> str:
        """Show an instant to the minute, on the agent's clock."""
        at = datetime.fromisoformat(text).astimezone(self.zone)
        return f"{at:%Y-%m-%d %H:%M} {at.tzname()}"

    def page(self, title: str, content: str, status: int = 200) -> Response:
        """Give a whole page; `content` is HTML already."""
        signed_in = ""
        if self.agent is not None:
            signed_in = (
                f'<nav aria-label="{self.say("cases")}"><a href="/inbox">{self.say("nav_open")}</a> · '
                f'<a href="/inbox?state=closed">{self.say("nav_closed")}</a></nav>'
                f'<form class="inline" method="post" action="/inbox/logout">{_hidden(self.form)}'
                f'<button type="submit">{escape(self.say("sign_out", self.agent))}</button></form>'
            )
        html = (
            f'<!doctype html><html lang="{self.language}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
            f"<body><header><strong>{escape(self.brand or self.say('inbox'))}</strong>{signed_in}</header>"
            f"<main><h1>{escape(title)}</h1>{content}</main></body></html>"
        )
        return HTMLResponse(html, status, HEADERS)


def path_of(case_id: str) -> str:
    """Give the path of a case's page; a contact centre calls its cases as it likes (`SR#12/7`)."""
    return f"/inbox/cases/{quote(case_id, safe='')}"


def login(look: Look, failed: bool = False) -> Response:
    """Give the page to sign in."""
    told = f'<p role="alert">{look.say("sign_in_failed")}</p>' if failed else ""
    form = (
        f'{told}<form method="post" action="/inbox/login"><label for="name">{look.say("name")}</label>'
        '<input id="name" name="name" autocomplete="username" required>'
        f'<label for="key">{look.say("key")}</label>'
        '<input id="key" name="key" type="password" autocomplete="current-password" required>'
        f'<p><button type="submit">{look.say("sign_in")}</button></p></form>'
    )
    return look.page(look.say("sign_in"), form, 401 if failed else 200)


def queue(look: Look, cases: Sequence[Mapping[str, Any]], closed: bool) -> Response:
    """Give the cases that an agent sees."""
    title = look.say("closed_cases" if closed else "open_cases")
    if not cases:
        return look.page(title, f'<p role="status">{look.say("no_cases")}</p>')
    named = ("urgency", "case", "customer", "team", "channel", "opened", "outcome" if closed else "works_on_it")
    rows = "".join(_row(look, case, closed, [look.say(name) for name in named]) for case in cases)
    heads = "".join(f'<th role="columnheader" scope="col">{look.say(name)}</th>' for name in named)
    count = look.say("many_cases", str(len(cases))) if len(cases) > 1 else look.say("one_case")
    caption = f"{count}, {look.say('order_closed' if closed else 'order_open')}"
    # The roles are those of the elements, and stay where a narrow screen shows these as blocks.
    table = (
        f'<table role="table"><caption>{caption}</caption><thead role="rowgroup"><tr role="row">{heads}</tr></thead>'
    )
    return look.page(title, f'{table}<tbody role="rowgroup">{rows}</tbody></table>')


def _row(look: Look, case: Mapping[str, Any], closed: bool, heads: Sequence[str]) -> str:
    name = case["summary"] or look.called(case["reason"] or case["id"])
    link = f'<a href="{path_of(case["id"])}">{escape(_short(name))}</a>'
    unknown = look.say("unknown")
    last = case["agent"] or look.say("nobody")
    if closed:
        last = look.called(case["outcome"]) if case["outcome"] else look.say("none")
    opened = look.time(case["opened_at"])
    about = (case["customer_id"] or unknown, _team(look, case), case["channel"] or unknown, opened, last)
    cells = [
        f'<td role="cell" data-head="{escape(head)}">{escape(each)}</td>'
        for head, each in zip((heads[0], *heads[2:]), (look.called(case["priority"]), *about), strict=True)
    ]
    cells.insert(1, f'<th role="rowheader" scope="row">{link}</th>')
    return f'<tr role="row">{"".join(cells)}</tr>'


def _short(text: str) -> str:
    """Cut what is too long for a heading."""
    return text if len(text) <= _LONGEST_TITLE else text[: _LONGEST_TITLE - 1].rstrip() + "…"


def _team(look: Look, case: Mapping[str, Any]) -> str:
    return " / ".join(look.called(each) for each in (case["team"], case["skill"]) if each) or look.say("any")


def case(look: Look, once: str, found: Mapping[str, Any], told: str | None) -> Response:
    """Give one case with its whole context, and the forms to work on it."""
    title = found["summary"] or (look.called(found["reason"]) if found["reason"] else look.say("case"))
    note = ""
    if told in _DONE or told in _FAILED:
        note = f'<p role="{"alert" if told in _FAILED else "status"}">{escape(look.say(f"told_{told}"))}</p>'
    happened = (_happened(look, each) for each in found["timeline"])
    whole = f'<p class="said">{escape(title)}</p>' if _short(title) != title else ""
    content = (
        note
        + whole
        + _facts(look, found)
        + ('<div class="columns">' + _about(look, found) + _feelings(look, found) + "</div>")
        + _section(look, "conversation", (escape(_line(look, line)) for line in found["lines"]), ordered=True)
        + (_forms(look, found, once) if not found["closed_at"] else "")
        + _section(look, "where_they_stand", (escape(each["sentence"]) for each in found["journeys"]))
        + _section(look, "what_was_sent", (escape(_sent(look, each)) for each in found["messages"]))
        + _section(look, "what_happened", happened, ordered=True)
        + _section(look, "other_cases", (_other(look, each) for each in found["other_cases"]))
    )
    return look.page(_short(title), content)


def missing(look: Look) -> Response:
    """Give the page of a case that is not there, or not this agent's to see."""
    return look.page(look.say("missing"), f'<p><a href="/inbox">{look.say("to_open_cases")}</a></p>', 404)


def unreadable(look: Look, status: int) -> Response:
    """Give the page for a form that cannot be read."""
    return look.page(look.say("bad_form"), "", status)


def not_kept(look: Look) -> Response:
    """Give the page for what could not be done now."""
    return look.page(look.say("not_kept"), f"<p>{look.say('try_again')}</p>", 503)


def _facts(look: Look, found: Mapping[str, Any]) -> str:
    at = look.say("journey_at", found["journey"], str(found["step"])) if found["journey"] else look.say("no_journey")
    facts = {
        "urgency": look.called(found["priority"]),
        "team": _team(look, found),
        "reason": look.called(found["reason"]) if found["reason"] else look.say("no_reason"),
        "opened": look.time(found["opened_at"]),
        "journey": at,
        "works_on_it": found["agent"] or look.say("nobody"),
    }
    if found["closed_at"]:
        outcome = look.called(found["outcome"]) if found["outcome"] else look.say("none")
        facts |= {"closed_at": look.time(found["closed_at"]), "outcome": outcome}
    return _definitions({look.say(name): value for name, value in facts.items()})


def _about(look: Look, found: Mapping[str, Any]) -> str:
    who, title = found["customer"], look.say("who")
    if who is None:
        return f"<section><h2>{title}</h2><p>{look.say('nothing_known')}</p></section>"
    named = {kind: ", ".join(values) for kind, values in who["identifiers"].items()}
    traits = {name: _value(value) for name, value in who["traits"].items()}
    facts = {look.say("customer"): who["customer_id"] or look.say("unknown"), **named, **traits}
    facts[look.say("timezone")] = who["timezone"]
    facts[look.say("prefers")] = ", ".join(who["prefers"]) or look.say("nothing_said")
    facts[look.say("unreachable_by")] = ", ".join(who["unreachable"]) or look.say("none")
    return f"<section><h2>{title}</h2>{_definitions(facts)}</section>"


def _feelings(look: Look, found: Mapping[str, Any]) -> str:
    said = found["said"] or {}
    text, by = (said.get("properties") or {}).get("text"), said.get("channel")
    words = f'<p class="said">{escape(str(text))}</p>' if text else f"<p>{look.say('wrote_nothing')}</p>"
    title = look.say("what_they_said_by", str(by)) if by else look.say("what_they_said")
    judged = [
        f"{look.called(each['step'])}: {each['label']}"
        + (f" ({each['value']:g})" if isinstance(each["value"], int | float) else "")
        + (f", {look.say('because_of', ', '.join(map(str, each['why'])))}" if each["why"] else "")
        for each in found["sentiment"]
    ]
    return f"<section><h2>{escape(title)}</h2>{words}{_list(map(escape, judged))}</section>"


def _line(look: Look, line: Mapping[str, Any]) -> str:
    """Say a line of the conversation."""
    what, by = f"line_{line['what']}", line["channel"]
    filled = [] if line["what"] == "customer" else [line["who"]]
    if by and line["what"] in ("answer", "customer"):
        what, filled = f"{what}_by", [*filled, by]
    text = f": {line['text']}" if line["text"] else ""
    status = f" ({look.called(line['status'])})" if line["status"] else ""
    return f"{look.time(line['at'])} {look.say(what, *filled)}{text}{status}"


def _forms(look: Look, found: Mapping[str, Any], once: str) -> str:
    base = path_of(found["id"])
    hidden = f'{_hidden(look.form)}<input type="hidden" name="once" value="{escape(once)}">'

    def one(verb: str, inner: str, button: str, legend: str = "") -> str:
        body = f'{hidden}{inner}<p><button type="submit">{escape(look.say(button))}</button></p>'
        body = f"<fieldset><legend>{escape(look.say(legend))}</legend>{body}</fieldset>" if legend else body
        return f'<form method="post" action="{base}/{verb}">{body}</form>'

    title = f"<h2>{look.say('work_on_it')}</h2>"
    words = f'<label for="note">{look.say("note")}</label><textarea id="note" name="text" required></textarea>'
    note = one("note", words, "keep", "note")
    if found["agent"] != look.agent:
        somebody = found["agent"]
        taken = f"<p>{escape(look.say('somebody_works', somebody))}</p>" if somebody else one("claim", "", "take")
        return f"<section>{title}{taken}{note}</section>"
    answer = one("answer", _answer_fields(look, found), "send", "answer_customer")
    close = one("close", _close_fields(look, found), "close", "close_case")
    parts = [*([] if found["kind"] == "call" else [answer]), note, close, one("release", "", "give_back")]
    return f"<section>{title}{''.join(parts)}</section>"


def _answer_fields(look: Look, found: Mapping[str, Any]) -> str:
    return (
        f'<label for="channel">{look.say("by")}</label>'
        f'<select id="channel" name="channel">{_options(look, found["channels"])}</select>'
        f'<label for="subject">{look.say("subject")}</label><input id="subject" name="subject" maxlength="200">'
        f'<label for="answer">{look.say("answer")}</label><textarea id="answer" name="text" required></textarea>'
    )


def _close_fields(look: Look, found: Mapping[str, Any]) -> str:
    return (
        f'<label for="outcome">{look.say("outcome")}</label>'
        f'<select id="outcome" name="outcome" required>{_options(look, found["outcomes"])}</select>'
        f'<label for="comment">{look.say("comment")}</label><textarea id="comment" name="text"></textarea>'
    )


def _sent(look: Look, message: Mapping[str, Any]) -> str:
    told = (message["journey"], message["step"], message["purpose"])
    why = look.say("sent_why", *told) if message["purpose"] else look.say("sent_by_person")
    return f"{look.time(message['at'])} {look.say('sent_by', message['message'], message['channel'], why)}"


def _happened(look: Look, told: Mapping[str, Any]) -> str:
    if told.get("line"):
        return escape(_line(look, told["line"]))
    return escape(f"{look.time(str(told['at']))} {told['text']}")


def _other(look: Look, other: Mapping[str, Any]) -> str:
    outcome = look.called(other["outcome"]) if other["outcome"] else look.say("without_outcome")
    state = look.say("state_closed", outcome) if other["closed_at"] else look.say("state_open")
    name = look.called(other["reason"]) if other["reason"] else look.say("case")
    return f'<a href="{path_of(other["id"])}">{escape(name)}</a> ({escape(state)})'


def _section(look: Look, title: str, items: Iterable[str], *, ordered: bool = False) -> str:
    """Give a section with a list; the items are HTML already."""
    made = _list(items, ordered=ordered) or f"<p>{look.say('nothing')}</p>"
    return f"<section><h2>{escape(look.say(title))}</h2>{made}</section>"


def _list(items: Iterable[str], *, ordered: bool = False) -> str:
    made = "".join(f"<li>{each}</li>" for each in items)
    tag = "ol" if ordered else "ul"
    return f"<{tag}>{made}</{tag}>" if made else ""


def _definitions(facts: Mapping[str, str]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items()) + "</dl>"


def _options(look: Look, values: Iterable[str]) -> str:
    return "".join(f'<option value="{escape(each)}">{escape(look.called(each))}</option>' for each in values)


def _hidden(form: str) -> str:
    return f'<input type="hidden" name="form" value="{escape(form)}">'


def _value(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
