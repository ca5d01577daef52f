"""The inbox's pages: how they look.

Owns the HTML for people who work on cases: a queue, a case with its whole context, and forms that work without a
script, with labels that screen readers read. Everything put into a page is escaped here. Must never decide what an
agent may see: it is handed that.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from starlette.responses import HTMLResponse, Response

from orchestrator.web import pages

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;margin:0;color:#1a1a1a;background:#fff}"
    "header,main{max-width:72rem;margin:0 auto;padding:1rem 1.25rem}"
    "header{display:flex;gap:1.5rem;align-items:center;flex-wrap:wrap}"
    "h1{font-size:1.5rem}h2{font-size:1.125rem;margin:1.5rem 0 .5rem}"
    "table{border-collapse:collapse;width:100%}caption{text-align:left;padding:.5rem 0}"
    "th,td{text-align:left;vertical-align:top;padding:.5rem .75rem .5rem 0;border-bottom:1px solid #767676}"
    ".columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:0 2rem}"
    "dt{font-weight:600}dd{margin:0 0 .5rem;overflow-wrap:anywhere}"
    "fieldset{border:1px solid #767676;border-radius:.5rem;margin:1rem 0;padding:.75rem 1rem}"
    "label{display:block;padding:.375rem 0}textarea,input,select{font:inherit;box-sizing:border-box;max-width:100%}"
    "textarea{width:100%;min-height:6rem}input,select{padding:.375rem}"
    "ol,ul{padding-left:1.25rem}li{margin:.25rem 0;overflow-wrap:anywhere}.said{white-space:pre-wrap}"
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
# What is told after something was done, by a word in the address; whether it is a failure.
_TOLD: Mapping[str, tuple[str, bool]] = {
    "claim": ("The case is yours.", False),
    "release": ("The case is free again.", False),
    "note": ("The note is kept.", False),
    "answer": ("The answer is on its way.", False),
    "close": ("The case is closed.", False),
    "unreachable": ("Nothing left: there is no usable address for that channel. It is on record.", True),
    "no_consent": ("Nothing left: the customer wants nothing by that channel. It is on record.", True),
    "taken": ("Somebody else works on this case.", True),
    "unclaimed": ("Take the case first.", True),
    "closed": ("The case is closed already.", True),
    "empty": ("There is no text.", True),
    "no_outcome": ("Say how the case ended.", True),
    "no_channel": ("Nothing is known of how to reach the customer; choose a channel.", True),
    "form": ("The page was too old; look at it anew and send again.", True),
}


def page(title: str, brand: str, content: str, agent: str | None = None, form: str = "", status: int = 200) -> Response:
    """Give a whole page; `content` is HTML already."""
    signed_in = ""
    if agent is not None:
        signed_in = (
            f'<nav aria-label="Cases"><a href="/inbox">Open</a> · <a href="/inbox?state=closed">Closed</a></nav>'
            f'<form class="inline" method="post" action="/inbox/logout">{_hidden(form)}'
            f'<button type="submit">Sign out {escape(agent)}</button></form>'
        )
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><header><strong>{escape(brand or 'Inbox')}</strong>{signed_in}</header>"
        f"<main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
    return HTMLResponse(html, status, HEADERS)


def login(brand: str, failed: bool = False) -> Response:
    """Give the page to sign in."""
    told = '<p role="alert">That is no agent, or not their key.</p>' if failed else ""
    form = (
        f'{told}<form method="post" action="/inbox/login"><label for="name">Name</label>'
        '<input id="name" name="name" autocomplete="username" required>'
        '<label for="key">Key</label><input id="key" name="key" type="password" autocomplete="current-password"'
        ' required><p><button type="submit">Sign in</button></p></form>'
    )
    return page("Sign in", brand, form, status=401 if failed else 200)


def queue(brand: str, agent: str, form: str, cases: Sequence[Mapping[str, Any]], closed: bool) -> Response:
    """Give the cases that an agent sees."""
    title = "Closed cases" if closed else "Open cases"
    if not cases:
        return page(title, brand, '<p role="status">There are none.</p>', agent, form)
    rows = "".join(_row(case, closed) for case in cases)
    last = "Outcome" if closed else "Who works on it"
    heads = "".join(
        f'<th scope="col">{name}</th>' for name in ("Urgency", "Case", "Customer", "Team", "Channel", "Opened", last)
    )
    order = "the newest first" if closed else "the most urgent first, then the oldest"
    caption = f"{len(cases)} {'cases' if len(cases) > 1 else 'case'}, {order}"
    table = f"<table><caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return page(title, brand, table, agent, form)


def _row(case: Mapping[str, Any], closed: bool) -> str:
    name = case["summary"] or _readable(case["reason"] or case["id"])
    link = f'<a href="/inbox/cases/{escape(case["id"])}">{escape(name[:160])}</a>'
    team = " / ".join(_readable(each) for each in (case["team"], case["skill"]) if each) or "any"
    last = _readable(case["outcome"] or "none") if closed else case["agent"] or "nobody"
    cells = (case["customer_id"] or "unknown", team, case["channel"] or "unknown", _time(case["opened_at"]), last)
    told = "".join(f"<td>{escape(each)}</td>" for each in cells)
    return f'<tr><td>{escape(_readable(case["priority"]))}</td><th scope="row">{link}</th>{told}</tr>'


def case(brand: str, agent: str, form: str, once: str, found: Mapping[str, Any], told: str | None) -> Response:
    """Give one case with its whole context, and the forms to work on it."""
    title = found["summary"] or _readable(found["reason"] or "Case")
    note = ""
    if told is not None and told in _TOLD:
        words, is_failure = _TOLD[told]
        note = f'<p role="{"alert" if is_failure else "status"}">{escape(words)}</p>'
    content = (
        note
        + _facts(found)
        + ('<div class="columns">' + _about(found) + _feelings(found) + "</div>")
        + _section("Conversation", _lines(found["lines"]), ordered=True)
        + (_forms(found, agent, form, once) if not found["closed_at"] else "")
        + _section("Where they stand", (each["sentence"] for each in found["journeys"]))
        + _section("What was sent", (_sent(each) for each in found["messages"]))
        + _section("What happened, the newest first", (_happened(each) for each in found["timeline"]), ordered=True)
        + _section("Other cases", (_other(each) for each in found["other_cases"]), is_html=True)
    )
    return page(title[:160], brand, content, agent, form)


def missing(brand: str, agent: str, form: str) -> Response:
    """Give the page of a case that is not there, or not this agent's to see."""
    return page("There is no such case", brand, '<p><a href="/inbox">To the open cases</a></p>', agent, form, 404)


