"""How much processor time another process took.

Owns the one question, asked of the operating system.
Must never guess: where the system does not tell, the answer is None.
"""

import os
from pathlib import Path


def cpu_seconds_of(pid: int) -> float | None:
    """Return user and system time of a process and its threads, in seconds; None if it is gone or nobody can tell."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold blanks; the rest counts from behind it.
    # Of the fields in proc(5), utime is the 14th and stime the 15th.
    fields = line.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
