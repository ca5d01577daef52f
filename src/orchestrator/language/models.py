"""Models: from what orchestrator.yaml says of a scorer to the scorer itself.

Owns the check that a model's settings fit its kind, and the compiling of its rules. A scorer's own module is imported
when a project has a model of its kind, or a step asks for it. Must never judge anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.language.definitions.fields import nearest
from orchestrator.language.definitions.project import ModelDefinition, ProjectDefinition
from orchestrator.language.durations import milliseconds
from orchestrator.language.expressions import Read, Surroundings, compile_at
from orchestrator.language.nodes import Place
from orchestrator.language.sources import ReadFile
from orchestrator.model.expression import Expression
from orchestrator.model.instants import DAY_MS
from orchestrator.model.project import Scorer, Table
from orchestrator.scorers import registry
from orchestrator.scorers.port import Rule, Setup, Unusable

# Settings by the kind that reads them; `settings` is for the kinds that other packages bring.
_SETTINGS = {
    "rules": ("rules", "labels"),
    "sentiment": (),
    "topic": ("topics",),
    "recommend": ("baskets", "catalog", "at_most"),
    "churn": ("usual", "much"),
    "onnx": ("file", "features", "classes"),
}
_BROUGHT = ("settings", "features")


@dataclass(frozen=True)
class Model:
    """A scorer with what it reads of the entry that asks, and whether it judges a text."""

    scorer: Scorer
    reads: frozenset[Read] = frozenset()
    reads_text: bool = True


class Models:
    """The scorers of one project, by the names that steps ask for them."""

    def __init__(
        self,
        definition: ProjectDefinition,
        place: Place,
        around: Surroundings,
        tables: Mapping[str, Table],
        read: ReadFile,
        *,
        is_lost: bool,
    ) -> None:
        self._languages = tuple(definition.languages)
        self._place = place
        # A model is asked from many journeys, whose steps have other names.
        self._around = around.limited_to("event", "entry", "profile", "now")
        self._tables = tables
        self._read = read
        self._is_lost = is_lost
        self._written = definition.models or {}
        self._found: dict[str, Model | None] = {}
        for name, written in self._written.items():
            self._found[name] = self._made(place[name], name, written)

    @property
    def scorers(self) -> dict[str, Scorer]:
        """The scorers themselves, for the engine."""
        return {name: model.scorer for name, model in self._found.items() if model is not None}

    def find(self, place: Place, name: str) -> Model | None:
        """Find the model that a step names, or report that there is none."""
        if name not in self._found and name in registry.READY:
            self._found[name] = self._made(place, name, ModelDefinition())
        elif name not in self._found and not self._is_lost and not self._place.is_mended:
            known = {*self._found, *registry.READY}
            fix = nearest(name, known) or f"models: {{{name}: ...}} there, or one of {', '.join(sorted(known))}"
            place.report("E317", f"orchestrator.yaml has no model {name}", fix)
        return self._found.get(name)

    def labels(self, name: str) -> tuple[str, ...] | None:
        """List what a model may call its values; None where that is not known beforehand."""
        written = self._written.get(name, ModelDefinition())
        kind = written.kind or name
        return tuple(written.labels or ()) if kind == "rules" else registry.LABELS.get(kind)

    def _made(self, place: Place, name: str, written: ModelDefinition) -> Model | None:
        kind = written.kind or name
        opener = registry.find(kind)
        if opener is None:
            kinds = registry.kinds()
            fix = f"kind: {nearest(kind, set(kinds)) or ', '.join(kinds)}"
            place["kind"].report("E321", f"nobody brings models of the kind {kind}", fix, at_key=written.kind is None)
            return None
        given = written.model_dump(exclude_none=True, exclude={"kind", "rules", "features"})
        self._check_settings(place, kind, written.model_fields_set - {"kind"})
        rules, features, reads = self._compiled(place, written)
        is_whole = len(rules) == len(written.rules or ()) and len(features) == len(written.features or ())
        if place.is_mended or place["rules"].is_mended or place["features"].is_mended or not is_whole:
            return None  # what is wrong is on record, and what is left does not have to add up
        if written.catalog is not None and written.catalog not in self._tables:
            fix = nearest(written.catalog, set(self._tables)) or f"catalogs: {{{written.catalog}: ...}}"
            place["catalog"].report("E317", f"there is no catalog {written.catalog}", fix)
            return None
        if written.usual is not None:
            given["usual_days"] = (milliseconds(written.usual) or 0) / DAY_MS
        settings: dict[str, Any] = given.get("settings", {}) if kind not in _SETTINGS else given
        try:
            scorer = opener(Setup(name, settings, rules, features, self._languages, self._tables, self._read))
        except Unusable as error:
            place.report("E321", error.message, error.fix)
            return None
        reads |= registry.READS.get(kind, frozenset())
        return Model(scorer, frozenset(reads), kind in registry.OF_TEXTS or kind not in _SETTINGS)

    def _check_settings(self, place: Place, kind: str, given: set[str]) -> None:
        for key in sorted(given - set(_SETTINGS.get(kind, _BROUGHT))):
            has = ", ".join(_SETTINGS.get(kind, _BROUGHT)) or "nothing"
            place[key].report("E321", f"a model of the kind {kind} has no `{key}`; it has {has}", has, at_key=True)

    def _compiled(
        self, place: Place, written: ModelDefinition
    ) -> tuple[tuple[Rule, ...], tuple[tuple[str, Expression], ...], set[Read]]:
        rules, features, reads = [], [], set[Read]()
        for number, rule in enumerate(written.rules or ()):
            compiled = compile_at(place["rules"][number]["if"], rule.if_, self._around)
            if compiled is not None:
                reads |= compiled.reads
                rules.append(Rule(compiled.expression, rule.points, rule.why or rule.if_))
        for name, text in (written.features or {}).items():
            compiled = compile_at(place["features"][name], text, self._around)
            if compiled is not None:
                reads |= compiled.reads
                features.append((name, compiled.expression))
        return tuple(rules), tuple(features), reads
