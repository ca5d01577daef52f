"""Text messages: Twilio, and any gateway that takes an HTTP request.

Owns what the two share: the text as it is billed. Must never receive: what comes back
is read elsewhere.
"""

from orchestrator.channels.port import Delivery
from orchestrator.errors import Refused
from orchestrator.model import texting


def text_of(delivery: Delivery) -> tuple[str, dict[str, str | int]]:
    """Give a message's text, and what its receipt tells of it: parts and alphabet. Refused when it is too long."""
    text = str(delivery.rendered.fields.get("text", ""))
    cut = texting.cut(text)
    if not text.strip():
        raise Refused("the text is empty")
    if cut.parts > texting.MOST_PARTS:
        raise Refused(f"the text takes {cut.parts} parts in {cut.alphabet}, and at most {texting.MOST_PARTS} may go")
    return text, {"parts": cut.parts, "alphabet": cut.alphabet}
