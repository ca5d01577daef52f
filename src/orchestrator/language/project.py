"""The project compiled: channels, purposes and policies as the engine reads them.

Owns the way from orchestrator.yaml to model.Project, the merging of the project's own caps and quiet hours into each
purpose included. Must never know about journeys or messages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.language import durations, templates, times
from orchestrator.language.coupons import read_coupons
from orchestrator.language.definitions.fields import suggest
from orchestrator.language.definitions.project import (
    CapDefinition,
    ProjectDefinition,
    PurposeDefinition,
    QuietHoursDefinition,
    RetentionDefinition,
    TeamDefinition,
)
from orchestrator.language.definitions.segment import SegmentDefinition
from orchestrator.language.expressions import Surroundings, compile_at
from orchestrator.language.models import Models
from orchestrator.language.nodes import Place, Scalar
from orchestrator.language.reads import Reads
from orchestrator.language.sources import ReadFile
from orchestrator.language.tables import read_tables
from orchestrator.model import instants
from orchestrator.model.audience import Segment
from orchestrator.model.expression import Expression
from orchestrator.model.identity import CUSTOMER_ID, Identity, compared, regions
from orchestrator.model.project import (
    NO_RETENTION,
    Cap,
    Channel,
    Message,
    Project,
    Purchase,
    Purpose,
    QuietHours,
    Retention,
    Table,
    Team,
    is_always_quiet,
    profile_paths,
)

# Words with a meaning of their own in a list of channels.
RESERVED_CHANNELS = ("same", "preferred")
# Never shown in a decision, whatever the project calls its identifiers.
_ALWAYS_HIDDEN = frozenset({"customer_id", "email", "phone"})
# Stands where an expression could not be compiled; the error makes the project invalid before it is asked.
NOTHING = Expression("", lambda _scope: None)


@dataclass
class Shop:
    """The project while it is compiled: what journeys and messages are checked against.

    `is_lost` tells that orchestrator.yaml could not be read at all, so that nothing is said to be missing from it.
    `segments_written` are those of segments.yaml, None where it could not be read; `segments` the same compiled.
    `reads` is what the project's own conditions read.
    """

    definition: ProjectDefinition
    place: Place
    is_lost: bool = False
    channels: dict[str, Channel] = field(default_factory=dict)
    purposes: dict[str, Purpose] = field(default_factory=dict)
    models: Models = field(init=False)
    tables: dict[str, Table] = field(default_factory=dict)
    coupons: dict[str, tuple[str, ...]] = field(default_factory=dict)
    segments_written: Mapping[str, SegmentDefinition] | None = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    reads: Reads = field(default_factory=Reads)
    purchase: Purchase | None = None

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The kinds of identifier, the strongest first; a customer's own id is always one."""
        identity = self.definition.identity
        named = tuple(identity.identifiers) if identity else ()
        return named if "customer_id" in named else ("customer_id", *named)

    @property
    def identity(self) -> Identity:
        """How identifiers make one customer; what names nobody is compared without case, and as it is kept."""
        said = self.definition.identity
        if said is None:
            return Identity()
        return Identity(
            kinds=self.identifiers,
            never={
                kind: frozenset[str]().union(
                    *(compared(kind, value, said.region, ignores_dots=said.dots == "ignore") for value in values)
                )
                for kind, values in said.never.items()
            },
            limit=said.limit,
            limits={CUSTOMER_ID: 1, **said.limits},
            region=said.region,
            ignores_dots=said.dots == "ignore",
        )

    @property
    def surroundings(self) -> Surroundings:
        """What an expression may name of the project, and what a decision must not show."""
        paths = (path for channel in self.definition.channels.values() for path in profile_paths(channel.address))
        addresses = {path[-1] for path in paths}
        return Surroundings(
            channels=frozenset(self.definition.channels),
            purposes=frozenset(self.definition.purposes),
            hidden=_ALWAYS_HIDDEN | set(self.identifiers) | addresses,
            segments=None if self.segments_written is None else frozenset(self.segments_written),
            has_purchases=self.definition.purchase is not None,
        )

    def check_purpose(self, place: Place, name: str | None) -> None:
        """Report a purpose that the project does not have."""
        known = self.definition.purposes
        if name is not None and name not in known and not self.is_lost and not self.place["purposes"].node.mended:
            fix = suggest(name, tuple(known)) if known else f"purposes: {{{name}: {{consent: ...}}}} there"
            place.report("E306", f"orchestrator.yaml has no purpose {name}", fix)

    def check_segment(self, place: Place, name: str) -> None:
        """Report a segment that segments.yaml does not have."""
        known = self.segments_written
        if known is not None and name not in known:
            fix = suggest(name, tuple(known)) if known else f"segments.yaml beside it, with {name}: {{if: ...}}"
            place.report("E330", f"segments.yaml has no segment {name}", fix)

    def check_channel(self, place: Place, name: str | None, *, at_key: bool = False) -> bool:
        """Report a channel that the project does not have; tell whether it has it."""
        known = self.definition.channels
        if name is None or name in known or self.is_lost or self.place["channels"].node.mended:
            return name in known
        fix = suggest(name, tuple(known)) if known else f"channels: {{{name}: {{address: ...}}}} there"
        place.report("E305", f"orchestrator.yaml has no channel {name}", fix, at_key=at_key)
        return False

    def project(self, messages: dict[str, Message]) -> Project:
        """Give what the engine reads."""
        definition = self.definition
        return Project(
            name=definition.project,
            timezone=definition.timezone,
            languages=tuple(definition.languages),
            brand=definition.brand,
            channels=self.channels,
            purposes=self.purposes,
            messages=messages,
            identifiers=self.identifiers,
            identity=self.identity,
            holdout_percent=percent(definition.holdout),
            scorers=self.models.scorers,
            tables=self.tables,
            coupons=self.coupons,
            segments=self.segments,
            asked=self.reads.asked(),
            purchase=self.purchase,
            retention=_retention(definition.retention),
            stop_words=tuple(definition.keywords.stop if definition.keywords else ()),
            start_words=tuple(definition.keywords.start if definition.keywords else ()),
            teams={name: _team(name, team) for name, team in (definition.teams or {}).items()},
        )


