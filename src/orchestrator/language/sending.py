"""What a send refers to: its message, its channels, its purpose.

Owns the checks of those three against the project and the message's content, and the messages' templates against the
steps of the journeys that send them. Must never decide which channel a customer gets.
"""

import re

from orchestrator.language import templates
from orchestrator.language.content import Draft, check_lookup, exists
from orchestrator.language.definitions.fields import nearest
from orchestrator.language.definitions.steps import HandoffBody, SendBody
from orchestrator.language.expressions.surroundings import EVENT_FIELDS, HOLDING, LOST, RESULTS, Surroundings
from orchestrator.language.models import Model
from orchestrator.language.nodes import Mapping, Place
from orchestrator.language.project import RESERVED_CHANNELS, Shop
from orchestrator.language.reads import Reads
from orchestrator.language.slips import Slips
from orchestrator.language.templates import Named

# Channels whose readers answer on the page behind a link; in others an app, or a person, asks.
_ANSWERED_BY_LINK = frozenset({"email", "sms"})


# An expression that is a text and nothing else.
_QUOTED = re.compile(r"""\s*(['"])(.*)\1\s*""")


class Messages:
    """All messages of a project while it is compiled, and which of them are too broken to say anything about."""

    def __init__(self) -> None:
        self.drafts: dict[str, Draft] = {}
        self.lost: set[str] = set()
        # By the name of its file, the id of each message whose file is named otherwise.
        self.ids: dict[str, str] = {}
        # By message: the names that sends give as data.
        self.data: dict[str, set[str]] = {}


