"""The language reference: one page of Markdown, made from the schemas and a handbook of small projects that run.

Owns the chapters, and how a schema is told to people. What a key means stands with its definition, what it looks like
in the handbook, whose examples the tests run. Must never say what neither of them says.
"""

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from orchestrator.language import durations, times
from orchestrator.language.codes import CODES
from orchestrator.language.compiling import Loaded
from orchestrator.language.definitions import fields
from orchestrator.language.expressions.surroundings import EVENT_FIELDS, RESULTS
from orchestrator.language.schemas import schemas
from orchestrator.model.audience import SEGMENT_ENTERED, Inactive, OnDate, Schedule
from orchestrator.model.journey import Journey

Schema = Mapping[str, Any]

# A chapter: its title, the shapes that it tells, and the files of the handbook that show every key of theirs.
CHAPTERS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("A journey", ("journey",), ("journey.journey.yaml",)),
    (
        "Entering",
        ("Enter", "EnterRule", "Schedule", "DateRule", "Inactive", "Limit"),
        ("enter.journey.yaml", "enter-by-key.journey.yaml", "enter-by-time.journey.yaml"),
    ),
    ("Exits and goals", ("ExitRule", "GoalRule"), ("exit.journey.yaml",)),
    ("wait", ("WaitStep", "WaitBody"), ("wait.journey.yaml",)),
    ("wait_until", ("WaitUntilStep", "Until"), ("wait_until.journey.yaml",)),
    ("wait_for", ("WaitForStep", "WaitForBody", "WaitBranch"), ("wait_for.journey.yaml",)),
    ("send", ("SendStep", "SendBody"), ("send.journey.yaml",)),
    ("choose", ("ChooseStep", "ChooseBranch"), ("choose.journey.yaml",)),
    ("split", ("SplitStep", "SplitBranch"), ("split.journey.yaml",)),
    ("ask", ("AskStep", "AskBody"), ("ask.journey.yaml",)),
    ("handoff", ("HandoffStep", "HandoffBody"), ("handoff.journey.yaml",)),
    ("score", ("ScoreStep", "ScoreBody"), ("score.journey.yaml",)),
    ("set", ("SetStep",), ("set.journey.yaml",)),
    ("emit", ("EmitStep", "EmitBody"), ("emit.journey.yaml",)),
    ("call", ("CallStep", "CallBody"), ("call.journey.yaml",)),
    ("repeat", ("RepeatStep", "RepeatBody"), ("repeat.journey.yaml",)),
    ("exit", ("ExitStep",), ("ends.journey.yaml",)),
    (
        "Examples",
        (
            *("Example", "Given", "Expect", "ExpectedMessage", "ExpectedText", "ExpectedWithheld", "ExpectedEvent"),
            *("ExpectedCase", "ExpectedCall", "CallResponse", "ScoreResponse"),
        ),
        (),
    ),
    (
        "The project: orchestrator.yaml",
        (
            *("project", "ChannelDefinition", "PurposeDefinition", "CapDefinition", "QuietHoursDefinition"),
            *("IdentityDefinition", "ModelDefinition", "RuleDefinition", "CatalogDefinition", "TeamDefinition"),
            *(
                "WebhookDefinition",
                "PurchaseDefinition",
                "CouponDefinition",
                "KeywordsDefinition",
                "RetentionDefinition",
            ),
        ),
        ("orchestrator.yaml",),
    ),
    ("Segments: segments.yaml", ("SegmentDefinition",), ("segments.yaml",)),
    (
        "Messages",
        ("message", "Contents", "EmailContent", "PushContent", "SmsContent", "WhatsappContent", "OtherContent"),
        ("messages/welcome.message.yaml", "messages/offer.message.yaml", "messages/letter.message.yaml"),
    ),
)
CALLS = {
    "exists": ("exists(profile.email)", "whether there is such a value"),
    "contains": ("contains(items, 'LM-07')", "whether a list has it, or a text holds it"),
    "lower": ("lower(city)", "the text in small letters"),
    "starts_with": ("starts_with(sku, 'LM-')", "whether the text begins so"),
    "length": ("length(items)", "how long a text or a list is"),
    "days_since": ("days_since(profile.born_on)", "the days since a time or a date, or their text"),
    "hours_since": ("hours_since(event.time)", "the hours since then"),
    "consents": ("consents('email', 'marketing')", "whether the customer consents to it"),
    "in_segment": ("in_segment('vip')", "whether the customer is in the segment"),
    "count": ("count('order_placed', within='30d')", "how often it happened, exact up to 1,000"),
}
# What every step may have is said once.
_OF_EVERY_STEP = ("id", "meta")
_PATTERNS = {
    durations.POSITIVE_PATTERN: "length of time",
    durations.PATTERN: "length of time",
    durations.OFFSET_PATTERN: "days",
    times.TIME_PATTERN: "time of day",
    times.LOCAL_PATTERN: "local time",
    times.LANGUAGE_PATTERN: "language",
    fields.ID_PATTERN: "id",
    fields.NAME_PATTERN: "name",
    fields.PERCENT_PATTERN: "percentage",
}
_INTRODUCTION = """\
# The journey language

Made by `orchestrator schema --markdown`; change the definitions or the handbook, not this page.

A step is a map with one verb. Lengths of time are `30s`, `10m`, `1h`, `2d`, `1w` or `1d12h`; times of day stand in
quotes, `"09:00"`, and are the customer's own. An expression is a condition or a value, such as
`total >= 30 and currency == 'EUR'`. Unknown keys are errors, except under `meta`. Everything shown here is run by the
tests.
"""


