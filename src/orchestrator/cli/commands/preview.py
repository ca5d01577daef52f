"""`orchestrator preview`: a message as customers get it, by channel and language.

Owns the options and how a rendered message is shown. Rendering and composing are the channels' work, as in production.
"""

import asyncio
import time
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli import screen
from orchestrator.cli.help import Example
from orchestrator.cli.options import ProjectFolder
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.channels.port import Delivery
    from orchestrator.channels.preparing import Preparer
    from orchestrator.language import Loaded
    from orchestrator.model.effects import Action
    from orchestrator.model.project import Message

EXAMPLES = [
    Example("orchestrator preview cart-reminder shop", "every channel and language, with an example's data"),
    Example("orchestrator preview cart-reminder shop --channel email --language es --html mail.html", "as a page"),
    Example("orchestrator preview cart-reminder shop --customer ana --state shop.db", "with a customer's own data"),
    Example("orchestrator preview cart-reminder shop --send-to me@shop.example", "in a real inbox"),
]
# Links of a preview lead nowhere, and say so.
_BASE, _SECRET = "https://preview.invalid", "a preview's links are signed for nobody"


class CannotPreview(OrchestratorError):  # noqa: N818 - it names what is the matter
    """There is no such message, channel, language, example or customer. The caller's move."""


