"""The content of messages: definitions, the files they name, and what their templates read.

Owns the reading of a *.message.yaml into what rendering and the engine need. Must never render, nor decide which
channel a customer gets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.language import templates
from orchestrator.language.definitions.fields import nearest, suggest
from orchestrator.language.definitions.message import ESSENTIAL, KINDS, Contents, MessageDefinition
from orchestrator.language.expressions.paths import PROFILES
from orchestrator.language.expressions.surroundings import EVENT_FIELDS
from orchestrator.language.nodes import Place, Text
from orchestrator.language.project import Shop
from orchestrator.language.sources import ReadFile
from orchestrator.language.templates import Lookup, Named
from orchestrator.model.project import WINDOWS_MS, Message, put_over

FILE_ENDINGS = (".html", ".mjml", ".md", ".txt")

# Reads a file by its name; None when there is none.


@dataclass(frozen=True)
class Content:
    """A message ready to be rendered: templates by channel and field, and what each language replaces.

    `channels` is in the project's first language. Files that fields name are read into them.
    """

    id: str
    file: str
    definition: MessageDefinition
    channels: Mapping[str, Mapping[str, Any]]
    languages: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def fields(self, channel: str, language: str) -> dict[str, Any]:
        """Give a channel's fields in a language: es-MX, then es, then the project's first; field by field."""
        found = dict(self.channels.get(channel, {}))
        for name in (language.partition("-")[0], language):
            put_over(found, self.languages.get(name, {}).get(channel, {}))
        return found


@dataclass
class Draft:
    """A message while a project is compiled: its content, and every name in its templates with its place."""

    place: Place
    content: Content
    names: list[tuple[Place, str, Named]] = field(default_factory=list)
    sent: bool = False

    @property
    def reads(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """What of a customer's state each channel's templates read, without what a shorter path covers."""
        by_channel: dict[str, dict[tuple[str, ...], None]] = {name: {} for name in self.content.channels}
        for _, channel, named in self.names:
            if named.path[0] in ("profile", "entry", "event", "steps"):
                by_channel.setdefault(channel, {})[templates.read_of(named.path)] = None
        return {
            channel: tuple(path for path in paths if not any(path[:cut] in paths for cut in range(1, len(path))))
            for channel, paths in by_channel.items()
        }

    def message(self, shop: Shop) -> Message:
        """Give what the engine must know of it."""
        definition = self.content.definition
        first = shop.definition.languages[0]
        return Message(
            id=self.content.id,
            channels=tuple(name for name in shop.definition.channels if name in self.content.channels),
            purpose=definition.purpose,
            reads=self.reads,
            languages=(first, *(name for name in self.content.languages if name != first)),
            only_text={name: _without_template(self.content, name, first) for name in WINDOWS_MS},
        )


def _without_template(content: Content, channel: str, first: str) -> tuple[str, ...]:
    languages = (first, *(name for name in content.languages if name != first))
    return tuple(name for name in languages if not content.fields(channel, name).get("template"))


def draft(place: Place, definition: MessageDefinition, shop: Shop, read: ReadFile) -> Draft:
    """Read a message's content and check its templates against everything but the journeys that send it."""
    channels = _read_contents(place, definition, read)
    languages = {
        language: _read_contents(place["languages"][language], contents, read)
        for language, contents in definition.languages.items()
    }
    made = Draft(place, Content(definition.message, place.file, definition, _values(channels), {
        language: _values(fields) for language, fields in languages.items()
    }))  # fmt: skip
    for contents in (channels, *languages.values()):
        for channel, fields in contents.items():
            for spots in fields.values():
                for spot, text in spots[1]:
                    _inspect(made, spot, channel, text, shop)
    shop.check_purpose(place["purpose"], definition.purpose)
    _check_channels(place, definition, shop)
    _check_languages(place, definition, shop)
    return made


# A field's value, and the texts in it with their places.
_Field = tuple[Any, list[tuple[Place, str]]]


def _values(contents: dict[str, dict[str, _Field]]) -> dict[str, dict[str, Any]]:
    return {channel: {name: value for name, (value, _) in fields.items()} for channel, fields in contents.items()}


def _read_contents(place: Place, contents: Contents, read: ReadFile) -> dict[str, dict[str, _Field]]:
    return {
        channel: {name: _read_field(place[channel][name], value, read) for name, value in content.fields().items()}
        for channel, content in contents.by_channel().items()
    }


def _read_field(place: Place, value: Any, read: ReadFile) -> _Field:
    if isinstance(value, list):
        return value, [(place[number], text) for number, text in enumerate(value)]
    if not _is_file_name(value):
        return value, [(place, value)]
    name = _beside(place.file, value)
    if name is None:
        place.report("E316", f"{value} lies outside of the project", "a file beside the message")
        return "", []
    text = read(name)
    if text is None:
        place.report_missing(name, "a file beside the message, or the text itself")
        return "", []
    return text, [(place.in_file(name, Text(1, 1, text=text)), text)]


def _is_file_name(value: str) -> bool:
    return value.endswith(FILE_ENDINGS) and "://" not in value and "{{" not in value and not value.split()[1:]


def _beside(file: str, name: str) -> str | None:
    """Join a name to the folder of the file that gives it; None when that leads out of the project."""
    parts = file.split("/")[:-1]
    for part in name.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return None if name.startswith("/") or "\\" in name or ":" in name else "/".join(parts)


