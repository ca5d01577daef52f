"""HTML for mail programs: out of Markdown or MJML, with its language, preheader, footer, pixel and redirects.

Owns what is done to the HTML of a mail, and how a plain text is made of it. Must never render a template: what comes
in has its values in place, escaped.
"""

import re
from collections.abc import Callable
from html import escape, unescape
from html.parser import HTMLParser

import mrml
from markdown_it import MarkdownIt

from orchestrator.errors import Refused

# Raw HTML is off: who wants it writes `html`. What a customer's name holds was escaped before it came here.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_HTML_TAG = re.compile(r"<html\b([^>]*)>", re.IGNORECASE)
_LANG = re.compile(r"\blang\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
_BODY_TAG = re.compile(r"<body\b[^>]*>", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_LINK = re.compile(r"(<a\b[^>]*?\bhref\s*=\s*)(\"|')(https?://.*?)\2", re.IGNORECASE | re.DOTALL)
_STYLE = "font-family:Arial,Helvetica,sans-serif;font-size:16px;line-height:1.5;max-width:600px;margin:0 auto"
_FOOTER_STYLE = "font-family:Arial,Helvetica,sans-serif;font-size:13px;color:#555;text-align:center;padding:16px"
_HIDDEN = "display:none;max-height:0;overflow:hidden;mso-hide:all"


def from_markdown(text: str) -> str:
    """Turn Markdown into HTML."""
    return f'<div style="{_STYLE}">{_MARKDOWN.render(text)}</div>'


def from_mjml(text: str) -> str:
    """Turn MJML into HTML; raises Refused for what is no MJML."""
    try:
        return str(mrml.to_html(text).content)
    except (OSError, ValueError, RuntimeError) as error:
        raise Refused(f"the MJML of this message cannot be read: {error}") from error


def document(html: str, language: str, title: str) -> str:
    """Make HTML a whole document in `language`; one that says its own language keeps it."""
    tag = _HTML_TAG.search(html)
    if tag is None:
        return (
            f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{escape(title)}</title></head><body>{html}</body></html>"
        )
    said = _LANG.search(tag[1])
    # mrml writes `und` (nobody knows) where the author says nothing.
    if said is not None and said[1].strip("\"'") not in ("", "und"):
        return html
    others = _LANG.sub("", tag[1])
    return f'{html[: tag.start()]}<html lang="{escape(language)}"{others}>{html[tag.end() :]}'


def with_preheader(html: str, preheader: str) -> str:
    """Put what mail programs show after the subject at the beginning of the body, unseen."""
    return _after_body(html, f'<div style="{_HIDDEN}">{escape(preheader)}</div>')


def with_footer(html: str, address: str, url: str, words: str) -> str:
    """Put the way out, and who is speaking, at the end of the body."""
    who = f"{escape(address)}<br>" if address else ""
    link = f'<a href="{escape(url)}">{escape(words)}</a>'
    return _before_end(html, f'<div style="{_FOOTER_STYLE}">{who}{link}</div>')


def with_pixel(html: str, url: str) -> str:
    """Put the picture that tells of an opening at the very end of the body."""
    return _before_end(html, f'<img src="{escape(url)}" width="1" height="1" alt="" style="border:0">')


def with_redirects(html: str, click: Callable[[str], str], own: str) -> str:
    """Lead every link over its redirect, but for our own pages' links."""

    def redirected(found: re.Match[str]) -> str:
        link = unescape(found[3])
        if own and link.startswith(own):
            return found[0]
        return f"{found[1]}{found[2]}{escape(click(link))}{found[2]}"

    return _LINK.sub(redirected, html)


def _after_body(html: str, piece: str) -> str:
    tag = _BODY_TAG.search(html)
    at = tag.end() if tag else 0
    return html[:at] + piece + html[at:]


def _before_end(html: str, piece: str) -> str:
    ends = list(_BODY_END.finditer(html))
    at = ends[-1].start() if ends else len(html)
    return html[:at] + piece + html[at:]


def as_text(html: str) -> str:
    """Write HTML as plain text: paragraphs as lines, links with where they lead."""
    reader = _TextReader()
    reader.feed(html)
    reader.close()
    return reader.text()


class _TextReader(HTMLParser):
    """Collects what a reader would see."""

    _UNSEEN = frozenset({"head", "script", "style", "title"})
    _BLOCKS = frozenset(
        {"p", "div", "tr", "table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "section"}
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._unseen: list[str] = []
        self._link: tuple[str, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of where lines and links begin."""
        given = dict(attrs)
        hidden = "display:none" in (given.get("style") or "").replace(" ", "")
        if tag in self._UNSEEN or (self._unseen and tag == self._unseen[0]) or (hidden and tag == "div"):
            self._unseen.append(tag)
        elif tag == "br":
            self._pieces.append("\n")
        elif tag == "li":
            self._pieces.append("\n- ")
        elif tag in self._BLOCKS:
            self._pieces.append("\n\n")
        elif tag == "img" and given.get("alt"):
            self._pieces.append(str(given["alt"]))
        elif tag == "a" and given.get("href"):
            self._link = (str(given["href"]), len(self._pieces))

    def handle_endtag(self, tag: str) -> None:
        """Take note of where lines and links end."""
        if self._unseen:
            if tag == self._unseen[-1]:
                self._unseen.pop()
        elif tag == "a" and self._link is not None:
            href, since = self._link
            self._link = None
            if href not in "".join(self._pieces[since:]):
                self._pieces.append(f" ({href})" if self._pieces[since:] else href)
        elif tag in self._BLOCKS:
            self._pieces.append("\n\n")

    def handle_data(self, data: str) -> None:
        """Keep the words, with the spaces that HTML keeps."""
        if not self._unseen:
            self._pieces.append(re.sub(r"\s+", " ", data))

    def text(self) -> str:
        """Give the text with no more than one empty line between paragraphs."""
        lines = [line.strip() for line in "".join(self._pieces).split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
