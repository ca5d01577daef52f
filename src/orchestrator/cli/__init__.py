"""The command line: arguments in, results on standard output, everything else on standard error.

Owns the words and looks of every command, and the exit codes: 0 fine, 1 the thing checked does not hold,
2 wrong use or unreadable input, 130 interrupted.
Must never hold a rule of the product, nor import what a command needs before that command is asked for.
"""

from typing import NoReturn


def main() -> NoReturn:
    """Run the command that the process was started with, and end the process with its exit code."""
    from orchestrator.cli.process import run

    run()