def compile_shop(
    definition: ProjectDefinition,
    place: Place,
    read: ReadFile,
    segments: Mapping[str, SegmentDefinition] | None,
    *,
    is_lost: bool = False,
) -> Shop:
    """Compile a project's channels, purposes and models, and report what is wrong with them.

    `read` gives the text of a file of the project, `segments` are those of segments.yaml, as it says them.
    """
    shop = Shop(definition, place, is_lost, segments_written=segments)
    _check_identity(definition, place)
    _check_teams(definition, place)
    _check_brand(definition, place)
    profile_only = shop.surroundings.limited_to("profile", "now")
    for name, channel in definition.channels.items():
        spot = place["channels"][name]
        if name in RESERVED_CHANNELS:
            spot.report("E206", f"`{name}` has a meaning of its own in lists of channels", "another name", at_key=True)
        address = _expression(shop, spot["address"], channel.address, profile_only)
        shop.channels[name] = Channel(name, address, channel.preferred_order, tuple(channel.track))
    for name, purpose in definition.purposes.items():
        shop.purposes[name] = _purpose(shop, place["purposes"][name], name, purpose, profile_only)
    _check_nights(shop)
    shop.purchase = _purchase(shop)
    for policy in ("caps", "quiet_hours"):
        for number, rule in enumerate(getattr(definition, policy)):
            shop.check_channel(place[policy][number]["channel"], rule.channel)
    shop.tables = read_tables(definition.catalogs or {}, place["catalogs"], read)
    shop.coupons = read_coupons(definition.coupons or {}, place["coupons"], read)
    shop.models = Models(definition, place["models"], shop.surroundings, shop.tables, read, is_lost=is_lost)
    return shop


def _expression(shop: Shop, place: Place, text: str, around: Surroundings) -> Expression:
    compiled = compile_at(place, text, around)
    shop.reads.add(compiled.reads if compiled else ())
    return compiled.expression if compiled else NOTHING


def _purchase(shop: Shop) -> Purchase | None:
    written = shop.definition.purchase
    if written is None:
        return None
    place, around = shop.place["purchase"], shop.surroundings.limited_to("event", "profile").where()
    currency = None
    if written.currency is not None:
        currency = _expression(shop, place["currency"], written.currency, around)
    if written.items is not None:
        _expression(shop, place["items"], written.items, around)  # for who reads the events; checked all the same
    return Purchase(written.event, _expression(shop, place["value"], written.value, around), currency)


def _retention(written: RetentionDefinition | None) -> Retention:
    if written is None:
        return NO_RETENTION
    lengths = (written.inactive, written.decisions, written.keys)
    return Retention(*(0 if text is None else length(text) for text in lengths))


def _team(name: str, written: TeamDefinition) -> Team:
    return Team(
        name, tuple(written.skills), written.to, written.template, dict(written.settings), tuple(written.outcomes)
    )


