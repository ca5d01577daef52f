"""Where the compiled side is not built, its tests are skipped and say so: everything else holds without it."""

import pytest

from orchestrator.compiled.turns import IS_THERE

_WHY = "the compiled side is not built here: pip install -e . with a Rust compiler"
needs_compiled = pytest.mark.skipif(not IS_THERE, reason=_WHY)
