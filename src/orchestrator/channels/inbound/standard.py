"""Standard: what any system may tell us, signed as Standard Webhooks has it.

    {"type": "message.received" | "comment.received", "data": {"id", "from", "text", …}}     keys: secret (whsec_…)

The shape for live chats, and for social channels without an adapter of their own. `from` is the sender's address or
id; `identifier` names its kind; `conversation_id`, `reference` (what we gave with a message) and `to` (the number of
ours that a text came to) are optional.
Owns that shape. Must never read a request that was signed more than five minutes ago, or will be.
"""

from orchestrator.channels.inbound import bodies, signing
from orchestrator.channels.inbound.findings import Finding, Forbidden, Other, Request, Unreadable, Written
from orchestrator.channels.references import read_reference
from orchestrator.channels.webhook import Signer
from orchestrator.errors import OrchestratorError
from orchestrator.model import ids
from orchestrator.model.instants import MINUTE_MS

WITHIN_MS = 5 * MINUTE_MS
_TYPES = {"message.received": False, "comment.received": True}


def read(request: Request) -> list[Finding]:
    """Read one event; raises Forbidden or Unreadable."""
    _check(request)
    body = bodies.object_of(request.body)
    kind = bodies.text(body.get("type"))
    if kind not in _TYPES:
        return [Other("unknown")]
    data = bodies.part(body, "data")
    sender, event = bodies.text(data.get("from")), bodies.text(data.get("id"))
    if not sender or not event:
        raise Unreadable("data needs an id, and whom it is from")
    thread = bodies.text(data.get("conversation_id")) or ids.derive("conversation", request.channel, sender)
    named = bodies.text(data.get("identifier")) or f"{request.channel}_id"
    about, to, text = read_reference(data.get("reference")), bodies.text(data.get("to")), bodies.text(data.get("text"))
    is_public = _TYPES[kind]
    return [Written(event, sender, named, text, thread, about, is_public, ours=(to,) if to else ())]


def _check(request: Request) -> None:
    event, at = (request.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp"))
    signing.check_age(request, at, WITHIN_MS)
    expected = []
    for key in request.keys["secret"]:
        try:
            expected.append(Signer(key).sign(event, int(at), request.body))
        except OrchestratorError:
            continue  # the operator's own mistake lets nobody in
    given = request.headers.get("webhook-signature", "").split()
    if not event or not any(signing.is_any(each, expected) for each in given[:10]):
        raise Forbidden("the signature is not one of ours")
