"""Rendering: a message's templates and a decision's data, to what a customer reads.

Owns the Liquid sandbox (no files, no includes, bounded loops and sizes, HTML escaped where HTML is written), the
fallback of languages and what counts as the body. A value that is missing renders empty; a template that fails is
Refused, because it would fail again. Must never look anything up: whatever a template may say is handed in.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import Any, ClassVar, Protocol, Self, TextIO

import msgspec
from liquid import BoundTemplate, Environment, RenderContext, Undefined
from liquid.ast import Node
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import FilterError, LiquidError
from liquid.filter import with_context
from liquid.stringify import to_liquid_string

from orchestrator.channels import dating
from orchestrator.channels.filling import Filling, Write, filling_of
from orchestrator.errors import Refused
from orchestrator.model.project import Project, Table, put_over

# What one field may cost. A message is for one person: more than this is a mistake, or somebody's attack.
MAX_OUTPUT_BYTES = 512 * 1024
MAX_LOOPS = 10_000
MAX_LOCALS_BYTES = 1 << 20
# So many collections of a message's fields are kept, by channel and languages; more are made each time.
MAX_KEPT_FIELDS = 4_096

# What stands for null, and the filters that put what they are given into a text.
_MISSING = Undefined("null")
_PUTTING = frozenset({"append", "prepend", "replace", "replace_first", "replace_last", "join"})
_SORTING = frozenset({"sort", "sort_natural"})

# Where the filter `lookup` finds the catalogs; no template can name it.
_TABLES = "catalogs:"

# How a template fails: by Liquid's own errors, and by what its filters let through from Python, such as a number that
# overflows or a date that is none.
_FAILURES = (LiquidError, ArithmeticError, TypeError, ValueError, RecursionError)

# The fields that are the body, by channel; channels not named here have `text`.
_BODIES: Mapping[str, tuple[str, ...]] = {
    "email": ("text", "html", "mjml", "markdown"),
    "push": ("body",),
    "whatsapp": ("text", "parameters"),
}

NO_COUPONS: Mapping[str, str] = {}

# A field's template is text, or a list or map of texts (the parameters of a WhatsApp template).
Fields = Mapping[str, Any]
# Renders one field from all that a template may name.
_Render = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class MessageTemplates:
    """A message's templates by channel and field: in the project's first language, and what each other replaces."""

    channels: Mapping[str, Fields]
    languages: Mapping[str, Mapping[str, Fields]] = field(default_factory=dict)

    def fields(self, channel: str, languages: tuple[str, ...]) -> dict[str, Any]:
        """Collect a channel's templates; of `languages`, most wanted first, each replaces what it gives."""
        found = dict(self.channels.get(channel, {}))
        for language in reversed(languages):
            put_over(found, self.languages.get(language, {}).get(channel, {}))
        return found


class Rendered(msgspec.Struct, frozen=True):
    """What a customer reads: a channel's fields as text."""

    channel: str
    language: str
    fields: Mapping[str, Any]

    @property
    def body(self) -> str:
        """The text of the message itself, without subject or title."""
        names = _BODIES.get(self.channel, ("text",))
        return "\n".join(text for name in names if name in self.fields for text in _texts(self.fields[name]))


class _Sandbox(Environment):
    """Liquid without a way to files, to other templates, or to more time and memory than a message may take."""

    loop_iteration_limit: ClassVar[int | None] = MAX_LOOPS
    local_namespace_limit: ClassVar[int | None] = MAX_LOCALS_BYTES
    output_stream_limit: ClassVar[int | None] = MAX_OUTPUT_BYTES

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Take over Liquid's own tags and filters, without those that read templates."""
        super().setup_tags_and_filters(extra=extra)
        for name in ("include", "render"):
            del self.tags[name]
        self.filters = {name: _bounded(name, apply) for name, apply in self.filters.items()}
        self.filters |= {"lookup": _lookup, "date": _bounded("date", dating.date)}


@with_context
def _lookup(value: Any, catalog: Any, column: Any, *, context: RenderContext) -> str:
    """Look up what a catalog says of a key; what it does not say renders empty."""
    table = context.resolve(_TABLES).get(str(catalog))
    return "" if table is None else table.rows.get(str(value), {}).get(str(column), "")


