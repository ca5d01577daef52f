"""Sessions: who is signed in to the inbox, and which forms are theirs.

Owns the cookie (signed, with an end, good for one agent's present key only) and the token that each of our forms
carries, so that no other site can have a browser send one. Nothing is kept here: what is signed says all. Must never
hold a key.
"""

import base64
import hmac
import secrets
from binascii import Error as BinasciiError
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from orchestrator.runtime.agents import Agent

COOKIE = "inbox"
PATH = "/inbox"
LIFETIME_S = 12 * 3600


class _Signed(msgspec.Struct, array_like=True):
    name: str
    until_s: int
    nonce: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Signed).decode


@dataclass(frozen=True, slots=True)
class Session:
    """An agent who is signed in, and what their forms carry."""

    agent: Agent
    form: str

    def owns(self, form: str) -> bool:
        """Tell whether a form that came in is one of ours, made for this session."""
        return hmac.compare_digest(form.encode(), self.form.encode())


class Sessions:
    """Signs in and recognises the agents of one process."""

    def __init__(self, secret: bytes, agents: Sequence[Agent], *, is_secure: bool) -> None:
        self._secret = secret
        self._agents = {agent.name: agent for agent in agents}
        self._is_secure = is_secure

    def agent_of(self, key: str) -> Agent | None:
        """Find whose key this is; all are compared, to the same effort."""
        found = [agent for agent in self._agents.values() if agent.opens(key)]
        return found[0] if found else None

    def sign_in(self, name: str, key: str, now_ms: int) -> str | None:
        """Give the cookie of an agent who knows their key; None for anybody else."""
        agent = self._agents.get(name)
        if agent is None or not agent.opens(key):
            return None
        payload = _encode(_Signed(name, now_ms // 1000 + LIFETIME_S, secrets.token_bytes(16)))
        value = base64.urlsafe_b64encode(payload + self._seal(payload, agent)).decode()
        return self._cookie(value, LIFETIME_S)

    def sign_out(self) -> str:
        """Give the cookie that ends a session in its browser."""
        return self._cookie("", 0)

    def read(self, value: str | None, now_ms: int) -> Session | None:
        """Recognise a cookie; None for none, for one that is not ours, is past its end, or whose agent is gone."""
        try:
            whole = base64.urlsafe_b64decode((value or "").encode())
            payload, seal = whole[:-32], whole[-32:]
            signed = _decode(payload)
        except (BinasciiError, ValueError, msgspec.DecodeError):
            return None
        agent = self._agents.get(signed.name)
        if agent is None or signed.until_s * 1000 <= now_ms:
            return None
        if not hmac.compare_digest(seal, self._seal(payload, agent)):
            return None
        return Session(agent, hmac.digest(self._secret, b"form" + whole, "sha256").hex())

    def _seal(self, payload: bytes, agent: Agent) -> bytes:
        # With the key's hash: who gets a new key is signed out everywhere.
        return hmac.digest(self._secret, b"session" + agent.key_hash + payload, "sha256")

    def _cookie(self, value: str, seconds: int) -> str:
        secure = "; Secure" if self._is_secure else ""
        return f"{COOKIE}={value}; Path={PATH}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
