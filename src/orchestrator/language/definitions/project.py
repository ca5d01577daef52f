"""The project: orchestrator.yaml as its author writes it.

Owns brand, channels, purposes, policies and identity, and what else a project may say. Must never compile them.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from orchestrator.language.definitions.fields import (
    Duration,
    EventName,
    Expression,
    Id,
    Language,
    Model,
    Name,
    OrOne,
    Percent,
    Text,
    TimeOfDay,
    Weekdays,
    Zone,
    refuse,
    written_as,
)

Tracked = Literal["clicks", "opens"]
# Longer messages are no keywords (`channels.inbound.keywords`).
Word = Annotated[str, Field(min_length=1, max_length=40)]


def _clicks() -> list[Tracked]:
    return ["clicks"]


class ChannelDefinition(Model):
    """A road to the customer."""

    MEANT = "{address: {}}"

    address: Expression = Field(description="Where the address is found, such as profile.email.")
    preferred_order: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Its place among the preferred channels of customers who named none."
    )
    track: list[Tracked] = Field(default_factory=_clicks, description="What is measured; clicks without it.")


class CapDefinition(Model):
    """How often at most."""

    MEANT = "{at_most: 1, per: {}}"

    at_most: Annotated[int, Field(ge=1, le=1_000_000)] = Field(description="So many messages.")
    per: Duration = Field(description="In any window of this length, such as 1d or 7d.")
    channel: Name | None = Field(None, description="On this channel; without it on all together.")


class QuietHoursDefinition(Model):
    """When not: a window in the customer's local time."""

    MEANT = '{from: "21:30", to: "08:30"}'

    from_: TimeOfDay = Field(alias="from", description="Begins at this local time.")
    to: TimeOfDay = Field(description="Ends before this local time; the next day when it is not later than `from`.")
    days: Weekdays | None = Field(None, description="The days on which the window begins; every day without it.")
    channel: Name | None = Field(None, description="On this channel; without it on all.")

    @model_validator(mode="after")
    def _not_empty(self) -> "QuietHoursDefinition":
        if self.from_ == self.to:
            refuse("E225", "`from` and `to` are the same, which is never or always", "two different times", key="to")
        return self


QuietHours = Annotated[
    list[QuietHoursDefinition], OrOne(dict), written_as("a window", '{from: "22:00", to: "08:00"}', str, int, float)
]
Caps = Annotated[
    list[CapDefinition],
    written_as("a list", "[{at_most: 1, per: 1d}]", str, int, float),
    written_as("a list", "a list's item, with one dash before it: - {at_most: 1, per: 1d}", dict),
]


class PurposeDefinition(Model):
    """Why we speak, and what that allows."""

    MEANT = "{consent: {}}"

    consent: Literal["opt_in", "double_opt_in", "opt_out", "none"] = Field(
        description="opt_in needs a yes, double_opt_in a confirmed yes, opt_out the absence of a no, none ignores it."
    )
    caps: Caps = Field(default_factory=list, description="How often at most.")
    quiet_hours: QuietHours = Field(
        default_factory=list,
        description="When not. Where a customer's own leave no time beside these, nothing is held: the channel is "
        "refused (`quiet_hours`), and the journey goes on.",
    )
    only_if: Expression | None = Field(None, description="A condition on the customer that must hold.")
    during_case: Literal["pause"] | None = Field(None, description="`pause`: nothing while a case is open.")
    policies: Literal["none"] | None = Field(
        None, description="`none`: the caps and quiet hours of the project do not hold for this purpose."
    )


class IdentityDefinition(Model):
    """How one customer is recognised under many identifiers."""

    identifiers: Annotated[list[Name], Field(min_length=1)] = Field(
        description="The kinds of identifier, the strongest first."
    )
    never: dict[Name, list[str]] = Field(
        default_factory=dict, description="Values that name nobody, such as test@example.com, by kind."
    )
    limit: Annotated[int, Field(ge=2, le=10_000)] = Field(
        50, description="Identifiers per customer; beyond it a merge is refused."
    )
    limits: dict[Name, Annotated[int, Field(ge=1, le=10_000)]] = Field(
        default_factory=dict,
        description="Identifiers of one kind per customer, such as phone: 3; one customer_id by default.",
    )
    region: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = Field(
        None, description="Where phone numbers without a country code are from, such as ES."
    )
    dots: Literal["keep", "ignore"] = Field(
        "keep", description="`ignore`: a.na@shop.example and ana@shop.example are one address."
    )


class WebhookDefinition(Model):
    """Another system that journeys call."""

    MEANT = '{url: "{}", secret: SETTING}'

    url: Text = Field(description="Where to.")
    secret: Text | None = Field(None, description="The operator's setting that holds the secret.")


class RuleDefinition(Model):
    """One rule of a model: what it is worth when its condition holds."""

    if_: Expression = Field(alias="if", description="The condition.")
    points: Annotated[float, Field(ge=-1_000_000, le=1_000_000)] = Field(description="What it adds to the value.")
    why: Text | None = Field(None, description="How it is said; the condition itself without it.")


