"""The steps of a journey, flattened: a table of compiled steps that name their successors by id.

Owns the compiling of each verb. The last step of a branch names as `next` what comes after the container, so that no
stack is ever stored. Must never run a step.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, ClassVar

from orchestrator.language import durations, values
from orchestrator.language.definitions import steps as written
from orchestrator.language.definitions.triggers import EnterRule
from orchestrator.language.definitions.triggers import Trigger as WrittenTrigger
from orchestrator.language.expressions import Surroundings, compile_at
from orchestrator.language.naming import verb_of
from orchestrator.language.nodes import Path, Place
from orchestrator.language.project import NOTHING, Shop, length, minute
from orchestrator.language.reads import Reads
from orchestrator.language.sending import Sending
from orchestrator.language.slips import Slips
from orchestrator.model import instants
from orchestrator.model import journey as model
from orchestrator.model.audience import BOUGHT, SEGMENT_ENTERED, SEGMENT_LEFT
from orchestrator.model.catalog import PROFILE_EVENTS, RECEIPTS
from orchestrator.model.expression import Expression, Scope
from orchestrator.model.journey import Branch, Repeat, Step, Trigger

# Events that only the outside world, or the engine itself, may speak of.
_NOT_OURS = PROFILE_EVENTS | RECEIPTS | {"message_received", "survey_answered", "call_answered",
                                         "profile_erase_requested", SEGMENT_ENTERED, SEGMENT_LEFT}  # fmt: skip
_KEPT_BY_ENGINE = frozenset({"id", "customer_id", "last_seen"})
_ALL = 100.0
# A call that names no time waits so long for its answer.
_CALL_WITHIN = "10s"


class Flow:
    """Compiles the steps of one journey into a table."""

    def __init__(
        self,
        root: Place,
        ids: dict[Path, str],
        around: Surroundings,
        reads: Reads,
        sending: Sending,
        shop: Shop,
        slips: Slips,
    ) -> None:
        self.table: dict[str, Step] = {}
        self._root = root
        self._ids = ids
        self.around = around
        self._reads = reads
        self._sending = sending
        self._shop = shop
        self._slips = slips

    def compile(self, steps: list[Any], path: Path, after: str | None, inside: tuple[str, ...] = ()) -> str | None:
        """Compile steps that stand in one list; gives the id of the first, or `after` where there are none."""
        ids = [self._ids[*path, number] for number in range(len(steps))]
        for number, step in enumerate(steps):
            following = ids[number + 1] if number + 1 < len(steps) else after
            here = (*path, number)
            place = self._root.at(here).of_step(ids[number])
            verb = verb_of(step)
            common: dict[str, Any] = {"id": ids[number], "next": following, "inside": inside}
            # The container takes its place in the table before what it holds.
            self.table[ids[number]] = Step(**common)
            self.table[ids[number]] = self._VERBS[verb](self, step, place, here, common)
            if number + 1 < len(steps) and ends(step):
                self._root.at((*path, number + 1)).of_step(ids[number + 1]).report(
                    "W302",
                    "nobody ever comes here: the step before always ends the entry",
                    "it before that, or not at all",
                )
        return ids[0] if ids else after

    def _inner(self, path: Path, way: Path, steps: list[Any] | None, common: dict[str, Any]) -> str | None:
        return self.compile(steps or [], (*path, *way), common["next"], common["inside"])

    def expression(self, place: Place, text: str, around: Surroundings | None = None) -> Expression:
        """Compile an expression, and note what it reads."""
        around = replace(around or self.around, at=place.step_id)
        compiled = compile_at(place, text, around)
        if compiled is None:
            return NOTHING
        self._reads.add(compiled.reads)
        if not around.is_where:
            self._slips.check(place, compiled.expression)
        return compiled.expression

    def trigger(self, place: Place, rule: WrittenTrigger | EnterRule, around: Surroundings | None = None) -> Trigger:
        """Compile what an event must be."""
        for feature, change in (("segment", SEGMENT_ENTERED), ("segment_left", SEGMENT_LEFT)):
            name = getattr(rule, feature)
            if name is not None:
                self.segment(place[feature], name)
                return Trigger(frozenset({change}), _is_segment(name), name)
        where = None
        if rule.where is not None:
            known = values.of_events(rule.event or (), self._shop, self._sending.messages)
            where = self.expression(place["where"], rule.where, (around or self.around).where(known))
            self._slips.check(place["where"], where, rule.event)
        return Trigger(frozenset(rule.event or ()), where)

    def segment(self, place: Place, name: str) -> None:
        """Note that a segment is asked for; report one that there is not."""
        self._shop.check_segment(place, name)
        self._reads.add([("segment", name)])

    def _wait(self, step: written.WaitStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        return model.Wait(**common, after_ms=length(step.wait.for_), restart_on=frozenset(step.wait.restart_on or ()))

    def _wait_until(self, step: written.WaitUntilStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        until = step.wait_until
        spot = place["wait_until"]
        return model.WaitUntil(
            **common,
            minute=None if until.time is None else minute(until.time),
            weekdays=frozenset(instants.WEEKDAYS.index(day) for day in until.weekday or ()),
            date=None if until.date is None else self.expression(spot["date"], until.date),
            offset_days=0 if until.offset is None else durations.days(until.offset) or 0,
            yearly=until.yearly,
        )

    def _wait_for(self, step: written.WaitForStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        body, spot = step.wait_for, place["wait_for"]
        if body.any is None:
            first = self._inner(path, ("then",), step.then, common)
            branches = [Branch(name=None, trigger=self.trigger(spot, body), first=first)]
        else:
            branches = []
            self._check_names(spot["any"], [branch.name for branch in body.any])
            for number, branch in enumerate(body.any):
                first = self._inner(path, ("wait_for", "any", number, "then"), branch.then, common)
                trigger = self.trigger(spot["any"][number], branch)
                branches.append(Branch(name=branch.name, trigger=trigger, first=first))
        on_timeout = self._inner(path, ("on_timeout",), step.on_timeout, common)
        return model.WaitFor(**common, branches=tuple(branches), within_ms=length(body.within), on_timeout=on_timeout)

    def _check_names(self, place: Place, names: list[str | None]) -> None:
        for number, name in enumerate(names):
            if name is not None and name in names[:number]:
                place[number]["name"].report("E228", f"two branches are called {name}", "another name")

    def _send(self, step: written.SendStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        spot, body = place["send"], step.send
        data = tuple((name, self.expression(spot["data"][name], text)) for name, text in body.data.items())
        message, channels, purpose = self._sending.resolve(spot, body, replace(self.around, at=place.step_id))
        return model.Send(
            **common,
            message=message,
            channels=channels,
            purpose=purpose,
            expires_ms=None if body.expires is None else length(body.expires),
            data=data,
        )

    def _ask(self, step: written.AskStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        body = step.ask
        as_send = written.SendBody.model_construct(message=body.message, channels=body.channels)
        message, channels, purpose = self._sending.resolve(
            place["ask"], as_send, replace(self.around, at=place.step_id)
        )
        self._sending.check_survey(place["ask"]["message"], message)
        return model.Ask(
            **common,
            message=message,
            channels=channels,
            purpose=purpose,
            survey=body.survey,
            within_ms=length(body.within),
            **self._ways(step, path, common),
        )

    def _handoff(self, step: written.HandoffStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        spot, body = place["handoff"], step.handoff
        self._sending.check_case(spot, body)
        self._check_waiting(place, step)
        return model.Handoff(
            **common,
            team=body.to,
            skill=body.skill,
            priority=body.priority,
            reason=body.reason,
            summary=body.summary,
            reads=() if body.summary is None else self._sending.names_in(spot["summary"], body.summary),
            pause=tuple(body.pause),
            until_closed=body.until is not None,
            within_ms=None if body.within is None else length(body.within),
            purpose=self._sending.purpose,
            **self._ways(step, path, common),
        )

    def _check_waiting(self, place: Place, step: written.HandoffStep) -> None:
        """Report what needs a case that is waited for, and a wait without an end."""
        spot, body = place["handoff"], step.handoff
        if body.until is not None:
            if body.within is None and not spot.is_mended:
                why = "who has a case that nobody closes waits here for ever"
                spot["until"].report("W314", why, "within: 3d, or as long as a case may take", at_key=True)
            return
        if body.within is not None and not spot.is_mended:
            why = "this handoff does not wait, so that there is nothing to end"
            spot["within"].report("W315", why, "until: closed", at_key=True)
        for name, found in (("then", step.then), ("on_timeout", step.on_timeout)):
            if found:
                why = f"`{name}` needs a case that is waited for"
                place[name].report("E231", why, "until: closed, in the handoff", at_key=True)

    def _call(self, step: written.CallStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        spot, body = place["call"], step.call
        self._sending.check_webhook(spot["webhook"], body.webhook)
        payload = tuple((name, self.expression(spot["payload"][name], text)) for name, text in body.payload.items())
        return model.Call(
            **common,
            webhook=body.webhook,
            payload=payload,
            within_ms=length(body.within or _CALL_WITHIN),
            purpose=self._sending.purpose,
            **self._ways(step, path, common),
        )

    def _ways(self, step: Any, path: Path, common: dict[str, Any]) -> dict[str, Any]:
        """Compile the two ways on from a step that waits for an answer."""
        first = self._inner(path, ("then",), step.then, common)
        return {"first": first, "on_timeout": self._inner(path, ("on_timeout",), step.on_timeout, common)}

    def _score(self, step: written.ScoreStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        spot, body = place["score"], step.score
        asked = self._sending.check_model(spot["model"], body.model)
        given = None if body.input is None else self.expression(spot["input"], body.input)
        if given is None and asked is not None and asked.reads_text:
            self._reads.add([("event", "properties", "text")])
        save = None if body.save is None else self._field(spot["save"], body.save)
        return model.Score(**common, model=body.model, input=given, save=save)

    def _choose(self, step: written.ChooseStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        branches: list[tuple[Expression | None, str | None]] = []
        for number, choice in enumerate(step.choose):
            if choice.if_ is None:
                branches.append((None, self._inner(path, ("choose", number, "else"), choice.else_, common)))
            else:
                condition = self.expression(place["choose"][number]["if"], choice.if_)
                branches.append((condition, self._inner(path, ("choose", number, "then"), choice.then, common)))
        return model.Choose(**common, branches=tuple(branches))

    def _split(self, step: written.SplitStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        spot = place["split"]
        total = sum(branch.share for branch in step.split)
        if abs(total - _ALL) > 1e-6 and not spot.is_mended:
            spot.report("E227", f"the shares sum to {total:g}, not to 100", "shares that sum to 100")
        self._check_names(spot, [branch.name for branch in step.split])
        upper = [*accumulate(branch.share for branch in step.split[:-1]), _ALL]
        return model.Split(
            **common,
            branches=tuple(
                model.SplitBranch(
                    name=branch.name,
                    below=below,
                    first=self._inner(path, ("split", number, "then"), branch.then, common),
                )
                for number, (branch, below) in enumerate(zip(step.split, upper, strict=True))
            ),
        )

    def _set(self, step: written.SetStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        changes = []
        for target, text in step.set.items():
            spot = place["set"][target]
            changes.append((self._field(spot, target, at_key=True), self.expression(spot, text)))
        return model.SetValues(**common, values=tuple(changes))

    def _field(self, place: Place, target: str, *, at_key: bool = False) -> str:
        """Name the field of the profile that a step writes; report what no step may write."""
        space, _, name = target.partition(".")
        kept = name in _KEPT_BY_ENGINE or (self.around.has_purchases and name in BOUGHT)
        if space != "profile" or not name.isidentifier() or kept:
            own = kept and space == "profile"
            why = "is kept by the engine" if own else "is no field of the profile"
            fix = "profile.NAME, one name after the dot" if own or "." in target else f"profile.{target}"
            place.report("E229", f"{target} {why}", fix, at_key=at_key)
        return name

    def _emit(self, step: written.EmitStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        spot, body = place["emit"], step.emit
        if body.event in _NOT_OURS:
            fix = "set: {profile.NAME: ...}" if body.event == "profile_updated" else "an event of your own"
            spot["event"].report("E230", f"{body.event} is not a journey's to emit", fix)
        return model.Emit(
            **common,
            event=body.event,
            properties=tuple(
                (name, self.expression(spot["properties"][name], text)) for name, text in body.properties.items()
            ),
        )

    def _repeat(self, step: written.RepeatStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        spot, body = place["repeat"], step.repeat
        own = common["id"]
        first = self.compile(list(body.steps), (*path, "repeat", "steps"), own, (*common["inside"], own))
        return Repeat(
            **common,
            every_ms=length(body.every),
            at_most=body.at_most,
            first=first,
            until=None if body.until is None else self.expression(spot["until"], body.until),
            until_event=None if body.until_event is None else Trigger(frozenset(body.until_event)),
        )

    def _exit(self, step: written.ExitStep, place: Place, path: Path, common: dict[str, Any]) -> Step:
        return model.Exit(**common, reason=step.exit)

    _VERBS: ClassVar[dict[str, Callable[..., Step]]] = {
        "wait": _wait,
        "wait_until": _wait_until,
        "wait_for": _wait_for,
        "send": _send,
        "ask": _ask,
        "handoff": _handoff,
        "call": _call,
        "score": _score,
        "choose": _choose,
        "split": _split,
        "set": _set,
        "emit": _emit,
        "repeat": _repeat,
        "exit": _exit,
    }


def _is_segment(name: str) -> Expression:
    """Ask whether the change at hand is this segment's."""

    def named(scope: Scope) -> Any:
        return scope.properties.get("segment")

    return Expression(f"segment == '{name}'", lambda scope: named(scope) == name, (("segment", named),))


def ends(step: written.StepBase) -> bool:
    """Tell whether a step ends the entry whatever happens."""
    if isinstance(step, written.ChooseStep):
        ways = [choice.then if choice.else_ is None else choice.else_ for choice in step.choose]
        return step.choose[-1].else_ is not None and all(map(_end, ways))
    if isinstance(step, written.SplitStep):
        return all(_end(branch.then) for branch in step.split)
    if isinstance(step, written.WaitForStep):
        came = [step.then or []] if step.wait_for.any is None else [branch.then for branch in step.wait_for.any]
        return all(map(_end, [*came, step.on_timeout]))
    return isinstance(step, written.ExitStep)


def _end(steps: Sequence[written.StepBase]) -> bool:
    """Whether whoever comes to these steps ends with the last of them."""
    return bool(steps) and ends(steps[-1])
