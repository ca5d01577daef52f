"""The OpenAPI document: what programs may ask, in the form that their tools read.

Owns the description of every path that is meant for programs; a test asks the running process for each of them and
holds it to this. Must never promise what a path does not do, nor a path that the process does not serve.
"""

from collections.abc import Container
from typing import Any

from orchestrator import __version__
from orchestrator.web.openapi import events, hooks, inbox, streams
from orchestrator.web.openapi.forms import SECURITY_SCHEMES

# What a reader finds first.
_PARTS = (events, hooks, inbox, streams)


def document(url: str, served: Container[str] | None = None) -> dict[str, Any]:
    """Describe the process at a URL, of the paths those that it serves; without them all that there are."""
    paths = {path: described for part in _PARTS for path, described in part.paths().items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "orchestrator",
            "version": __version__,
            "description": "Events in, and what comes back. What is accepted is durable before the answer.",
        },
        "servers": [{"url": url}],
        "paths": {path: told for path, told in paths.items() if served is None or path in served},
        "components": {"securitySchemes": SECURITY_SCHEMES},
    }