def _check_brand(definition: ProjectDefinition, place: Place) -> None:
    """Report a value that YAML took for a comment, such as the colour #0a7."""
    for name in definition.brand:
        node = place["brand"][name].node
        if isinstance(node, Scalar) and (node.raw or "").startswith("#"):
            fix = f'quotes, as # begins a comment: "{node.raw}"'
            place["brand"][name].report("E207", f"nothing stands after `{name}:`", fix, at_key=True)


def _check_teams(definition: ProjectDefinition, place: Place) -> None:
    """Report what is wrong with what a team's webhook gets."""
    for name, team in (definition.teams or {}).items():
        if isinstance(team.template, dict):
            _check_template(place["teams"][name]["template"], team.template)


def _check_template(place: Place, written: Any) -> None:
    if isinstance(written, str):
        for mistake in templates.inspect(written).mistakes:
            place.report(mistake.code, mistake.message, mistake.fix, offset=mistake.offset)
    elif isinstance(written, dict):
        for name, inner in written.items():
            _check_template(place[name], inner)
    elif isinstance(written, list):
        for number, inner in enumerate(written):
            _check_template(place[number], inner)


def _check_identity(definition: ProjectDefinition, place: Place) -> None:
    if definition.identity is None:
        return
    kinds = definition.identity.identifiers
    for number, kind in enumerate(kinds):
        if kind in kinds[:number]:
            place["identity"]["identifiers"][number].report("E228", f"{kind} stands twice in this list", "it once")
    for rule in ("never", "limits"):
        for kind in getattr(definition.identity, rule):
            if kind not in kinds and not (rule == "limits" and kind == CUSTOMER_ID):
                place["identity"][rule][kind].report(
                    "E313", f"{kind} is not among the identifiers", suggest(kind, set(kinds)), at_key=True
                )
    region = definition.identity.region
    if region is not None and region not in regions():
        place["identity"]["region"].report("E206", f"there is no region {region}", "one of ISO 3166, such as ES")


def _purpose(shop: Shop, place: Place, name: str, written: PurposeDefinition, around: Surroundings) -> Purpose:
    for policy in ("caps", "quiet_hours"):
        for number, rule in enumerate(getattr(written, policy)):
            shop.check_channel(place[policy][number]["channel"], rule.channel)
    only_if = None
    if written.only_if is not None:
        only_if = _expression(shop, place["only_if"], written.only_if, around)
    has_policies = written.policies is None
    shared = shop.definition
    caps = [_cap(cap, is_shared=False) for cap in written.caps]
    windows = [_window(window) for window in written.quiet_hours]
    if has_policies:
        caps += [_cap(cap, is_shared=True) for cap in shared.caps]
        windows += [_window(window) for window in shared.quiet_hours]
    return Purpose(
        name=name,
        consent=written.consent,
        caps=tuple(caps),
        quiet_hours=tuple(windows),
        only_if=only_if,
        pauses_during_case=written.during_case == "pause",
        has_policies=has_policies,
    )


def _check_nights(shop: Shop) -> None:
    """Doubt quiet hours that leave no minute of the week: what they hold is never sent, or expires."""
    told: set[str] = set()
    for name, purpose in shop.purposes.items():
        own = bool(shop.definition.purposes[name].quiet_hours)
        where, place = (name, shop.place["purposes"][name]) if own else ("", shop.place)
        for channel in shop.channels:
            windows = tuple(each for each in purpose.quiet_hours if each.channel in (None, channel))
            if where not in told and is_always_quiet(windows):
                told.add(where)
                message = f"it is always quiet for {name} on {channel}: what is held is never sent"
                place["quiet_hours"].report("W319", message, "windows that leave some of the week out", at_key=True)


def _cap(written: CapDefinition, *, is_shared: bool) -> Cap:
    return Cap(written.at_most, length(written.per), written.channel, is_shared)


def _window(written: QuietHoursDefinition) -> QuietHours:
    return QuietHours(
        minute(written.from_),
        minute(written.to),
        frozenset(instants.WEEKDAYS.index(day) for day in written.days or ()),
        written.channel,
    )


def length(text: str) -> int:
    """Give the milliseconds of a length that was checked before."""
    return durations.milliseconds(text) or 0


def minute(text: str) -> int:
    """Give the minute of the day of a time that was checked before."""
    return times.minute_of_day(text) or 0


def percent(text: str | None) -> float:
    """Give the number of a percentage that was checked before; 0 for none."""
    return float(text.removesuffix("%")) if text else 0.0
