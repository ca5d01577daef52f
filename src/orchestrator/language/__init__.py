"""From YAML to compiled journeys, and every mistake on the way, with its line, column, code and fix.

Owns reading, checking, compiling and linting of what authors write, and the JSON Schemas of it.
Must never run a journey, evaluate a condition against a customer, or end in a traceback for anything a file may hold.
"""

from orchestrator.language.compiling import Definition, Loaded, compile_sources, load
from orchestrator.language.content import Content

__all__ = ["Content", "Definition", "Loaded", "compile_sources", "load"]
