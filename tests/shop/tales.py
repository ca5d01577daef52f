"""Tales: a shop of whose customers' past somebody asks, published twice, and one customer of it.

Owns the strategy for what concerns segments, counts, silences and retention; its journeys are an author's text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

import msgspec

from orchestrator.language import compile_sources
from orchestrator.model import instants
from orchestrator.model.catalog import Catalog
from orchestrator.model.event import Event

START_MS = instants.parse("2026-01-05T10:00:00Z") or 0
HOUR_MS, DAY_MS = instants.HOUR_MS, instants.DAY_MS
PROJECT = """\
project: shop
timezone: {zone}
channels: {{email: {{address: profile.email}}, sms: {{address: profile.phone}}}}
purposes: {{service: {{consent: none}}, tips: {{consent: {consent}}}}}
purchase: {{event: ordered, value: total}}
{retention}
"""
CART = """\
journey: cart
version: 1
purpose: tips
status: {status}
enter: {{event: come, where: {where}, key: cart, again: {again}}}
exit: [{{event: viewed, reason: seen}}, {{event: ordered, reason: bought}}]
steps:
  - {{id: settle, wait: {{for: 1h, restart_on: come}}}}
  - {{id: remind, send: {{message: hello, channels: [email, sms]}}}}
  - {{id: answer, wait_for: {{event: viewed, within: 1d}}}}
"""
OTHERS = {
    "fan": "enter: {segment: fan, again: after_exit}\nexit: [{segment_left: fan, reason: left}]\n",
    "quiet": "enter: {inactive: {for: 2d, events: [come, ordered]}, again: always}\nexit: [{event: come}]\n",
    "silent": "enter: {inactive: {for: 20h}, again: always}\nexit: [{event: viewed}]\n",
    "daily": 'enter: {schedule: {every: day, at: "12:00"}, again: after_exit}\n',
}
OTHERS["noter"] = """\
enter: {event: viewed, where: n > 1, again: always}
steps:
  - {id: note, set: {profile.points: entry.n}}
"""
OTHERS["teller"] = OTHERS["noter"] + "  - {id: tell, emit: {event: looked}}\n"
OTHERS["friend"] = OTHERS["fan"].replace("fan", "friend")
REST = "steps:\n  - {id: stay, wait: 30h}\n"
MESSAGE = "message: hello\npurpose: tips\nemail: {subject: Hi, text: Hello}\nsms: {text: Hello}\n"
CONDITIONS = (
    "count('ordered', within='2d') >= {n}",
    "count('ordered', within='30d') >= {n}",
    "count('come', within='5d') > {n} or count('ordered', within='1d') == {n}",
    "days_since(profile.at) >= {n}",
    "hours_since(profile.at) > 2{n} or profile.points > {n}",
    "consents('email', 'tips') and count('ordered', within='30d') < {n}",
    "profile.recency >= {n}",
    "profile.monetary > {n}0",
    "profile.points > {n}",
    "count('ordered', within='30d') >= profile.points",
    "profile.recency >= profile.points",
    "exists(profile.last_seen.sms) and profile.frequency >= {n}",
)
RECEIPTS = ("message_delivered", "message_clicked", "message_unsubscribed")
EVENTS = ("come", "come", "come", "viewed", "looked", "looked", "looked", "ordered", "told", "agreed", *RECEIPTS)


def catalog_of(
    others: Iterable[str],
    conditions: dict[str, str],
    cart: str = CART.format(status="live", where="exists(cart)", again="always"),
    about: str = PROJECT.format(zone="Europe/Madrid", consent="opt_out", retention=""),
) -> Catalog:
    sources = {"orchestrator.yaml": about, "hello.message.yaml": MESSAGE, "cart.journey.yaml": cart}
    for name in others:
        head = f"journey: {name}\nversion: 1\npurpose: service\nstatus: live\n"
        sources[f"{name}.journey.yaml"] = head + OTHERS[name] + ("" if "steps:" in OTHERS[name] else REST)
    if conditions:
        sources["segments.yaml"] = "".join(f'{name}: {{if: "{each}"}}\n' for name, each in conditions.items())
    return compile_sources(sources).catalog


@dataclass
class Tale:
    """A customer of a shop that publishes two versions of itself in turn; `dice` says what happens."""

    seed: int

    def __post_init__(self) -> None:
        self.dice = dice = Random(self.seed)
        self.others = [each for each in OTHERS if dice.random() < 0.4]
        names = [each for each in ("fan", "friend") if each in self.others]
        self.conditions = {name: dice.choice(CONDITIONS).format(n=dice.randrange(4)) for name in names}
        if dice.random() < 0.3 and len(names) == 2:
            self.conditions["fan"] = f"in_segment('friend') and {self.conditions['fan']}"
        self.retention = dice.choice(["", "", "", "retention: {inactive: 40d}\n"])
        self.where, self.again = dice.choice(["n >= 2", "exists(cart)"]), dice.choice(["once", "after_exit", "1d"])

    def catalogs(self) -> list[Catalog]:
        """Publish the shop as it is at first, and as it is later: in another zone, by other rules, or nearly so."""
        return [self._catalog("Europe/Madrid", "opt_out", "live"), self._later()]

    def _later(self) -> Catalog:
        zone, consent = self.dice.choice(["Europe/Madrid", "Asia/Tokyo"]), self.dice.choice(["opt_out", "opt_in"])
        if self.dice.random() < 0.2 and "fan" in self.conditions:
            self.conditions["fan"] = "count('come', within='1d') >= 2"
        if self.dice.random() < 0.2 and "daily" not in self.others:
            self.others.append("daily")
        return self._catalog(zone, consent, self.dice.choice(["live", "paused", "paused"]))

    def _catalog(self, zone: str, consent: str, status: str) -> Catalog:
        cart = CART.format(status=status, where=self.where, again=self.again)
        about = PROJECT.format(zone=zone, consent=consent, retention=self.retention)
        return catalog_of(self.others, self.conditions, cart, about)

    def event(self, number: int, now_ms: int) -> Event:
        """Let something happen, or be told late, or once more."""
        dice = self.dice
        what, at_ms = dice.choice(EVENTS), now_ms - dice.choice([0, 0, 0, 0, HOUR_MS, 3 * DAY_MS])
        properties = {"n": dice.randrange(5), "cart": dice.choice(["c1", "c1", "c2", None]), "total": 20}
        if what == "told":
            at = dice.choice(["2026-01-06", "2026-01-07T09:00", "2026-01-08T10:00:00Z", None])
            what, properties = "profile_updated", {"at": at, "points": dice.randrange(5), "email": "a@b.example"}
        elif what == "agreed":
            what, properties = "consent_changed", {"granted": dice.random() < 0.6, "purpose": "tips"}
        channel = dice.choice([None, None, None, "sms", "email"])
        name = f"e{number - (dice.random() < 0.1)}"
        return Event(
            name, what, at_ms, "ana", channel=channel, raw_properties=msgspec.Raw(msgspec.json.encode(properties))
        )