def _bounded(name: str, apply: Callable[..., Any]) -> Callable[..., Any]:
    """Bound what a filter makes: a chain of them can multiply a text without a single loop.

    What is null counts as missing, as everywhere: by itself Liquid for Python would write it as `None`.
    """

    @wraps(apply)
    def bounded(value: Any, *arguments: Any, **options: Any) -> Any:
        if value is None:
            value = _MISSING
        elif name == "join" and isinstance(value, list):
            value = ["" if item is None else item for item in value]
        if name in _PUTTING and None in arguments:
            arguments = tuple(_MISSING if argument is None else argument for argument in arguments)
        if name == "replace" and _grown(value, *arguments) > MAX_OUTPUT_BYTES:
            raise FilterError(f"{name} makes a text of more than {MAX_OUTPUT_BYTES} characters", token=None)
        missing: list[Any] = []
        if name in _SORTING and isinstance(value, list):
            value, missing = _with_and_without(value, *arguments)
        made = apply(value, *arguments, **options)
        made = [*made, *missing] if missing else made
        if isinstance(made, str) and len(made) > MAX_OUTPUT_BYTES:
            raise FilterError(f"{name} makes a text of more than {MAX_OUTPUT_BYTES} characters", token=None)
        return made

    return bounded


def _with_and_without(items: list[Any], key: Any = None) -> tuple[list[Any], list[Any]]:
    """Part what can be sorted from what lacks a value to sort by, which goes to the end and compares with nothing."""
    found = [each.get(str(key)) if key and isinstance(each, Mapping) else each for each in items]
    pairs = list(zip(items, found, strict=True))
    return [each for each, by in pairs if by is not None], [each for each, by in pairs if by is None]


def _grown(value: Any, sought: Any = "", put: Any = "", *_more: Any) -> int:
    text = str(value)
    return len(text) + text.count(str(sought)) * len(str(put))


class _MarkdownOutputNode(OutputNode):
    """Writes a value into Markdown so that it stays text: a customer's name makes no link."""

    # Letters, digits and spaces stay; an entity cannot take the place of a sign that Markdown or HTML acts on, and
    # where Markdown reads a link's address it reads the entity as the sign.
    _ACTIVE = re.compile(r"[^\w /?=%@,:]|_")

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the value."""
        return buffer.write(self.text_of(self.expression.evaluate(context)))

    @classmethod
    def text_of(cls, value: Any) -> str:
        """Give a value as text that Markdown leaves alone."""
        return cls._ACTIVE.sub(lambda sign: f"&#{ord(sign[0])};", to_liquid_string(value, False))


class _MarkdownOutput(Output):
    node_class = _MarkdownOutputNode


_TEXT = _Sandbox()
_MARKUP = _Sandbox(autoescape=True)
_MARKDOWN = _Sandbox()
_MARKDOWN.add_tag(_MarkdownOutput)
# Fields that are HTML or become HTML: what a customer's name holds must stay text there.
_SANDBOXES = {"html": _MARKUP, "mjml": _MARKUP, "markdown": _MARKDOWN}
# How each of them writes a value, for templates that do nothing else.
_WRITERS: Mapping[_Sandbox, Mapping[type[Node], Write]] = {
    _TEXT: {OutputNode: lambda value: to_liquid_string(value, False)},
    _MARKUP: {OutputNode: lambda value: to_liquid_string(value, True)},
    _MARKDOWN: {_MarkdownOutputNode: _MarkdownOutputNode.text_of},
}


class Written(Protocol):
    """A message as its author wrote it, its files read."""

    @property
    def channels(self) -> Mapping[str, Fields]:
        """Its templates in the project's first language, by channel and field."""

    @property
    def languages(self) -> Mapping[str, Mapping[str, Fields]]:
        """What each other language replaces."""


