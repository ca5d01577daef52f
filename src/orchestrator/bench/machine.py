"""What figures were taken on: processors, who else was at work, and which Python.

Owns that line. Must never judge.
"""

import os
import platform
import sysconfig
from collections.abc import Mapping
from typing import Any

# A CPython that was compiled by a profile of itself is much faster than one that was not; see README.
_OPTIMISED = "--enable-optimizations"


def machine() -> dict[str, Any]:
    """Say what the figures were taken on; the load tells who else was at work."""
    return {
        "processors": os.cpu_count(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
        "python_optimised": _OPTIMISED in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
    }


def text_of_machine(about: Mapping[str, Any]) -> str:
    """Write it as one line."""
    load = " ".join(map(str, about["load_average"]))
    how = "with" if about["python_optimised"] else "without"
    python = f"Python {about['python']} configured {how} {_OPTIMISED}"
    broker = f", broker {about['broker']}" if "broker" in about else ""
    return f"{about['processors']} processors, load average {load}, {python}{broker}"
