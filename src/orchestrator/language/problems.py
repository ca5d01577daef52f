"""The problems found so far: errors and warnings of a whole project, each once.

Owns the collecting. Must never stop the search at the first find, nor decide what is a problem.
"""

from orchestrator.errors import DefinitionError, InvalidProject


class Problems:
    """Collects what is wrong, so that an author sees everything at once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, str, str], DefinitionError] = {}

    def add(self, problem: DefinitionError) -> None:
        """Record a problem; one that is already on record (reached twice through an alias) stays one."""
        self._found.setdefault((*problem.position, problem.message), problem)

    def is_about(self, file: str) -> bool:
        """Tell whether something is wrong with a file."""
        return any(problem.file == file for problem in self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    @property
    def sorted(self) -> tuple[DefinitionError, ...]:
        """All of them, in the order of file, line and column."""
        return tuple(sorted(self._found.values(), key=lambda problem: problem.position))

    @property
    def warnings(self) -> tuple[DefinitionError, ...]:
        """Those that do not make the project invalid."""
        return tuple(problem for problem in self.sorted if problem.is_warning)

    def raise_errors(self) -> None:
        """Raise InvalidProject if there is an error among them."""
        if any(not problem.is_warning for problem in self._found.values()):
            raise InvalidProject(self._found.values())