def page(shop: Loaded | None = None) -> str:
    """Write the reference, below the list of a project's journeys where one is given."""
    parts = [] if shop is None else ["\n".join(_journeys_of(shop))]
    parts.append(_INTRODUCTION)
    parts += [_contents()]
    shapes = all_shapes()
    parts += ["\n".join(_chapter(*chapter, shapes)) for chapter in CHAPTERS]
    parts += ["\n".join(_functions()), "\n".join(_results()), "\n".join(_codes())]
    return "\n".join(parts)


def handbook(name: str) -> str:
    """Read a file of the handbook."""
    return files(__package__).joinpath("handbook", name).read_text(encoding="utf-8")


def all_shapes() -> dict[str, Schema]:
    """Collect every shape that a file may have, by its name: the files themselves, and what is inside them."""
    found: dict[str, Schema] = {}
    for name, text in schemas().items():
        root = name.removesuffix(".schema.json")
        if root in ("journey", "message", "project", "segments"):
            schema = json.loads(text)
            found[root] = schema
            for inner in _titled(schema):
                found.setdefault(inner["title"], inner)
    return found


def _titled(schema: Any) -> Iterator[Schema]:
    if isinstance(schema, list):
        for item in schema:
            yield from _titled(item)
    elif isinstance(schema, dict):
        if "properties" in schema and isinstance(schema.get("title"), str):
            yield schema
        for inner in schema.values():
            yield from _titled(inner)


def _journeys_of(shop: Loaded) -> Iterator[str]:
    yield f"# The journeys of {shop.catalog.project.name}\n"
    for name in sorted(shop.definitions):
        made = shop.definitions[name]
        journey = shop.catalog.journey(name, made.journey.version)
        enters = " or ".join(_ways_in(journey)) if journey else ""
        purpose = f"; purpose {made.journey.purpose}" if made.journey.purpose else ""
        begins = f" Enters on {enters}{purpose}." if enters else ""
        title = (made.journey.title or name).rstrip(".")
        stop = "" if title.endswith("?") else "."
        count = "1 example" if len(made.examples) == 1 else f"{len(made.examples)} examples"
        yield f"- [{name}]({made.file}): {title}{stop}{begins} {count}."
    yield ""


def _ways_in(journey: Journey) -> Iterator[str]:
    for trigger in journey.enter:
        changed = "the segment" if SEGMENT_ENTERED in trigger.events else "leaving the segment"
        if trigger.segment is not None:
            yield f"{changed} `{trigger.segment}`"
        else:
            yield from (f"`{event}`" for event in sorted(trigger.events))
    for moment in journey.moments:
        yield {Schedule: "a schedule", OnDate: "a date", Inactive: "a long silence"}[type(moment)]


