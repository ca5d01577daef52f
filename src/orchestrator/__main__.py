"""The command `orchestrator`, as `python -m orchestrator`.

Owns nothing but the call. Must never do anything that the command does not.
"""

from orchestrator.cli import main

if __name__ == "__main__":
    main()
