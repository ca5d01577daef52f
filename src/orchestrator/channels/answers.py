"""Answers over HTTP: what another system said, that it said nothing, and what either means for the action at hand.

Owns these meanings, by status and Retry-After alone, and how much of an answer is read. What a provider's own codes say
is the provider's module's. Must never ask.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

import aiohttp
import msgspec

from orchestrator.channels import guarded
from orchestrator.errors import ChannelError, Refused, TryLater, Unavailable

MAX_ANSWER_BYTES = 64 * 1024
# Longer than this no provider is waited for at its own wish; the action's own end comes first anyway.
LONGEST_RETRY_AFTER = timedelta(days=1)
# The provider, or our account there, is in trouble; what we say is fine.
_UNAVAILABLE = frozenset({401, 402, 403, 407, 408, 421, 425})

_Shape = TypeVar("_Shape")


@dataclass(frozen=True, slots=True)
class Answer:
    """What another system answered; `headers` by lower-case name, where whoever asked kept them."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def read(self, shape: type[_Shape]) -> _Shape:
        """Read the body, as far as it has that shape; an empty one of it for what has not."""
        try:
            return msgspec.json.decode(self.body, type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return shape()

    def after(self, now_ms: int) -> timedelta | None:
        """Tell when it asks us to come back; None where it does not say."""
        return read_retry_after(self.headers.get("retry-after"), now_ms)

    def meaning(self, now_ms: int) -> ChannelError:
        """Say what it means where it is no yes."""
        return answered(self.status, self.headers.get("retry-after"), now_ms)

    def trouble(self, why: str, now_ms: int) -> ChannelError:
        """Say the same of a provider by name: either nobody is served there now (Unavailable), or it is a no (Refused).

        For providers that do not know a key again: to them, nothing is being worked on already.
        """
        found = self.meaning(now_ms)
        return Unavailable(found.after, why) if isinstance(found, Unavailable) else Refused(why)


class Rejected(Refused):
    """The other system will not have it; `status` is what it answered."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.args = (why, status)  # what pickling hands back to __init__ in another process
        self.status = status


@contextmanager
def reaching(timeout_seconds: float) -> Iterator[None]:
    """Say what it means that another system could not be reached, or went away while it answered."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        raise unreached(error, timeout_seconds) from error


def unreached(error: aiohttp.ClientError | OSError, timeout_seconds: float) -> ChannelError:
    """Say what an error on the way to another system means."""
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, guarded.GuardError):
            return Refused(str(error.os_error))
        return Unavailable(None, f"no connection: {error}")
    if isinstance(error, guarded.GuardError):
        return Refused(str(error))
    if isinstance(error, TimeoutError):
        return Unavailable(None, f"no answer within {timeout_seconds:g} s")
    return Unavailable(None, f"the connection broke: {_told(error)}")


async def beginning_of(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer's body, or as much of it as anybody needs; the rest is not worth its connection."""
    body, content = bytearray(), response.content
    if content.is_eof():  # it came in one piece
        return content.read_nowait()[:MAX_ANSWER_BYTES]
    while not content.at_eof():
        body += await content.readany()
        if len(body) > MAX_ANSWER_BYTES:
            response.close()
            break
    return bytes(body[:MAX_ANSWER_BYTES])


def answered(status: int, retry_after: str | None, now_ms: int) -> ChannelError:
    """Say what an answer that is no yes means."""
    why = f"the server answered {status}"
    if status == 429 or status >= 500 or status in _UNAVAILABLE:
        return Unavailable(read_retry_after(retry_after, now_ms), why)
    if status in (409, 423):  # the same key is being worked on
        return TryLater(read_retry_after(retry_after, now_ms), why)
    return Rejected(why, status)


def read_retry_after(text: str | None, now_ms: int) -> timedelta | None:
    """Read Retry-After, as seconds or as a date; None for what is neither."""
    if text is None:
        return None
    try:
        if text.strip().isdecimal():
            after = timedelta(seconds=int(text))
        else:
            at = parsedate_to_datetime(text)
            after = (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.fromtimestamp(now_ms / 1000, UTC)
    except (ValueError, OverflowError, TypeError):
        return None
    return min(max(after, timedelta(0)), LONGEST_RETRY_AFTER)


def _told(error: Exception) -> str:
    """Say what went wrong; some errors have no words of their own, others tell the whole URL, where a secret may be."""
    told = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return told or type(error).__name__
