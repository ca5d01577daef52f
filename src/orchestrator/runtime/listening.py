"""Where a process listens: the address as operators write it, and as it stands in a URL.

Owns both forms. Must never listen.
"""

from orchestrator.errors import OrchestratorError

_HIGHEST_PORT = 65_535


def read(written: str, example: str, *, is_named: bool = False) -> tuple[str, int]:
    """Read HOST:PORT, the host of IPv6 in brackets or without; raises OrchestratorError.

    The host may be empty, unless it must be named because links begin with it.
    """
    before, colon, port = written.rpartition(":")
    host = before.removeprefix("[").removesuffix("]")
    is_port = port.isascii() and port.isdecimal() and int(port) <= _HIGHEST_PORT
    if not colon or not is_port or (is_named and not host):
        raise OrchestratorError(f"ORCHESTRATOR_HTTP={written!r} is no address; write one such as {example}")
    return host, int(port)


def url(host: str, port: int) -> str:
    """Write the URL that leads to an address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
