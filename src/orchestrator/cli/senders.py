"""Senders: as whom a project writes mails, by whose server, and what DNS says about it.

Owns the finding of the sender domains: those of the channels' URLs, and those that messages name themselves. Must never
show a value.
"""

import asyncio
from collections.abc import Iterator

import idna

from orchestrator.channels.email.domains import asking
from orchestrator.channels.email.domains.asking import Sender
from orchestrator.channels.email.domains.records import Verdict
from orchestrator.channels.email.smtp import Server
from orchestrator.channels.port import Setup
from orchestrator.cli.settings import Sources
from orchestrator.errors import OrchestratorError
from orchestrator.language import Loaded
from orchestrator.model.commas import listed
from orchestrator.runtime.delivery.routes import DEFAULT_CHANNEL


def examine(loaded: Loaded | None, sources: Sources) -> dict[str, list[Verdict]]:
    """Ask DNS about every domain that mails come from; nothing where no channel is mail."""
    found = {} if loaded is None else {each.domain: each for each in _senders(loaded, sources)}
    if not found:
        return {}
    servers = [asking.read_nameserver(each) for each in _listed(sources, "nameservers")]
    selectors = _listed(sources, "dkim_selectors")
    return asyncio.run(_examine(list(found.values()), servers, selectors))


async def _examine(
    senders: list[Sender], servers: list[tuple[str, int]], selectors: list[str]
) -> dict[str, list[Verdict]]:
    return await asking.examine(senders, asking.Asker(servers), selectors)


def _listed(sources: Sources, name: str) -> list[str]:
    return list(listed(str(sources.find(name).value or "")))


def _senders(loaded: Loaded, sources: Sources) -> Iterator[Sender]:
    for name in loaded.catalog.project.channels:
        url = sources.find(f"channel_{name}".replace("-", "_")).value or sources.find(DEFAULT_CHANNEL).value
        if url is None or not str(url).startswith(("smtp:", "smtps:")):
            continue
        try:
            server = Server.from_setup(Setup(name, str(url)))
        except OrchestratorError:
            continue  # that it cannot be used is told with the channels
        for written in [*_written(loaded, name), server.sender]:
            domain = _domain_of(written)
            if domain is not None:
                yield Sender(domain, _domain_of(server.return_path or "") or domain, server.host)


def _written(loaded: Loaded, channel: str) -> Iterator[str]:
    """List the senders that messages name themselves; one that a template makes is nobody before it is made."""
    for content in loaded.messages.values():
        for fields in (content.channels, *content.languages.values()):
            sender = fields.get(channel, {}).get("from")
            if isinstance(sender, str) and "{" not in sender:
                yield sender


def _domain_of(sender: str) -> str | None:
    domain = sender.rpartition("@")[2].strip().rstrip(">").strip().lower()
    if "@" not in sender or not domain:
        return None
    try:
        return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except UnicodeError:
        return None