class Sending:
    """Resolves the sends of one journey."""

    def __init__(
        self, journey: str, root: Place, purpose: str | None, shop: Shop, messages: Messages, steps: dict[str, str],
        reads: Reads, slips: Slips,
    ) -> None:  # fmt: skip
        self._journey = journey
        self._root = root
        self.purpose = purpose
        self._shop = shop
        self._messages = messages
        self._steps = steps
        self._reads = reads
        self._slips = slips
        shop.check_purpose(root["purpose"], purpose)

    @property
    def messages(self) -> list[str]:
        """The ids of all messages, those that could not be read included."""
        return sorted({*self._messages.drafts, *self._messages.lost})

    def resolve(self, place: Place, body: SendBody, around: Surroundings) -> tuple[str, tuple[str, ...], str]:
        """Find the message, the channels to try and the purpose of a send; `around` tells what has been passed."""
        self._shop.check_purpose(place["purpose"], body.purpose)
        draft = self._messages.drafts.get(body.message)
        if draft is None:
            self._check_channels(place, body, None)
            if body.message not in self._messages.lost:
                fix = self._messages.ids.get(body.message) or nearest(body.message, set(self._messages.drafts))
                if fix is not None:
                    self._messages.drafts[fix].sent = True  # by this very send, once it is mended
                fix = fix or f"messages/{body.message}.message.yaml"
                place["message"].report("E304", f"there is no message {body.message}", fix)
            return body.message, tuple(body.channels or ()), body.purpose or ""
        draft.sent = True
        content = tuple(name for name in self._shop.definition.channels if name in draft.content.channels)
        self._check_channels(place, body, draft)
        self._check_names(place, body, draft, around)
        purpose = body.purpose or draft.content.definition.purpose or self.purpose
        if purpose is None and not self._has_lost_purpose():
            place.report(
                "E308", "neither this send nor its message nor the journey has a purpose", "purpose: ... on the journey"
            )
        is_told = self._shop.is_lost or self._shop.place["channels"].node.mended
        if body.channels is None and not content and draft.content.channels and not is_told:
            place.report(
                "E309", f"{body.message} has no content for any channel of the project", "content for one of them"
            )
        self._check_confirming(place, body, draft, purpose or "")
        return body.message, tuple(body.channels) if body.channels else content, purpose or ""

    def _check_confirming(self, place: Place, body: SendBody, draft: Draft, purpose: str) -> None:
        """Check that a link to confirm confirms a purpose for which anybody is asked to."""
        if all(named.path[:2] != ("links", "confirm") for _, _, named in draft.names):
            return
        known = self._shop.definition.purposes
        if "confirms" in body.data:
            named = _QUOTED.fullmatch(body.data["confirms"])
            if named is not None:
                self._shop.check_purpose(place["data"]["confirms"], named[2])
            return
        asking = [name for name, each in known.items() if each.consent == "double_opt_in"]
        if len(asking) != 1 and purpose not in asking and purpose in known:
            which = "that one of " + ", ".join(asking) if asking else "a purpose that asks for it"
            fix = f"""data: {{confirms: "'{asking[0] if asking else "NAME"}'"}} for {which}"""
            place["message"].report("W322", f"the link to confirm in {body.message} confirms {purpose}", fix)

    def _has_lost_purpose(self) -> bool:
        """Tell whether the journey has a purpose that could not be read, and was cut out for it."""
        node = self._root.node
        return isinstance(node, Mapping) and "purpose" in node.keys and "purpose" not in node.values

    def check_survey(self, place: Place, message: str) -> None:
        """Doubt a survey by a channel that is read, and not answered, where its message does not link to it."""
        draft = self._messages.drafts.get(message)
        if draft is None or draft.place.node.mended or _ANSWERED_BY_LINK.isdisjoint(draft.content.channels):
            return
        if all(named.path[:2] != ("links", "survey") for _, _, named in draft.names):
            place.report("W316", f"{message} does not show where to answer", "{{ links.survey }} in the message")

    def check_case(self, place: Place, body: HandoffBody) -> None:
        """Check what a handoff refers to: its team, the skill, the purposes that it pauses."""
        teams = self._shop.definition.teams or {}
        if body.to not in teams and not self._shop.is_lost and not self._shop.place["teams"].is_mended:
            fix = nearest(body.to, set(teams)) or "one of " + (", ".join(teams) or "teams: in orchestrator.yaml")
            place["to"].report("E317", f"orchestrator.yaml has no team {body.to}", fix)
        elif body.skill is not None and body.to in teams and body.skill not in teams[body.to].skills:
            skills = teams[body.to].skills
            fix = nearest(body.skill, set(skills)) or ", ".join(skills) or "no skill"
            place["skill"].report("E317", f"the team {body.to} has no skill {body.skill}", fix)
        for number, name in enumerate(body.pause):
            self._shop.check_purpose(place["pause"][number], name)

    def check_webhook(self, place: Place, name: str) -> None:
        """Check that the project has the webhook that is called."""
        webhooks = self._shop.definition.webhooks or {}
        if name not in webhooks and not self._shop.is_lost and not self._shop.place["webhooks"].is_mended:
            fix = nearest(name, set(webhooks)) or "one of " + (", ".join(webhooks) or "webhooks: in orchestrator.yaml")
            place.report("E317", f"orchestrator.yaml has no webhook {name}", fix)

    def check_model(self, place: Place, name: str) -> Model | None:
        """Find the scorer that a step asks, and note what it reads of the entry."""
        model = self._shop.models.find(place, name)
        if model is not None:
            self._reads.add(model.reads)
        return model

    def names_in(self, place: Place, text: str) -> tuple[tuple[str, ...], ...]:
        """Check a template that stands in the journey itself; give the paths it reads."""
        template = templates.inspect(text)
        for mistake in template.mistakes:
            place.report(mistake.code, mistake.message, mistake.fix, offset=mistake.offset)
        for lookup in template.lookups:
            check_lookup(place, lookup, self._shop)
        paths = []
        for named in template.names:
            if named.path[0] == "coupon":
                place.report("E506", "only messages have codes", "the code in a message", offset=named.offset)
                continue
            if not exists(place, named, self._shop):
                continue
            self._slips.check_name(place, named.path, named.offset)
            if named.path[0] == "steps" and len(named.path) > 1:
                self._check_step(place, named)
            paths.append(templates.read_of(named.path))
        self._reads.add(paths)
        return tuple(dict.fromkeys(paths))

    def _check_channels(self, place: Place, body: SendBody, draft: Draft | None) -> None:
        for number, name in enumerate(body.channels or ()):
            spot = place["channels"][number]
            if name in RESERVED_CHANNELS or not self._shop.check_channel(spot, name) or draft is None:
                continue
            if name not in draft.content.channels and not draft.place.node.mended:
                has = ", ".join(draft.content.channels) or "nothing"
                spot.report(
                    "E307", f"{body.message} has no content for {name}; it has {has}", f"{name}: in {draft.place.file}"
                )

    def _check_names(self, place: Place, body: SendBody, draft: Draft, around: Surroundings) -> None:
        """Check what a message's templates name of this journey, and note what they read."""
        given = set(body.data)
        self._messages.data.setdefault(body.message, set()).update(given)
        lacking: set[str] = set()
        too_early: set[str] = set()
        for spot, _, named in draft.names:
            self._slips.check_name(spot, named.path, named.offset)
            if named.path[0] == "steps":
                self._check_step(spot, named)
                if not named.may_lack and around.comes_later(named.path[1].replace("_", "-")):
                    too_early.add(named.path[1])
            elif named.path[0] == "data" and named.path[1] not in given and not named.may_lack:
                lacking.add(named.path[1])
        for name in sorted(lacking):
            place.report(
                "W309", f"{body.message} reads data.{name}, and this send gives no such thing", f"data: {{{name}: ...}}"
            )
        for name in sorted(too_early):
            why = f"{body.message} reads steps.{name}, which nobody has passed here: it is always missing"
            place.report("W406", why, "a step that comes before this one")
        for paths in draft.reads.values():
            self._reads.add(paths)

    def _check_step(self, place: Place, named: Named) -> None:
        """Check `steps.<id>.<result>` of a template against the steps of this journey."""
        by_name = {step_id.replace("-", "_"): verb for step_id, verb in self._steps.items()}
        written, rest = named.path[1], named.path[2:]
        verb = by_name.get(written)
        if verb is None:
            close = nearest(written, set(by_name))
            why = f"the journey {self._journey}, which sends this, has no step `{written.replace('_', '-')}`"
            if "-" in written and written.replace("-", "_") in by_name:
                why, close = "a dash in a step's id is written as an underscore", written.replace("-", "_")
            fix = f"steps.{close}" if close else "a step's id, with _ for each dash"
            place.report("E504", why, fix, offset=named.offset)
            return
        if verb == LOST:
            return
        results = RESULTS[verb]
        if not rest or rest[0] not in results:
            what = f"`{verb}` leaves no `{rest[0]}`" if rest else f"`steps.{written}` alone is no value"
            leaves = ", ".join(results) or "nothing"
            result = (nearest(rest[0], results) if rest else None) or next(iter(results), None)
            fix = f"steps.{written}.{result}" if result else "another step's result"
            place.report("E505", f"{what}; it leaves {leaves}", fix, offset=named.offset)
        elif rest[0] in HOLDING and rest[0] == "event" and rest[1:] and rest[1] not in EVENT_FIELDS:
            place.report(
                "E506",
                f"an event has no `{rest[1]}`",
                f"steps.{written}.event.properties.{rest[1]}",
                offset=named.offset,
            )
