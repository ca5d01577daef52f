"""Preparing: from an action to what its channel is handed.

Owns the links that a message carries, whether it can be unsubscribed from, what of it is tracked, and that a
customer's several devices are several deliveries. Must never send, nor read a clock.
"""

from collections.abc import Mapping
from typing import Any

from orchestrator.channels import rendering
from orchestrator.channels.cases import template_of
from orchestrator.channels.links import About, Kind, Links, MessageLinks
from orchestrator.channels.port import Delivery, Tracking, Unsubscribing
from orchestrator.channels.rendering import Rendered, Renderer
from orchestrator.channels.wording import words_in
from orchestrator.errors import Refused
from orchestrator.model.catalog import Catalog
from orchestrator.model.effects import Action
from orchestrator.model.journey import Ask


class Preparer:
    """Prepares the messages of one project."""

    def __init__(self, catalog: Catalog, renderer: Renderer, links: Links) -> None:
        self._catalog = catalog
        self._project = catalog.project
        self._renderer = renderer
        self._links = links
        self._untracked = Tracking(own=f"{links.base_url}/")

    def prepare(self, action: Action, now_ms: int, coupons: Mapping[str, str] = rendering.NO_COUPONS) -> list[Delivery]:
        """Render an action for each of its addresses, with these codes; raises Refused for what can never be sent.

        An address that is "" took it before: the others keep their places, and their keys.
        """
        if action.channel is None or not action.to:
            raise Refused("the action lacks a channel or an address")
        if action.message is None:
            return _answer(action, now_ms)
        language = action.language or self._project.languages[0]
        links = self._links_of(action, action.channel, language, now_ms)
        rendered = self._renderer.render(
            action.message, action.channel, language, action.data, links, coupons, action.at
        )
        unsubscribing = self._unsubscribing(action, rendered, links)
        tracking = self._tracking(action, links)
        addresses = [action.to] if isinstance(action.to, str) else action.to
        return [
            Delivery(_key(action.id, number), to, rendered, action, now_ms, unsubscribing, tracking)
            for number, to in enumerate(addresses, start=1)
            if to
        ]

    def _links_of(self, action: Action, channel: str, language: str, now_ms: int) -> MessageLinks:
        def make(kind: Kind, detail: str) -> str:
            purpose = self._confirmed_by(action) if kind is Kind.CONFIRM else action.purpose or ""
            address = action.to if isinstance(action.to, str) else ""
            about = About(action.profile_id, action.id, channel, purpose, language, address)
            return self._links.make(kind, about, now_ms, self._survey_of(action) if kind is Kind.SURVEY else detail)

        return MessageLinks(make)

    def summary(self, action: Action) -> str | None:
        """Render what a handoff tells the person who takes its case."""
        return self.summary_of(action.data)

    def summary_of(self, data: dict[str, Any]) -> str | None:
        """Render the summary that stands in what a handoff tells; None where it tells none."""
        return self._renderer.summary(data)

    def case(self, action: Action) -> dict[str, Any]:
        """Give all that is told of a handoff: its summary in words, and the whole context."""
        about = {"customer_id": action.customer_id, "profile_id": action.profile_id, "journey": action.journey}
        return {**action.data, **about, "summary": self.summary(action)}

    def templated(self, team: str, data: dict[str, Any]) -> Any:
        """Render what a team's system is told of a case; the data as it is where the team has no template."""
        known = self._project.teams.get(team)
        template = None if known is None else template_of(known)
        if known is None or template is None:
            return None
        return self._renderer.case(template, {**data, "settings": known.settings})

    def _confirmed_by(self, action: Action) -> str:
        """Name the purpose that the message asks to confirm; it cannot be sent for that yet.

        What its data says, else its own, where that asks for a confirmation, else the only one that does.
        """
        data, own = action.data.get("data"), action.purpose or ""
        named = data.get("confirms") if isinstance(data, dict) else None
        if isinstance(named, str) and named in self._project.purposes:
            return named
        asking = [each.name for each in self._project.purposes.values() if each.consent == "double_opt_in"]
        return asking[0] if len(asking) == 1 else own

    def _survey_of(self, action: Action) -> str:
        """Name the kind of survey that an action asks, for the page that its link leads to; "" when it asks none."""
        journey = self._catalog.journey(action.journey, action.version)
        step = None if journey is None else journey.steps.get(action.step)
        return step.survey if isinstance(step, Ask) else ""

    def _unsubscribing(self, action: Action, rendered: Rendered, links: MessageLinks) -> Unsubscribing | None:
        purpose = self._project.purposes.get(action.purpose or "")
        if purpose is not None and purpose.consent == "none":
            return None
        address = str(self._project.brand.get("address") or "")
        return Unsubscribing(links["unsubscribe"], address, words_in(rendered.language)["unsubscribe"])

    def _tracking(self, action: Action, links: MessageLinks) -> Tracking:
        if not action.track:
            return self._untracked
        return Tracking(
            links.pixel() if "opens" in action.track else None,
            links.click if "clicks" in action.track else None,
            self._untracked.own,
        )


def _answer(action: Action, now_ms: int) -> list[Delivery]:
    """Prepare what a person wrote: as it is, for there is no template, and nothing to unsubscribe from or to track."""
    words = action.data.get("answer")
    text = words.get("text") if isinstance(words, dict) else None
    if not isinstance(words, dict) or not isinstance(text, str):
        raise Refused("the action lacks a message")
    channel, subject = action.channel or "", str(words.get("subject") or "")
    fields = {
        "email": {"subject": subject or text.splitlines()[0][:70], "text": text},
        "push": {"title": subject or str(words.get("agent") or ""), "body": text},
    }.get(channel, {"text": text})
    rendered = Rendered(channel, action.language or "en", fields)
    addresses = [action.to] if isinstance(action.to, str) else action.to or []
    return [
        Delivery(_key(action.id, number), to, rendered, action, now_ms)
        for number, to in enumerate(addresses, start=1)
        if to
    ]


def _key(action_id: str, number: int) -> str:
    return action_id if number == 1 else f"{action_id}-{number}"
