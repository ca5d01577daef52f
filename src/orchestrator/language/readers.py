"""Readers: what a message owes to those who get it, and what their channel takes.

Owns the lengths that channels allow, and the checks of e-mail that no template can be asked for: pictures that cannot
be heard, and mail that does not say who speaks. Lengths are those of the author's own words; what a template adds is
known only when it is rendered. Must never render.
"""

import re
from collections.abc import Mapping
from typing import Any

import mrml

from orchestrator.language.content import Draft
from orchestrator.language.nodes import Place
from orchestrator.language.project import Shop
from orchestrator.language.sending import Messages
from orchestrator.model import texting
from orchestrator.model.project import MARKUPS

# In characters. What phones show of a notification, and more; Meta's and Telegram's own limits; a subject that still
# fits into one header. A text message is counted in parts, which its alphabet decides.
LONGEST = {
    ("telegram", "text"): 4_096,
    ("push", "title"): 250,
    ("push", "body"): 2_000,
    ("whatsapp", "text"): 4_096,
    ("email", "subject"): 250,
}
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_IMAGE = re.compile(r"<(?:img|mj-image)\b[^>]*>", re.IGNORECASE)
_ALT = re.compile(r"\balt\s*=", re.IGNORECASE)
_MARKDOWN_IMAGE = re.compile(r"!\[\s*\]\(")


def check(messages: Messages, shop: Shop) -> None:
    """Report what a channel does not take, and what an e-mail lacks."""
    for draft in messages.drafts.values():
        _check_content(draft.place, draft.content.channels)
        for language, contents in draft.content.languages.items():
            _check_content(draft.place["languages"][language], contents)
        _check_sender(draft, shop)


def _check_markup(place: Place, fields: Mapping[str, Any]) -> None:
    """Report an e-mail's markup that nobody could read, and a second kind of it, which would not be sent."""
    kinds = [name for name in MARKUPS if name in fields]
    for name in kinds[1:]:
        message = f"an e-mail is written in {kinds[0]} or in {name}; only {kinds[0]} is sent"
        place[name].report("W324", message, f"{kinds[0]} or {name}", at_key=True)
    if kinds and kinds[0] == "mjml":
        try:
            # The marks of templates stand where text may; what they make is text as well.
            mrml.to_html(_TEMPLATE.sub("", fields["mjml"]))
        except (OSError, ValueError, RuntimeError) as error:
            text = f"without its templates, this MJML cannot be read: {error}"
            place["mjml"].report("W325", text, "a tag closed for each that is opened, values of attributes in quotes")


def _check_content(place: Place, contents: Mapping[str, Mapping[str, Any]]) -> None:
    for channel, fields in contents.items():
        for name, value in fields.items():
            if not isinstance(value, str):
                continue
            if (channel, name) == ("sms", "text"):
                _check_parts(place[channel][name], _TEMPLATE.sub("", value))
            longest = LONGEST.get((channel, name))
            length = len(_TEMPLATE.sub("", value))
            if longest is not None and length > longest:
                text = f"{channel} takes {longest:,} characters of {name}, this has {length:,} without its templates"
                place[channel][name].report("E319", text, "a shorter text")
            if channel == "email":
                _check_images(place[channel][name], name, value)
        if channel == "email":
            _check_markup(place[channel], fields)


def _check_parts(place: Place, text: str) -> None:
    cut = texting.cut(text)
    if cut.parts > texting.MOST_PARTS:
        strangers = texting.strangers_in(text)[:5]
        why = f" because of {' '.join(strangers)}" if strangers else ""
        told = f"sms takes {texting.MOST_PARTS} parts of text, this has {cut.parts} in {cut.alphabet}{why}"
        place.report("E319", f"{told}, without its templates", "a shorter text")


def _check_images(place: Place, field: str, text: str) -> None:
    if field in ("html", "mjml"):
        mute = [found[0] for found in _IMAGE.finditer(text) if not _ALT.search(found[0])]
    else:
        mute = [found[0] for found in _MARKDOWN_IMAGE.finditer(text)] if field == "markdown" else []
    if mute:
        count = "a picture" if len(mute) == 1 else f"{len(mute)} pictures"
        place.report("W310", f"{count} without words for who cannot see it", 'alt="..." (empty for decoration)')


def _check_sender(draft: Draft, shop: Shop) -> None:
    """Warn of an e-mail that can be unsubscribed from and would not say whose address it is from."""
    if "email" not in draft.content.channels or shop.definition.brand.get("address"):
        return
    named = draft.content.definition.purpose
    purposes = shop.definition.purposes
    asked = [purposes[named]] if named in purposes else list(purposes.values())
    if any(purpose.consent != "none" for purpose in asked):
        text = "the footer of this e-mail has no postal address, which many laws ask for"
        draft.place["email"].report("W311", text, "brand: {address: ...} in orchestrator.yaml", at_key=True)