def _facts(found: Mapping[str, Any]) -> str:
    facts = {
        "Urgency": _readable(found["priority"]),
        "Team": " / ".join(_readable(each) for each in (found["team"], found["skill"]) if each) or "any",
        "Reason": _readable(found["reason"] or "not given"),
        "Opened": _time(found["opened_at"]),
        "Journey": f"{found['journey']}, at {found['step']}" if found["journey"] else "none of ours",
        "Works on it": found["agent"] or "nobody",
    }
    if found["closed_at"]:
        facts |= {"Closed": _time(found["closed_at"]), "Outcome": _readable(found["outcome"] or "none")}
    return _definitions(facts)


def _about(found: Mapping[str, Any]) -> str:
    who = found["customer"]
    if who is None:
        return "<section><h2>Who</h2><p>Nothing is known of them.</p></section>"
    named = {kind: ", ".join(values) for kind, values in who["identifiers"].items()}
    traits = {name: _value(value) for name, value in who["traits"].items()}
    facts = {"Customer": who["customer_id"] or "unknown", **named, **traits, "Time zone": who["timezone"]}
    facts["Prefers"] = ", ".join(who["prefers"]) or "nothing said"
    facts["Not reachable by"] = ", ".join(who["unreachable"]) or "none"
    return f"<section><h2>Who</h2>{_definitions(facts)}</section>"


def _feelings(found: Mapping[str, Any]) -> str:
    said = found["said"] or {}
    text = (said.get("properties") or {}).get("text")
    words = f'<p class="said">{escape(str(text))}</p>' if text else "<p>They wrote nothing.</p>"
    channel = f" by {escape(str(said['channel']))}" if said.get("channel") else ""
    judged = [
        f"{_readable(each['step'])}: {each['label']}"
        + (f" ({each['value']:g})" if isinstance(each["value"], int | float) else "")
        + (f", because of: {', '.join(map(str, each['why']))}" if each["why"] else "")
        for each in found["sentiment"]
    ]
    return f"<section><h2>What they said{channel}</h2>{words}{_list(judged)}</section>"