class Renderer:
    """Renders the messages of one project; keeps the templates it has read."""

    def __init__(
        self,
        brand: Mapping[str, Any],
        languages: tuple[str, ...],
        contents: Mapping[str, MessageTemplates],
        tables: Mapping[str, Table] | None = None,
        timezone: str = "UTC",
    ) -> None:
        self._brand = brand
        self._timezone = timezone
        self._tables = tables or {}
        self._first_language = languages[0]
        self._contents = contents
        self._fields: dict[tuple[str, str, str], dict[str, _Render]] = {}
        self._templates: dict[tuple[_Sandbox, str], tuple[BoundTemplate, Filling | None]] = {}

    @classmethod
    def of(cls, project: Project, messages: Mapping[str, Written]) -> Self:
        """Make what renders a project's messages."""
        contents = {name: MessageTemplates(each.channels, each.languages) for name, each in messages.items()}
        return cls(project.brand, project.languages, contents, project.tables, project.timezone)

    def render(
        self,
        message: str,
        channel: str,
        language: str | None,
        data: Mapping[str, Any],
        links: Mapping[str, str] | None = None,
        coupons: Mapping[str, str] | None = None,
        at: str | None = None,
    ) -> Rendered:
        """Render a message for one channel, from an action's language, data and instant, with these codes.

        Raises Refused when the project has no such message or content, or when a template fails.
        """
        language = language or self._first_language
        fields = self._fields.get((message, channel, language))
        if fields is None:
            fields = self._compile(message, channel, language)
            if len(self._fields) < MAX_KEPT_FIELDS:  # a language is what a customer says it is
                self._fields[message, channel, language] = fields
        codes = NO_COUPONS if coupons is None else coupons
        links = {} if links is None else links
        scope = {"brand": self._brand, "links": links, **data, "coupon": codes, dating.CLOCK: self._clock(data, at)}
        return Rendered(channel, language, {name: render(scope) for name, render in fields.items()})

    def _clock(self, data: Mapping[str, Any], at: str | None = None) -> dating.Clock:
        profile = data.get("profile")
        own = profile.get("timezone") if isinstance(profile, Mapping) else None
        return dating.Clock((own, self._timezone) if isinstance(own, str) else (self._timezone,), at)

    def _compile(self, message: str, channel: str, language: str) -> dict[str, _Render]:
        content, wanted = self._contents.get(message), fallbacks(language, self._first_language)
        templates = {} if content is None else content.fields(channel, wanted)
        if not templates:
            raise Refused(f"message {message} has no content for {channel}; write it or take the channel out")
        return {
            name: self._field(f"message {message}, {channel}.{name}", _SANDBOXES.get(name, _TEXT), template)
            for name, template in templates.items()
        }

    def summary(self, data: Mapping[str, Any]) -> str | None:
        """Render what a case tells the person who takes it; None where the journey says nothing.

        A template that fails is told as it is written: a case is never lost over its wording.
        """
        template = data.get("summary")
        if not isinstance(template, str):
            return None
        try:
            rendered: str = self._field("the summary", _TEXT, template)(self._scope(data))
        except Refused:
            return template
        return rendered

    def case(self, template: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        """Render what a team's system is told of a case: JSON whose texts are templates. Raises Refused."""
        return self._field("the team's template", _TEXT, template)(self._scope(data))

    def _scope(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"brand": self._brand, **data, dating.CLOCK: self._clock(data)}

    def _field(self, where: str, sandbox: _Sandbox, template: Any) -> _Render:
        """Compile a field to what renders it; raises Refused for a template that is none, as that does."""
        if isinstance(template, Mapping):
            named = {name: self._field(where, sandbox, inner) for name, inner in template.items()}
            return lambda scope: {name: render(scope) for name, render in named.items()}
        if isinstance(template, list):
            listed = [self._field(where, sandbox, inner) for inner in template]
            return lambda scope: [render(scope) for render in listed]
        if template is None or isinstance(template, bool | int | float):
            return lambda scope: template
        source = str(template)
        if "{" not in source:
            return lambda scope: source  # nothing to render, which is most of what is written
        try:
            bound, filling = self._template(sandbox, source)
        except _FAILURES as error:
            raise _refused(where, error) from error

        def render(scope: Mapping[str, Any]) -> str:
            try:
                filled = None if filling is None else filling.fill(scope)
                return bound.render(**scope, **{_TABLES: self._tables}) if filled is None else filled
            except _FAILURES as error:
                raise _refused(where, error) from error

        return render

    def _template(self, sandbox: _Sandbox, source: str) -> tuple[BoundTemplate, Filling | None]:
        found = self._templates.get((sandbox, source))
        if found is None:
            template = sandbox.from_string(source)
            found = template, filling_of(template, _WRITERS[sandbox], MAX_OUTPUT_BYTES)
            if len(self._templates) < MAX_KEPT_FIELDS:
                self._templates[sandbox, source] = found
        return found


def _refused(where: str, error: Exception) -> Refused:
    return Refused(f"{where}: the template fails: {getattr(error, 'message', None) or error}")


@lru_cache(maxsize=256)
def fallbacks(language: str, first: str) -> tuple[str, ...]:
    """List the languages to look in, most wanted first: es-MX, es, then the project's first."""
    return tuple(dict.fromkeys((language, language.partition("-")[0], first)))


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [str(value)]