def command(
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id.")],
    directory: ProjectFolder = Path(),
    channel: Annotated[str | None, typer.Option("--channel", metavar="NAME", help="Only this channel.")] = None,
    language: Annotated[str | None, typer.Option("--language", metavar="TAG", help="Only this language.")] = None,
    example: Annotated[
        str | None, typer.Option("--example", metavar="TEXT", help="Data of the example whose name contains this.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="Data of this customer; needs --state.")
    ] = None,
    state: Annotated[Path | None, typer.Option("--state", metavar="FILE", help="The store that knows them.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the e-mail's HTML here.")] = None,
    send_to: Annotated[
        str | None, typer.Option("--send-to", metavar="ADDRESS", help="Send it there, by the channel's own provider.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a message as customers get it.

    Rendered by the production code, with the data of an example that sends it, or of a customer. Links in a preview
    lead nowhere, and the codes of coupons are nobody's: they only have the form of real ones.
    """
    from orchestrator.language import load

    loaded = load(directory)
    action = _action(loaded, message, example, customer, state)
    if send_to is not None:
        _check_one_road(loaded, action, channel)
    shown = [_shown(made) for made in _made(loaded, action, channel, language, send_to)]
    if html is not None:
        pages = [one["html"] for one in shown if one.get("html")]
        if not pages:
            raise CannotPreview(
                f"the e-mail of {message} is plain text; give it html, mjml or markdown"
                if any("headers" in one for one in shown)
                else f"only e-mails have HTML, and this shows none; leave --channel {channel} out"
            )
        html.write_text(pages[0], encoding="utf-8")
    if as_json:
        screen.out_json(shown)
    else:
        for one in shown:
            _print(one)
    if send_to is not None:
        asyncio.run(_send(list(_made(loaded, action, channel, language, send_to))))


def _check_one_road(loaded: "Loaded", action: "Action", channel: str | None) -> None:
    """Refuse an address for several channels before anything is shown: it would be lost above it."""
    names = loaded.catalog.project.messages[action.message or ""].channels
    if channel is None and len(names) > 1:
        raise CannotPreview(f"choose one of {', '.join(names)} with --channel: an address belongs to one of them")


def _action(loaded: "Loaded", message: str, example: str | None, customer: str | None, state: Path | None) -> "Action":
    from orchestrator.testing import previews

    known = loaded.catalog.project.messages
    if message not in known:
        close = get_close_matches(message, known, n=1)
        meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known)) or 'none'}"
        raise CannotPreview(f"there is no message {message}; {meant}")
    now_ms = time.time_ns() // 1_000_000
    if customer is not None:
        return previews.by_customer(loaded, message, _state_of(customer, state), now_ms)
    found = previews.by_example(loaded, message, example)
    if found is None and example is not None:
        raise CannotPreview(f"no example whose name contains {example!r} sends {message}")
    return found or previews.without_data(loaded, message, now_ms)


def _state_of(customer: str, state: Path | None) -> Any:
    from orchestrator.cli import customers
    from orchestrator.storage import SqliteStore

    if state is None:
        raise CannotPreview("name the store that knows the customer with --state")
    with SqliteStore(state, writes=False) as store:
        known = customers.find(store, customer)
    if known is None or known.state is None:
        raise CannotPreview(f"nothing is known of {customer} in {state}")
    return known.state


def _made(
    loaded: "Loaded", action: "Action", channel: str | None, language: str | None, to: str | None
) -> "Iterator[Delivery]":
    """Prepare the message for every channel and language that was asked for."""
    import msgspec

    from orchestrator.channels.coupons import samples
    from orchestrator.channels.port import Tracking

    message = loaded.catalog.project.messages[action.message or ""]
    channels = [name for name in message.channels if channel in (None, name)]
    wanted = (_spoken(loaded, message, language),) if language else message.languages
    if not channels:
        raise CannotPreview(f"{message.id} has no content for {channel}; it has {', '.join(message.channels)}")
    preparer, shown = _preparer(loaded), samples(loaded.catalog.project.coupons)
    for name in channels:
        for each in wanted:
            address = to or ("somebody@example.com" if name == "email" else "somebody")
            asked = msgspec.structs.replace(action, channel=name, language=each, to=address)
            for made in preparer.prepare(asked, time.time_ns() // 1_000_000, shown):
                yield msgspec.structs.replace(made, tracking=Tracking())  # the links as their author wrote them


def _spoken(loaded: "Loaded", message: "Message", language: str) -> str:
    """Find the language that customers who speak this one get, and say so where it is another."""
    from orchestrator.engine import payload

    spoken = payload.language_for(language, loaded.catalog.project, message)
    if spoken != language:
        screen.say(f"{message.id} has no {language} content; customers who speak it get {spoken}")
    return spoken


def _preparer(loaded: "Loaded") -> "Preparer":
    from orchestrator.channels.links import Links
    from orchestrator.runtime.delivery.routes import preparer_of

    return preparer_of(loaded, loaded.catalog, Links(_BASE, (_SECRET,)))


def _shown(made: "Delivery") -> dict[str, Any]:
    """Take a message apart into what is read: an e-mail as a mail program would."""
    rendered = made.rendered
    shown: dict[str, Any] = {"channel": rendered.channel, "language": rendered.language, "fields": rendered.fields}
    if rendered.channel == "email":
        from email import message_from_bytes
        from email.policy import default

        from orchestrator.channels.email.composing import compose

        mail: Any = message_from_bytes(compose(made, "preview@example.com").content, policy=default)
        names = ("From", "Reply-To", "Subject", "List-Unsubscribe")
        shown["headers"] = {name: str(mail[name]) for name in names if mail[name] is not None}
        for kind in ("plain", "html"):
            part = mail.get_body((kind,))
            shown["text" if kind == "plain" else kind] = None if part is None else part.get_content()
    elif rendered.channel == "sms":
        from orchestrator.model import texting

        cut = texting.cut(str(rendered.fields.get("text", "")))
        shown["parts"] = {"count": cut.parts, "alphabet": cut.alphabet, "units": cut.units}
        shown["parts"]["strangers"] = texting.strangers_in(rendered.body)
    return shown


def _print(shown: dict[str, Any]) -> None:
    screen.out(screen.paint(f"{shown['channel']}, {shown['language']}", "bold"))
    told = {**shown.get("headers", {}), "text": shown["text"]} if "headers" in shown else shown["fields"]
    for name, value in told.items():
        lines = str(value).rstrip().splitlines() or [""]
        if len(lines) == 1:
            screen.out(f"  {name}: {lines[0]}")
        else:
            screen.out(f"  {name}:")
            for line in lines:
                screen.out(f"    {line}".rstrip())
    if "parts" in shown:
        cut = shown["parts"]
        why = f", because of {' '.join(cut['strangers'])}" if cut["strangers"] else ""
        screen.out(f"  {screen.counted(cut['count'], 'part')}: {cut['units']} units of {cut['alphabet']}{why}")
    if shown.get("html"):
        screen.out(f"  html: {len(shown['html']):,} characters; --html FILE writes it")
    screen.out("")


def _text(value: object) -> str | None:
    return None if value is None else str(value)


async def _send(made: "list[Delivery]") -> None:
    from orchestrator.channels.registry import open_channel
    from orchestrator.cli.settings import Sources
    from orchestrator.runtime.delivery.routes import Operator, allowed_hosts, setting_of, setup_of

    sources = Sources()
    name = made[0].rendered.channel

    def find(setting: str) -> str | None:
        return _text(sources.find(setting).value)

    setup = setup_of(name, Operator(find, allowed_hosts(find)))
    if setup is None:
        setting = setting_of(name).upper()
        raise CannotPreview(f"channel {name} has no provider; set ORCHESTRATOR_{setting} to its URL")
    road = open_channel(setup)
    try:
        for one in made:
            await road.send(one)
            screen.say(f"sent to {one.to}: {one.rendered.channel}, {one.rendered.language}")
    finally:
        await road.close()
