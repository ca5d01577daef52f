"""From YAML to compiled journeys, and every mistake on the way, with its line, column, code and fix.

    compiling                       a whole project, from its files to a catalog, and all that is wrong with it
    sources, yaml, syntax, signs, nodes
                                    files, texts, and trees that know where everything stands
    definitions/, validation        what may be written, as pydantic models; their findings in our words
    problems, codes                 what was found; every code, what it means and what to do
    expressions/, durations, times  conditions and values; lengths of time, local times
    project, models, tables, coupons
                                    orchestrator.yaml, its scorers, catalogs and pools of codes
    content, templates, filters, readers
                                    messages, and what their templates and their channels ask for
    journeys, naming, flow, moments, segments, sending, values, reads
                                    a journey: ids, steps, what time opens, whom it asks for, sends, knows and keeps
    examples, lint, slips, futile   doubts: of examples, of the whole project, of names nearly alike, of what cannot be
    schemas, reference              the same as JSON Schemas for editors, and as a page for people

Owns reading, checking, compiling and linting of what authors write, and the JSON Schemas of it.
Must never run a journey, evaluate a condition against a customer, or end in a traceback for anything a file may hold.
"""

from orchestrator.language.compiling import Definition, Loaded, compile_sources, load
from orchestrator.language.content import Content

__all__ = ["Content", "Definition", "Loaded", "compile_sources", "load"]
