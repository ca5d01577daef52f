"""The kinds of value that keys hold: ids, lengths of time, expressions, one-or-many; and how each is refused.

Owns the small grammars' place in the models and in the JSON Schema. A value is refused with the code and the fix that
the author gets to see. Must never know which key uses which kind.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, ClassVar, NoReturn, Union, get_args, get_origin
from unicodedata import combining, normalize

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.annotated_handlers import GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from orchestrator.language import durations, times
from orchestrator.language.definitions import meant
from orchestrator.language.signs import CURLY, UNSEEN
from orchestrator.model import instants

ID_PATTERN = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
NAME_PATTERN = "^[a-z][a-z0-9]*([_-][a-z0-9]+)*$"
KEY_PATTERN = r"^[^\s.]+$"
PERCENT_PATTERN = r"^(100(\.0+)?|[0-9]{1,2}(\.[0-9]{1,6})?)%$"
FIELD_PATTERN = r"^profile\.[A-Za-z_][A-Za-z0-9_]*$"
MAX_TEXT = 100_000
MAX_NAME = 200
# Marks a field in which null has a meaning of its own.
NULLABLE: dict[str, Any] = {"nullable": True}


def refuse(code: str, message: str, fix: str, *, key: str | None = None) -> NoReturn:
    """Refuse a value; `key` puts the problem at that key of the map instead of at the map's start."""
    context = {"message": message, "fix": fix, "key": key}
    raise PydanticCustomError(code, "{message}", {name: text for name, text in context.items() if text is not None})


