"""Where the compiled side is not built: its tests are skipped, but for CI's where there is a compiler to build it."""

import os
import shutil

import pytest

from orchestrator.compiled.turns import IS_THERE

_MUST_BE_THERE = bool(os.environ.get("CI")) and shutil.which("cargo") is not None
needs_compiled = pytest.mark.skipif(
    not IS_THERE and not _MUST_BE_THERE,
    reason="the compiled side is not built here: pip install -e . with a Rust compiler",
)
