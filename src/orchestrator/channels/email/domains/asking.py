"""Asking: what DNS says about a sender's domain, as far as it can be asked.

Owns the questions, their time, and that a machine without DNS hears "unknown" and not "wrong". Must never wait longer
than `SECONDS` for all of them together.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from orchestrator.channels.email.domains import records
from orchestrator.channels.email.domains.records import Verdict
from orchestrator.errors import OrchestratorError

SECONDS = 15.0
A_QUESTION_SECONDS = 3.0
# Where the large relays and most servers publish their keys when nobody says otherwise.
USUAL_SELECTORS = (
    "default", "dkim", "google", "k1", "k2", "k3", "mail", "mailo", "mandrill", "mx", "pm", "s1", "s2", "selector1",
    "selector2", "smtpapi",
)  # fmt: skip
# Beyond this a chain of includes is void anyway.
_DEEPEST = 12


class Unanswered(Exception):  # noqa: N818 - an answer
    """DNS did not answer: nobody knows what is published."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A domain that mails come from, the one that bounces go to (SPF's), and the server that they leave by."""

    domain: str
    envelope: str
    relay: str


def read_nameserver(text: str) -> tuple[str, int]:
    """Read `address` or `address:port`; raises OrchestratorError for what is neither."""
    address, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "53")
    if not address or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise OrchestratorError(f"ORCHESTRATOR_NAMESERVERS={text!r} is no server; write 192.0.2.53 or 192.0.2.53:5353")
    return address, int(port)


class Asker:
    """Asks name servers: those that the operator named, else those of this machine."""

    def __init__(self, nameservers: Sequence[tuple[str, int]] = (), seconds: float = A_QUESTION_SECONDS) -> None:
        self._resolver: dns.asyncresolver.Resolver | None
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = None
            return
        if nameservers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(*each) for each in nameservers]
        self._resolver.lifetime = seconds

    async def texts(self, name: str) -> list[str]:
        """Give the texts under a name, none where there are none; raises Unanswered."""
        if self._resolver is None:
            raise Unanswered("this machine names no name server")
        try:
            answer = await self._resolver.resolve(name, "TXT", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise Unanswered(f"DNS did not answer for {name}") from error
        return [b"".join(each.strings).decode(errors="replace") for each in answer]


async def examine(senders: Sequence[Sender], asker: Asker, selectors: Sequence[str] = ()) -> dict[str, list[Verdict]]:
    """Examine domains, all at the same time; the verdicts by domain, in the order SPF, DKIM, DMARC."""
    asked = {}
    for sender in senders:
        questions = (_spf(sender, asker), _dkim(sender.domain, asker, selectors), _dmarc(sender.domain, asker))
        asked[sender.domain] = asyncio.gather(*questions)
    try:
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*asked.values())
    except TimeoutError:
        why = f"DNS did not answer within {SECONDS:g} s"
        return {domain: [Verdict(name, "unknown", why) for name in ("SPF", "DKIM", "DMARC")] for domain in asked}
    return {domain: list(each.result()) for domain, each in asked.items()}


async def _spf(sender: Sender, asker: Asker) -> Verdict:
    try:
        texts = await asker.texts(sender.envelope)
        found = records.spf_in(texts)
        lookups = await _lookups(found[0], asker) if len(found) == 1 else []
    except Unanswered as error:
        return Verdict("SPF", "unknown", str(error))
    return records.spf(sender.envelope, texts, sender.relay, lookups)


async def _lookups(record: str, asker: Asker) -> list[str]:
    """List what a record costs, all records that it leads to included; a circle ends where it is void."""
    found: list[str] = []
    open_records = [record]
    while open_records and len(found) <= _DEEPEST:
        for term in records.lookups_in(open_records.pop()):
            found.append(term)
            if term.startswith("include:") and len(found) <= _DEEPEST and _is_name(term[8:]):
                open_records += records.spf_in(await asker.texts(term[8:]))[:1]
    return found


def _is_name(text: str) -> bool:
    """Whether a name can be asked for: one with macros (%{i}) depends on each mail, and is no name yet."""
    try:
        dns.name.from_text(text)
    except dns.exception.DNSException:
        return False
    return "%" not in text


async def _dkim(domain: str, asker: Asker, selectors: Sequence[str]) -> Verdict:
    asked = list(dict.fromkeys(selectors or USUAL_SELECTORS))
    try:
        found = await asyncio.gather(*[asker.texts(f"{selector}._domainkey.{domain}") for selector in asked])
    except Unanswered as error:
        return Verdict("DKIM", "unknown", str(error))
    return records.dkim(domain, dict(zip(asked, found, strict=True)), named=bool(selectors))


async def _dmarc(domain: str, asker: Asker) -> Verdict:
    """Ask for the domain's record, and where it has none for those of the domains above, but for the last label."""
    labels = domain.split(".")
    try:
        for at in range(max(len(labels) - 1, 1)):
            texts = await asker.texts(f"_dmarc.{'.'.join(labels[at:])}")
            if records.dmarc_in(texts):
                return records.dmarc(".".join(labels[at:]), texts)
    except Unanswered as error:
        return Verdict("DMARC", "unknown", str(error))
    return records.dmarc(domain, [])