class Model(BaseModel):
    """A map of the language: a key that it does not know is an error, with the nearest one that it does."""

    # strict: a number where a text is wanted is a slip that would show in front of customers, never a convenience.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    # The map that was meant by who wrote a single value, {} being the value.
    MEANT: ClassVar[str] = ""
    # What to write for keys that belong elsewhere, by key.
    ELSEWHERE: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="wrap")
    @classmethod
    def _name_unknown_keys(cls, value: Any, handler: ModelWrapValidatorHandler["Model"]) -> "Model":
        """Turn `extra_forbidden` into our own error while the map's own keys are at hand for a suggestion.

        An optional key with nothing after it is an error too: an empty `where:` would let everybody in.
        """
        if cls.MEANT and isinstance(value, str | int | float):
            # Quotes within those of the map would end them.
            inside = str(value).replace('"', "'")
            refuse("E203", f"expected a map, found {kind_of(value)}", cls.MEANT.replace("{}", inside))
        given = value if isinstance(value, dict) else {}
        empty = [name for name in given if given[name] is None and name in cls._optional()]
        details = [_nothing(name) for name in empty]
        try:
            made = handler({name: item for name, item in value.items() if name not in empty} if empty else value)
        except ValidationError as error:
            details += [_named(detail, cls) for detail in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(error.title, details) from None
        if details:
            raise ValidationError.from_exception_data(cls.__name__, details)
        return made

    @classmethod
    def known_keys(cls) -> dict[str, FieldInfo]:
        """Give every key that the map may have, as authors write it."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @classmethod
    def _optional(cls) -> set[str]:
        """Name the keys that are None when left out, and must not be null when written."""
        return {
            field.alias or name
            for name, field in cls.model_fields.items()
            if not field.is_required() and field.default is None and field.json_schema_extra != NULLABLE
        }


def _nothing(name: str) -> InitErrorDetails:
    context = {"message": f"nothing stands after `{name}:`", "fix": "a value, or leave the key out"}
    return InitErrorDetails(type=PydanticCustomError("E207", "{message}", context), loc=(name,), input=None)


def _named(detail: Any, model: type[Model]) -> InitErrorDetails:
    kind, context, location = detail["type"], detail.get("ctx", {}), detail["loc"]
    if kind == "extra_forbidden" and len(location) == 1:
        name = str(location[0])
        fix = _meant(name, model)
        if detail["input"] is None and fix.startswith("one of "):
            # What stands behind a comma in {...} is a key.
            fix = "[...] around a list, or quotes around a text that holds a comma"
        context = {"message": f"the key `{name}` is unknown here", "fix": fix}
        kind = PydanticCustomError("E202", "{message}", context)
    elif "message" in context:
        if kind == "E202" and len(location) == 2 and location[1] in model.known_keys():
            context = {**context, "fix": f"`{location[1]}` beside `{location[0]}`, not inside it"}
        kind = PydanticCustomError(kind, "{message}", context)
    return InitErrorDetails(type=kind, loc=location, input=detail["input"], ctx=context)


def _meant(name: str, model: type[Model]) -> str:
    """Say what an unknown key should have been: another key of the map, or the same one inside of one of them."""
    if name in model.ELSEWHERE:
        return model.ELSEWHERE[name]
    known = model.known_keys()
    # One letter off is a slip of the pen, `events` for `event`, whatever else is called so.
    if not get_close_matches(name.lower(), known, n=1, cutoff=0.85):
        for key in meant.by_key(name):
            if key in known:
                return key
        for key, field in known.items():
            if any(name in inner.known_keys() for inner in _maps_in(field.annotation)):
                return f"`{name}` inside `{key}`"
    close = nearest(name, tuple(known))
    if close is None and "properties" in known:
        return f"`{name}` inside `properties`"
    return close or ("one of " if len(known) > 1 else "") + ", ".join(known)


def _maps_in(annotation: Any) -> Iterator[type[Model]]:
    """List the maps that a key may hold, by itself or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    elif get_origin(annotation) in (list, Union, UnionType, Annotated):
        for inner in get_args(annotation):
            yield from _maps_in(inner)


def nearest(word: str, known: "list[str] | tuple[str, ...] | set[str] | frozenset[str]") -> str | None:
    """Find the known word that is written most like this one."""
    candidates = sorted(known)
    swapped = word.lower().replace("_", "-"), word.lower().replace("-", "_")
    close = next((found for found in candidates if found in swapped), None)
    return close or next(iter(get_close_matches(word, candidates, n=1, cutoff=0.6)), None)


def suggest(word: str, known: "tuple[str, ...] | set[str] | frozenset[str]") -> str:
    """Say which known word was meant, or which there are."""
    if not known:
        return "nothing: there is none yet"
    shown = sorted(known) if isinstance(known, set | frozenset) else list(known)
    some = ", ".join(shown[:12]) + (", …" if len(shown) > 12 else "")
    return nearest(word, known) or (f"one of {some}" if len(shown) > 1 else shown[0])


class Short:
    """Marks a map that may also be written short: `wait: 1h` for `wait: {for: 1h}`.

    `expand` turns the short form into the map; `schema` describes the short form to editors (None: it is what the
    map's `any` holds); `expects` says both in words, for whoever wrote neither, with an `example`.
    """

    def __init__(
        self,
        expand: Callable[[Any], Any],
        schema: dict[str, Any] | None,
        expects: str,
        example: str,
        kinds: tuple[type, ...] = (str,),
    ) -> None:
        self._expand = expand
        self._schema = schema
        self._expects = expects
        self._example = example
        self._kinds = kinds

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._lengthen, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        long = handler(schema["schema"])
        short = self._schema or handler.resolve_ref_schema(long)["properties"]["any"]["anyOf"][0]
        return {"anyOf": [short, long]}

    def _lengthen(self, value: Any) -> Any:
        if isinstance(value, self._kinds):
            return self._expand(value)
        if not isinstance(value, dict):
            refuse("E203", f"expected {self._expects}, found {kind_of(value)}", self._example)
        return value


class OrOne:
    """Marks a list of maps of which a single one may stand without its list; `kinds` are what is taken for one."""

    def __init__(self, *kinds: type) -> None:
        self._kinds = kinds

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._listed, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        many = handler(schema["schema"])
        return {"anyOf": [many["items"], many]}

    def _listed(self, value: Any) -> Any:
        return [value] if isinstance(value, self._kinds) else value


def kind_of(value: Any) -> str:
    """Name what somebody wrote, in an author's words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {_cut(value)!r}"
    return "a list" if isinstance(value, list) else "a map"


def _cut(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _text(text: str) -> str:
    if not text.strip():
        refuse("E207", "the text is empty", "a text, or leave the key out")
    if len(text) > MAX_TEXT:
        refuse("E208", f"the text has {len(text):,} characters; at most {MAX_TEXT:,} are read", "a shorter text")
    return text


def _name(pattern: str, what: str, joint: str = "-") -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if len(text) > MAX_NAME:
            refuse("E208", f"a name of {len(text):,} characters; at most {MAX_NAME}", "a shorter name")
        if not compiled.fullmatch(text):
            bare = text.removesuffix(".yaml").removesuffix(".message").removesuffix(".journey")
            bare = normalize("NFKD", bare.replace("ß", "ss"))  # señal is senal: the marks over letters stand apart then
            bare = "".join(letter for letter in bare if not combining(letter))
            words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", bare).lower())
            guess = joint.join(words)
            fix = guess if compiled.fullmatch(guess) else "a word such as abandoned-cart"
            refuse("E206", f"`{_cut(text)}` is no {what}", fix)
        return text

    return check


def _message_id(text: str) -> str:
    if " " in text and (text[-1] in ".!?…" or text.count(" ") > 3):
        refuse("E206", f"`{_cut(text)}` is no id of a message", "the id of a file in messages/; the text stands there")
    return text


def _event_name(text: str) -> str:
    if not text.strip() or text != text.strip():
        refuse("E207", "the event's name is empty or begins or ends with a space", "a name such as order_placed")
    if len(text) > MAX_NAME:
        refuse("E208", f"a name of {len(text):,} characters; at most {MAX_NAME}", "a shorter name")
    unseen = UNSEEN.search(text)
    if unseen:
        why = f"the event's name holds a sign that is not seen (U+{ord(unseen[0]):04X})"
        refuse("E206", why, UNSEEN.sub("", text))
    return _without_curly_quotes(text)


def _without_curly_quotes(text: str) -> str:
    # To YAML these are letters like any other, and no event would ever match.
    if text[0] in CURLY or text[-1] in CURLY:
        refuse("E206", f"`{text}` has curly quotes, which would be part of the name", text.strip(CURLY) or "a name")
    return text


def _duration(text: str) -> str:
    length = durations.milliseconds(text)
    if length is None:
        refuse("E210", f"`{_cut(text)}` is no length of time", durations.suggest(text))
    if not length:
        refuse("E210", "the length of time is zero", "a length such as 30m, or leave it out")
    return text


def _offset(text: str) -> str:
    if durations.days(text) is None:
        refuse("E217", f"`{_cut(text)}` is no number of calendar days", "an offset such as -3d, 1d or 2w")
    return text


def _time(text: str) -> str:
    if times.minute_of_day(text) is None:
        refuse("E211", f"`{_cut(text)}` is no time of day", times.suggest_time(text))
    return text


def _local(text: str) -> str:
    if times.local_time(text) is None:
        refuse("E213", f"`{_cut(text)}` is no local date and time", times.suggest_local(text))
    return text


def _moment(text: str) -> str:
    if durations.milliseconds(text) is None and times.local_time(text) is None:
        refuse(
            "E213",
            f"`{_cut(text)}` is neither a length of time nor a local date and time",
            times.suggest_moment(text),
        )
    return text


def _percent(text: str) -> str:
    if not re.fullmatch(PERCENT_PATTERN, text):
        refuse("E214", f"`{_cut(text)}` is no percentage from 0% to 100%", "a percentage such as 5%")
    return text


def _percent_kind(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # 0.1 is how programs write a tenth.
        meant = value * 100 if isinstance(value, float) and 0 < value < 1 else value
        refuse("E214", f"`{value}` is no percentage", f"{meant:g}%")
    return value


def with_unit(what: str, example: str) -> BeforeValidator:
    """Refuse a bare number where its unit decides what it means."""

    def check(value: Any) -> Any:
        if isinstance(value, int | float):
            refuse("E203", f"expected {what}, found {kind_of(value)}", example)
        return value

    return BeforeValidator(check)


def _field(text: str) -> str:
    if not re.fullmatch(FIELD_PATTERN, text):
        name = text.rpartition(".")[2]
        fix = f"profile.{name}" if name.isidentifier() else "a field such as profile.churn_risk"
        refuse("E206", f"`{_cut(text)}` is no field of the profile", fix)
    return text


def _key(text: str) -> str:
    if not re.fullmatch(KEY_PATTERN, text):
        last = text.rpartition(".")[2].strip() or "cart_id"
        fix = last if re.fullmatch(KEY_PATTERN, last) else meant.sent_as(last)
        refuse("E206", f"`{_cut(text)}` is no name of a property of the event", fix)
    return text


def written_as(what: str, example: str, *kinds: type) -> BeforeValidator:
    """Refuse a value of these kinds with an example of what was meant by who wrote it."""

    def check(value: Any) -> Any:
        if isinstance(value, kinds):
            refuse("E203", f"expected {what}, found {kind_of(value)}", example)
        return value

    return BeforeValidator(check)


def _zone(text: str) -> str:
    if not times.is_zone(text):
        refuse("E215", f"`{_cut(text)}` is no time zone", times.suggest_zone(text))
    return text


def _language(text: str) -> str:
    if not re.fullmatch(times.LANGUAGE_PATTERN, text):
        refuse("E216", f"`{_cut(text)}` is no language tag", times.suggest_language(text))
    return text


def _weekday(text: str) -> str:
    if text not in instants.WEEKDAYS:
        refuse("E212", f"`{_cut(text)}` is no weekday", times.suggest_weekday(text))
    return text


def _expression(value: Any) -> Any:
    """Take numbers and truth values as the expressions they are: `profile.score: 5`."""
    if isinstance(value, bool | int | float):
        return repr(value)
    if value is None:
        refuse("E207", "an expression is missing", "an expression such as total >= 30")
    if not isinstance(value, str):
        refuse("E203", f"expected an expression, found {kind_of(value)}", "an expression such as total >= 30")
    return _text(value)


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _some(items: list[Any]) -> list[Any]:
    if not items:
        refuse("E207", "the list is empty", "at least one item")
    return items


def _schema(pattern: str, *examples: str) -> WithJsonSchema:
    shown = {"examples": list(examples)} if examples else {}
    return WithJsonSchema({"type": "string", "pattern": pattern, **shown})


def _one_or_many(item: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]})


# Neither begins nor ends with a space or a curly quote.
_NAMED = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_NAME,
    "pattern": rf"^[^\s{CURLY}]([\s\S]*[^\s{CURLY}])?$",
}
_DAY = {"type": "string", "enum": list(instants.WEEKDAYS)}

Text = Annotated[str, AfterValidator(_text), WithJsonSchema({"type": "string", "minLength": 1})]
Id = Annotated[str, AfterValidator(_name(ID_PATTERN, "id: lower-case words with dashes")), _schema(ID_PATTERN)]
MessageId = Annotated[
    str,
    AfterValidator(_name(ID_PATTERN, "id: lower-case words with dashes")),
    BeforeValidator(lambda value: _message_id(value) if isinstance(value, str) else value),
    _schema(ID_PATTERN),
]
Name = Annotated[str, AfterValidator(_name(NAME_PATTERN, "name: lower-case words")), _schema(NAME_PATTERN)]
# Why something was not done, in our words.
Because = Annotated[str, AfterValidator(_name(NAME_PATTERN, "reason: lower-case words", "_")), _schema(NAME_PATTERN)]
# Why an entry ended, in the author's own words.
Ended = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_without_curly_quotes)]
EventName = Annotated[str, AfterValidator(_event_name), WithJsonSchema(_NAMED)]
EventNames = Annotated[list[EventName], AfterValidator(_some), BeforeValidator(_listed), _one_or_many(_NAMED)]
Duration = Annotated[
    str,
    AfterValidator(_duration),
    with_unit("a length of time", "a length with its unit, such as 30m, 1h or 7d"),
    _schema(durations.POSITIVE_PATTERN, "30m", "1h", "1d12h"),
]
Offset = Annotated[
    str,
    AfterValidator(_offset),
    with_unit("a number of calendar days", "an offset with its unit, such as -3d"),
    _schema(durations.OFFSET_PATTERN, "-3d"),
]
TimeOfDay = Annotated[
    str,
    AfterValidator(_time),
    with_unit("a time of day", 'hours and minutes in quotes, such as "10:00"'),
    _schema(times.TIME_PATTERN, "09:00"),
]
Key = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME),
    AfterValidator(_key),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": KEY_PATTERN}),
]
ProfileField = Annotated[str, AfterValidator(_field), _schema(FIELD_PATTERN)]
LocalTime = Annotated[str, AfterValidator(_local), _schema(times.LOCAL_PATTERN, "2026-03-02T20:45")]
Moment = Annotated[
    str,
    AfterValidator(_moment),
    with_unit("a length of time or a local time", 'one such as 20m or "2026-03-02T20:45"'),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": durations.PATTERN},
                {"type": "string", "pattern": times.LOCAL_PATTERN},
            ]
        }
    ),
]
Percent = Annotated[
    str, AfterValidator(_percent), BeforeValidator(_percent_kind), _schema(PERCENT_PATTERN, "5%", "10%")
]
Zone = Annotated[
    str, AfterValidator(_zone), WithJsonSchema({"type": "string", "minLength": 1, "examples": ["Europe/Madrid", "UTC"]})
]
Language = Annotated[str, AfterValidator(_language), _schema(times.LANGUAGE_PATTERN, "es", "es-MX")]
Weekday = Annotated[str, AfterValidator(_weekday), WithJsonSchema(_DAY)]
Weekdays = Annotated[list[Weekday], AfterValidator(_some), BeforeValidator(_listed), _one_or_many(_DAY)]
Expression = Annotated[str, BeforeValidator(_expression), WithJsonSchema({"type": ["string", "number", "boolean"]})]
