"""Where the tests find Prometheus and promtool.

On the PATH, else unpacked (not installed) from Debian's package into the cache folder, once for all later runs.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def program(name: str) -> str:
    """Return the path of `prometheus` or `promtool`; skip the test, or fail it in CI, where neither can be had."""
    found = shutil.which(name)
    if found:
        return found
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "orchestrator" / "prometheus"
    unpacked = cache / "usr" / "bin" / name
    if unpacked.exists():
        return str(unpacked)
    reason = _unpack(cache)
    if unpacked.exists():
        return str(unpacked)
    why = f"{name} is not on the PATH and cannot be unpacked from Debian's package: {reason}"
    if os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def _unpack(cache: Path) -> str:
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return "no apt-get here"
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent) as folder:
        said = ""
        for command in (
            ["apt-get", "download", "prometheus"],
            ["apt-get", "update"],
            ["apt-get", "download", "prometheus"],
        ):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
            said = done.stderr.strip()
            packages = sorted(Path(folder).glob("prometheus_*.deb"))
            if packages:
                break
        else:
            return said
        subprocess.run(["dpkg", "-x", packages[0].name, "unpacked"], cwd=folder, check=True, capture_output=True)
        try:
            (Path(folder) / "unpacked").rename(cache)
        except OSError:
            if not cache.exists():  # else another process was faster, with the same
                raise
    return ""