def _lines(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    told = []
    for line in lines:
        what = {"claimed": "took the case", "released": "gave it back", "closed": "closed the case"}.get(line["what"])
        by = f" by {line['channel']}" if line["channel"] else ""
        status = f" ({_readable(line['status'])})" if line["status"] else ""
        verb = what or {"note": "noted", "answer": f"answered{by}", "customer": f"wrote{by}"}[line["what"]]
        text = f": {line['text']}" if line["text"] else ""
        told.append(f"{_time(line['at'])} {line['who']} {verb}{text}{status}")
    return told


def _forms(found: Mapping[str, Any], agent: str, form: str, once: str) -> str:
    base = f"/inbox/cases/{escape(found['id'])}"
    mine = found["agent"] == agent
    hidden = f'{_hidden(form)}<input type="hidden" name="once" value="{escape(once)}">'

    def one(verb: str, inner: str, button: str, legend: str = "") -> str:
        body = f'{hidden}{inner}<p><button type="submit">{escape(button)}</button></p>'
        body = f"<fieldset><legend>{escape(legend)}</legend>{body}</fieldset>" if legend else body
        return f'<form method="post" action="{base}/{verb}">{body}</form>'

    note = one(
        "note", '<label for="note">Note</label><textarea id="note" name="text" required></textarea>', "Keep", "Note"
    )
    if not mine:
        taken = f"<p>{escape(found['agent'])} works on it.</p>" if found["agent"] else one("claim", "", "Take the case")
        return f"<section><h2>Work on it</h2>{taken}{note}</section>"
    channels = _options(found["channels"])
    answer = one(
        "answer",
        f'<label for="channel">By</label><select id="channel" name="channel">{channels}</select>'
        '<label for="subject">Subject, for e-mail</label><input id="subject" name="subject" maxlength="200">'
        '<label for="answer">Answer</label><textarea id="answer" name="text" required></textarea>',
        "Send",
        "Answer the customer",
    )
    close = one(
        "close",
        f'<label for="outcome">Outcome</label><select id="outcome" name="outcome" required>'
        f'{_options(found["outcomes"])}</select><label for="comment">Comment</label>'
        '<textarea id="comment" name="text"></textarea>',
        "Close",
        "Close the case",
    )
    is_call = found["kind"] == "call"
    parts = [*([] if is_call else [answer]), note, close, one("release", "", "Give it back")]
    return f"<section><h2>Work on it</h2>{''.join(parts)}</section>"


def _sent(message: Mapping[str, Any]) -> str:
    why = f"{message['journey']}, {message['step']}, for {message['purpose']}" if message["purpose"] else "by a person"
    return f"{_time(message['at'])} {message['message']} by {message['channel']} ({why})"


def _happened(told: Mapping[str, Any]) -> str:
    return f"{_time(str(told['at']))} {told['text']}"


def _other(other: Mapping[str, Any]) -> str:
    state = f"closed, {_readable(other['outcome'] or 'without an outcome')}" if other["closed_at"] else "open"
    name = _readable(other["reason"] or "case")
    return f'<a href="/inbox/cases/{escape(other["id"])}">{escape(name)}</a> ({escape(state)})'


def _section(title: str, items: Iterable[str], *, ordered: bool = False, is_html: bool = False) -> str:
    made = _list(items, ordered=ordered, is_html=is_html)
    return f"<section><h2>{escape(title)}</h2>{made or '<p>Nothing.</p>'}</section>"


def _list(items: Iterable[str], *, ordered: bool = False, is_html: bool = False) -> str:
    made = "".join(f"<li>{each if is_html else escape(each)}</li>" for each in items)
    tag = "ol" if ordered else "ul"
    return f"<{tag}>{made}</{tag}>" if made else ""


def _definitions(facts: Mapping[str, str]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items()) + "</dl>"


def _options(values: Iterable[str]) -> str:
    return "".join(f'<option value="{escape(each)}">{escape(_readable(each))}</option>' for each in values)


def _hidden(form: str) -> str:
    return f'<input type="hidden" name="form" value="{escape(form)}">'


def _value(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _time(text: str) -> str:
    """Show an instant to the minute, and that it is UTC."""
    return f"{text[:10]} {text[11:16]} UTC"


def _readable(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").capitalize()
