"""What only a whole project shows: messages that nobody sends, data that nobody gives.

Owns the checks that need every journey. Must never fail a project for what it merely doubts (codes that begin with W).
"""

from collections.abc import Set
from difflib import get_close_matches

from orchestrator.language.definitions.fields import nearest, suggest
from orchestrator.language.definitions.journey import JourneyDefinition
from orchestrator.language.nodes import Place
from orchestrator.language.sending import Messages
from orchestrator.language.slips import NEARLY


def check(messages: Messages, *, is_whole: bool) -> None:
    """Report what is wrong or odd about messages, seen from all journeys together.

    Where a part of a journey could not be read (not `is_whole`), that part may send what no other one does.
    """
    for name, draft in messages.drafts.items():
        if not draft.sent:
            if is_whole and not draft.place.is_mended:  # with a broken id it may be the one that they send
                draft.place["message"].report("W303", f"no journey sends {name}", "send: " + name)
            continue
        given = messages.data.get(name, set())
        for place, _, named in draft.names:
            if named.path[0] == "data" and named.path[1] not in given:
                fix = nearest(named.path[1], given)
                place.report(
                    "E509",
                    f"no send of {name} gives data.{named.path[1]}",
                    f"data.{fix}" if fix else f"send: {{message: {name}, data: {{{named.path[1]}: ...}}}}",
                    offset=named.offset,
                )


def check_given(definition: JourneyDefinition, root: Place, asks: Set[str], named: Set[str]) -> None:
    """Doubt an event of an example that nobody in the project names, where its journey asks for one nearly like it."""
    for number, example in enumerate(definition.examples):
        for position, given in enumerate(example.given):
            close = () if given.event in named else get_close_matches(given.event, sorted(asks), n=1, cutoff=NEARLY)
            if close:
                place = root["examples"][number]["given"][position]["event"]
                place.report("W410", f"no journey asks for {given.event}, and this one does for {close[0]}", close[0])


def report_unknown_journey(place: Place, name: str, known: set[str]) -> None:
    """Report a journey that an example names and the project does not have."""
    place.report("E311", f"there is no journey {name}", suggest(name, known))
