"""Telegram: what customers write to the bot, and whether they have blocked it.

    updates     JSON, with a secret in a header     keys: secret, the secret_token given to setWebhook

Owns what an update means. Telegram reports neither deliveries nor readings. `/start` is what everybody sends who opens
the bot, so it is no consent; `/stop` is a STOP. Must never take what another bot wrote for a customer's.
"""

from typing import Any

from orchestrator.channels.inbound import bodies, signing
from orchestrator.channels.inbound.findings import Finding, Forbidden, Other, Request, Stated, Written

SECRET = "x-telegram-bot-api-secret-token"  # noqa: S105 - the header's name


def read(request: Request) -> list[Finding]:
    """Read an update; raises Forbidden or Unreadable."""
    if not signing.is_any(request.headers.get(SECRET, ""), request.keys["secret"]):
        raise Forbidden("the secret token is not ours")
    update = bodies.object_of(request.body)
    event = f"telegram {bodies.text(update.get('update_id'))}"
    if "message" in update:
        return [_message(event, bodies.part(update, "message"), request)]
    if "callback_query" in update:
        return [_pressed(event, bodies.part(update, "callback_query"), request)]
    if "my_chat_member" in update:
        return [_membership(event, bodies.part(update, "my_chat_member"), request)]
    return [Other("passing" if "edited_message" in update else "unknown")]


def _kind(request: Request) -> str:
    return f"{request.channel}_id"


def _message(event: str, message: dict[str, Any], request: Request) -> Finding:
    chat, writer = bodies.part(message, "chat"), bodies.part(message, "from")
    if chat.get("type") != "private" or writer.get("is_bot") is True or not bodies.text(chat.get("id")):
        return Other("passing")
    said = bodies.text(message.get("text") or message.get("caption"))
    if not said:
        media = next((name for name in ("photo", "voice", "video", "document", "sticker") if name in message), None)
        if media is None:
            return Other("passing")  # somebody joined, a message was pinned
        return _written(event, chat, "", request, {"media": media}, bodies.part(message, "reply_to_message"))
    return _written(event, chat, said, request, {}, bodies.part(message, "reply_to_message"))


def _pressed(event: str, query: dict[str, Any], request: Request) -> Finding:
    message = bodies.part(query, "message")
    chat = bodies.part(message, "chat")
    said = bodies.text(query.get("data"))
    if chat.get("type") != "private" or not said:
        return Other("passing")
    return _written(event, chat, said, request, {"pressed": True}, message)


def _written(
    event: str, chat: dict[str, Any], said: str, request: Request, further: dict[str, Any], about: dict[str, Any]
) -> Written:
    """Write down what was said; `about` is the message that it answers, or whose button was pressed."""
    number, answered = bodies.text(chat.get("id")), bodies.text(about.get("message_id"))
    named = f"{number}:{answered}" if answered else ""
    return Written(event, number, _kind(request), said, f"telegram {number}", properties=further, answers=named)


def _membership(event: str, change: dict[str, Any], request: Request) -> Finding:
    """Read that a customer blocked the bot. Taking it back is no consent: they did not say so."""
    chat = bodies.part(change, "chat")
    if chat.get("type") != "private" or bodies.part(change, "new_chat_member").get("status") != "kicked":
        return Other("passing")
    return Stated(event, bodies.text(chat.get("id")), _kind(request), False, "", "bot blocked")
