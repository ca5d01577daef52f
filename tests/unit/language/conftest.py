"""A project to break: the smallest that journeys can stand in, and a way to see what a check finds.

Must never know which code a test is about.
"""

from collections.abc import Callable, Mapping

import pytest

from orchestrator.errors import DefinitionError, InvalidProject
from orchestrator.language import Loaded, compile_sources

PROJECT = """\
project: shop
languages: [en]
channels:
  email: {address: profile.email}
  sms: {address: profile.phone}
purposes:
  service: {consent: none}
teams:
  care: {skills: [returns]}
webhooks:
  crm: {url: "https://crm.example/hook", secret: CRM_SECRET}
"""
MESSAGE = """\
message: welcome
email: {subject: Hi, text: Hello}
"""
JOURNEY = """\
journey: hello
version: 1
purpose: service
enter: {event: signed_up}
steps:
  - {id: greet, send: welcome}
"""
SOUND = {
    "orchestrator.yaml": PROJECT,
    "messages/welcome.message.yaml": MESSAGE,
    "hello.journey.yaml": JOURNEY,
}


@pytest.fixture
def sound() -> dict[str, str]:
    """Give a project with nothing wrong; a test replaces or adds files."""
    return dict(SOUND)


@pytest.fixture
def compiled() -> Callable[..., Loaded]:
    """Compile a journey's text in the sound project; other files replace or join the project's."""

    def compile_journey(text: str, **files: str) -> Loaded:
        return compile_sources(_with(text, files))

    return compile_journey


@pytest.fixture
def found() -> Callable[..., list[DefinitionError]]:
    """Find everything wrong with a journey in the sound project, warnings included, in order."""

    def find(text: str = JOURNEY, **files: str) -> list[DefinitionError]:
        return problems_of(_with(text, files))

    return find


def _with(text: str, files: Mapping[str, str]) -> dict[str, str]:
    # A file's name is written as a name of Python's: project, message, or anything else as it is.
    names = {"project": "orchestrator.yaml", "message": "messages/welcome.message.yaml"}
    return {**SOUND, "hello.journey.yaml": text, **{names.get(name, name): body for name, body in files.items()}}


def problems_of(sources: Mapping[str, str]) -> list[DefinitionError]:
    try:
        return list(compile_sources(sources).warnings)
    except InvalidProject as error:
        return list(error.problems)