def _check_channels(place: Place, definition: MessageDefinition, shop: Shop) -> None:
    contents = definition.by_channel()
    if not contents and not place.node.mended:
        place.report("E309", "this message has content for no channel", "email: {subject: ..., text: ...}")
    for channel, content in contents.items():
        if channel not in shop.definition.channels and not shop.is_lost:
            if shop.place["channels"].node.mended:
                continue  # it may stand in what could not be read there
            if channel in KINDS:
                place[channel].report(
                    "W305",
                    f"orchestrator.yaml has no channel {channel}; this is never sent",
                    f"{channel} under channels",
                    at_key=True,
                )
            else:
                fix = suggest(channel, {*shop.definition.channels, *KINDS})
                place[channel].report("E305", f"orchestrator.yaml has no channel {channel}", fix, at_key=True)
        essential = ESSENTIAL.get(channel, ("text",))
        if not place[channel].node.mended and not any(name in content.fields() for name in essential):
            place[channel].report("E314", f"{channel} has no body", " or ".join(essential), at_key=True)
        if channel == "email" and "subject" not in content.fields() and not place[channel].node.mended:
            place[channel].report("E314", "an e-mail has no subject", "subject: ...", at_key=True)


def _check_languages(place: Place, definition: MessageDefinition, shop: Shop) -> None:
    written = definition.by_channel()
    for language, contents in definition.languages.items():
        for channel in contents.by_channel():
            if channel not in written and not place.node.mended:
                place["languages"][language][channel].report(
                    "E315",
                    f"{channel} is written in {language} only; whoever reads another language gets nothing",
                    f"{channel} at the top level, in {shop.definition.languages[0]}",
                    at_key=True,
                )
    for language in shop.definition.languages[1:]:
        if language not in definition.languages and definition.by_channel():
            first = shop.definition.languages[0]
            place.report(
                "W304", f"there is no {language} content; customers get {first}", f"languages: {{{language}: ...}}"
            )


def _inspect(made: Draft, place: Place, channel: str, text: str, shop: Shop) -> None:
    found = templates.inspect(text)
    for mistake in found.mistakes:
        place.report(mistake.code, mistake.message, mistake.fix, offset=mistake.offset)
    for written, fix, offset in templates.borrowed(text):
        place.report("W317", f"`{written}` is sent as it stands", fix, offset=offset)
    for lookup in found.lookups:
        check_lookup(place, lookup, shop)
    for named in found.names:
        if exists(place, named, shop):
            made.names.append((place, channel, named))


def check_lookup(place: Place, lookup: Lookup, shop: Shop) -> None:
    """Report a catalog that the project does not have, or a column that a catalog does not have."""
    table = shop.tables.get(lookup.catalog)
    if table is None and not shop.is_lost and not shop.place["catalogs"].is_mended:
        fix = nearest(lookup.catalog, set(shop.tables)) or f"catalogs: {{{lookup.catalog}: ...}} in orchestrator.yaml"
        place.report("E506", f"there is no catalog {lookup.catalog}", fix, offset=lookup.offset)
    elif table is not None and table.columns and lookup.column not in table.columns:
        fix = nearest(lookup.column, set(table.columns)) or ", ".join(table.columns)
        place.report("E506", f"the catalog {lookup.catalog} has no column {lookup.column}", fix, offset=lookup.offset)


def exists(place: Place, named: Named, shop: Shop) -> bool:
    """Check what can be checked of a name without a journey; report it and say no when it cannot exist."""
    root, rest = named.path[0], named.path[1:]
    if root not in templates.ROOTS:
        close = "profile" if root in PROFILES else nearest(root, templates.ROOTS)
        written = ".".join(named.path)
        fix = f"profile.{written} or entry.{written}, or quotes if it is a text: '{written}'"
        if close and rest:
            fix = ".".join((close, *rest))
        link = next((name for name in templates.LINKS if name in written.lower()), None)
        if link is not None:  # {{ unsubscribe_url }}: every tool has one, and calls it otherwise
            fix = f"links.{link}"
        place.report("E502", f"nothing is called `{root}` here", fix, offset=named.offset)
        return False
    if not rest:
        place.report("E506", f"`{root}` alone is no value", f"{root}.NAME", offset=named.offset)
        return False
    known = {
        "links": templates.LINKS,
        "event": EVENT_FIELDS,
        "brand": tuple(shop.definition.brand),
        "coupon": tuple(shop.coupons),
    }.get(root)
    if known is None or rest[0] in known or (root in ("brand", "coupon") and shop.is_lost):
        return True
    if root == "coupon" and shop.place["coupons"].is_mended:
        return True
    otherwise = {
        "links": templates.LINKS[0],
        "event": f"properties.{rest[0]}",
        "brand": f"{rest[0]}, with a {rest[0]} under brand in orchestrator.yaml",
        "coupon": f"{rest[0]}, with coupons: {{{rest[0]}: {{codes: ...}}}} in orchestrator.yaml",
    }[root]
    fix = f"{root}.{nearest(rest[0], known) or otherwise}"
    place.report("E506", f"`{root}` has no `{rest[0]}`", fix, offset=named.offset)
    return False
