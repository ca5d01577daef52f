"""Links: the addresses in a message that lead back to us, signed and with an end.

Owns the form of a token, its kinds and how long each is good for. A token carries all that its page needs, by ids
only, and one to leave by the keyed hash of its address: no address, no name, and no lookup. Whoever has the link has
the customer's permission for just that and nothing else. Must never be read without its signature and its end being
checked first.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, ClassVar

import msgspec
from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_decode

from orchestrator.channels.sealing import Sealer
from orchestrator.errors import OrchestratorError
from orchestrator.model.instants import DAY_MS

MIN_SECRET_BYTES = 32


class Kind(StrEnum):
    """What a link is for."""

    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    CONFIRM = "confirm"
    SURVEY = "survey"
    CLICK = "click"
    OPEN = "open"
    STREAM = "stream"


# Mail lies around: who unsubscribes does so from last year's mail. A survey's answer means something for a while only.
LIFETIMES_MS = {
    Kind.UNSUBSCRIBE: 730 * DAY_MS,
    Kind.PREFERENCES: 90 * DAY_MS,
    Kind.CONFIRM: 14 * DAY_MS,
    Kind.SURVEY: 60 * DAY_MS,
    Kind.CLICK: 365 * DAY_MS,
    Kind.OPEN: 365 * DAY_MS,
    # An app asks its company for the next one.
    Kind.STREAM: DAY_MS,
}
# Preferences share the unsubscribe page's place (CONTRACTS.md); the token says which of the two.
PATHS = {
    Kind.UNSUBSCRIBE: "u",
    Kind.PREFERENCES: "u",
    Kind.CONFIRM: "c",
    Kind.SURVEY: "s",
    Kind.CLICK: "r",
    Kind.OPEN: "o",
    Kind.STREAM: "v1/stream",
}
_SALT = b"orchestrator.link"


class LinkError(OrchestratorError):
    """A token that is not ours, was changed, or is past its end (`expired`)."""

    def __init__(self, why: str, *, expired: bool = False) -> None:
        super().__init__(why)
        self.expired = expired


class About(msgspec.Struct, frozen=True):
    """What a message's links are about: who got it, which action, by which channel, why, in which language, and where.

    No link holds the address itself; that by which it is left may hold its hash.
    """

    profile_id: str
    action_id: str
    channel: str
    purpose: str
    language: str
    address: str = ""


class Token(msgspec.Struct, array_like=True, frozen=True):
    """The content of a link. `detail` is the target of a click, or the kind of a survey.

    `address` is where it was sent, as noes are remembered of it when their customer is gone: a hash under a key that
    only the operator has. It is empty where nothing is remembered.
    """

    kind: Kind
    until_s: int
    profile: bytes
    action: bytes
    channel: str
    purpose: str
    language: str
    detail: str = ""
    address: bytes = b""

    @property
    def profile_id(self) -> str:
        """The profile's id, as everywhere else."""
        return _as_id(self.profile)

    @property
    def action_id(self) -> str:
        """The action's id, as everywhere else."""
        return _as_id(self.action)


# No token ends with one of these.
_BEHIND = ".,;:!?)>]}'\"»”’"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Token).decode


class Links:
    """Makes and reads the links of one installation.

    `base_url` is where customers reach it. `secrets` are the signing keys, the newest last: it signs, all are read.
    `hashed` gives an address as noes are remembered of it, in hexadecimal.
    """

    def __init__(
        self, base_url: str, secrets: tuple[str, ...], hashed: Callable[[str], str] = lambda address: ""
    ) -> None:
        if not secrets or any(len(secret.encode()) < MIN_SECRET_BYTES for secret in secrets):
            raise OrchestratorError(
                f"a link secret (ORCHESTRATOR_LINK_SECRET) needs at least {MIN_SECRET_BYTES} characters;"
                " make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
            )
        self.base_url = base_url.rstrip("/")
        self._hashed = hashed
        # The keys are derived here, once: by itself the signer would derive its key anew for every link.
        keys = [hmac.digest(secret.encode(), _SALT, "sha256") for secret in secrets]
        self._signer = Signer(keys, salt=_SALT, sep=".", key_derivation="none", digest_method=_sha256)
        self._sealer = Sealer(keys[-1])

    def make(self, kind: Kind, about: About, now_ms: int, detail: str = "") -> str:
        """Make a link's address."""
        until_s = (now_ms + LIFETIMES_MS[kind]) // 1000
        profile, action = _packed(about.profile_id), _packed(about.action_id)
        is_known = kind is Kind.UNSUBSCRIBE and about.address
        address = bytes.fromhex(self._hashed(about.address)) if is_known else b""
        token = Token(kind, until_s, profile, action, about.channel, about.purpose, about.language, detail, address)
        # As the signer signs, in less time; it reads what is made here.
        content = _as_base64(_encode(token))
        return f"{self.base_url}/{PATHS[kind]}/{content.decode()}.{_as_base64(self._sealer.seal(content)).decode()}"

    def read(self, text: str, now_ms: int, *kinds: Kind) -> Token:
        """Read a token of one of these kinds; raises LinkError for any other, a changed, or an expired one.

        Behind a link in a plain text some mail programs take a full stop or a bracket for a part of it.
        """
        try:
            token = _decode(base64_decode(self._signer.unsign(text.rstrip(_BEHIND))))
        except (BadSignature, msgspec.DecodeError, UnicodeError) as error:
            raise LinkError("the link is not ours, or was changed on its way") from error
        if token.kind not in kinds:
            raise LinkError(f"a link for {token.kind} was used in place of one for {' or '.join(kinds)}")
        if token.until_s * 1000 <= now_ms:
            raise LinkError(f"the link for {token.kind} has expired", expired=True)
        return token


class MessageLinks(Mapping[str, str]):
    """`links.*` of one message; each is made when a template first names it."""

    _KINDS: ClassVar[Mapping[str, Kind]] = {
        str(kind): kind for kind in (Kind.UNSUBSCRIBE, Kind.PREFERENCES, Kind.SURVEY, Kind.CONFIRM)
    }

    def __init__(self, make: Callable[[Kind, str], str]) -> None:
        self._make = make
        self._made: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        """Give the link of this name."""
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._make(self._KINDS[name], "")
        return made

    def __iter__(self) -> Iterator[str]:
        """Name all links."""
        return iter(self._KINDS)

    def __len__(self) -> int:
        """Count the links."""
        return len(self._KINDS)

    def click(self, link: str) -> str:
        """Give the redirect that leads to `link`."""
        return self._make(Kind.CLICK, link)

    def pixel(self) -> str:
        """Give the address of the picture that tells of an opening."""
        return self._make(Kind.OPEN, "")


def _sha256(data: bytes = b"") -> Any:
    return hashlib.sha256(data)


def _as_base64(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")


def _packed(text: str) -> bytes:
    """Halve an id that is hexadecimal: people's mail programs read tokens, and some break long lines."""
    try:
        packed = bytes.fromhex(text)
    except ValueError:
        return b"t" + text.encode()
    return b"h" + packed if packed.hex() == text else b"t" + text.encode()


def _as_id(packed: bytes) -> str:
    return packed[1:].hex() if packed[:1] == b"h" else packed[1:].decode()