class ModelDefinition(Model):
    """A scorer and its settings."""

    kind: Name | None = Field(
        None,
        description="rules, sentiment, topic, churn, recommend, onnx, or a package's own; the model's name without it.",
    )
    rules: list[RuleDefinition] | None = Field(None, description="Of rules: conditions and their points.")
    labels: dict[Name, float] | None = Field(
        None, description="Of rules: names for values, each from so many points on: {cold: 0, warm: 30}."
    )
    topics: dict[Name, dict[Language, list[Text]]] | None = Field(
        None, description="Of topic: words by topic and language; without it the topics of a shop."
    )
    baskets: Text | None = Field(
        None, description="Of recommend: the file with what was bought, a table with the columns order and item."
    )
    catalog: Name | None = Field(None, description="Of recommend: the catalog that it recommends from.")
    at_most: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="Of recommend: how many things; 3 without it."
    )
    usual: Duration | None = Field(
        None, description="Of churn: how long after a purchase customers usually buy again; 60d without it."
    )
    much: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Of churn: who has spent so much is a good customer, and likelier to come back."
    )
    features: dict[Name, Expression] | None = Field(
        None, description="Of onnx and your own kinds: what the model looks at, by name: {recency: profile.recency}."
    )
    file: Text | None = Field(None, description="Of onnx: the file with the model, in base64.")
    classes: list[Text] | None = Field(None, description="Of onnx: what the model's numbers stand for, in order.")
    settings: dict[str, Any] | None = Field(None, description="Of your own kind: whatever it reads.")


class TeamDefinition(Model):
    """People who take cases."""

    skills: list[Name] = Field(default_factory=list, description="What they can do.")
    to: Text | None = Field(
        None, description="Where they are told of a case, besides the inbox: https://… or care@shop.example."
    )
    template: Literal["zendesk", "chatwoot"] | dict[str, Any] | None = Field(
        None, description="What their webhook gets: a system's own form, or any JSON whose texts are Liquid."
    )
    settings: dict[Name, str | int] = Field(default_factory=dict, description="What a template reads as settings.NAME.")
    outcomes: Annotated[list[Name], Field(min_length=1)] = Field(
        default_factory=lambda: ["solved", "not_solved", "duplicate"], description="How a case of theirs may end."
    )


class PurchaseDefinition(Model):
    """What a purchase is: what revenue counts."""

    MEANT = "{event: {}, value: event.properties.total}"

    event: EventName = Field(description="The event that is a purchase.")
    value: Expression = Field(description="What it is worth.")
    currency: Expression | None = Field(None, description="In which currency.")
    items: Expression | None = Field(None, description="What was bought.")


class CatalogDefinition(Model):
    """A table of products that messages look things up in."""

    MEANT = "{file: {}, key: sku}"

    file: Text = Field(
        description="The file beside orchestrator.yaml: a .csv file, or a .json file with a list of maps."
    )
    key: Text = Field(description="The column that rows are found by.")


class CouponDefinition(Model):
    """A pool of codes: one for each entry, `{{ coupon.NAME }}`, claimed by `serve` and `deliver` when they send."""

    codes: Text = Field(
        description="The file beside orchestrator.yaml: one code a line, or in a .csv file the column `code`. More may "
        "be added at any time; what was given is never given again, and what was taken out is not given any more."
    )


class KeywordsDefinition(Model):
    """Words by which customers leave a channel and come back, beside STOP, START and those of the project's languages.

    They count as a whole message only.
    """

    stop: list[Word] = Field(default_factory=list, description="Withdraw consent for the channel they come by.")
    start: list[Word] = Field(default_factory=list, description="Give it again.")


class RetentionDefinition(Model):
    """How long things are kept."""

    MEANT = "{inactive: {}}"

    inactive: Duration | None = Field(None, description="Profiles that were silent for so long are erased.")
    decisions: Duration | None = Field(None, description="How long decisions are kept.")
    keys: Duration | None = Field(None, description="How long keys of entries are kept.")


class ProjectDefinition(Model):
    """What marketers own for all journeys together."""

    project: Id = Field(description="The project's id, in lower-case words with dashes.")
    timezone: Zone = Field("UTC", description="For customers without one, such as Europe/Madrid.")
    languages: Annotated[list[Language], Field(min_length=1)] = Field(
        default_factory=lambda: ["en"], description="The languages of messages; the first is what messages begin with."
    )
    brand: dict[str, Any] = Field(default_factory=dict, description="Available to every message as brand.NAME.")
    channels: dict[Name, ChannelDefinition] = Field(
        default_factory=dict, description="The roads to the customer, in the order of choice."
    )
    purposes: dict[Name, PurposeDefinition] = Field(default_factory=dict, description="Why we speak.")
    identity: IdentityDefinition | None = Field(None, description="How one customer is recognised.")
    holdout: Percent | None = Field(
        None, description="A share of customers that no journey writes to, the same for all of them, such as 5%."
    )
    caps: Caps = Field(default_factory=list, description="Hold for every purpose.")
    quiet_hours: QuietHours = Field(default_factory=list, description="Hold for every purpose.")
    webhooks: dict[Name, WebhookDefinition] | None = Field(None, description="Other systems that journeys call.")
    models: dict[Name, ModelDefinition] | None = Field(None, description="Scorers and their settings.")
    teams: dict[Name, TeamDefinition] | None = Field(None, description="People who take cases.")
    purchase: PurchaseDefinition | None = Field(None, description="What a purchase is.")
    catalogs: dict[Name, CatalogDefinition] | None = Field(None, description="Tables that messages look things up in.")
    coupons: dict[Name, CouponDefinition] | None = Field(
        None, description="Pools of codes, of which every entry gets one of its own."
    )
    keywords: KeywordsDefinition | None = Field(
        None, description="Words of your own by which customers leave a channel and come back."
    )
    retention: RetentionDefinition | None = Field(None, description="How long things are kept.")
    release_over: Duration | None = Field(None, description="How long a backlog of held messages is spread over.")
    meta: dict[str, Any] | None = Field(None, description="Anything; nobody reads it but you.")
