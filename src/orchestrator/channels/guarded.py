"""The guarded way out: an HTTP client that reaches public addresses only, unless a host was allowed by name.

Owns the question whether an address may be reached. It is asked of every address that a name resolves to, at the
moment of connecting, so that neither a redirect nor a name that changes its mind gets around it. Must never be
bypassed for a URL that came out of a project, an event or another server's answer.
"""

import ipaddress
import socket
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from orchestrator.errors import Refused

Address = IPv4Address | IPv6Address
# Addresses that carry an IPv4 address inside: NAT64 in their last four bytes, 6to4 after their first two.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.ip_network("2002::/16")


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the public internet, and whatever address it carries inside does too."""
    if isinstance(address, IPv6Address):
        inside = address.ipv4_mapped
        if inside is None and address in _NAT64:
            inside = IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is None and address in _SIX_TO_FOUR:
            inside = IPv4Address((int(address) >> 80) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(inside)
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class GuardedResolver(AbstractResolver):
    """Resolves names, and keeps to itself that some addresses exist."""

    def __init__(self, allowed_hosts: frozenset[str], inner: AbstractResolver | None = None) -> None:
        self._allowed = allowed_hosts
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name to the addresses that may be reached; OSError when there are none."""
        if self._inner is None:
            self._inner = ThreadedResolver()
        found = await self._inner.resolve(host, port, family)
        if host.lower() in self._allowed:
            return found
        public = [each for each in found if is_public(ipaddress.ip_address(each["host"].partition("%")[0]))]
        if not public:
            raise GuardError(f"{host} is not a public address")
        return public

    async def close(self) -> None:
        """Let go of the resolver."""
        if self._inner is not None:
            await self._inner.close()


class GuardError(OSError):
    """A name that leads nowhere we go."""


def check(url: URL, allowed_hosts: frozenset[str]) -> None:
    """Refuse a URL that is not HTTP, or that names an address which may not be reached.

    Names are asked about when they are resolved; an address in the URL never is resolved, so it is asked about here.
    """
    host = url.host
    if url.scheme not in ("http", "https") or not host:
        raise Refused(f"{url.scheme or 'nothing'} is no way out; a webhook's URL begins with https://")
    if host.lower() in allowed_hosts:
        return
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return  # a name: the resolver's to judge
    if not is_public(address):
        raise Refused(f"{host} is not a public address; allow it by name in ORCHESTRATOR_ALLOWED_HOSTS if it is yours")


def open_client(
    allowed_hosts: frozenset[str],
    timeout_seconds: float | None,
    resolver: AbstractResolver | None = None,
    **options: Any,
) -> aiohttp.ClientSession:
    """Open a client that keeps to the guard. It keeps no cookies and follows no redirect by itself.

    Without `timeout_seconds` whoever asks ends what takes too long.
    """
    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(allowed_hosts, resolver), limit=0, use_dns_cache=True, ttl_dns_cache=10, **options
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        # Answers are read as they are.
        headers={"User-Agent": "orchestrator", "Accept-Encoding": "identity"},
        trust_env=False,
        auto_decompress=False,
    )
