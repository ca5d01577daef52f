"""Everything the orchestrator raises, split by whose move it is.

    OrchestratorError
      DefinitionError     the author's      file, line, column, code, step id, what to write instead
      InvalidProject      the author's      every DefinitionError of a project, in the order of its files
      EventError          the producer's    to dead letters with its reason; never holds up a profile
      ChannelError        the provider's
        TryLater            again, after so long
          Unavailable       and no other action either: the provider as a whole is in trouble
        Refused             never again for this action
          Bounced           because of the address, for good (hard) or for now (soft)
            OptedOut          because whoever has it told the provider that they want nothing more
          WindowClosed      because of the hour: the customer has not written for too long
      InputError          the operator's    an input that cannot be read, or an output that cannot be written
      StorageError        the operator's
      InvariantError      ours              park, keep the state, page somebody

A business "no" is a decision, never one of these. A message says what was found, where, and what to do, on one line.
Owns the tree and the form of its texts. Must never import anything of the package, nor decide who catches what.
"""

from collections.abc import Iterable
from datetime import timedelta


def _one_line(text: str) -> str:
    """Fold whatever a parser or provider said into one line, so that one error is one line in any log."""
    return " ".join(text.split())


class OrchestratorError(Exception):
    """Anything that the orchestrator raises on purpose."""


class DefinitionError(OrchestratorError):
    """Something an author wrote that cannot be, or (codes that begin with W) should not be.

    `line` and `column` count from 1, as editors do. `code` is stable: people search for it, tools filter by it.
    `fix` is what to write instead, or None where only the author can know.
    """

    def __init__(
        self,
        file: str,
        line: int,
        column: int,
        code: str,
        message: str,
        step_id: str | None = None,
        fix: str | None = None,
    ) -> None:
        # All of them in `args`: that is what pickling hands back to __init__ in another process.
        super().__init__(file, line, column, code, message, step_id, fix)
        self.file = file
        self.line = line
        self.column = column
        self.code = code
        self.message = _one_line(message)
        self.step_id = step_id
        self.fix = None if fix is None else _one_line(fix)

    @property
    def is_warning(self) -> bool:
        """Tell whether this fails a check only when asked to be strict."""
        return self.code.startswith("W")

    @property
    def position(self) -> tuple[str, int, int, str]:
        """Sort by this: file, then line, column and code."""
        return (self.file, self.line, self.column, self.code)

    def __str__(self) -> str:
        step = "" if self.step_id is None else f" (step {self.step_id})"
        fix = "" if self.fix is None else f"; write: {self.fix}"
        return f"{self.file}:{self.line}:{self.column}: {self.code} {self.message}{step}{fix}"


class InvalidProject(OrchestratorError):  # noqa: N818 - it names the thing found, and reads as it is said
    """Every mistake found in a project at once, so that an author mends them in one go.

    Holds errors and warnings alike, sorted by position; there is always at least one error among them,
    because a project with warnings only is valid.
    """

    def __init__(self, problems: Iterable[DefinitionError]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.position))
        if not self.errors:
            raise InvariantError("InvalidProject was raised without a single error; raise it only when there is one")
        super().__init__(self.problems)

    @property
    def errors(self) -> tuple[DefinitionError, ...]:
        """Return what must be mended."""
        return tuple(problem for problem in self.problems if not problem.is_warning)

    @property
    def warnings(self) -> tuple[DefinitionError, ...]:
        """Return what should be mended."""
        return tuple(problem for problem in self.problems if problem.is_warning)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class EventError(OrchestratorError):
    """An event that cannot be understood or attached to anybody; it goes to dead letters and the stream goes on.

    `reason` is the stable snake_case word that the dead letter and its metric carry; `message` is for people.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = _one_line(message)

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class ChannelError(OrchestratorError):
    """A provider did not take an action; which of the two kinds says whose move is next."""


class TryLater(ChannelError):  # noqa: N818 - an instruction to delivery
    """The provider cannot take it now; the same action, with the same id, may be offered again `after` so long.

    `after` is what the provider asked for; None leaves it to delivery's own backoff.
    """

    def __init__(self, after: timedelta | None, why: str) -> None:
        super().__init__(after, why)
        self.after = after
        self.why = _one_line(why)

    def __str__(self) -> str:
        return self.why if self.after is None else f"{self.why}; again in {self.after.total_seconds():g} s"


class Refused(ChannelError):  # noqa: N818 - what the provider did
    """The provider will never take this action: the journey moves on to the next channel, or records the failure."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = _one_line(why)

    def __str__(self) -> str:
        return self.why


class Unavailable(TryLater):
    """The provider as a whole does not answer, or is not set up: every action of its channel waits, not only this."""


class Bounced(Refused):
    """The provider says that this address takes nothing: for good when `hard`, so that it becomes unreachable."""

    def __init__(self, why: str, hard: bool) -> None:
        super().__init__(why)
        self.args = (why, hard)  # what pickling hands back to __init__ in another process
        self.hard = hard


class OptedOut(Bounced):
    """The customer has told the provider that they want nothing more from this sender; the address is as good as ever.

    That is a no on record, like one that was told to us.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why, hard=False)
        self.args = (why,)


class WindowClosed(Refused):
    """The channel takes only approved templates now, and this message has none: the customer wrote too long ago."""


class InputError(OrchestratorError):
    """A file that was named cannot be read or written, or is not the one that was begun. The operator's move."""


class StorageError(OrchestratorError):
    """A store that cannot be read or written: wrong format, no space, somebody else's lock. The operator's move."""


class InvariantError(OrchestratorError):
    """Something that cannot happen did: our own bug. The entry is parked, its state kept, and somebody is told."""
