"""Telegram's Bot API.

    telegram:                ORCHESTRATOR_CHANNEL_TELEGRAM_SECRET is the bot's token
    telegram:?silent=on      phones show the message without a sound

An address is the chat's id, which Telegram tells when the customer first writes to the bot. The Bot API takes no
idempotency key (a message whose answer got lost may arrive twice: at-least-once), reports nothing back, and has no
field for the action's id: the receipt's reference is CHAT:MESSAGE, and an answer to a message names that.
Owns requests, and what each answer says. Must never let the token, which is part of the URL, get into a text.
"""

from typing import Any

import msgspec

from orchestrator.channels.answers import Answer, read_retry_after
from orchestrator.channels.api import Api, read_url, secret_of
from orchestrator.channels.port import Delivery, Receipt, Setup
from orchestrator.errors import Bounced, ChannelError, Refused, TryLater, Unavailable

HOST = "api.telegram.org"
OPTIONS = ("silent",)
# In characters, after entities; we send none.
LONGEST_TEXT = 4_096
# Of a 400: what says that the chat is not there, or not there any more.
_GONE = ("chat not found", "user is deactivated", "peer_id_invalid", "chat_id is empty", "group chat was upgraded")


class _Message(msgspec.Struct):
    message_id: int


class _Parameters(msgspec.Struct):
    retry_after: int | None = None


class _Said(msgspec.Struct):
    ok: bool = False
    result: _Message | None = None
    description: str = ""
    parameters: _Parameters | None = None


class TelegramChannel:
    """Speaks as one bot."""

    def __init__(self, api: Api, token: str, is_silent: bool) -> None:
        self._api = api
        self._url = api.base / f"bot{token}" / "sendMessage"
        self._is_silent = is_silent

    async def send(self, delivery: Delivery) -> Receipt:
        """Hand one message to Telegram."""
        content: dict[str, Any] = {"chat_id": delivery.to, "text": _text_of(delivery)}
        if self._is_silent:
            content["disable_notification"] = True
        answer = await self._api.post_json(self._url, {}, content)
        said = answer.read(_Said)
        if answer.status == 200 and said.ok and said.result is not None:
            reference = f"{delivery.to}:{said.result.message_id}"
            return Receipt(reference, named=reference, to=delivery.to)
        raise _trouble(answer, said, delivery.now_ms)

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()


def _text_of(delivery: Delivery) -> str:
    """Put title, text and link under each other."""
    fields = delivery.rendered.fields
    told = [str(fields.get(name, "")) for name in ("title", "text")]
    text = "\n".join(filter(None, [*told, delivery.tracking.follow(str(fields.get("url", "")))]))
    if not text.strip():
        raise Refused("the text is empty")
    if len(text) > LONGEST_TEXT:
        raise Refused(f"the text has {len(text):,} characters, and Telegram takes {LONGEST_TEXT:,}")
    return text


def _trouble(answer: Answer, said: _Said, now_ms: int) -> ChannelError:
    status = answer.status
    why = f"Telegram answered {status}" + (f": {said.description}" if said.description else "")
    if status == 403 or (status == 400 and any(words in said.description.lower() for words in _GONE)):
        return Bounced(why, hard=True)  # blocked by the customer, or nobody there
    if status == 429:
        wait = said.parameters.retry_after if said.parameters else None
        return Unavailable(answer.after(now_ms) if wait is None else read_retry_after(str(wait), now_ms), why)
    if status == 404:  # what it answers where the token is none
        return Unavailable(None, why)
    if status < 300:
        return TryLater(None, f"{why}, and nothing that says it was taken")
    found = answer.meaning(now_ms)
    return found if isinstance(found, TryLater) else Refused(why)


def open_telegram(setup: Setup) -> TelegramChannel:
    """Make the channel that a `telegram:` URL names."""
    endpoint = read_url(setup, HOST, OPTIONS)
    token = secret_of(setup, "the bot's token")
    return TelegramChannel(Api(endpoint, setup.allowed_hosts), token, endpoint.options.get("silent") == "on")
