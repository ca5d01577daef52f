"""The shop's messages read well: in both languages, on every channel, with what the examples know and with nothing."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestrator.channels.coupons import samples
from orchestrator.channels.email import html
from orchestrator.language import Loaded, load
from orchestrator.model.effects import Action
from orchestrator.testing.examples import play, renderer_of

JOURNEYS = Path(__file__).resolve().parents[2] / "journeys"


@cache
def shop() -> Loaded:
    return load(JOURNEYS)


@dataclass(frozen=True)
class Written:
    """A message as some customer would read it."""

    message: str
    channel: str
    language: str
    fields: dict[str, str]


def _actions() -> list[Action]:
    definitions = shop().definitions.items()
    played = [play(shop(), name, example) for name, definition in definitions for example in definition.examples]
    return [action for one in played for action in one.actions if action.kind == "message"]


@cache
def written() -> tuple[Written, ...]:
    """Render what the examples send, by every channel and in every language that it is written in."""
    renderer = renderer_of(shop())
    links = {name: f"https://casaolmo.example/{name[0]}/1" for name in ("unsubscribe", "preferences", "confirm")}
    found, codes = [], samples(shop().catalog.project.coupons)
    for action in _actions():
        assert action.channel is not None
        for language in shop().catalog.project.languages:
            rendered = renderer.render(action.message or "", action.channel, language, action.data, links, codes)
            texts = {name: text if isinstance(text, str) else "\n".join(text) for name, text in rendered.fields.items()}
            found.append(Written(action.message or "", action.channel, language, texts))
    return tuple(found)


def test_every_message_is_sent_by_some_example():
    assert {one.message for one in written()} == set(shop().catalog.project.messages)


def test_every_message_is_written_in_both_languages():
    for message, content in shop().messages.items():
        spanish, english = (
            {channel: set(fields) for channel, fields in one.items()}
            for one in (content.channels, content.languages["en"])
        )
        assert spanish == english, message


def test_no_message_shows_a_template_or_a_gap():
    odd = re.compile(r"\{[{%]|%\}|\}\}| ,| \.(?!\w)|  \S|\bNone\b|\bnull\b|€€")
    found = [
        (one.message, one.channel, one.language, name, text)
        for one in written()
        for name, text in one.fields.items()
        if name != "mjml" and (not text.strip() or odd.search(text))
    ]
    assert found == []


def test_every_marketing_email_says_how_to_hear_no_more():
    purposes = {name: message.purpose for name, message in shop().catalog.project.messages.items()}
    found = [one for one in written() if one.channel == "email" and purposes[one.message] == "marketing"]
    assert found
    for one in found:
        assert "https://casaolmo.example/u/1" in one.fields["text"], one.message
        assert "https://casaolmo.example/u/1" in one.fields.get("mjml", one.fields["text"]), one.message


def test_mjml_becomes_html_in_the_language_of_its_reader():
    mails = [one for one in written() if "mjml" in one.fields]
    assert {one.language for one in mails} == {"es", "en"}
    for one in mails:
        page = html.from_mjml(one.fields["mjml"])
        assert f'lang="{one.language}"' in page
        assert "https://casaolmo.example/u/1" in page
    assert any("<li>Juego de tazas, 54,95 €</li>" in html.from_mjml(one.fields["mjml"]) for one in mails)


def test_a_message_without_data_still_reads_as_a_message():
    renderer = renderer_of(shop())
    for message, content in shop().catalog.project.messages.items():
        for channel in content.channels:
            for language in shop().catalog.project.languages:
                rendered = renderer.render(message, channel, language, {}, {})
                assert all(rendered.fields.values()), (message, channel, language)