def _contents() -> str:
    titles = [title for title, _, _ in CHAPTERS] + ["Functions", "What steps leave behind", "Codes"]
    return " · ".join(f"[{title}](#{_anchor(title)})" for title in titles) + "\n"


def _anchor(title: str) -> str:
    return "".join(sign for sign in title.lower().replace(" ", "-") if sign.isalnum() or sign in "-_")


def _chapter(title: str, names: tuple[str, ...], shown: tuple[str, ...], shapes: Mapping[str, Schema]) -> Iterator[str]:
    yield f"## {title}\n"
    for number, name in enumerate(names):
        schema = shapes[name]
        if number:
            yield f"### {_spoken(name)}\n"
        yield f"{schema.get('description', '')}\n"
        yield "| key | form | | means |\n| --- | --- | --- | --- |"
        required = schema.get("required", ())
        for key, inner in schema["properties"].items():
            if name.endswith("Step") and key in _OF_EVERY_STEP and name != "WaitStep":
                continue
            yield f"| `{key}` | {_form(inner)} | {_given(key, inner, required)} | {_meaning(inner)} |"
        yield ""
    for file in shown:
        yield f"```yaml\n{handbook(file)}```\n"


def _spoken(name: str) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    for ending in (" definition", " body", " step"):
        words = words.removesuffix(ending)
    return words


def _given(key: str, schema: Schema, required: Any) -> str:
    if key in required:
        return "required"
    default = schema.get("default")
    return "" if default in (None, [], {}, False) else f"`{json.dumps(default, ensure_ascii=False)}` without it"


def _meaning(schema: Schema) -> str:
    return str(schema.get("description", "")).replace("|", "\\|")


def _form(schema: Schema) -> str:
    """Say what a value looks like."""
    if "$ref" in schema:
        return _spoken(schema["$ref"].rpartition("/")[2])
    if "allOf" in schema:
        return _form(schema["allOf"][0])
    for many in ("anyOf", "oneOf"):
        if many in schema:
            forms = dict.fromkeys(_form(choice) for choice in schema[many])
            return "a step" if len(forms) > 6 else " or ".join(forms)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return "expression" if "boolean" in kind else " or ".join("nothing" if one == "null" else one for one in kind)
    if kind == "array":
        return f"list of {_form(schema.get('items', {}))}"
    if kind == "object":
        return _map(schema)
    if kind in ("integer", "number"):
        return "number"
    return (
        _PATTERNS.get(schema.get("pattern", ""), "text")
        if kind == "string"
        else {"boolean": "true, false"}.get(str(kind), "anything")
    )


def _map(schema: Schema) -> str:
    if "title" in schema and "properties" in schema:
        return _spoken(schema["title"])
    values = [*schema.get("patternProperties", {}).values()]
    if isinstance(schema.get("additionalProperties"), dict):
        values.append(schema["additionalProperties"])
    return f"map of {_form(values[0])}" if values else "map"


def _functions() -> Iterator[str]:
    yield "## Functions\n"
    yield "What expressions may call. A missing value makes every comparison false; `exists` asks for presence.\n"
    yield "| function | gives |\n| --- | --- |"
    yield from (f"| `{called}` | {gives} |" for called, gives in CALLS.values())
    yield ""


def _results() -> Iterator[str]:
    yield "## What steps leave behind\n"
    yield "Later steps, expressions and messages read it as `steps.<id>.<result>`, with an underscore for each dash."
    yield f"An event has {', '.join(f'`{name}`' for name in EVENT_FIELDS)}.\n"
    yield "| verb | results |\n| --- | --- |"
    for verb, results in RESULTS.items():
        if results:
            yield f"| `{verb}` | {', '.join(f'`{name}`' for name in results)} |"
    yield ""


def _codes() -> Iterator[str]:
    yield "## Codes\n"
    yield "What `validate` says. Codes that begin with W are doubts, and fail a check only with `--strict`.\n"
    yield "| code | means | what to do |\n| --- | --- | --- |"
    for code, row in sorted(CODES.items()):
        fix = row.fix.replace("|", "\\|")
        yield f"| {code} | {row.meaning} | {fix} |"
