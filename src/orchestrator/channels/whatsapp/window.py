"""The customer-service window: which of a message's two forms may go at the moment of sending.

Within 24 hours of what the customer wrote last any text may go, after that an approved template only. The engine
judged it when it decided, and wrote the window's end into the action; by now it may have closed. Owns that second
look. Must never send a template where a text may go: templates are billed.
"""

from dataclasses import dataclass

from orchestrator.channels.port import Delivery
from orchestrator.errors import Refused, WindowClosed
from orchestrator.model import instants

LONGEST_TEXT = 4_096


@dataclass(frozen=True, slots=True)
class Template:
    """An approved template: its name at the provider, and its parameters in order."""

    name: str
    parameters: tuple[str, ...]


def form_of(delivery: Delivery) -> str | Template:
    """Choose the text or the template; WindowClosed when the window is shut and there is no template."""
    fields = delivery.rendered.fields
    text, name = str(fields.get("text", "")).strip(), str(fields.get("template", "")).strip()
    until_ms = instants.parse(delivery.action.window_until)
    if text and until_ms is not None and delivery.now_ms < until_ms:
        if len(text) > LONGEST_TEXT:
            raise Refused(f"the text has {len(text):,} characters, and WhatsApp takes {LONGEST_TEXT:,}")
        return text
    if not name:
        raise WindowClosed("the customer wrote more than 24 hours ago, or never, and the message has no template")
    # Providers refuse a parameter with a line break, and one that is empty.
    parameters = tuple(" ".join(str(each).split()) for each in fields.get("parameters", ()))
    if "" in parameters:
        raise Refused(f"parameter {parameters.index('') + 1} of the template {name} is empty; give it a default")
    return Template(name, parameters)
